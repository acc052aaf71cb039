"""What every camera looks like to the rest: a `Source` of `Frame`s.

Axes: P people, K landmarks.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Image
from pose_rig.wire.messages import MAX_COORDINATE_PX
from pose_rig.wire.precision import SCORE_STEP, XY_STEP_PX, quantize


@dataclass(frozen=True, slots=True)
class Detections:
    """The people of one frame.

    Attributes:
        xy: (P,K,2) float32 px, x right, y down; (0, 0) where the score is 0.
        score: (P,K) float32 0–1, 0 = not seen.
    """

    xy: NDArray[np.float32]
    score: NDArray[np.float32]

    @classmethod
    def from_arrays(cls, xy_PK2: NDArray[Any], score_PK: NDArray[Any]) -> "Detections":
        """Returns the people of whom anything is seen; a landmark beyond all bounds or of score 0 is not seen.

        All keypoints come through here, and are rounded (`pose_rig.wire.precision`).

        Args:
            xy_PK2: (P,K,2) px, NaN = not seen.
            score_PK: (P,K), NaN = not seen, clipped to 0–1.
        """
        xy = np.asarray(xy_PK2, np.float32)
        score = np.nan_to_num(np.asarray(score_PK, np.float32), nan=0.0).clip(0.0, 1.0)
        score = np.where((np.abs(xy) <= MAX_COORDINATE_PX).all(-1), score, np.float32(0))
        xy = quantize(np.where(score[..., None] > 0, xy, np.float32(0)), XY_STEP_PX)
        score = np.where(score > 0, quantize(score, SCORE_STEP).clip(SCORE_STEP), np.float32(0))
        seen = score.any(-1)
        return cls(xy[seen], score[seen])


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of one camera.

    Attributes:
        index: Number of the frame in its source, from 0; gaps are frames that were dropped.
        t_ns: Capture instant: monotonic clock at grab, or the frame's own time from 0 with pace ``all``.
        size_px: Image (width, height) the source promised.
        image: (H,W,3) uint8 BGR as the device gave it, not yet checked; None when there are no pixels.
        detections: What the source itself knows of the people; None when a detector has to find them.
    """

    index: int
    t_ns: int
    size_px: tuple[int, int]
    image: Image | None
    detections: Detections | None


class Source(Protocol):
    """A camera, file or stream.

    ``poll`` and ``read`` work like those of a socket: as long as ``poll`` returns False nothing blocks.
    """

    @property
    def identity(self) -> str:
        """What the source is found again by after a restart: device path by id, URL, file path."""

    @property
    def detail(self) -> str:
        """Short facts for people: negotiated format, and what of the wish was not granted."""

    @property
    def size_px(self) -> tuple[int, int]:
        """Image (width, height)."""

    @property
    def fps(self) -> float:
        """Nominal frames per second."""

    @property
    def total_frames(self) -> int | None:
        """How many frames there will be; None when nobody knows."""

    @property
    def landmarks(self) -> str:
        """Landmark schema of the people it brings; empty when it needs a detector."""

    @property
    def fault(self) -> str:
        """What was wrong with what it gave so far, one sentence; empty when nothing was."""

    def poll(self, timeout_s: float) -> bool:
        """Waits up to ``timeout_s`` and returns whether `read` has an answer now.

        Raises:
            SourceError: The source is lost, or gave nothing for too long.
        """

    def read(self) -> Frame | None:
        """Returns the frame, None at the end. To be called after `poll` returned True.

        Raises:
            SourceError: The source is lost.
        """

    def close(self) -> None:
        """Gives the device back, within 0.5 s."""


class Detector(Protocol):
    """Finds the people in the frames of one source, in their order."""

    @property
    def landmarks(self) -> str:
        """Landmark schema of the people it finds."""

    def warm_up(self, size_px: tuple[int, int]) -> None:
        """Does what the first frame would have to wait for; no result depends on it."""

    def detect(self, frame: Frame) -> Detections:
        """Returns the people of a frame whose image is (H,W,3) uint8 BGR."""

    def close(self) -> None:
        """Frees the model."""
