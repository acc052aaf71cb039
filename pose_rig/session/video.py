"""The pictures of a session, read back: decoded one by one, or as a recording for a camera process to look at again."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from statistics import median
from typing import Protocol

import cv2
import numpy as np

from pose_rig.arrays import Image
from pose_rig.capture.recording import RecordedFrame
from pose_rig.capture.source import Detections
from pose_rig.errors import SessionError
from pose_rig.installer import installer
from pose_rig.wire.records import VideoFrame

FPS_PICTURES = 60  # that the rate is taken from
DEFAULT_FPS = 30.0  # of a single picture
MOST_PIXELS = 1 << 26  # of a picture that is decoded; 8K has half as many
FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
JPEG_END = b"\xff\xd9"  # OpenCV decodes half a JPEG without a word


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """A decoded picture.

    Attributes:
        index: As in the keypoints of the same picture.
        t_ns: Capture instant, rig clock.
        image: (H,W,3) uint8 BGR.
    """

    index: int
    t_ns: int
    image: Image


class Decoder(Protocol):
    """Decodes a row of access units that begins with a keyframe."""

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
    """Decodes what one camera recorded, in order, from wherever it begins: H.264, JPEG, or one after the other.

    Args:
        open_decoder: Opens the decoder for H.264.

    Attributes:
        skipped: Pictures that could not be decoded: damaged, or before the next keyframe after such or at the start.
    """

    def __init__(self, open_decoder: OpenDecoder = open_h264) -> None:
        self._open = open_decoder
        self._h264: Decoder | None = None
        self.skipped = 0

    def decode(self, frame: VideoFrame) -> Image | None:
        """Returns (H,W,3) uint8 BGR, None if it is skipped.

        Raises:
            SessionError: It is H.264 and PyAV is not installed.
        """
        if frame.format == "jpeg":
            self._h264 = None
            image = _decode_jpeg(frame.data, frame.size_px)
        else:
            image = self._decode_h264(frame)
        if image is not None:
            image = _fitting(image, frame.size_px)
        if image is None:
            self._h264 = None
            self.skipped += 1
        return image

    def restart(self) -> None:
        """Makes it begin again at a keyframe: what comes next does not follow what came last."""
        self._h264 = None

    def _decode_h264(self, frame: VideoFrame) -> Image | None:
        if self._h264 is None and frame.keyframe:
            self._h264 = self._open()
        return self._h264.decode(frame.data) if self._h264 is not None else None


def decoded_frames(frames: Iterable[VideoFrame], decoder: VideoDecoder | None = None) -> Iterator[DecodedFrame]:
    """Yields the pictures of one camera's messages, in their order; what cannot be decoded is skipped.

    Args:
        frames: Of one camera.
        decoder: Counts what is skipped.

    Raises:
        SessionError: PyAV is needed and not installed.
    """
    decoder = decoder or VideoDecoder()
    for frame in frames:
        image = decoder.decode(frame)
        if image is not None:
            yield DecodedFrame(frame.index, frame.t_ns, image)


class SessionVideo:
    """What one camera of a session saw, as a `pose_rig.capture.recording.Recording` for pace ``all``.

    Index and own time of every picture are those it was recorded with (rig clock).

    Args:
        camera: Its name.
        frames: Begins to read its messages, each time it is called.
        total_frames: How many there are; None if that is not known.
        open_decoder: Opens the decoder for H.264.

    Raises:
        SessionError: There is no picture.
    """

    landmarks = ""

    def __init__(
        self,
        camera: str,
        frames: Callable[[], Iterator[VideoFrame]],
        total_frames: int | None = None,
        open_decoder: OpenDecoder = open_h264,
    ) -> None:
        begin = list(islice(frames(), FPS_PICTURES + 1))
        if not begin:
            raise SessionError(f"The session has no video of {camera}.", "Record it with --video.")
        steps_ns = [b.t_ns - a.t_ns for a, b in pairwise(begin) if b.t_ns > a.t_ns]
        self.identity = f"video of {camera}"
        self.size_px = begin[0].size_px
        self.fps = 1e9 / median(steps_ns) if steps_ns else DEFAULT_FPS
        self.total_frames = total_frames
        self.detail = f"recorded, {self.size_px[0]}×{self.size_px[1]} {begin[0].format} at {self.fps:.4g}/s"
        self._frames = frames
        self._decoder = VideoDecoder(open_decoder)
        self._pictures: Iterator[DecodedFrame] = decoded_frames(frames(), self._decoder)
        self._image: Image | None = None

    @property
    def skipped(self) -> int:
        """Pictures that could not be decoded so far."""
        return self._decoder.skipped

    @property
    def fault(self) -> str:
        """Says so if pictures could not be decoded."""
        return f"{self.skipped} pictures could not be decoded." if self.skipped else ""

    def grab(self) -> RecordedFrame | None:
        """Decodes the next picture; None at the end."""
        picture = next(self._pictures, None)
        if picture is None:
            return None
        self._image = picture.image
        return RecordedFrame(picture.index, picture.t_ns)

    def seek(self, pts_ns: int) -> None:
        """Goes to the last keyframe that is not after ``pts_ns``, or to the first picture."""
        keyframe = 0
        for place, frame in enumerate(self._frames()):
            if frame.t_ns > pts_ns:
                break
            if frame.keyframe:
                keyframe = place
        self._decoder.restart()
        self._pictures = decoded_frames(islice(self._frames(), keyframe, None), self._decoder)

    def retrieve(self) -> tuple[Image | None, Detections | None]:
        """Returns the picture."""
        return self._image, None

    def close(self) -> None:
        """Ends reading."""
        self._pictures = iter(())


def _decode_jpeg(data: bytes, size_px: tuple[int, int]) -> Image | None:
    """Returns a picture of a size, None if it is damaged, or another or a huge one by what it says of itself."""
    width, height = size_px
    known = _jpeg_size(data) in (size_px, (width + width % 2, height + height % 2))
    if not (data.endswith(JPEG_END) and known and width * height < MOST_PIXELS):
        return None
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return None if image is None else image.astype(np.uint8, copy=False)


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Returns (width, height) as the frame header says (ITU-T T.81, B.2.2), None if there is none."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        if data[at + 1] in FRAME_HEADERS:
            return int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None


def _fitting(image: Image, size_px: tuple[int, int]) -> Image | None:
    """Returns an image without what made odd sides even, None if it has another size than it should."""
    width, height = size_px
    if image.shape[:2] == (height, width):
        return image
    even = image.shape[:2] == (height + height % 2, width + width % 2)
    return np.ascontiguousarray(image[:height, :width]) if even else None
