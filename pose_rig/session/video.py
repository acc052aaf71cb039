"""The recorded video of a camera as a source for a camera process."""

from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from statistics import median

from pose_rig.arrays import Image
from pose_rig.capture.recording import RecordedFrame
from pose_rig.capture.source import Detections, SourceInfo
from pose_rig.errors import SessionError
from pose_rig.session.video_decoder import DecodedFrame, OpenDecoder, VideoDecoder, decoded_frames, open_h264
from pose_rig.wire.records import VideoFrame

RATE_FRAMES = 60  # from which the frame rate is computed
DEFAULT_FPS = 30.0  # of a single frame


class SessionVideo:
    """The video of one camera of a session, as a `pose_rig.capture.recording.Recording` for pace ``all``.

    Frame numbers and timestamps are those of the session (rig clock).

    Args:
        camera: Its name.
        frames: Returns an iterator over its frames from the first one.
        total_frames: Number of frames; None if unknown.
        open_decoder: Opens the decoder for H.264.

    Raises:
        SessionError: There is no frame.
    """

    landmarks = ""

    def __init__(
        self,
        camera: str,
        frames: Callable[[], Iterator[VideoFrame]],
        total_frames: int | None = None,
        open_decoder: OpenDecoder = open_h264,
    ) -> None:
        begin = list(islice(frames(), RATE_FRAMES + 1))
        if not begin:
            raise SessionError(f"The session has no video of {camera}.", "Record it with --video.")
        steps_ns = [b.t_ns - a.t_ns for a, b in pairwise(begin) if b.t_ns > a.t_ns]
        size, fps = begin[0].size_px, 1e9 / median(steps_ns) if steps_ns else DEFAULT_FPS
        detail = f"recorded, {size[0]}×{size[1]} {begin[0].format} at {fps:.4g}/s"
        self.info = SourceInfo(f"video of {camera}", detail, size, fps, total_frames)
        self._frames = frames
        self._decoder = VideoDecoder(open_decoder)
        self._decoded: Iterator[DecodedFrame] = decoded_frames(frames(), self._decoder)
        self._image: Image | None = None

    @property
    def skipped(self) -> int:
        """Frames that could not be decoded so far."""
        return self._decoder.skipped

    @property
    def fault(self) -> str:
        """Number of frames that could not be decoded, for display; else empty."""
        return f"{self.skipped} frames could not be decoded." if self.skipped else ""

    def grab(self) -> RecordedFrame | None:
        """Decodes the next frame; None at the end."""
        frame = next(self._decoded, None)
        if frame is None:
            return None
        self._image = frame.image
        return RecordedFrame(frame.index, frame.t_ns)

    def seek(self, pts_ns: int) -> None:
        """Seeks to the last keyframe that is not after ``pts_ns``, or to the first frame."""
        keyframe = 0
        for number, frame in enumerate(self._frames()):
            if frame.t_ns > pts_ns:
                break
            if frame.keyframe:
                keyframe = number
        self._decoder.restart()
        self._decoded = decoded_frames(islice(self._frames(), keyframe, None), self._decoder)

    def retrieve(self) -> tuple[Image | None, Detections | None]:
        """Returns the image."""
        return self._image, None

    def close(self) -> None:
        """Stops reading."""
        self._decoded = iter(())
