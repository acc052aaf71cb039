"""Video files, and recordings that a web server holds."""

import time
from pathlib import Path

import cv2

from pose_rig.arrays import Image
from pose_rig.capture.mp4_duration import played_s
from pose_rig.capture.recording import RecordedFrame
from pose_rig.capture.source import Detections
from pose_rig.capture.video_capture import Device, size_px
from pose_rig.config import CameraConfig
from pose_rig.errors import SourceError
from pose_rig.redaction import redacted

DEFAULT_FPS = 30.0  # where the file names none
FPS_LIMIT = 1000.0  # a container that claims more means its time base
MOVING_PICTURES = (".gif", ".webp", ".avif", ".apng")  # may be videos as well
MOST_DAMAGED = 100  # frames in a row that cannot be decoded, and
DAMAGED_S = 1.0  # how long they may take; then it is over
# How far from its end the last frame may be. Most containers tell the length of all they hold, and sound may go on
# for a little longer than the picture; MP4 tells that of the picture itself.
TAIL_S = 0.5
TAIL_FRAMES = 1.5


class VideoFile:
    """A finite video as a recording; frames stand upright as the file's rotation asks.

    Args:
        camera: ``source`` is the path or URL; ``fps`` overrules the times in the file.
        device: Opened; closed together with the recording.

    Attributes:
        fault: Says so if not all of the frames could be read.
    """

    landmarks = ""

    def __init__(self, camera: CameraConfig, device: Device) -> None:
        self.identity = redacted(camera.source)
        self._device = device
        self.size_px = size_px(device)
        own_fps = self._device.get(cv2.CAP_PROP_FPS)
        self._own_fps = own_fps if 0 < own_fps < FPS_LIMIT else DEFAULT_FPS
        self._fixed_fps = camera.fps
        self.fps = camera.fps or self._own_fps
        count = int(self._device.get(cv2.CAP_PROP_FRAME_COUNT))
        self._lap_frames, self._laps_left = max(count, 0), camera.repeat - 1
        self._played_s = played_s(Path(camera.source))
        self._lap_index = self._lap_ns = 0  # where the lap began
        self._lap_damaged = 0  # frames of it that could not be decoded
        self._sought = False  # whether some were passed over
        self._stamp_s = 0.0  # the frame's time as the file has it
        self.total_frames = count * camera.repeat if count > 0 else None
        self.detail = f"{self.size_px[0]}×{self.size_px[1]} at {self.fps:.4g}/s"
        if camera.size_px not in (None, self.size_px):
            self.detail += f", wanted {camera.size_px[0]}×{camera.size_px[1]} but files keep their size"
        self.fault = ""
        self._at = RecordedFrame(-1, -1)
        self._first_ns: int | None = None

    def advance(self) -> RecordedFrame | None:
        """Moves on to the next frame; None at the end.

        Raises:
            SourceError: There is not a single frame.
        """
        damaged = self._grab()
        if damaged is None:
            self._check_lap()
            if not self._next_lap():
                return None
            damaged = 0
        index = self._at.index + 1 + damaged
        self._lap_damaged += damaged
        self._at = RecordedFrame(index, self._own_ns(index))
        return self._at

    def _grab(self) -> int | None:
        """Takes the next frame that can be decoded, and returns how many could not before it; None at the end."""
        expected = self._lap_index + self._lap_frames - self._at.index - 1
        until_s = time.monotonic() + DAMAGED_S
        for damaged in range(1 + min(max(expected, 0), MOST_DAMAGED)):
            if self._device.grab():
                return damaged
            if time.monotonic() > until_s:
                break
        return None

    def _check_lap(self) -> None:
        """Says at the end of a lap if frames are missing.

        Raises:
            SourceError: All of them are.
        """
        reached = self._at.index + 1 - self._lap_index
        if self._first_ns is None and reached <= 0:
            raise SourceError(
                f"{self.identity} has no frame that can be read.", "Check that it plays in a video player."
            )
        ended_early = reached < self._lap_frames - 1 and self._left_s() > 0
        total = self._lap_frames if ended_early else reached
        if ended_early or self._lap_damaged:
            read = "Not all" if self._sought else str(reached - self._lap_damaged)
            self.fault = f"{read} of {total} frames could be read: the file is cut off or damaged."

    def _left_s(self) -> float:
        """Returns by how much the last frame came before it may be the last."""
        period_s = 1 / self._own_fps
        end_s = self._stamp_s + period_s
        if self._played_s is not None:
            return self._played_s - end_s - TAIL_FRAMES * period_s
        return self._lap_frames * period_s - end_s - TAIL_S

    def _next_lap(self) -> bool:
        """Goes back to the first frame if the file is to be played again; returns whether it is there."""
        if self._laps_left < 1 or not self._device.set(cv2.CAP_PROP_POS_FRAMES, 0) or not self._device.grab():
            return False
        self._laps_left -= 1
        self._lap_index, self._lap_damaged = self._at.index + 1, 0
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
            self._at, self._sought = RecordedFrame(index - 1, -1), True

    def content(self) -> tuple[Image | None, Detections | None]:
        """Returns the decoded frame; no image where it is damaged."""
        decoded, image = self._device.retrieve()
        return (image if decoded else None), None

    def close(self) -> None:
        """Closes the file."""
        self._device.release()

    def _own_ns(self, index: int) -> int:
        """Returns the frame's time from the file where those increase, else counted on at the nominal rate."""
        stamp_ns = round(self._device.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
        if self._first_ns is None:
            self._first_ns = stamp_ns
        self._stamp_s = (stamp_ns - self._first_ns) * 1e-9
        if self._fixed_fps:
            return round(index * 1e9 / self.fps)
        stamp_ns += self._lap_ns - self._first_ns
        return stamp_ns if stamp_ns > self._at.own_ns else self._at.own_ns + round(1e9 / self.fps)


def check_file(path: Path) -> None:
    """Raises a SourceError that says why a file cannot be read, if so."""
    if not path.is_file():
        raise SourceError(f"There is no file {path}.", "Check the path.")
    if cv2.haveImageReader(str(path)) and path.suffix.lower() not in MOVING_PICTURES:
        raise SourceError(f"{path} is a picture, not a video.", "Give a video; a row of pictures can be made one.")
    try:
        path.open("rb").close()
    except OSError as error:
        raise SourceError(f"{path} cannot be opened: {error.strerror}.", "Check its permissions.") from error
