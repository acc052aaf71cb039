"""The loop of the fusion where the cameras are to be solved from a recording: the first of two passes.

Until the rig is solved, and whenever cameras disagree or move, one time step follows the other. In between, the cameras
stay as they are for as many time steps as there were before. These are fused with them in stretches, and the cameras
learn from them afterwards, in order; then they are solved again.
"""

import time
from collections.abc import Iterator, Sequence

from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.stretches.process import StretchProcess
from pose_rig.fusion.stretches.stretches import FusedStep, SampledStep, estimate_alone
from pose_rig.fusion.stretches.team import Team
from pose_rig.fusion.time_steps import Failures, StepClock, TimeStep, due_times
from pose_rig.wire.jobs import Stop

MIN_STEPS = 24  # of a stretch: four times as long as its warm-up, at the rate of keyframes
MAX_INCONSISTENT_S = 0.5  # a camera that disagrees for longer may have been moved: its time steps follow one another


class LearningSteps:
    """Yields what `time_steps` does; the rig is solved less often.

    Args:
        processes: That help.
        one_by_one: Whether every time step is computed after the one before it, instead of in stretches.
    """

    def __init__(self, processes: Sequence[StretchProcess] = (), *, one_by_one: bool = True) -> None:
        self._processes, self._one_by_one = processes, one_by_one

    def __call__(
        self, cameras: CameraInputs, clock: StepClock, estimator: Estimator, stop: Stop
    ) -> Iterator[TimeStep | None]:
        """Yields every time step, and None now and then; arguments as those of `time_steps`."""
        steps: list[SampledStep] = []
        failures = Failures()
        for t_ns in due_times(cameras, clock, estimator, stop):
            if t_ns is None:
                yield None
                continue
            began_ns = time.perf_counter_ns()
            samples = cameras.samples(t_ns)
            steps.append(SampledStep(t_ns, samples, time.perf_counter_ns() - began_ns, learns=True))
            if len(steps) >= estimator.steady_steps:
                yield from self._learned(steps, estimator, failures, stop)
                steps = []
        yield from self._learned(steps, estimator, failures, stop)

    def _learned(
        self, steps: Sequence[SampledStep], estimator: Estimator, failures: Failures, stop: Stop
    ) -> Iterator[TimeStep]:
        fused = self._together(steps, estimator, stop) if len(steps) > 1 else []
        if fused:
            estimator.learn([one.evidence for one in fused if one.evidence is not None])
            for step, one in zip(steps, fused, strict=True):
                yield TimeStep(step.t_ns, step.samples, one.pose, one.failure, step.sync_ns, one.estimate_ns)
            return
        for step in steps:
            if stop.is_set():
                return
            yield estimate_alone(step, estimator, failures)

    def _together(self, steps: Sequence[SampledStep], estimator: Estimator, stop: Stop) -> list[FusedStep]:
        """Returns what was computed with the cameras as they are; nothing if they may not be so at all these steps."""
        processes, min_steps = ((), len(steps)) if self._one_by_one else (self._processes, MIN_STEPS)
        team = Team(estimator.fixed_cameras(), estimator.engine, processes, stop.is_set, min_steps, estimator.person)
        fused = team.fuse(steps)
        if not fused or not all(_is_steady(one) for one in fused):
            return []
        person = team.person
        if person is not None:
            estimator.track_person(person)
        return fused


def _is_steady(fused: FusedStep) -> bool:
    """Whether no camera has disagreed for long, and the person is still the same."""
    if fused.inconsistent_s.max() > MAX_INCONSISTENT_S:
        return False
    hypothesis = None if fused.evidence is None else fused.evidence.hypothesis
    return hypothesis is None or not hypothesis.switched
