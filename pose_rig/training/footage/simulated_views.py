"""Simulated single views of simulated people, for rehearsal and evaluation of the lifter.

Axes: N samples, J = 17 joints.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pose_rig.arrays import Floats
from pose_rig.config import FOCAL_PER_LARGER_SIDE
from pose_rig.geometry import complete_root, ray_depths, rectify
from pose_rig.graph import depth_input
from pose_rig.simulation.bodies import heading, random_people
from pose_rig.simulation.cameras import Cameras, random_cameras, truth
from pose_rig.simulation.depth_estimates import estimated_depths
from pose_rig.simulation.detector_bias import DetectorBias
from pose_rig.simulation.motion import PosePool
from pose_rig.simulation.noise import detect, drop

REHEARSAL_EPOCHS = 3  # epochs over a chunk: a view costs as much to simulate as to learn from
CHUNK_STEPS = 16  # steps whose views are simulated together
VIEWS_PER_DETECTOR = 64
COMMON_ERROR = (0.2, 1.0)  # range of the share of a lift's error that a depth has too
INDEPENDENT_ERROR = (0.5, 1.1)  # range of the share of the simulated error that it has
NO_DEPTH_SHARE = 0.4  # of the views: lifters must do without depths, too

Single = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SimulatedViews:
    """Input and ground truth of the lifter.

    Attributes:
        pose_2d: (N,J,2) and confidence: (N,J), as `pose_rig.lifting.model.Lifter` takes them.
        pose_in_view: (N,J,3) in the ray frame, units of ``pose_2d``.
        canonical: (N,J,3) the same pose, upright and facing +z.
        view_from_canonical: (N,3,3).
        depth: (N,J,2) as estimated by the detector (`pose_rig.graph.depth_input`).
        common_error: (N,) share of the lift's error that such a depth has too (`training.footage.depth_errors`).
        independent_error: (N,) share of the error of ``depth`` that it has.
    """

    pose_2d: Single
    confidence: Single
    pose_in_view: Single
    canonical: Single
    view_from_canonical: Single
    depth: Single
    common_error: Single
    independent_error: Single


class SimulatedViewSampler:
    """Draws simulated views, the same ones for the same seed.

    Args:
        pool: Poses to draw from.
        seed: Seed of the random generator.
    """

    def __init__(self, pool: PosePool, seed: int | Sequence[int]) -> None:
        self._pool, self._rng = pool, np.random.default_rng(seed)

    def sample(self, count: int) -> SimulatedViews:
        """Returns ``count`` new samples."""
        rng = self._rng
        draws = (self._pool.draw(count, rng), self._pool.draw(count, rng))
        people = random_people(draws, rng)
        cameras = random_cameras((count,), np.zeros((count, 3)), rng)
        xy, local = cameras.project(people)
        biased = xy + _bias_px(people, cameras, rng)
        detections = drop(detect(biased[:, None], 30.0, rng), rng)
        depth_px = estimated_depths(local[:, None], xy[:, None], detections, 30.0, rng)[:, 0]
        depth_px[rng.random(count) < NO_DEPTH_SHARE] = np.nan
        score = detections.score[:, 0]
        xy, _ = complete_root(detections.xy_px[:, 0], score)
        assumed_focal_px = np.where(
            rng.random(count) < 0.5,
            FOCAL_PER_LARGER_SIDE * cameras.size_px.max(-1),
            cameras.focal_px * np.exp(rng.normal(0, 0.03, count)),
        )
        pose_2d, inverse_depth, ray_from_camera = rectify(xy, score, assumed_focal_px, cameras.size_px)
        pose, ray_from_camera = truth(local, inverse_depth, ray_from_camera, cameras.focal_px / assumed_focal_px)
        ray_from_canonical = ray_from_camera @ cameras.rotation @ heading(people).swapaxes(-1, -2)
        depth = depth_input(ray_depths(depth_px, xy, score))
        arrays = (
            pose_2d,
            score,
            pose,
            pose @ ray_from_canonical,
            ray_from_canonical,
            depth,
            rng.uniform(*COMMON_ERROR, count),
            rng.uniform(*INDEPENDENT_ERROR, count),
        )
        return SimulatedViews(*(array.astype(np.float32) for array in arrays))


def _bias_px(people: Floats, cameras: Cameras, rng: np.random.Generator) -> Floats:
    """Returns (N,J,2) px, the errors by direction of view of many detectors, of people (N,J,3) in cameras (N,)."""
    shift = [
        DetectorBias.random(rng).shift_px(people[some], cameras.each(lambda values, some=some: values[some][None]))[0]  # type: ignore[misc]
        for some in np.array_split(np.arange(len(people)), max(1, len(people) // VIEWS_PER_DETECTOR))
    ]
    return np.concatenate(shift)


class Rehearsal:
    """Simulated views for every step, a function of seed and step only, so that a run can be resumed.

    Args:
        pool: Poses to draw from.
        size: Views per step.
        seed: Seed of the random generator.
        device: Device of the tensors.
    """

    def __init__(self, pool: PosePool, size: int, seed: int, device: str) -> None:
        self._pool, self._size, self._seed, self._device = pool, size, seed, device
        self._number = -1
        self._chunk: dict[str, Tensor] = {}

    def at(self, step: int) -> dict[str, Tensor]:
        """Returns the fields of `SimulatedViews` for a step."""
        number, step_in_chunk = divmod(step, CHUNK_STEPS * REHEARSAL_EPOCHS)
        if number != self._number:
            views = SimulatedViewSampler(self._pool, [self._seed, number]).sample(self._size * CHUNK_STEPS)
            self._chunk = {name: torch.from_numpy(value).to(self._device) for name, value in asdict(views).items()}
            self._number = number
        epoch, part = divmod(step_in_chunk, CHUNK_STEPS)
        order = np.random.default_rng([self._seed, number, epoch]).permutation(self._size * CHUNK_STEPS)
        rows = torch.from_numpy(order[part * self._size : (part + 1) * self._size]).to(self._device)
        return {name: value[rows] for name, value in self._chunk.items()}
