"""The poses of a recording whose cameras are known: stretches of time, fused side by side.

A pose depends little on those long before it. A recording is therefore cut into stretches, whose time steps are
computed together (`pose_rig.fusion.pose.computation`). Each begins some time earlier than its poses are needed. Where
it then does not arrive at the pose of the stretch before, because a camera was bumped or the person is another one,
that stretch is continued until both are the same: the poses are those of one stretch, to within `MAX_SEAM_M`. Their
smoothing, which reaches further back, follows (`Smoothing`).
"""

import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.late_cameras import CompleteSamples
from pose_rig.fusion.people.person_tracker import PersonTracker
from pose_rig.fusion.pose.computation import together
from pose_rig.fusion.pose.evidence import Evidence
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.pose.smooth import OneEuro
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.time_steps import Failures, TimeStep, estimate_pose, pose_computations

WARM_UP_NS = 400_000_000  # of which nothing is used
MAX_SEAM_M = 1e-4  # between the poses of two stretches for the same time step
MAX_SEAM_MEMORY = 0.05  # likewise, of what they remember of the cameras
STRETCHES = 16  # side by side at most: the graph takes a fifth of the time that it takes alone, with 32 a sixth
COMMON_STEPS = 1.7  # to compute one step of every stretch takes as long as so many steps, and one more for each stretch
MIN_STEPS = 60  # of a stretch, if not given otherwise: when a moved camera is placed again depends on more than poses
MAX_STEPS = 180  # of a stretch; what is fused at once is kept in memory


@dataclass(frozen=True, slots=True)
class SampledStep:
    """One time step of a recording.

    Attributes:
        t_ns: Its time, rig clock.
        samples: (V) the detections of each view at that time, None where there are none.
        sync_ns: Time spent on sampling.
        learns: Whether the rig is to be updated with it.
    """

    t_ns: int
    samples: Sequence[Sample | None]
    sync_ns: int
    learns: bool


@dataclass(frozen=True, slots=True)
class FusedStep:
    """What was computed for a time step.

    Attributes:
        pose: None if none could be computed.
        failure: Why, empty if one was.
        evidence: As in `Estimator`, of steps with which the rig is updated; None of others.
        cameras: The solved cameras then.
        memory: As in `Estimator.memory`.
        estimate_ns: Time spent, shared with the steps that were computed together with it.
    """

    pose: PoseEstimate | None
    failure: str
    evidence: Sequence[Evidence] | None
    cameras: Calibration | None
    memory: Floats
    estimate_ns: int

    @property
    def inconsistent_s(self) -> Floats:
        """(V,) for how long each camera has disagreed with the others."""
        return np.split(self.memory, 3)[1]


def estimate_alone(
    step: SampledStep, estimator: Estimator, failures: Failures, complete: Sequence[CompleteSamples] = ()
) -> TimeStep:
    """Returns a time step that is computed by itself; restarts the estimator after too many failures.

    Args:
        step: What was sampled.
        estimator: Computes it.
        failures: Of the run.
        complete: As in `Estimator.computations`.
    """
    began_ns = time.perf_counter_ns()
    pose, failure = estimate_pose(estimator, step.t_ns, step.samples, complete)
    spent_ns = time.perf_counter_ns() - began_ns
    if failures.restart_after(pose, failure):
        estimator.restart()
    return TimeStep(step.t_ns, step.samples, pose, failure, step.sync_ns, spent_ns)


class _Stretch:
    """One stretch: its estimator, and the step that comes next."""

    def __init__(self, open_estimator: Callable[[], Estimator], first: int, end: int) -> None:
        self._open, self.estimator = open_estimator, open_estimator()
        self.next, self.end = first, end
        self.fused: dict[int, FusedStep] = {}
        self._failures = Failures()

    def add(self, fused: FusedStep) -> None:
        """Adds the next step."""
        self.fused[self.next] = fused
        self.next += 1
        if self._failures.restart_after(fused.pose, fused.failure):
            self.estimator = self._open()


class Stretches:
    """Fuses parts of a recording.

    Args:
        open_estimator: Returns a new estimator, its cameras solved and fixed.
        stopped: Whether to stop: there is no result then.
        min_steps: Of a stretch.
        person: The first stretch continues to track that one; None = it begins without.
    """

    def __init__(
        self,
        open_estimator: Callable[[], Estimator],
        stopped: Callable[[], bool] = lambda: False,
        min_steps: int = MIN_STEPS,
        person: PersonTracker | None = None,
    ) -> None:
        self._open, self._stopped, self._min_steps, self._person = open_estimator, stopped, min_steps, person
        self._last: _Stretch | None = None

    @property
    def person(self) -> PersonTracker | None:
        """The person after the steps that were fused last."""
        return self._person if self._last is None else self._last.estimator.person

    def fuse(self, steps: Sequence[SampledStep], warm_up: int = 0) -> list[FusedStep]:
        """Returns what was computed for the steps, those of the warm-up included.

        Args:
            steps: In order of time.
            warm_up: How many of them come before what is wanted; 0 = they follow on those fused last, or are the first.
        """
        bounds = stretch_bounds(steps[warm_up:], self._min_steps, warmed_up=warm_up > 0) + warm_up
        if self._last is not None:
            self._open = self._last.estimator.with_fixed_cameras  # one may have been placed again
        first = self._last if self._last is not None and not warm_up else _Stretch(self._open, 0, 0)
        if self._last is None and self._person is not None and not warm_up:
            first.estimator.track_person(deepcopy(self._person))
        first.fused, first.next, first.end = {}, 0, int(bounds[1])
        stretches = [first]
        for start, end in zip(bounds[1:-1].tolist(), bounds[2:].tolist(), strict=True):
            stretches.append(_Stretch(self._open, warm_up_start(steps, start), end))
        while active := [stretch for stretch in stretches if stretch.next < stretch.end]:
            if self._stopped():
                return []
            _compute(active, steps)
        fused = [stretches[0].fused[index] for index in range(int(bounds[1]))]
        self._last = stretches[0]
        for stretch in stretches[1:]:
            fused += self._continued(fused[-1], stretch, steps[: stretch.end])
        return fused

    def extend(self, steps: Sequence[SampledStep], fused: Sequence[FusedStep]) -> list[FusedStep]:
        """Returns the first of the steps that follow, continued until they are the same as those ``fused`` elsewhere.

        Args:
            steps: They follow on those fused last.
            fused: What was computed for them.
        """
        assert self._last is not None  # noqa: S101 - one was fused before
        self._last.fused, self._last.next, self._last.end = {}, 0, len(steps)
        for index in range(len(steps)):
            _compute([self._last], steps)
            if same_pose(self._last.fused[index], fused[index]):
                break
        return [self._last.fused[index] for index in range(self._last.next)]

    def _continued(self, before: FusedStep, stretch: _Stretch, steps: Sequence[SampledStep]) -> list[FusedStep]:
        """Returns the steps of the next stretch, after the last one is continued until it arrives at the same poses."""
        assert self._last is not None  # noqa: S101 - one was fused before
        last, start = self._last, self._last.end
        last.end = len(steps)
        same = same_pose(before, stretch.fused[start - 1])
        while not same and last.next < last.end:
            _compute([last], steps)
            same = same_pose(last.fused[last.next - 1], stretch.fused[last.next - 1])
        if same:
            self._last = stretch
        return [(last if index < last.next else stretch).fused[index] for index in range(start, len(steps))]


def stretch_bounds(steps: Sequence[SampledStep], min_steps: int, *, warmed_up: bool) -> NDArray[np.int64]:
    """Returns where stretches begin, and where the last one ends, so that they take the least time together.

    More of them share what they have in common, but each has a warm-up. The first one is longer by as much, unless it
    is ``warmed_up`` before.
    """
    warm_up = usual_warm_up(steps)
    first = 0 if warmed_up else warm_up
    count = len(steps) - first
    best = round(np.sqrt(COMMON_STEPS * count / max(warm_up, 1)))
    stretches = max(1, min(best, count // min_steps, STRETCHES))
    inner = first + np.linspace(0, count, stretches + 1)[1:]
    return np.concatenate([[0], inner]).round().astype(np.int64)


def usual_warm_up(steps: Sequence[SampledStep]) -> int:
    """Returns how many steps a warm-up has."""
    middle = len(steps) // 2
    return middle - warm_up_start(steps, middle) if middle else 0


def warm_up_start(steps: Sequence[SampledStep], start: int) -> int:
    """Returns where the warm-up of a stretch begins that starts at a time step, not the first one."""
    first = start
    while first > 0 and steps[start].t_ns - steps[first - 1].t_ns <= WARM_UP_NS:
        first -= 1
    return min(first, start - 1)


def _compute(stretches: Sequence[_Stretch], steps: Sequence[SampledStep]) -> None:
    """Computes the next time step of every stretch."""
    began_ns = time.perf_counter_ns()
    due = [steps[stretch.next] for stretch in stretches]
    poses = together(
        [pose_computations(s.estimator, step.t_ns, step.samples) for s, step in zip(stretches, due, strict=True)]
    )
    spent_ns = (time.perf_counter_ns() - began_ns) // len(stretches)
    for stretch, step, (pose, failure) in zip(stretches, due, poses, strict=True):
        evidence = stretch.estimator.evidence if step.learns and pose is not None else None
        cameras, memory = stretch.estimator.cameras, stretch.estimator.memory(step.t_ns)
        stretch.add(FusedStep(pose, failure, evidence, cameras, memory, spent_ns))


def same_pose(a: FusedStep, b: FusedStep) -> bool:
    """Returns whether two estimates of a time step are the same before smoothing: what follows then is, too."""
    if a.pose is None or b.pose is None:
        return False
    one, other = a.pose, b.pose
    return (
        (one.mode, one.tracking) == (other.mode, other.tracking)
        and _same_cameras(a.cameras, b.cameras)
        and np.array_equal(one.person_index, other.person_index)
        and np.array_equal(np.isnan(one.inlier), np.isnan(other.inlier))
        and bool(np.abs(one.xyz_raw - other.xyz_raw).max() <= MAX_SEAM_M)
        and bool(np.abs(a.memory - b.memory).max() <= MAX_SEAM_MEMORY)
    )


def _same_cameras(a: Calibration | None, b: Calibration | None) -> bool:
    if a is None or b is None:
        return a is b
    return np.array_equal(a.translation, b.translation) and np.array_equal(a.rotation, b.rotation)


class Smoothing:
    """Smooths the poses of stretches once more, as those of one stretch.

    Args:
        smooth: A fresh filter, that of a `PersonTracker`.
    """

    def __init__(self, smooth: OneEuro) -> None:
        self._smooth = smooth
        self._xyz: Floats | None = None

    def __call__(self, pose: PoseEstimate) -> PoseEstimate:
        """Returns the next pose, smoothed; while the person is in no view, the last one."""
        if pose.tracking:
            sd_m = pose.smoothing_sd_m if np.isfinite(pose.smoothing_sd_m).all() else None
            self._xyz = self._smooth(pose.t_ns, pose.xyz_raw, sd_m)
        if self._xyz is None:
            return pose
        return replace(pose, xyz=self._xyz, xyz_raw=pose.xyz_raw if pose.tracking else self._xyz)
