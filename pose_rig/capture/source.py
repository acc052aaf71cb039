"""The interface of cameras, files and streams: a `Source` of `Frame`s.

Axes: P people, K landmarks.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Image
from pose_rig.wire.messages import MAX_COORDINATE_PX
from pose_rig.wire.precision import DEPTH_STEP_PX, SCORE_STEP, XY_STEP_PX, quantize


@dataclass(frozen=True, slots=True)
class Detections:
    """The people detected in one frame.

    Attributes:
        xy: (P,K,2) float32 px, x right, y down; (0, 0) where the score is 0.
        score: (P,K) float32 0–1, 0 = not visible.
        depth: (P,K) float32 px as in `pose_rig.wire.messages.Keypoints2D`, 0 where the score is 0; empty if unknown.
    """

    xy: NDArray[np.float32]
    score: NDArray[np.float32]
    depth: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    @classmethod
    def from_arrays(
        cls, xy_PK2: NDArray[Any], score_PK: NDArray[Any], depth_PK: NDArray[Any] | None = None
    ) -> "Detections":
        """Returns quantized detections (`pose_rig.wire.precision`), without people that have no visible landmark.

        Args:
            xy_PK2: (P,K,2) px; NaN, infinite or beyond `MAX_COORDINATE_PX` = not visible.
            score_PK: (P,K), clipped to 0–1; NaN or 0 = not visible.
            depth_PK: (P,K) px; NaN, infinite or beyond `MAX_COORDINATE_PX` = unknown: if it is unknown of a visible
                landmark, the depths of the whole frame are left out. None = the detector has none.
        """
        xy = np.asarray(xy_PK2, np.float32)
        score = np.nan_to_num(np.asarray(score_PK, np.float32), nan=0.0).clip(0.0, 1.0)
        score = np.where((np.abs(xy) <= MAX_COORDINATE_PX).all(-1), score, np.float32(0))
        xy = quantize(np.where(score[..., None] > 0, xy, np.float32(0)), XY_STEP_PX)
        score = np.where(score > 0, quantize(score, SCORE_STEP).clip(SCORE_STEP), np.float32(0))
        visible = np.asarray(score.any(-1))
        return cls(xy[visible], score[visible], _quantized_depth(depth_PK, score, visible))


def _quantized_depth(
    depth: NDArray[Any] | None, score: NDArray[np.float32], person: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Returns the depths of some people (P,), empty if one of a visible landmark is unknown."""
    if depth is None:
        return np.zeros(0, np.float32)
    depth = np.where(score > 0, np.asarray(depth, np.float32), np.float32(0))
    if not (np.abs(depth) <= MAX_COORDINATE_PX).all():  # false too if one of them is NaN
        return np.zeros(0, np.float32)
    return quantize(depth[person], DEPTH_STEP_PX)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of one camera.

    Attributes:
        index: Number of the frame in its source, from 0; gaps are dropped frames.
        t_ns: Capture time: monotonic clock at grab, or the time in the file from 0 with pace ``all``.
        size_px: Negotiated image (width, height).
        image: (H,W,3) uint8 BGR as the device delivered it, not validated; None without an image.
        detections: Those of a source that has its own; None if a detector is needed.
    """

    index: int
    t_ns: int
    size_px: tuple[int, int]
    image: Image | None
    detections: Detections | None


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """The properties of a source.

    Attributes:
        identity: Identifies the source after a restart: device path by id, URL or file path.
        detail: Negotiated format, and which settings the device did not accept, for display.
        size_px: Image (width, height).
        fps: Nominal frames per second.
        total_frames: Number of frames; None if unknown.
        landmarks: Landmark schema of its detections; empty if a detector is needed.
    """

    identity: str
    detail: str
    size_px: tuple[int, int]
    fps: float
    total_frames: int | None = None
    landmarks: str = ""


class Source(Protocol):
    """A camera, file or stream. While `poll` returns False, no call blocks."""

    @property
    def info(self) -> SourceInfo:
        """Its properties; those of a phone change when one connects."""

    @property
    def fault(self) -> str:
        """One sentence about frames that could not be read; empty without any."""

    def poll(self, timeout_s: float) -> bool:
        """Waits up to ``timeout_s`` and returns whether `read` returns without blocking.

        Raises:
            SourceError: The source was lost, or delivered no frame for too long.
        """

    def read(self) -> Frame | None:
        """Returns the next frame, None at the end. Call it after `poll` returned True.

        Raises:
            SourceError: The source was lost.
        """

    def close(self) -> None:
        """Releases the device, within 0.5 s."""
