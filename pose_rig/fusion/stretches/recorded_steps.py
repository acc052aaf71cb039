"""The loop of the fusion where the cameras are known before: time steps are sampled first, and fused in stretches."""

import time
from collections.abc import Iterator, Sequence
from typing import Self

from pose_rig.fusion.calibration.keyframes import KEYFRAME_INTERVAL_NS
from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.stretches.following_steps import FollowingSteps
from pose_rig.fusion.stretches.learning_steps import learning_steps
from pose_rig.fusion.stretches.process import OpenEngine
from pose_rig.fusion.stretches.stretches import SampledStep, Smoothing
from pose_rig.fusion.stretches.team import Processes, Team
from pose_rig.fusion.time_steps import StepClock, TimeStep, TimeSteps, due_times
from pose_rig.graph import Engine
from pose_rig.wire.jobs import Stop


class RecordedSteps:
    """Yields what `time_steps` does, to a fraction of a millimetre, in less time.

    Args:
        engine: Runs the graph.
        open_engine: Opens an engine in another process; None = there is none.
        cores: How many to use, this process included; None = all.

    Attributes:
        processes: Those that help this one.
    """

    def __init__(self, engine: Engine, open_engine: OpenEngine | None = None, cores: int | None = None) -> None:
        self._engine = engine
        further = None if cores is None else cores - 1
        self.processes = Processes(open_engine if engine.provider == "cpu" else None, further)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.processes.close()

    @property
    def learning(self) -> TimeSteps:
        """The loop of a pass that solves the cameras."""
        return learning_steps

    @property
    def following(self) -> FollowingSteps:
        """The loop of a live run whose recorded rig is used."""
        return FollowingSteps(self._engine, self.processes.started)

    def start(self, steps: int) -> None:
        """Starts further processes, if there are so many time steps that it is worth it."""
        self.processes.start(steps)

    def __call__(
        self, cameras: CameraInputs, clock: StepClock, estimator: Estimator, stop: Stop
    ) -> Iterator[TimeStep | None]:
        """Yields every time step, and None now and then.

        Args:
            cameras: Their messages.
            clock: Decides when a time step is due.
            estimator: Its cameras are solved and fixed.
            stop: Ends the loop.
        """
        smoothing, team = Smoothing(estimator.smoothing_filter()), None
        steps: list[SampledStep] = []
        learned_ns = -KEYFRAME_INTERVAL_NS
        for t_ns in due_times(cameras, clock, estimator, stop):
            if t_ns is None:
                yield None
                continue
            team = team or Team(estimator.fixed_cameras(), self._engine, self.processes.started, stop.is_set)
            learns = t_ns - learned_ns >= KEYFRAME_INTERVAL_NS
            learned_ns = t_ns if learns else learned_ns
            began_ns = time.perf_counter_ns()
            samples = cameras.samples(t_ns)
            steps.append(SampledStep(t_ns, samples, time.perf_counter_ns() - began_ns, learns))
            if len(steps) == Team.steps_with(self.processes.started):
                yield from _fused(steps, team, estimator, smoothing)
                steps = []
        if steps and team is not None:
            yield from _fused(steps, team, estimator, smoothing)


def _fused(steps: Sequence[SampledStep], team: Team, estimator: Estimator, smoothing: Smoothing) -> Iterator[TimeStep]:
    for step, fused in zip(steps, team.fuse(steps), strict=False):  # there are none if it was stopped
        if fused.evidence is not None:
            estimator.learn([fused.evidence])
        pose = None if fused.pose is None else smoothing(fused.pose)
        yield TimeStep(step.t_ns, step.samples, pose, fused.failure, step.sync_ns, fused.estimate_ns)
