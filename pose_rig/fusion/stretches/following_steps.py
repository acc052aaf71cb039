"""The loop of the fusion where the rig of a recorded live run is used: its poses once more, many at once.

The cameras stay the same from one recorded change of the rig to the next. The time steps in between are sampled first,
then fused in stretches.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pose_rig.fusion.calibration.keyframes import KEYFRAME_INTERVAL_NS
from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.commands import apply_all
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.late_cameras import CompleteSamples
from pose_rig.fusion.recorded_clock import RecordedClock
from pose_rig.fusion.stretches.process import StretchProcess
from pose_rig.fusion.stretches.stretches import SampledStep, Smoothing, estimate_alone
from pose_rig.fusion.stretches.team import Team
from pose_rig.fusion.time_steps import Failures, TimeStep, due_times
from pose_rig.graph import Engine
from pose_rig.wire.jobs import Stop

MIN_STEPS = 20  # of a stretch: recorded cameras are not placed again, and at first they change often


class FollowingSteps:
    """Yields what `time_steps` does in a live run, to a fraction of a millimetre, in less time.

    Args:
        engine: Runs the graph.
        processes: That help.
    """

    def __init__(self, engine: Engine, processes: Sequence[StretchProcess] = ()) -> None:
        self._engine, self._processes = engine, processes

    def __call__(
        self, cameras: CameraInputs, clock: RecordedClock, estimator: Estimator, stop: Stop
    ) -> Iterator[TimeStep | None]:
        """Yields every time step, and None now and then.

        Args:
            cameras: Their messages.
            clock: Follows the recorded rig, and holds its changes.
            estimator: Follows the recorded rig.
            stop: Ends the loop.
        """
        run = _Run(estimator, self._engine, self._processes, stop)
        for t_ns in due_times(cameras, clock, estimator, stop):
            if t_ns is None:
                if clock.holds_change:
                    yield from run.together()
                yield None
                continue
            if commands := cameras.take_commands():
                yield from run.together()
                apply_all(commands, estimator, cameras.reject)
            estimator.follow_clocks(t_ns, cameras)
            began_ns = time.perf_counter_ns()
            samples, complete = cameras.samples(t_ns), cameras.complete_samples(t_ns)
            step = SampledStep(t_ns, samples, time.perf_counter_ns() - began_ns, run.learns(t_ns))
            if estimator.cameras_agree and not complete:
                run.waiting.append(step)
                if len(run.waiting) == run.steps_at_once:
                    yield from run.together()
            else:
                yield from run.together()
                yield run.alone(step, complete)
        yield from run.together()


class _Run:
    """The time steps of one run that wait to be fused, and the smoothing of all.

    Attributes:
        waiting: Sampled, with the cameras as they are now.
    """

    def __init__(self, estimator: Estimator, engine: Engine, processes: Sequence[StretchProcess], stop: Stop) -> None:
        self._estimator, self._engine, self._processes, self._stop = estimator, engine, processes, stop
        self._smoothing, self._person = Smoothing(estimator.smoothing_filter()), estimator.person
        self._failures, self._learned_ns = Failures(), -KEYFRAME_INTERVAL_NS
        self.waiting: list[SampledStep] = []

    @property
    def steps_at_once(self) -> int:
        """How many time steps are best fused at once."""
        return Team.steps_with(self._processes)

    def learns(self, t_ns: int) -> bool:
        """Whether the agreement of the cameras is updated with a time step."""
        due = t_ns - self._learned_ns >= KEYFRAME_INTERVAL_NS
        self._learned_ns = t_ns if due else self._learned_ns
        return due

    def alone(self, step: SampledStep, complete: Sequence[CompleteSamples]) -> TimeStep:
        """Returns a time step that is computed by itself."""
        result = estimate_alone(step, self._estimator, self._failures, complete)
        self._same_person()
        return result if result.pose is None else replace(result, pose=self._smoothing(result.pose))

    def together(self) -> Iterator[TimeStep]:
        """Yields the time steps that wait."""
        steps, self.waiting, estimator = self.waiting, [], self._estimator
        if not steps:
            return
        self._same_person()
        cameras, person = estimator.fixed_cameras(), estimator.person
        team = Team(cameras, self._engine, self._processes, self._stop.is_set, MIN_STEPS, person)
        fused = team.fuse(steps)
        if fused and (tracked := team.person) is not None:
            estimator.track_person(tracked)
            self._person = tracked
        for step, one in zip(steps, fused, strict=False):  # there are none if it was stopped
            if one.evidence is not None:
                estimator.learn([one.evidence])
            pose = None if one.pose is None else self._smoothing(one.pose)
            yield TimeStep(step.t_ns, step.samples, pose, one.failure, step.sync_ns, one.estimate_ns)

    def _same_person(self) -> None:
        """Starts to smooth from scratch where the estimator was restarted."""
        if self._estimator.person is not self._person:
            self._person, self._smoothing = self._estimator.person, Smoothing(self._estimator.smoothing_filter())
