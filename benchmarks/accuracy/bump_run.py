"""The effect of a bump on a simulated rig: the bump, the run, and the comparison with an undisturbed run.

Axes: V views, T time steps, L = 12 limb joints.
"""

from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.movement import FPS
from benchmarks.accuracy.similarity import pa_mm
from benchmarks.accuracy.simulated_rigs import RigTake, camera_states, detections_of, in_image
from pose_rig.arrays import Floats
from pose_rig.geometry import rotation_from_vector
from pose_rig.graph import Engine
from pose_rig.simulation.cameras import Cameras
from pose_rig.skeleton import LIMBS
from pose_rig.wire.messages import Mode

LIMB = list(LIMBS)
DIRECTIONS = 12  # random directions to choose from
MAX_ERROR_RATIO = 1.2  # to the undisturbed run
RECOVERY_S = 2.0  # duration below that ratio
WINDOW_S = 1.0  # of the mean error
BEFORE_S = 5.0


@dataclass(frozen=True, slots=True)
class RigOutput:
    """The output of one run of a rig.

    Attributes:
        error_mm: (T,) PA-MPJPE of the streamed poses.
        jump_mm: (T−1,).
        mode: (T,).
        named: (T,V) whether a camera that detected the person had a note.
    """

    error_mm: Floats
    jump_mm: Floats
    mode: tuple[Mode, ...]
    named: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class BumpResult:
    """The effect of a bump.

    Attributes:
        bump: Name of the bump.
        solved: Whether the rig was solved before.
        before_mm: Mean error in the `BEFORE_S` before.
        named_s: Time until the camera was named; None for never.
        back_s: Time until the error had recovered; None for never.
        jump_mm: The largest jump after the bump.
        undisturbed_jump_mm: That of the undisturbed run in the same time.
        added_jump_mm: The largest difference to the undisturbed run at the same time step.
        others_named: How many other cameras were named that the undisturbed run did not name.
    """

    bump: str
    solved: bool
    before_mm: float
    named_s: float | None
    back_s: float | None
    jump_mm: float
    undisturbed_jump_mm: float
    added_jump_mm: float
    others_named: int


def bump(cameras: Cameras, view: int, turn_deg: float, move_m: float, people: Floats, seed: int) -> Cameras:
    """Returns the cameras after one was bumped, in the random direction that keeps most joints in its image.

    Args:
        cameras: Before the bump.
        view: The bumped camera.
        turn_deg: Rotation.
        move_m: Translation.
        people: (T,J,3) m.
        seed: Seed of the directions.
    """
    directions = np.random.default_rng(seed).normal(0, 1, (DIRECTIONS, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    candidates = []
    for direction in directions:
        rotation, position = cameras.rotation.copy(), cameras.position.copy()
        rotation[view] = rotation_from_vector(np.radians(turn_deg) * direction) @ rotation[view]
        position[view] += move_m * direction
        candidates.append(replace(cameras, rotation=rotation, position=position))
    return max(candidates, key=lambda after: in_image(people, after.each(lambda values: values[view])).mean())


def take_with_bump(rig: RigTake, after: Cameras, start: int, seed: int) -> RigTake:
    """Returns a take with other cameras from time step ``start`` on, and the same errors of the detector."""
    people = rig.take.joints
    before = detections_of(people, rig.take.cameras, np.random.default_rng(seed), rig.bias)
    later = detections_of(people, after, np.random.default_rng(seed), rig.bias)
    is_later = np.arange(len(people)) >= start
    xy_px = np.where(is_later[:, None, None], later[0], before[0])
    return replace(rig, take=replace(rig.take, xy_px=xy_px, score=np.where(is_later[:, None], later[1], before[1])))


class RigRun:
    """A run of a rig, which can be continued in several ways.

    Args:
        rig: The take whose first time steps are run.
        engine: Runs the graph.
    """

    def __init__(self, rig: RigTake, engine: Engine) -> None:
        self._engine, self._estimator = engine, rig.estimator(engine)
        self._poses: list[Floats] = []
        self._modes: list[Mode] = []
        self._named: list[list[bool]] = []

    def run(self, rig: RigTake, end: int) -> None:
        """Runs the time steps of a take up to ``end``."""
        for t in range(len(self._poses), end):
            estimate = self._estimator.step(rig.t_ns(t), rig.samples(t))
            self._poses.append(estimate.xyz[LIMB])
            self._modes.append(estimate.mode)
            visible = [bool(score.any()) for score in rig.take.score[:, t]]
            states = camera_states(self._estimator)
            self._named.append([bool(state.note) and seen for state, seen in zip(states, visible, strict=True)])

    def continued(self, rig: RigTake) -> RigOutput:
        """Returns the output of a whole take that begins as this run; the run itself stays as it is."""
        other = deepcopy(self, {id(self._engine): self._engine})
        other.run(rig, len(rig.take.joints))
        truth, streamed = rig.take.joints[:, LIMB], np.stack(other._poses)
        moved, truly_moved = (np.linalg.norm(np.diff(points, axis=0), axis=-1) for points in (streamed, truth))
        jump_mm = 1e3 * (moved - truly_moved).mean(-1)
        return RigOutput(pa_mm(streamed, truth), jump_mm, tuple(other._modes), np.array(other._named))


def compare(name: str, run: RigOutput, undisturbed: RigOutput, view: int, start: int) -> BumpResult:
    """Returns the effect of a bump of one camera at time step ``start``."""
    others = np.arange(run.named.shape[1]) != view
    newly_named = run.named[start:].any(0) & ~undisturbed.named[start:].any(0)
    before = slice(max(start - round(BEFORE_S * FPS), 0), start)
    return BumpResult(
        bump=name,
        solved=run.mode[start] == "solved",
        before_mm=float(run.error_mm[before].mean()),
        named_s=_first_s(run.named[start:, view]),
        back_s=back_s(run.error_mm[start:], undisturbed.error_mm[start:]),
        jump_mm=float(run.jump_mm[start - 1 :].max()),
        undisturbed_jump_mm=float(undisturbed.jump_mm[start - 1 :].max()),
        added_jump_mm=float((run.jump_mm - np.maximum(undisturbed.jump_mm, 0.0))[start - 1 :].max()),
        others_named=int((newly_named & others).sum()),
    )


def back_s(error_mm: Floats, undisturbed_mm: Floats) -> float | None:
    """Returns the time after which errors (T,) stay below `MAX_ERROR_RATIO` for `RECOVERY_S`; None for never."""
    window = np.ones(round(WINDOW_S * FPS)) / round(WINDOW_S * FPS)
    good = np.convolve(error_mm, window, "valid") <= MAX_ERROR_RATIO * np.convolve(undisturbed_mm, window, "valid")
    steps = round(RECOVERY_S * FPS)
    return _first_s(np.array([good[t : t + steps].all() for t in range(len(good) - steps)]))


def _first_s(happened: NDArray[np.bool_]) -> float | None:
    """Returns the time of the first True, None for never."""
    return float(np.argmax(happened)) / FPS if happened.any() else None
