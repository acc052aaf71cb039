"""Writing images as a video file: H.264 where PyAV is installed, else MPEG-4, which OpenCV brings."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, Self

import cv2

from pose_rig.arrays import Image
from pose_rig.errors import PoseRigError
from pose_rig.installer import installer

NO_H264 = "it is MPEG-4, which browsers do not play"


class VideoWriter(Protocol):
    """A video file that is being written."""

    def write(self, image: Image) -> None:
        """Adds a (H,W,3) uint8 BGR image of the size of the video."""


class OpenCvMp4:
    """An MP4 file with MPEG-4 Part 2; leaving its context finishes it.

    Raises:
        OSError: It cannot be written.
    """

    def __init__(self, path: Path, size_px: tuple[int, int], fps: float) -> None:
        self._path, self._images = path, 0
        self._writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, size_px)
        if not self._writer.isOpened():
            raise OSError(errno.EIO, "OpenCV cannot write this video")

    def write(self, image: Image) -> None:
        """Adds an image."""
        self._writer.write(image)
        self._images += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._writer.release()
        written = cv2.VideoCapture(str(self._path)).get(cv2.CAP_PROP_FRAME_COUNT)  # the writer reports no error
        if kind is None and written != self._images:
            raise OSError(errno.EIO, "OpenCV could not write the whole video; is the disk full?")


def h264_note() -> str:
    """Returns what is missing for H.264 and how to install it; empty if nothing is."""
    try:
        import pose_rig.video.h264_mp4  # noqa: F401  (imports PyAV)
    except ImportError:
        return f"{NO_H264}: for H.264, {installer().with_extra('video')}"
    return ""


@contextmanager
def open_mp4(path: Path, size_px: tuple[int, int], fps: float) -> Iterator[VideoWriter]:
    """Yields the writer of an MP4 file, which is finished at the end of the block.

    Args:
        path: The file.
        size_px: Even (width, height) of all images.
        fps: Frames per second.

    Raises:
        PoseRigError: The encoder failed.
        OSError: The file cannot be written.
    """
    if h264_note():
        with OpenCvMp4(path, size_px, fps) as writer:
            yield writer
        return
    import av
    from av.codec.codec import UnknownCodecError

    from pose_rig.video.h264_mp4 import H264Mp4

    try:
        with H264Mp4(path, size_px, fps) as video:
            yield video
    except OSError:  # some errors of PyAV are OSErrors too
        raise
    except (av.FFmpegError, UnknownCodecError) as error:
        raise PoseRigError(f"The video {path} cannot be written: {error}.", "Install PyAV's own wheel.") from error
