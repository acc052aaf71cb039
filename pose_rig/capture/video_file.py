"""Video files, local or on a web server."""

import time
from pathlib import Path

import cv2

from pose_rig.arrays import Image
from pose_rig.capture.recording import RecordedFrame
from pose_rig.capture.source import Detections, SourceInfo
from pose_rig.capture.video_capture import Device, size_px
from pose_rig.config import CameraConfig
from pose_rig.errors import SourceError
from pose_rig.redaction import redacted
from pose_rig.video.mp4_duration import video_duration_s

DEFAULT_FPS = 30.0  # if the file has none
MAX_FPS = 1000.0  # a container with more contains its time base instead
ANIMATED_IMAGE_SUFFIXES = (".gif", ".webp", ".avif", ".apng")  # may be videos
# The file ends after this many consecutive frames that cannot be decoded, or after this time.
MAX_DAMAGED_FRAMES = 100
DAMAGED_TIMEOUT_S = 1.0
# Tolerated distance of the last frame from the end of the file. Most containers have the duration of all tracks, and
# the sound may be longer than the video; MP4 has the duration of the video track.
END_TOLERANCE_S = 0.5
END_TOLERANCE_FRAMES = 1.5


class VideoFile:
    """A video file as a `Recording`; its rotation is applied.

    Args:
        camera: ``source`` is the path or URL; ``fps`` overrides the timestamps in the file.
        device: Open; closed together with the recording.

    Attributes:
        fault: How many frames could be read, if not all.
    """

    def __init__(self, camera: CameraConfig, device: Device) -> None:
        self._device = device
        file_fps, count = device.get(cv2.CAP_PROP_FPS), int(device.get(cv2.CAP_PROP_FRAME_COUNT))
        self._file_fps = file_fps if 0 < file_fps < MAX_FPS else DEFAULT_FPS
        self._fixed_fps = camera.fps
        self._file_frames, self._repeats_left = max(count, 0), camera.repeat - 1
        self._duration_s = video_duration_s(Path(camera.source))
        self._start_index = self._start_ns = 0  # of this repetition
        self._damaged = 0  # frames of this repetition that could not be decoded
        self._has_seeked = False
        self._stamp_s = 0.0  # timestamp in the file of the last frame
        size, fps = size_px(device), camera.fps or self._file_fps
        detail = f"{size[0]}×{size[1]} at {fps:.4g}/s"
        if camera.size_px not in (None, size):
            detail += f", requested {camera.size_px[0]}×{camera.size_px[1]} but the size of files cannot be set"
        total_frames = count * camera.repeat if count > 0 else None
        self.info = SourceInfo(redacted(camera.source), detail, size, fps, total_frames)
        self.fault = ""
        self._frame = RecordedFrame(-1, -1)
        self._first_ns: int | None = None

    def grab(self) -> RecordedFrame | None:
        """Grabs the next frame that can be decoded; None at the end.

        Raises:
            SourceError: No frame can be read.
        """
        damaged = self._grab_next()
        if damaged is None:
            self._check_complete()
            if not self._rewind():
                return None
            damaged = 0
        index = self._frame.index + 1 + damaged
        self._damaged += damaged
        self._frame = RecordedFrame(index, self._pts_ns(index))
        return self._frame

    def _grab_next(self) -> int | None:
        """Grabs the next intact frame and returns the number of damaged ones before it; None at the end."""
        expected = self._start_index + self._file_frames - self._frame.index - 1
        until_s = time.monotonic() + DAMAGED_TIMEOUT_S
        for damaged in range(1 + min(max(expected, 0), MAX_DAMAGED_FRAMES)):
            if self._device.grab():
                return damaged
            if time.monotonic() > until_s:
                break
        return None

    def _check_complete(self) -> None:
        """Sets ``fault`` at the end of the file if frames are missing.

        Raises:
            SourceError: No frame could be read.
        """
        reached = self._frame.index + 1 - self._start_index
        if self._first_ns is None and reached <= 0:
            raise SourceError(f"{self.info.identity} has no readable frame.", "Check that it plays in a video player.")
        ended_early = reached < self._file_frames - 1 and self._missing_s() > 0
        total = self._file_frames if ended_early else reached
        if ended_early or self._damaged:
            read = "Not all" if self._has_seeked else str(reached - self._damaged)
            self.fault = f"{read} of {total} frames could be read: the file is cut off or damaged."

    def _missing_s(self) -> float:
        """Returns how far the last frame is from the end of the file, beyond the tolerance."""
        period_s = 1 / self._file_fps
        end_s = self._stamp_s + period_s
        if self._duration_s is not None:
            return self._duration_s - end_s - END_TOLERANCE_FRAMES * period_s
        return self._file_frames * period_s - end_s - END_TOLERANCE_S

    def _rewind(self) -> bool:
        """Seeks to the first frame if the file has to be repeated; returns whether a frame was grabbed."""
        if self._repeats_left < 1 or not self._device.set(cv2.CAP_PROP_POS_FRAMES, 0) or not self._device.grab():
            return False
        self._repeats_left -= 1
        self._start_index, self._damaged = self._frame.index + 1, 0
        self._start_ns = self._frame.pts_ns + round(1e9 / self.info.fps)
        return True

    def seek(self, pts_ns: int) -> None:
        """Seeks to the frame at about ``pts_ns``."""
        if self._first_ns is None:
            self.grab()  # timestamps are relative to the first frame
        index = max(0, int(pts_ns * 1e-9 * self.info.fps))
        while self._repeats_left and self._file_frames and index >= self._start_index + self._file_frames:
            self._repeats_left -= 1
            self._start_index += self._file_frames
            self._start_ns = round(self._start_index * 1e9 / self.info.fps)
        if self._device.set(cv2.CAP_PROP_POS_FRAMES, index - self._start_index):
            self._frame, self._has_seeked = RecordedFrame(index - 1, -1), True

    def retrieve(self) -> tuple[Image | None, Detections | None]:
        """Returns the decoded frame; None if it is damaged."""
        decoded, image = self._device.retrieve()
        return (image if decoded else None), None

    def close(self) -> None:
        """Closes the file."""
        self._device.release()

    def _pts_ns(self, index: int) -> int:
        """Returns the timestamp in the file, or the last one + one nominal frame interval if it did not increase."""
        stamp_ns = round(self._device.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
        if self._first_ns is None:
            self._first_ns = stamp_ns
        self._stamp_s = (stamp_ns - self._first_ns) * 1e-9
        if self._fixed_fps:
            return round(index * 1e9 / self.info.fps)
        stamp_ns += self._start_ns - self._first_ns
        return stamp_ns if stamp_ns > self._frame.pts_ns else self._frame.pts_ns + round(1e9 / self.info.fps)


def check_file(path: Path) -> None:
    """Raises a SourceError if a file cannot be read as a video."""
    if not path.is_file():
        raise SourceError(f"There is no file {path}.", "Check the path.")
    if cv2.haveImageReader(str(path)) and path.suffix.lower() not in ANIMATED_IMAGE_SUFFIXES:
        raise SourceError(f"{path} is an image, not a video.", "ffmpeg converts an image sequence.")
    try:
        path.open("rb").close()
    except OSError as error:
        raise SourceError(f"{path} cannot be opened: {error.strerror}.", "Check its permissions.") from error
