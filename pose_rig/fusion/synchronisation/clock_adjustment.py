"""Clocks of cameras, fine: offsets and rates of minimal reprojection error, with the cameras free.

Keypoints move with their measured velocity when the clock of their camera is changed. Each round samples them at the
clocks so far, triangulates the joints, and takes a Gauss–Newton step of clocks and cameras (`clock_equations`): with
the cameras held, the clocks would hardly move, for the cameras have absorbed them.

Axes: N times, of one person after the other, V views, P points (`segments.POINTS`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.reprojection import Tracks
from pose_rig.fusion.calibration.bundle.state import BundleState
from pose_rig.fusion.calibration.initialise import detection_sd, with_points
from pose_rig.fusion.calibration.keyframes import of_each_person
from pose_rig.fusion.calibration.self_solve import current_state
from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.fusion.synchronisation.camera_clock import CameraClock
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.clock_equations import ClockStep, clock_equations, explained_velocity
from pose_rig.fusion.synchronisation.followed_person import GRID_HZ, FollowedPerson, Movement, follow, movement
from pose_rig.fusion.synchronisation.likely_rates import likely_rates
from pose_rig.intrinsics import Intrinsics

BLOCK_S = 1.5  # in which the error of a detector counts as constant
MIN_BLOCKS, MAX_BLOCKS = 2, 60  # a short take has shorter ones; over a long take they are spread evenly
MIN_TAKE_S, MIN_RATE_TAKE_S = 0.5, 10.0
MIN_TIMES = 12  # with two views
DIFFERENCE_S = 1e-3  # by which velocities are converted to ideal coordinates
STRIDE = 2  # of the times at which keypoints are sampled
ROUNDS = 60
MAX_CONTRACTION = 0.67  # of successive steps, which is anticipated in every second round
CONVERGED_S, CONVERGED_RATE = 0.0002, 1e-5
# Of offsets, over that from the scatter between blocks: errors of detectors last longer than a block. What is common
# to all blocks falls with the duration: 1.2 ms after 20 s (simulated rigs with biased detectors), 4 ms after 1.7 s.
SD_FACTOR, SYSTEMATIC_SD_S, SYSTEMATIC_TAKE_S = 1.6, 0.0012, 20.0
SYSTEMATIC_RATE_SD = 2e-4  # after 20 s; falls with the duration to the power of 1.5
MAX_OFFSET_SD_S = 0.02
MAX_PEOPLE = 3  # who are followed; each takes as long as one
MIN_EXPLAINED_BY_ONE = 0.12  # the same of two views, of which each leaves the depth of the other open
MIN_EXPLAINED = 0.33  # of the squared velocities in a view, by those in the others; standing 0.15, moving 0.35


@dataclass(frozen=True, slots=True)
class AdjustedClocks:
    """Clocks that reprojection errors support.

    Attributes:
        clocks: (V) those given where nothing is observable.
        offset_s: (V,) rig time minus camera time in the middle of the take.
        sd_s: (V,) its standard deviation; 0 for the first view that is observable, NaN where none is.
        start_sd_s: (V,) the same at the beginning of the take, which is less certain where rates were searched.
        rate_ratio: (V,) deviation of the measured rate from 1 over its standard deviation; the rate of the clock is
            nearer to 1, by as much as it is uncertain.
        explained: (V,) share of the squared velocities of keypoints that the other views explain.
    """

    clocks: tuple[CameraClock, ...]
    offset_s: Floats
    sd_s: Floats
    start_sd_s: Floats
    rate_ratio: Floats
    explained: Floats


def adjust_clocks(
    task: SolveTask,
    tracks: Sequence[CameraTrack],
    clocks: Sequence[CameraClock],
    *,
    rates: bool = False,
    trusted: NDArray[np.bool_] | None = None,
) -> AdjustedClocks | None:
    """Returns the clocks of minimal reprojection error.

    Args:
        task: Of the rig, solved with the clocks so far.
        tracks: (V) what each camera detected.
        clocks: (V) the clocks so far.
        rates: Whether rates are searched, too; they are where the take is long enough, and of one person.
        trusted: (V,) whose clocks so far are about right. Where all views together make no sense, these are tried: one
            clock that is far off affects the others.

    Returns:
        None if the rig is not solved, or the take is too short.
    """
    times, explained = _times(task, tracks, clocks), np.zeros(len(clocks))
    views = np.flatnonzero(task.known)
    while times is not None and len(views) > 1:
        state = current_state(task, views)
        found = None if state is None else _adjusted(state, task, tracks, clocks, views, times, rates)
        if found is None:
            return None
        explained[views] = found.explained
        sd_s = found.sd_s(times)[0]
        needed = MIN_EXPLAINED if len(views) > 2 else MIN_EXPLAINED_BY_ONE
        observable = (found.explained >= needed) & (sd_s <= MAX_OFFSET_SD_S)
        if observable.all():
            return _result(found, clocks, views, times, explained)
        first = views[np.zeros(0, int) if trusted is None else trusted[views]]
        views = first if 2 <= len(first) < len(views) else views[observable]  # the others would affect them
    return None if times is None else _result(None, clocks, views[:0], times, explained)


@dataclass(frozen=True, slots=True)
class _Times:
    """Times at which keypoints are compared: blocks of equally many, `GRID_HZ` apart.

    Attributes:
        rig_s: (N·STRIDE,), middle_s: of the take.
        blocks: Their number.
    """

    rig_s: Floats
    middle_s: float
    blocks: int

    @property
    def seconds(self) -> float:
        """Duration of the take."""
        return float(2 * (self.middle_s - self.rig_s[0]))


@dataclass(frozen=True, slots=True)
class _Overlap:
    """When each view shows the person together with another one.

    Attributes:
        seconds: (V,) from the first to the last time, middle_s: (V,) between them, from the middle of the take.
    """

    seconds: Floats
    middle_s: Floats

    @classmethod
    def of(cls, visible: NDArray[np.bool_], time_s: Floats) -> "_Overlap":
        """Returns the overlaps of views visible (N,V) at times (N,) from the middle of the take."""
        together = visible & (visible.sum(1, keepdims=True) > 1)
        first = np.where(together, time_s[:, None], np.inf).min(0)
        last = np.where(together, time_s[:, None], -np.inf).max(0)
        any_time = together.any(0)
        middle_s = np.where(any_time, 0.5 * (np.where(any_time, first, 0.0) + np.where(any_time, last, 0.0)), 0.0)
        return cls(np.maximum(np.where(any_time, last - first, 0.0), MIN_TAKE_S), middle_s)

    @property
    def rate_sd(self) -> Floats:
        """(V,) standard deviation of rates that the scatter between blocks does not show."""
        return np.asarray(SYSTEMATIC_RATE_SD * (SYSTEMATIC_TAKE_S / self.seconds) ** 1.5)


@dataclass(frozen=True, slots=True)
class _Found:
    """Where the steps have converged, for some views."""

    clocks: list[CameraClock]
    state: BundleState
    step: ClockStep
    explained: Floats
    overlap: _Overlap
    rate_sd: Floats | float = 0.0  # (V,) of the rates, where these were searched before
    rate_ratio: Floats | float = 0.0  # (V,) as in `AdjustedClocks`

    def sd_s(self, times: _Times) -> tuple[Floats, Floats]:
        """Returns (V,) the standard deviations of the offsets in the middle and at the beginning of the take."""
        count, early_s = len(self.clocks), 0.5 * times.seconds
        covariance, overlap = SD_FACTOR**2 * self.step.covariance, self.overlap
        offset, rate, both = (np.diag(part) for part in (
            covariance[:count, :count], covariance[count:, count:], covariance[:count, count:]))  # fmt: skip
        offset = offset + SYSTEMATIC_SD_S**2 * SYSTEMATIC_TAKE_S / overlap.seconds
        known = np.where(rate > 0, overlap.rate_sd, self.rate_sd)
        middle = offset + (overlap.middle_s * known) ** 2
        start = offset - 2 * early_s * both + early_s**2 * rate + ((early_s + overlap.middle_s) * known) ** 2
        first = np.arange(count) == 0
        return np.where(first, 0.0, np.sqrt(middle)), np.where(first, 0.0, np.sqrt(np.maximum(start, middle)))


@dataclass(frozen=True, slots=True)
class _Search:
    """The search of clocks.

    Attributes:
        people: (V) of each person, where each view shows them; the times of one person follow those of another.
        intrinsics: Of all cameras, as assumed.
        views: (V,) the cameras.
        times: At which keypoints are compared.
    """

    people: Sequence[Sequence[FollowedPerson]]
    intrinsics: Intrinsics
    views: NDArray[np.int64]
    times: _Times

    def run(self, state: BundleState, clocks: Sequence[CameraClock], rates: NDArray[np.bool_]) -> _Found | None:
        """Returns where the steps converge; ``rates`` (V,) are free. None with too few keypoints."""
        found, clocks, before_s = None, list(clocks), np.zeros(len(clocks))
        middle_s, blocks = self.times.middle_s, self.times.blocks * len(self.people)
        for number in range(ROUNDS):
            tracks, velocity = self._sampled(clocks)
            visible = np.asarray((tracks.weight > 0).any(-1))
            time_s = np.tile(self.times.rig_s[::STRIDE] - middle_s, len(self.people))
            if (visible.sum(-1) > 1).sum() < MIN_TIMES:
                return None
            state = with_points(state, tracks)
            step = clock_equations(state, tracks, velocity, time_s, blocks).solve(rates)
            contraction = float(step.offset_s @ before_s) / max(float(before_s @ before_s), 1e-12)
            gain = 1 / (1 - min(max(contraction, 0.0), MAX_CONTRACTION)) if number % 2 else 1.0
            before_s = step.offset_s
            clocks = [
                _moved(clock, gain * offset_s, gain * rate, middle_s)
                for clock, offset_s, rate in zip(clocks, step.offset_s.tolist(), step.rate.tolist(), strict=True)
            ]
            explained = explained_velocity(state, tracks, velocity)
            found = _Found(clocks, state, step, explained, _Overlap.of(visible, time_s))
            if np.abs(step.offset_s).max() < CONVERGED_S and np.abs(step.rate).max() < CONVERGED_RATE:
                break
            state = state.updated(gain * step.cameras, 0 * state.length, 0 * state.points)
        return found

    def _sampled(self, clocks: Sequence[CameraClock]) -> tuple[Tracks, Floats]:
        """Returns the keypoints at the times, and their velocities (N,V,P,2)."""
        camera_s = [self._camera_s(clock) for clock in clocks]
        people = [
            [movement(view, times_s, self.times.blocks) for view, times_s in zip(person, camera_s, strict=True)]
            for person in self.people
        ]
        xy_px, velocity_px, visible = (
            np.concatenate([np.stack([getattr(view, name)[::STRIDE] for view in person], 1) for person in people])
            for name in Movement.__slots__
        )
        lenses = self.intrinsics.at(self.views)
        xy = lenses.ideal_xy(xy_px)
        velocity = (lenses.ideal_xy(xy_px + DIFFERENCE_S * velocity_px) - xy) / DIFFERENCE_S
        return Tracks(xy, detection_sd(xy, visible), visible.astype(float)), velocity

    def _camera_s(self, clock: CameraClock) -> Floats:
        return np.asarray((self.times.rig_s - clock.offset_ns * 1e-9) / clock.rate)


def _adjusted(
    state: BundleState,
    task: SolveTask,
    tracks: Sequence[CameraTrack],
    clocks: Sequence[CameraClock],
    views: NDArray[np.int64],
    times: _Times,
    rates: bool,
) -> _Found | None:
    """Returns the clocks of some views; their offsets are those of minimal error at the likely rates.

    Rates are searched where one person is followed. People who stand together move little and hide each other: their
    offsets are good to a millisecond, but their rates were wrong by 1e-3 in two of eight simulated rooms of 12 to 24 s.
    """
    people = [
        [follow(tracks[view], keyframes, view, clocks[view]) for view in views.tolist()]
        for keyframes in of_each_person(task.keyframes)[:MAX_PEOPLE]
    ]
    search, given = _Search(people, task.intrinsics, views, times), [clocks[view] for view in views.tolist()]
    none = np.zeros(len(views), bool)
    if not rates or len(people) > 1 or times.seconds < MIN_RATE_TAKE_S:
        return search.run(state, given, none)
    found = search.run(state, given, ~none)
    if found is None:
        return None
    sd = np.hypot(SD_FACTOR * np.sqrt(np.diag(found.step.covariance)[len(views) :]), found.overlap.rate_sd)
    deviation = np.array([clock.rate - 1 for clock in found.clocks])
    likely, likely_sd = likely_rates(deviation, sd)
    start = [
        _with_rate(clock, 1 + one, times.middle_s) for clock, one in zip(found.clocks, likely.tolist(), strict=True)
    ]
    found = search.run(found.state, start, none)
    return None if found is None else replace(found, rate_sd=likely_sd, rate_ratio=np.abs(deviation) / sd)


def _times(task: SolveTask, tracks: Sequence[CameraTrack], clocks: Sequence[CameraClock]) -> _Times | None:
    """Returns the times that the keyframes and two of the tracks cover, None if that is too short."""
    ends_ns = [
        clock.rig_ns(int(track.t_ns[-1])) for track, clock in zip(tracks, clocks, strict=True) if len(track.t_ns)
    ]
    rig_s = np.array([keyframe.t_ns for keyframe in task.keyframes]) * 1e-9
    rig_s = np.minimum(rig_s, sorted(ends_ns)[-2] * 1e-9) if len(ends_ns) > 1 else rig_s[:0]
    seconds = float(np.ptp(rig_s)) if len(rig_s) else 0.0
    if seconds < MIN_TAKE_S:
        return None
    block_s = min(BLOCK_S, seconds / MIN_BLOCKS)
    per_block = int(block_s * GRID_HZ) // STRIDE * STRIDE
    starts = np.linspace(rig_s.min(), rig_s.max() - block_s, min(int(seconds / block_s + 1e-6), MAX_BLOCKS))
    times = (starts[:, None] + np.arange(per_block) / GRID_HZ).ravel()
    return _Times(times, float(0.5 * (rig_s.min() + rig_s.max())), len(starts))


def _with_rate(clock: CameraClock, rate: float, middle_s: float) -> CameraClock:
    """Returns a clock with another rate that shows the same in the middle of the take."""
    middle_ns = middle_s * 1e9
    return CameraClock(round(middle_ns - clock.camera_ns(middle_ns) * rate), rate)


def _moved(clock: CameraClock, offset_s: float, rate: float, middle_s: float) -> CameraClock:
    """Returns a clock after a step: its offset is added in the middle of the take."""
    if rate == 0.0 and clock.rate == 1.0:
        return CameraClock(clock.offset_ns + round(offset_s * 1e9))
    offset_ns = clock.offset_ns * (1 + rate) + (offset_s - rate * middle_s) * 1e9
    return CameraClock(round(offset_ns), clock.rate * (1 + rate))


def _result(
    found: _Found | None, given: Sequence[CameraClock], views: NDArray[np.int64], times: _Times, explained: Floats
) -> AdjustedClocks:
    """Returns what was found for some views; the clocks of the others are as given."""
    clocks, middle_ns = list(given), times.middle_s * 1e9
    sd_s, start_sd_s = np.full((2, len(given)), np.nan)
    rate_ratio = np.zeros(len(given))
    if found is not None:
        rate_ratio[views] = found.rate_ratio
        sd_s[views], start_sd_s[views] = found.sd_s(times)
        for view, clock in zip(views.tolist(), found.clocks, strict=True):
            clocks[view] = clock
    offset_s = np.array([(middle_ns - clock.camera_ns(middle_ns)) * 1e-9 for clock in clocks])
    return AdjustedClocks(tuple(clocks), offset_s, sd_s, start_sd_s, rate_ratio, explained)
