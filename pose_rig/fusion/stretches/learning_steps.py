"""The loop of the fusion where the cameras are to be solved from a recording: the first of two passes.

Until the rig is solved, and whenever cameras disagree or move, one time step follows the other. In between, the cameras
stay as they are for twice as many time steps as there were before. These are fused with them in stretches, and the
cameras learn from them afterwards, in order; then they are solved again. Where a camera begins to disagree for long,
only those before are kept, and the others are computed one after the other until all agree again.

As soon as there are as many keyframes as are kept, further ones replace others, and every other one of the time steps
in stretches is enough to find those that are new.

All of this happens in one process, so that the cameras do not depend on the number of cores; nor on ``--exact``, which
is about the poses of the second pass.
"""

import time
from collections.abc import Generator, Iterator, Sequence

from pose_rig.fusion.calibration.keyframes import MAX_KEYFRAMES
from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.stretches.stretches import WARM_UP_NS, FusedStep, SampledStep, Stretches, estimate_alone
from pose_rig.fusion.time_steps import Failures, StepClock, TimeStep, due_times
from pose_rig.wire.jobs import Stop

MIN_STEPS = 24  # of a stretch: four times as long as its warm-up, at the rate of keyframes
GROWTH = 2  # keyframes between two solves, for each before
STRIDE = 2  # in stretches, from `MAX_KEYFRAMES` on; with 3, noisy detections seemed to disagree for too long
MAX_INCONSISTENT_S = 0.75  # a camera that disagrees for longer may have been moved: its time steps follow one another


def learning_steps(
    cameras: CameraInputs, clock: StepClock, estimator: Estimator, stop: Stop
) -> Iterator[TimeStep | None]:
    """Yields what `time_steps` does, but for time steps that are not needed; the rig is solved less often.

    Arguments are those of `time_steps`.
    """
    steps: list[SampledStep] = []
    failures = Failures()
    for t_ns in due_times(cameras, clock, estimator, stop):
        if t_ns is None:
            yield None
            continue
        began_ns = time.perf_counter_ns()
        samples = cameras.samples(t_ns)
        steps.append(SampledStep(t_ns, samples, time.perf_counter_ns() - began_ns, learns=True))
        if len(steps) >= GROWTH * _stride(estimator) * estimator.steady_steps:
            yield from _learned(steps, estimator, failures, stop)
            steps = []
    yield from _learned(steps, estimator, failures, stop)


def _learned(steps: Sequence[SampledStep], estimator: Estimator, failures: Failures, stop: Stop) -> Iterator[TimeStep]:
    at_once = len(steps)  # fewer after a disagreement: what is computed after it is of no use
    while steps and not stop.is_set():
        stride = _stride(estimator)
        some, agree_ns = steps[: at_once * stride : stride], 0
        fused = _together(some, estimator, stop)
        count, at_once = len(fused), GROWTH * at_once
        unsteady = next((number for number, one in enumerate(fused) if not _is_steady(one)), None)
        if unsteady is not None:
            count, agree_ns = steady_count(some, fused, unsteady), some[unsteady].t_ns
            at_once = max(count, MIN_STEPS)
            estimator.forget_person()  # who was followed until the last of these steps
        yield from _learn(some, fused[:count], estimator)
        steps = yield from _until_steady(steps[count * stride :], agree_ns, estimator, failures, stop)


def _together(steps: Sequence[SampledStep], estimator: Estimator, stop: Stop) -> list[FusedStep]:
    """Returns what is computed with the cameras as they are, nothing where they are not to stay so."""
    if len(steps) == 1 or not estimator.steady_steps:
        return []
    stretches = Stretches(estimator.with_fixed_cameras, stop.is_set, MIN_STEPS, estimator.person)
    fused = stretches.fuse(steps)
    if fused and (person := stretches.person) is not None:
        estimator.track_person(person)
    return fused


def _stride(estimator: Estimator) -> int:
    """Returns of how many time steps one is computed, where the cameras stay as they are."""
    return STRIDE if estimator.steady_steps >= MAX_KEYFRAMES else 1


def _learn(steps: Sequence[SampledStep], fused: Sequence[FusedStep], estimator: Estimator) -> Iterator[TimeStep]:
    """Has the cameras learn from steps that were computed together, and yields these."""
    estimator.learn([one.evidence for one in fused if one.evidence is not None])
    for step, one in zip(steps, fused, strict=False):
        yield TimeStep(step.t_ns, step.samples, one.pose, one.failure, step.sync_ns, one.estimate_ns)


def _until_steady(
    steps: Sequence[SampledStep], agree_ns: int, estimator: Estimator, failures: Failures, stop: Stop
) -> Generator[TimeStep, None, Sequence[SampledStep]]:
    """Yields steps one by one until the cameras agree, at a time or after it, and returns those that are left."""
    for number, step in enumerate(steps, 1):
        if stop.is_set():
            return []
        yield estimate_alone(step, estimator, failures)
        if step.t_ns >= agree_ns and estimator.steady_steps:
            return steps[number:]
    return []


def steady_count(steps: Sequence[SampledStep], fused: Sequence[FusedStep], unsteady: int) -> int:
    """Returns how many steps come clearly before the first one that is unsteady, and before any disagreement."""
    end_ns = steps[unsteady].t_ns - WARM_UP_NS
    agree = [step.t_ns < end_ns and one.inconsistent_s.max() == 0 for step, one in zip(steps, fused, strict=True)]
    return max((number for number, good in enumerate(agree[:unsteady], 1) if good), default=0)


def _is_steady(fused: FusedStep) -> bool:
    """Whether no camera has disagreed for long, and the person is still the same."""
    if fused.inconsistent_s.max() > MAX_INCONSISTENT_S:
        return False
    return not fused.evidence or not fused.evidence[0].hypothesis.switched
