"""Decoding the recorded video of a camera: H.264 or JPEG."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from pose_rig.arrays import Image
from pose_rig.errors import SessionError
from pose_rig.installer import installer
from pose_rig.wire.records import VideoFrame

MAX_PIXELS = 1 << 26  # of a decoded image; 8K has half as many
FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
JPEG_END = b"\xff\xd9"  # OpenCV decodes half a JPEG without an error


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """A decoded frame.

    Attributes:
        index: Frame number, as in the keypoints.
        t_ns: Capture time, rig clock.
        image: (H,W,3) uint8 BGR.
    """

    index: int
    t_ns: int
    image: Image


class Decoder(Protocol):
    """Decodes a sequence of access units that begins with a keyframe."""

    def decode(self, data: bytes) -> Image | None:
        """Returns (H,W,3) uint8 BGR, None where the access unit is damaged."""


OpenDecoder = Callable[[], Decoder]


def open_h264() -> Decoder:
    """Returns an H.264 decoder.

    Raises:
        SessionError: PyAV is not installed.
    """
    try:
        from pose_rig.video.h264_decoder import H264Decoder
    except ImportError as error:
        raise SessionError(
            "The video is H.264, and PyAV, which decodes it, is not installed.", f"{installer().with_extra('video')}."
        ) from error
    return H264Decoder()


class VideoDecoder:
    """Decodes the frames of one camera in order: H.264, JPEG, or one after the other.

    Attributes:
        skipped: Frames that could not be decoded: damaged ones, and those before the next keyframe.
    """

    def __init__(self, open_decoder: OpenDecoder = open_h264) -> None:
        self._open = open_decoder
        self._h264: Decoder | None = None
        self.skipped = 0

    def decode(self, frame: VideoFrame) -> Image | None:
        """Returns (H,W,3) uint8 BGR, None if the frame is skipped.

        Raises:
            SessionError: The frame is H.264 and PyAV is not installed.
        """
        if frame.format == "jpeg":
            self._h264 = None
            image = _decode_jpeg(frame.data, frame.size_px)
        else:
            image = self._decode_h264(frame)
        if image is not None:
            image = _cropped(image, frame.size_px)
        if image is None:
            self._h264 = None
            self.skipped += 1
        return image

    def restart(self) -> None:
        """Waits for a keyframe: the next frame does not follow the last one."""
        self._h264 = None

    def _decode_h264(self, frame: VideoFrame) -> Image | None:
        if self._h264 is None and frame.keyframe:
            self._h264 = self._open()
        return self._h264.decode(frame.data) if self._h264 is not None else None


def decoded_frames(frames: Iterable[VideoFrame], decoder: VideoDecoder | None = None) -> Iterator[DecodedFrame]:
    """Yields the decoded frames of one camera; frames that cannot be decoded are skipped and counted.

    Raises:
        SessionError: PyAV is needed and not installed.
    """
    decoder = decoder or VideoDecoder()
    for frame in frames:
        image = decoder.decode(frame)
        if image is not None:
            yield DecodedFrame(frame.index, frame.t_ns, image)


def _decode_jpeg(data: bytes, size_px: tuple[int, int]) -> Image | None:
    """Returns the image; None if it is damaged, huge, or of another size by its header."""
    width, height = size_px
    known = _jpeg_size(data) in (size_px, (width + width % 2, height + height % 2))
    if not (data.endswith(JPEG_END) and known and width * height < MAX_PIXELS):
        return None
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return None if image is None else image.astype(np.uint8, copy=False)


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Returns (width, height) of the frame header (ITU-T T.81, B.2.2), None if there is none."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        if data[at + 1] in FRAME_HEADERS:
            return int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None


def _cropped(image: Image, size_px: tuple[int, int]) -> Image | None:
    """Returns an image without the padding of odd sides, None if it has another size."""
    width, height = size_px
    if image.shape[:2] == (height, width):
        return image
    even = image.shape[:2] == (height + height % 2, width + width % 2)
    return np.ascontiguousarray(image[:height, :width]) if even else None
