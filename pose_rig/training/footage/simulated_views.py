"""Batches for training the lifter: one simulated view of one simulated person each.

Axes: N samples, J = 17 joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.config import FOCAL_PER_LARGER_SIDE
from pose_rig.geometry import complete_root, rectify
from pose_rig.simulation.bodies import heading, random_people
from pose_rig.simulation.cameras import random_cameras, truth
from pose_rig.simulation.motion import PosePool
from pose_rig.simulation.noise import detect, drop

Single = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Batch:
    """What the lifter sees, and what it should say.

    Attributes:
        flat: (N,J,2) and confidence: (N,J), as `pose_rig.lifting.model.Lifter` takes them.
        shape: (N,J,3) the pose in the ray frame, units of ``flat``.
        canonical: (N,J,3) the same, turned upright and facing +z.
        rotation: (N,3,3) ray_from_canonical.
    """

    flat: Single
    confidence: Single
    shape: Single
    canonical: Single
    rotation: Single


class SimulatedViewSampler:
    """Draws batches without end, the same for the same seed.

    Args:
        pool: Postures to draw from.
        seed: Of the random generator.
        vary: False keeps captured postures as they are (for validation).
    """

    def __init__(self, pool: PosePool, seed: int | Sequence[int], *, vary: bool = True) -> None:
        self._pool = pool
        self._rng = np.random.default_rng(seed)
        self._vary = vary

    def draw(self, count: int) -> Batch:
        """Returns ``count`` fresh samples."""
        rng = self._rng
        draws = (self._pool.draw(count, rng), self._pool.draw(count, rng))
        people = random_people(draws, rng, vary=self._vary)
        cameras = random_cameras((count,), np.zeros((count, 3)), rng)
        xy, local = cameras.project(people)
        seen = drop(detect(xy[:, None], 30.0, rng), rng)
        score = seen.score[:, 0]
        xy, _ = complete_root(seen.xy_px[:, 0], score)
        assumed = np.where(
            rng.random(count) < 0.5,
            FOCAL_PER_LARGER_SIDE * cameras.size_px.max(-1),
            cameras.focal_px * np.exp(rng.normal(0, 0.03, count)),
        )
        flat, norm, frame = rectify(xy, score, assumed, cameras.size_px)
        shape, frame = truth(local, norm, frame, cameras.focal_px / assumed)
        rotation = frame @ cameras.rotation @ heading(people).swapaxes(-1, -2)
        canonical = shape @ rotation
        single = (array.astype(np.float32) for array in (flat, score, shape, canonical, rotation))
        return Batch(*single)
