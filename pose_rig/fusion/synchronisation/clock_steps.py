"""A clock that has stepped while the rig is solved: at which lag a camera agrees with the others again.

Detections of one camera lie on the epipolar lines of those of another one if both are of one time.

Axes: T times, V views, L lags.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.epipolar_lags import MAX_LAG_S, MIN_TIMES, Series, all_series, lag_errors, medians

INTERVAL_S = 0.04  # between the times that are compared
LAG_INTERVAL_S = 0.02
MIN_STEP_S = 0.06  # smaller ones are left to the bundle adjustment
MAX_ERROR = 0.04  # of the person's size, median distance to an epipolar line, at the lag that is right
MAX_ERROR_RATIO = 0.7  # of the error there to that at the clock so far
MAX_OTHER_RATIO = 0.8  # and to that at lags more than
OTHER_LAG_S = 0.2  # away
MAX_USUAL_RATIO = 1.4  # and to that before: up to 1.34 for steps in 14 simulated rigs, 1.5 and more for moved cameras
MIN_USUAL_ERROR = 0.01  # that of detectors; simulated ones without a bias have less
BEFORE_NS, BEFORE_INTERVAL_S = 6_000_000_000, 0.08  # the detections before the search
MAX_REFINED_S, MIN_REFINED_S = 0.12, 0.015  # changes of a step that was found from less than a second or two
MIN_REFINED_TIMES = 40  # 1.6 s


@dataclass(frozen=True, slots=True)
class OffsetStep:
    """A step of one clock.

    Attributes:
        view: Of the camera.
        change_s: Its offset now, rig time minus camera time, minus that before.
        from_ns: Since when, rig clock so far.
    """

    view: int
    change_s: float
    from_ns: int


@dataclass(frozen=True, slots=True)
class StepSearch:
    """What a search of steps has found.

    Attributes:
        step: That explains why a camera disagrees with the others; None if none does.
        undecided: (V,) which cameras fit at some lag, but not clearly better than at others, or were rarely seen with
            the others: more detections may show a step. A camera that was moved fits at none.
    """

    step: OffsetStep | None
    undecided: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Fit:
    """How well one view fits, from one of the times on, at its best lag, at the lag 0, elsewhere, and before at 0."""

    step: OffsetStep
    error: float
    error_now: float
    error_elsewhere: float
    usual_error: float

    @property
    def fits(self) -> bool:
        limit = min(MAX_ERROR, MAX_USUAL_RATIO * max(self.usual_error, MIN_USUAL_ERROR))
        return self.usual_error < MAX_ERROR and self.error < limit

    @property
    def is_step(self) -> bool:
        return (
            self.fits
            and abs(self.step.change_s) >= MIN_STEP_S
            and self.error < MAX_ERROR_RATIO * self.error_now
            and self.error < MAX_OTHER_RATIO * self.error_elsewhere
        )

    @property
    def is_undecided(self) -> bool:
        return not np.isfinite(self.error) or (self.fits and not self.is_step)


def find_step(
    tracks: Sequence[CameraTrack],
    offset_s: Floats,
    cameras: Calibration,
    from_ns: int,
    to_ns: int,
    *,
    several: bool = False,
) -> StepSearch:
    """Returns the step that explains why a camera disagrees with the others, if one does.

    The camera fits about as well after the step, at its lag, as it did before. A camera that was moved fits worse at
    all lags, and one that was placed again since did not fit before.

    Args:
        tracks: (V) what each camera detected.
        offset_s: (V,) rig time minus camera time, so far.
        cameras: The solved rig; views that are not known are left out.
        from_ns: Start of the detections that are compared, rig clock so far.
        to_ns: Their end.
        several: Whether they may be of several people.
    """
    series = all_series(tracks, offset_s, cameras, from_ns - BEFORE_NS, to_ns, several=several)
    time_s: Floats = np.arange(from_ns * 1e-9, to_ns * 1e-9, INTERVAL_S)
    undecided = cameras.known.copy()
    if len(series) < 2 or len(time_s) < MIN_TIMES:
        return StepSearch(None, undecided)
    fits = {
        view: _fit_of(view, series, cameras, time_s)
        for view in series
        if not (several and _agrees(view, series, cameras, time_s))
    }
    undecided[list(fits)] = [fit.is_undecided for fit in fits.values()]
    steps = [fit for fit in fits.values() if fit.is_step]
    if not steps:
        return StepSearch(None, undecided)
    step = min(steps, key=lambda fit: fit.error / fit.error_now).step
    if len(series) == 2 and step.change_s > 0:  # which of two is off is unknown: clocks rather become late
        other = next(view for view in series if view != step.view)
        step = OffsetStep(other, -step.change_s, step.from_ns)
    return StepSearch(step, undecided)


def refined_step(
    tracks: Sequence[CameraTrack],
    offset_s: Floats,
    cameras: Calibration,
    step: OffsetStep,
    to_ns: int,
    *,
    several: bool = False,
) -> OffsetStep | None:
    """Returns by how much a step that is in use was misjudged, from all detections since then; None if it was not.

    Args:
        tracks: (V) what each camera detected.
        offset_s: (V,) rig time minus camera time, since the step.
        cameras: The solved rig.
        step: What is in use.
        to_ns: End of the detections that are compared, rig clock.
        several: As in `find_step`.
    """
    series = all_series(tracks, offset_s, cameras, step.from_ns, to_ns, several=several)
    time_s: Floats = np.arange(step.from_ns * 1e-9, to_ns * 1e-9, INTERVAL_S)
    if len(series) < 3 or step.view not in series or len(time_s) < MIN_REFINED_TIMES:
        return None
    lags_s = _lags(MAX_REFINED_S)
    error = medians(lag_errors(step.view, series, cameras, time_s, lags_s), MIN_REFINED_TIMES)
    if not np.isfinite(error).all():
        return None
    best = int(np.argmin(error))
    change_s = _refined(lags_s, error, best)
    at_end = best in (0, len(lags_s) - 1)
    if at_end or abs(change_s) < MIN_REFINED_S or error[best] >= MAX_ERROR:
        return None
    return OffsetStep(step.view, change_s, step.from_ns)


def _lags(max_s: float) -> Floats:
    count = round(max_s / LAG_INTERVAL_S)
    return np.linspace(-max_s, max_s, 2 * count + 1)


def _agrees(view: int, series: dict[int, list[Series]], cameras: Calibration, time_s: Floats) -> bool:
    """Whether a view fits at the last times, as they are: a search at all lags takes long for several people."""
    error = medians(lag_errors(view, series, cameras, time_s[-MIN_TIMES:], np.zeros(1)), MIN_TIMES // 2)
    return bool(error[0] < MAX_USUAL_RATIO * max(_usual_error(view, series, cameras, time_s), MIN_USUAL_ERROR))


def _usual_error(view: int, series: dict[int, list[Series]], cameras: Calibration, time_s: Floats) -> float:
    """Returns the error of a view at its clock so far, before the times."""
    before_s: Floats = np.arange(time_s[0] - BEFORE_NS * 1e-9, time_s[0], BEFORE_INTERVAL_S)
    return float(medians(lag_errors(view, series, cameras, before_s, np.zeros(1)), MIN_TIMES)[0])


def _fit_of(view: int, series: dict[int, list[Series]], cameras: Calibration, time_s: Floats) -> _Fit:
    """Returns how well one view fits at which lag, since when."""
    lags_s = _lags(MAX_LAG_S)
    now = len(lags_s) // 2
    errors = lag_errors(view, series, cameras, time_s, lags_s)  # (L,T)
    first = _first(errors, now)
    error = np.nan_to_num(medians(errors[:, first:], MIN_TIMES), nan=np.inf)
    best = int(np.argmin(error))
    usual = _usual_error(view, series, cameras, time_s)
    step = OffsetStep(view, _refined(lags_s, error, best), round(time_s[first] * 1e9))
    elsewhere = error[np.abs(lags_s - lags_s[best]) > OTHER_LAG_S]
    return _Fit(step, float(error[best]), float(error[now]), float(elsewhere.min(initial=np.inf)), usual)


def _first(errors: Floats, now: int) -> int:
    """Returns since when errors (L,T) at one of the lags are smaller than those at the lag ``now``."""
    capped = np.minimum(errors, MAX_ERROR)
    gain = np.cumsum(np.nan_to_num(capped[now] - capped)[:, ::-1], axis=1)[:, ::-1]
    return int(np.argmax(gain[int(np.argmax(gain.max(1)))]))


def _refined(lags_s: Floats, error: Floats, best: int) -> float:
    """Returns the lag of the smallest error, by a parabola."""
    low, here, high = error[np.clip([best - 1, best, best + 1], 0, len(error) - 1)]
    bend = low - 2 * here + high if np.isfinite(here) else np.nan
    shift = 0.5 * (low - high) / bend if np.isfinite(bend) and bend > 0 else 0.0
    return float(lags_s[best] + np.clip(shift, -1, 1) * LAG_INTERVAL_S)
