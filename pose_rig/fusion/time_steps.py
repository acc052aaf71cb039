"""The loop of the fusion: read messages, sample every camera at the next time step, estimate the pose.

Live runs, files, replays of sessions and training differ in the clock and in where messages come from, nothing else.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from pose_rig.errors import PoseRigError
from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.commands import apply_all
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.late_cameras import CompleteSamples
from pose_rig.fusion.pose.computation import NUMERIC_ERRORS, Computations, alone
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.pose.sync import Sample, SampleBuffer
from pose_rig.fusion.pose_messages import is_publishable
from pose_rig.wire.jobs import Stop

RESTART_AFTER_FAILURES = 10  # time steps in a row without a usable pose: the cause may be in the estimator's state
MAX_FAILURES = 600  # ten seconds at 60 Hz


class StepClock(Protocol):
    """Decides when messages are read and when a time step is due.

    Attributes:
        over: Whether no time step will be due any more.
        skipped: Time steps that were due and left out.
    """

    over: bool
    skipped: int

    def read(self, cameras: CameraInputs) -> None:
        """Reads the messages that may come before the next time step."""

    def tick(self, buffers: Sequence[SampleBuffer]) -> int | None:
        """Returns the time step that is due, None if none is."""


@dataclass(frozen=True, slots=True)
class TimeStep:
    """One time step.

    Attributes:
        t_ns: Its time, rig clock.
        samples: (V) the detections of each view at that time, None where there are none.
        pose: Of the first person; None if none could be computed.
        failure: Why, empty if one was.
        sync_ns: Time spent on sampling the cameras, estimate_ns: on the pose.
        others: Poses of further people, in the order of their identities.
    """

    t_ns: int
    samples: Sequence[Sample | None]
    pose: PoseEstimate | None
    failure: str
    sync_ns: int
    estimate_ns: int
    others: Sequence[PoseEstimate] = ()


def time_steps(cameras: CameraInputs, clock: StepClock, estimator: Estimator, stop: Stop) -> Iterator[TimeStep | None]:
    """Yields every time step as it is computed, and None whenever messages were read and none is due.

    Args:
        cameras: Their messages.
        clock: Decides when a time step is due.
        estimator: Restarted after `RESTART_AFTER_FAILURES`.
        stop: Ends the loop.

    Raises:
        PoseRigError: No pose could be computed for `MAX_FAILURES` time steps.
    """
    failures = Failures()
    for t_ns in due_times(cameras, clock, estimator, stop):
        if t_ns is None:
            yield None
            continue
        step = _compute(t_ns, cameras, estimator)
        if failures.restart_after(step.pose, step.failure):
            estimator.restart()
        yield step


TimeSteps = Callable[[CameraInputs, StepClock, Estimator, Stop], Iterator[TimeStep | None]]


def due_times(cameras: CameraInputs, clock: StepClock, estimator: Estimator, stop: Stop) -> Iterator[int | None]:
    """Yields the time of every time step that is due, and None whenever messages were read and none is.

    Args:
        cameras: Their messages are read until then.
        clock: Decides when a time step is due.
        estimator: Is given the properties of cameras.
        stop: Ends the loop.
    """
    while not stop.is_set() and not clock.over:
        clock.read(cameras)
        for view, buffer in enumerate(cameras.buffers):
            if buffer.landmarks:
                estimator.set_camera(view, buffer.size_px, buffer.landmarks)
        yield clock.tick(cameras.buffers)


class Failures:
    """Counts time steps in a row without a usable pose."""

    def __init__(self) -> None:
        self._count = 0

    def restart_after(self, pose: PoseEstimate | None, reason: str) -> bool:
        """Adds a time step, and returns whether the estimator is to be restarted.

        Raises:
            PoseRigError: There were `MAX_FAILURES`; ``reason`` is that of the last one.
        """
        self._count = self._count + 1 if pose is None else 0
        if self._count >= MAX_FAILURES:
            raise PoseRigError(reason, "Run again with --debug and report what the cameras show.")
        return self._count > 0 and self._count % RESTART_AFTER_FAILURES == 0


def _compute(t_ns: int, cameras: CameraInputs, estimator: Estimator) -> TimeStep:
    started_ns = time.perf_counter_ns()
    apply_all(cameras.take_commands(), estimator, cameras.reject)
    if cameras.followed:
        estimator.follow_clocks(t_ns, cameras)
    samples = cameras.samples(t_ns)
    sampled_ns = time.perf_counter_ns()
    pose, failure = estimate_pose(estimator, t_ns, samples, cameras.complete_samples(t_ns))
    spent_ns = time.perf_counter_ns() - sampled_ns
    others = () if pose is None else estimator.others
    return TimeStep(t_ns, samples, pose, failure, sampled_ns - started_ns, spent_ns, others)


def estimate_pose(
    estimator: Estimator, t_ns: int, samples: Sequence[Sample | None], complete: Sequence[CompleteSamples] = ()
) -> tuple[PoseEstimate | None, str]:
    """Returns the pose at a time step; None and the reason where the computation fails numerically.

    Args:
        estimator: Computes it.
        t_ns: Time.
        samples: As in `Estimator.step`.
        complete: As there.
    """
    return alone(pose_computations(estimator, t_ns, samples, complete))


def pose_computations(
    estimator: Estimator, t_ns: int, samples: Sequence[Sample | None], complete: Sequence[CompleteSamples] = ()
) -> Computations[tuple[PoseEstimate | None, str]]:
    """Computes what `estimate_pose` returns."""
    try:
        pose = yield from estimator.computations(t_ns, samples, complete)
        reason = "" if is_publishable(pose) else "it is not finite"
    except NUMERIC_ERRORS as error:
        reason = f"{type(error).__name__}: {str(error)[:200]}"
    if reason:
        estimator.forget_people()  # else the next poses, which depend on this one, are not finite either
        return None, f"No pose could be computed from the keypoints: {reason}."
    return pose, ""
