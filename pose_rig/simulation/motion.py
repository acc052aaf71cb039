"""Motion capture clips, and pools of poses; docs/training.md has the format of the files."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.npz import read_arrays

MAX_SPEED_M_S = 12.0  # of a joint relative to the pelvis; the hand of a fast throw has about 10
MIN_DURATION_S = 0.5
VALIDATION_STRIDE, VALIDATION_OFFSET = 7, 3  # every seventh clip is for validation
SHIPPED_POSES = Path(__file__).parent / "postures.npz"  # from CMU, OpenCap and ReActIdle (NOTICE)


@dataclass(frozen=True, slots=True)
class Clip:
    """One motion of one person.

    Attributes:
        label: Kind of motion, ``walking``.
        fps: Frames per second.
        joints: (T,17,3) float32, m relative to the pelvis, y up.
        root: (T,3) float32, m, the pelvis in the room.
    """

    label: str
    fps: float
    joints: NDArray[np.float32]
    root: NDArray[np.float32]


def split_at_jumps(clip: Clip) -> list[Clip]:
    """Returns the parts of a clip between jumps: frames in which a joint is faster than is possible."""
    speed = np.linalg.norm(np.diff(clip.joints, axis=0), axis=-1).max(-1) * clip.fps
    edges = [0, *(np.flatnonzero(speed > MAX_SPEED_M_S) + 1).tolist(), len(clip.joints)]
    return [
        Clip(clip.label, clip.fps, clip.joints[a:b], clip.root[a:b])
        for a, b in pairwise(edges)
        if b - a >= MIN_DURATION_S * clip.fps
    ]


def split(clips: list[Clip]) -> tuple[list[Clip], list[Clip]]:
    """Returns (training, validation) clips."""
    training = [clip for i, clip in enumerate(clips) if i % VALIDATION_STRIDE != VALIDATION_OFFSET]
    return training, clips[VALIDATION_OFFSET::VALIDATION_STRIDE]


class PosePool:
    """Poses to draw from; rare kinds of motion are drawn more often than their share.

    Args:
        clips: The clips.
        seconds_apart: Interval between the poses of a clip.
    """

    def __init__(self, clips: Sequence[Clip], seconds_apart: float = 0.04) -> None:
        kept = [clip.joints[:: max(1, round(seconds_apart * clip.fps))] for clip in clips]
        labels = np.array([clip.label.split("_")[0] for clip in clips])
        seconds = np.array([len(clip.joints) / clip.fps for clip in clips])
        share = np.array([seconds[labels == label].sum() for label in labels])
        # between equal kinds and equal durations
        weight = np.concatenate([np.full(len(k), share[i] ** -0.5) for i, k in enumerate(kept)])
        self.joints = np.concatenate(kept)
        self._cumulative = np.cumsum(weight / weight.sum())

    @classmethod
    def of(cls, joints: NDArray[np.floating]) -> "PosePool":
        """Returns a pool of single poses (N,17,3) of equal probability."""
        still = Clip("any", 1.0, joints.astype(np.float32), np.zeros((len(joints), 3), np.float32))
        return cls([still])

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """Returns (count,17,3) m relative to the pelvis."""
        index = np.searchsorted(self._cumulative, rng.random(count)).clip(0, len(self.joints) - 1)
        return np.asarray(self.joints[index], np.float64)


def shipped() -> PosePool:
    """Returns the poses of the package, for rehearsal."""
    return PosePool.of(read_arrays(SHIPPED_POSES, "Install pose-rig again.")["joints"])
