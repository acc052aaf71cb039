"""Motion capture clips as the simulator's raw material; docs/training.md has the format of their files."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.npz import read_arrays

FASTEST_M_S = 12.0  # of a joint about the pelvis; a fast throw's hand reaches about ten
SHORTEST_S = 0.5
SHIPPED = Path(__file__).parent / "postures.npz"  # spread over CMU, OpenCap and ReActIdle; NOTICE names them


@dataclass(frozen=True, slots=True)
class Clip:
    """One take of one person.

    Attributes:
        label: What is being done, ``walking``.
        fps: Frames per second.
        joints: (T,17,3) float32, m relative to the pelvis, y up.
        root: (T,3) float32, m, the pelvis in the room.
    """

    label: str
    fps: float
    joints: NDArray[np.float32]
    root: NDArray[np.float32]


def whole_parts(clip: Clip) -> list[Clip]:
    """Returns the stretches of a clip between its glitches: frames at which a joint moves faster than people can."""
    speed = np.linalg.norm(np.diff(clip.joints, axis=0), axis=-1).max(-1) * clip.fps
    edges = [0, *(np.flatnonzero(speed > FASTEST_M_S) + 1).tolist(), len(clip.joints)]
    return [
        Clip(clip.label, clip.fps, clip.joints[a:b], clip.root[a:b])
        for a, b in pairwise(edges)
        if b - a >= SHORTEST_S * clip.fps
    ]


def split(clips: list[Clip]) -> tuple[list[Clip], list[Clip]]:
    """Returns (training, validation) clips; every seventh is for validation."""
    return [clip for i, clip in enumerate(clips) if i % 7 != 3], clips[3::7]


class PosePool:
    """Poses to draw from, each kind of movement equally often however long its clips are.

    Args:
        clips: The clips.
        seconds_apart: Frames kept per clip are this far apart.
    """

    def __init__(self, clips: Sequence[Clip], seconds_apart: float = 0.04) -> None:
        kept = [clip.joints[:: max(1, round(seconds_apart * clip.fps))] for clip in clips]
        labels = np.array([clip.label.split("_")[0] for clip in clips])
        seconds = np.array([len(clip.joints) / clip.fps for clip in clips])
        share = np.array([seconds[labels == label].sum() for label in labels])
        # half way between equal kinds and equal seconds: rare movements are heard, long ones keep their variety
        weight = np.concatenate([np.full(len(k), share[i] ** -0.5) for i, k in enumerate(kept)])
        self.joints = np.concatenate(kept)
        self._cumulative = np.cumsum(weight / weight.sum())

    @classmethod
    def of(cls, joints: NDArray[np.floating]) -> "PosePool":
        """Returns a pool of single poses (N,17,3), each drawn as often as any."""
        still = Clip("any", 1.0, joints.astype(np.float32), np.zeros((len(joints), 3), np.float32))
        return cls([still])

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """Returns (count,17,3) m relative to the pelvis."""
        index = np.searchsorted(self._cumulative, rng.random(count)).clip(0, len(self.joints) - 1)
        return np.asarray(self.joints[index], np.float64)


def shipped() -> PosePool:
    """Returns the postures that come with the package: what a fine-tuned lifter rehearses."""
    return PosePool.of(read_arrays(SHIPPED, "Install pose-rig again.")["joints"])
