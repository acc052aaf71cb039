"""What a bump does to a simulated rig: the bump itself, the run, and the verdict.

Axes: V views, T instants, L = 12 limb joints.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.movement import FPS
from benchmarks.accuracy.similarity import pa_mm
from benchmarks.accuracy.simulated_rigs import RigTake, camera_states, in_picture, watch
from pose_rig.arrays import Floats
from pose_rig.geometry import rotation_from_vector
from pose_rig.graph import Engine
from pose_rig.simulation.cameras import Cameras
from pose_rig.skeleton import LIMBS
from pose_rig.wire.messages import Mode

LIMB = list(LIMBS)
TRIES = 12  # directions to choose from
AS_BEFORE = 1.2
STAYS_S = 2.0
WINDOW_S = 1.0
BEFORE_S = 5.0


@dataclass(frozen=True, slots=True)
class Watched:
    """What one run of a rig gave.

    Attributes:
        error_mm: (T,) of the streamed poses.
        jump_mm: (T−1,).
        mode: (T,).
        named: (T,V) whether the rig had something to say against a camera that saw somebody.
    """

    error_mm: Floats
    jump_mm: Floats
    mode: tuple[Mode, ...]
    named: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a bump did.

    Attributes:
        bump: Which one.
        solved: Whether the rig was solved by then.
        before_mm: Mean error in the `BEFORE_S` before.
        named_s: When the camera was named, and
        back_s: when the error was back; None for never.
        jump_mm: The largest jump from the bump on,
        usual_jump_mm: that of the undisturbed run in the same time, and
        added_jump_mm: the largest by which a jump exceeds that of the undisturbed run at the same instant.
        accused: How many of the other cameras were named in that time though the undisturbed run did not name them.
    """

    bump: str
    solved: bool
    before_mm: float
    named_s: float | None
    back_s: float | None
    jump_mm: float
    usual_jump_mm: float
    added_jump_mm: float
    accused: int


def bump(cameras: Cameras, view: int, turn_deg: float, move_m: float, people: Floats, seed: int) -> Cameras:
    """Returns the cameras after one of them was bumped, in the direction in which it goes on seeing most of the person.

    Args:
        cameras: As they were.
        view: Which one.
        turn_deg: By how much it is turned.
        move_m: By how much it is moved.
        people: (T,J,3) m, what it should go on seeing.
        seed: Of the directions tried.
    """
    directions = np.random.default_rng(seed).normal(0, 1, (TRIES, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    tried = []
    for direction in directions:
        rotation, position = cameras.rotation.copy(), cameras.position.copy()
        rotation[view] = rotation_from_vector(np.radians(turn_deg) * direction) @ rotation[view]
        position[view] += move_m * direction
        tried.append(Cameras(rotation, position, cameras.focal_px, cameras.size_px))
    return max(tried, key=lambda after: in_picture(people, _only(after, view)).mean())


def disturbed(rig: RigTake, after: Cameras, start: int, seed: int) -> RigTake:
    """Returns a take seen by other cameras from instant ``start`` on, with the same errors of the detector."""
    people = rig.take.joints
    first = watch(people, rig.take.cameras, np.random.default_rng(seed))
    then = watch(people, after, np.random.default_rng(seed))
    late = np.arange(len(people)) >= start
    xy_px = np.where(late[:, None, None], then[0], first[0])
    return replace(rig, take=replace(rig.take, xy_px=xy_px, score=np.where(late[:, None], then[1], first[1])))


def play(rig: RigTake, engine: Engine) -> Watched:
    """Returns what a rig makes of a take."""
    fusion = rig.fusion(engine)
    poses, modes, named = [], [], []
    for t in range(len(rig.take.joints)):
        instant = fusion.step(rig.t_ns(t), rig.samples(t))
        poses.append(instant.xyz[LIMB])
        modes.append(instant.mode)
        seen = [bool(score.any()) for score in rig.take.score[:, t]]
        named.append([bool(state.note) and sees for state, sees in zip(camera_states(fusion), seen, strict=True)])
    truth, out = rig.take.joints[:, LIMB], np.stack(poses)
    moved, really = (np.linalg.norm(np.diff(points, axis=0), axis=-1) for points in (out, truth))
    return Watched(pa_mm(out, truth), 1e3 * (moved - really).mean(-1), tuple(modes), np.array(named))


def judge(name: str, run: Watched, calm: Watched, view: int, start: int) -> Outcome:
    """Returns what a bump of one camera at instant ``start`` did, next to the undisturbed run."""
    others = np.arange(run.named.shape[1]) != view
    told = run.named[start:].any(0) & ~calm.named[start:].any(0)
    before = slice(max(start - round(BEFORE_S * FPS), 0), start)
    return Outcome(
        bump=name,
        solved=run.mode[start] == "solved",
        before_mm=float(run.error_mm[before].mean()),
        named_s=_first_s(run.named[start:, view]),
        back_s=back_s(run.error_mm[start:], calm.error_mm[start:]),
        jump_mm=float(run.jump_mm[start - 1 :].max()),
        usual_jump_mm=float(calm.jump_mm[start - 1 :].max()),
        added_jump_mm=float((run.jump_mm - np.maximum(calm.jump_mm, 0.0))[start - 1 :].max()),
        accused=int((told & others).sum()),
    )


def back_s(error_mm: Floats, usual_mm: Floats) -> float | None:
    """Returns from when on errors (T,) are for `STAYS_S` no more than `AS_BEFORE` times the usual ones."""
    window = np.ones(round(WINDOW_S * FPS)) / round(WINDOW_S * FPS)
    good = np.convolve(error_mm, window, "valid") <= AS_BEFORE * np.convolve(usual_mm, window, "valid")
    stays = round(STAYS_S * FPS)
    return _first_s(np.array([good[t : t + stays].all() for t in range(len(good) - stays)]))


def _only(cameras: Cameras, view: int) -> Cameras:
    return Cameras(
        cameras.rotation[view], cameras.position[view], np.asarray(cameras.focal_px[view]), cameras.size_px[view]
    )


def _first_s(happened: NDArray[np.bool_]) -> float | None:
    """Returns when something first happened, None for never."""
    return float(np.argmax(happened)) / FPS if happened.any() else None
