"""The run of a rig on a take of several people.

Axes: K poses of a whole take, V views, T time steps, J = 17 joints.
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from threading import Event

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.people.takes import estimator, messages, samples, t_ns
from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.clocks import FileClock
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.message_file import MessageFile
from pose_rig.fusion.time_steps import TimeStep, time_steps
from pose_rig.fusion.two_passes import TwoPasses
from pose_rig.graph import Engine
from pose_rig.simulation.people import PeopleTake
from pose_rig.skeleton import LIMBS, J
from pose_rig.wire.messages import Message

LIMB = list(LIMBS)


@dataclass(frozen=True, slots=True)
class PeopleRun:
    """All poses of a take, one after the other.

    Attributes:
        step: (K,) time step.
        identity: (K,) of the person.
        tracking: (K,) whether the person is in any view.
        found: (K,V) which person of the take each view's detection shows: −1 = none, or a mixture.
        used: (K,V) whether a view has a detection of the person.
        poses: (K,J,3) m, smoothed, rig frame.
        solved: (T,) whether the rig was solved.
        step_ms: (T,) computing time.
        cameras: As solved at the end, None if the rig is not solved.
    """

    step: NDArray[np.int64]
    identity: NDArray[np.int64]
    tracking: NDArray[np.bool_]
    found: NDArray[np.int64]
    used: NDArray[np.bool_]
    poses: Floats
    solved: NDArray[np.bool_]
    step_ms: Floats
    cameras: Calibration | None = None

    @property
    def solved_from(self) -> int | None:
        """The first time step of the solved rig, None if it was never solved."""
        return int(self.solved.argmax()) if self.solved.any() else None


def run(take: PeopleTake, people: int, engine: Engine, passes: int = 1) -> PeopleRun:
    """Returns the run of a new rig, which tracks so many people; with two passes, that of the second one."""
    rig = estimator(take, people, engine)
    return collected(take, rig, _steps(take, rig) if passes == 1 else _second_pass(take, rig))


def collected(take: PeopleTake, rig: Estimator, steps: Sequence[TimeStep]) -> PeopleRun:
    """Returns the poses of all time steps of a rig."""
    done = [(step, pose) for step in steps for pose in (step.pose, *step.others) if pose is not None]
    index = np.stack([pose.person_index for _, pose in done])
    at = np.array([round(step.t_ns * 1e-9 * take.fps) for step, _ in done])
    rows = take.person[np.arange(index.shape[1]), at[:, None], np.maximum(index, 0)]
    return PeopleRun(
        step=at,
        identity=np.array([pose.person for _, pose in done]),
        tracking=np.array([pose.tracking for _, pose in done]),
        found=np.where(index >= 0, rows, -1),
        used=index >= 0,
        poses=np.stack([pose.xyz[:J] for _, pose in done]),
        solved=np.array([step.pose is not None and step.pose.mode == "solved" for step in steps]),
        step_ms=1e-6 * np.array([step.estimate_ns for step in steps]),
        cameras=rig.calibration,
    )


def _steps(take: PeopleTake, rig: Estimator) -> list[TimeStep]:
    out = []
    for t in range(take.score.shape[1]):
        given = samples(take, t)
        start_ns = time.perf_counter_ns()
        pose = rig.step(t_ns(take, t), given)
        out.append(TimeStep(t_ns(take, t), given, pose, "", 0, time.perf_counter_ns() - start_ns, rig.others))
    return out


def _second_pass(take: PeopleTake, rig: Estimator) -> list[TimeStep]:
    names = [f"cam{v}" for v in range(len(take.score))]
    with ExitStack() as stack:
        given, files = ([stack.enter_context(closing(MessageFile())) for _ in names] for _ in range(2))
        for file, camera in zip(given, messages(take), strict=True):
            for message in camera:
                file.add(message)
            file.rewind()
        passes = TwoPasses(names, files, rig, _Silent(), Event())
        passes.first(given)
        passes.solve()
        steps = time_steps(passes.inputs(), FileClock(), rig, Event())
        return [step for step in steps if step is not None]


class _Silent:
    """Reports nothing."""

    def forward(self, view: int, message: Message) -> None: ...

    def reject(self, reason: str) -> None: ...

    def report(self) -> None: ...
