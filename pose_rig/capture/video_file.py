"""Video files, and recordings that a web server holds."""

from pathlib import Path

import cv2

from pose_rig.capture.device import Device, size_px, without_password
from pose_rig.capture.recording import Instant
from pose_rig.capture.source import Image, People
from pose_rig.config import CameraConfig
from pose_rig.errors import SourceError

DEFAULT_FPS = 30.0  # where the file names none
FPS_LIMIT = 1000.0  # a container that claims more means its time base


class VideoFile:
    """A finite video as a recording; frames stand upright as the file's rotation asks.

    Args:
        camera: ``source`` is the path or URL; ``fps`` overrules the times in the file.
        device: Opened; closed together with the recording.
    """

    landmarks = ""

    def __init__(self, camera: CameraConfig, device: Device) -> None:
        self.identity = without_password(camera.source)
        self._device = device
        self.size_px = size_px(device)
        own_fps = self._device.get(cv2.CAP_PROP_FPS)
        self._fixed_fps = camera.fps
        self.fps = camera.fps or (own_fps if 0 < own_fps < FPS_LIMIT else DEFAULT_FPS)
        count = int(self._device.get(cv2.CAP_PROP_FRAME_COUNT))
        self._lap_frames, self._laps_left = max(count, 0), camera.repeat - 1
        self._lap_index = self._lap_ns = 0  # where the lap began
        self.total_frames = count * camera.repeat if count > 0 else None
        self.detail = f"{self.size_px[0]}×{self.size_px[1]} at {self.fps:.4g}/s"
        if camera.size_px not in (None, self.size_px):
            self.detail += f", wanted {camera.size_px[0]}×{camera.size_px[1]} but files keep their size"
        self._at = Instant(-1, -1)
        self._first_ns: int | None = None

    def advance(self) -> Instant | None:
        """Moves on to the next frame; None at the end."""
        if not self._device.grab() and not self._next_lap():
            return None
        index = self._at.index + 1
        self._at = Instant(index, self._own_ns(index))
        return self._at

    def _next_lap(self) -> bool:
        """Goes back to the first frame if the file is to be played again; returns whether it is there."""
        if self._laps_left < 1 or not self._device.set(cv2.CAP_PROP_POS_FRAMES, 0) or not self._device.grab():
            return False
        self._laps_left -= 1
        self._lap_index = self._at.index + 1
        self._lap_ns = self._at.own_ns + round(1e9 / self.fps)
        return True

    def seek(self, own_ns: int) -> None:
        """Goes to the frame at about ``own_ns``."""
        if self._first_ns is None:
            self.advance()  # times count from the first frame
        index = max(0, int(own_ns * 1e-9 * self.fps))
        while self._laps_left and self._lap_frames and index >= self._lap_index + self._lap_frames:
            self._laps_left -= 1
            self._lap_index += self._lap_frames
            self._lap_ns = round(self._lap_index * 1e9 / self.fps)
        if self._device.set(cv2.CAP_PROP_POS_FRAMES, index - self._lap_index):
            self._at = Instant(index - 1, -1)

    def content(self) -> tuple[Image | None, People | None]:
        """Returns the decoded frame; no image where it is damaged."""
        decoded, image = self._device.retrieve()
        return (image if decoded else None), None

    def close(self) -> None:
        """Closes the file."""
        self._device.release()

    def _own_ns(self, index: int) -> int:
        """Returns the frame's time from the file where those increase, else counted on at the nominal rate."""
        if self._fixed_fps:
            return round(index * 1e9 / self.fps)
        stamp_ns = round(self._device.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
        if self._first_ns is None:
            self._first_ns = stamp_ns
        stamp_ns += self._lap_ns - self._first_ns
        return stamp_ns if stamp_ns > self._at.own_ns else self._at.own_ns + round(1e9 / self.fps)


def check_file(path: Path) -> None:
    """Raises a SourceError that says why a file cannot be read, if so."""
    if not path.is_file():
        raise SourceError(f"There is no file {path}.", "Check the path.")
    try:
        path.open("rb").close()
    except OSError as error:
        raise SourceError(f"{path} cannot be opened: {error.strerror}.", "Check its permissions.") from error
