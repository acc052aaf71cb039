"""A clock that has stepped while the rig is solved: at which lag a camera agrees with the others again.

Detections of one camera lie on the epipolar lines of those of another one if both are of one time.

Axes: T times, V views, P points (`segments.POINTS`), L lags.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.segments import POINTS
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.clock_signals import main_person

INTERVAL_S = 0.04  # between the times that are compared
LAG_INTERVAL_S, MAX_LAG_S = 0.02, 1.2
MAX_GAP_S = 0.15  # between two detections that are interpolated
MIN_TIMES = 12  # half a second
MIN_POINTS = 4  # of one time
MIN_STEP_S = 0.06  # smaller ones are left to the bundle adjustment
MAX_ERROR = 0.04  # of the person's size, median distance to an epipolar line, at the lag that is right
MAX_ERROR_RATIO = 0.7  # of the error there to that at the clock so far
MAX_OTHER_RATIO = 0.8  # and to that at lags more than
OTHER_LAG_S = 0.2  # away


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
class _Series:
    """The person in one view: ideal coordinates (T,P,2), and (T,P) whether they are known; at times (T,) s."""

    time_s: Floats
    ideal_xy: Floats
    visible: NDArray[np.bool_]

    def at(self, time_s: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Returns ideal coordinates and whether they are known, at any times (...)."""
        after = np.clip(np.searchsorted(self.time_s, time_s), 1, len(self.time_s) - 1)
        start, end = self.time_s[after - 1], self.time_s[after]
        share = (time_s - start) / (end - start)
        inside = (share >= 0) & (share <= 1) & (end - start < MAX_GAP_S)
        xy = (1 - share)[..., None, None] * self.ideal_xy[after - 1] + share[..., None, None] * self.ideal_xy[after]
        return xy, self.visible[after - 1] & self.visible[after] & inside[..., None]


def find_step(
    tracks: Sequence[CameraTrack], offset_s: Floats, cameras: Calibration, from_ns: int, to_ns: int
) -> OffsetStep | None:
    """Returns the step that explains why a camera disagrees with the others; None if none does.

    Args:
        tracks: (V) what each camera detected.
        offset_s: (V,) rig time minus camera time, so far.
        cameras: The solved rig; views that are not known are left out.
        from_ns: Start of the detections that are compared, rig clock so far.
        to_ns: Their end.
    """
    series = {}
    for view in np.flatnonzero(cameras.known).tolist():
        one = _series(tracks[view], offset_s[view], cameras, view, from_ns, to_ns)
        if len(one.time_s) >= MIN_TIMES:
            series[view] = one
    time_s: Floats = np.arange(from_ns * 1e-9, to_ns * 1e-9, INTERVAL_S)
    if len(series) < 2 or len(time_s) < MIN_TIMES:
        return None
    found = [_step_of(view, series, cameras, time_s) for view in series]
    steps = [one for one in found if one is not None]
    if not steps:
        return None
    step = min(steps, key=lambda pair: pair[0])[1]
    if len(series) == 2 and step.change_s > 0:  # which of two is off is unknown: clocks rather become late
        other = next(view for view in series if view != step.view)
        return OffsetStep(other, -step.change_s, step.from_ns)
    return step


def _series(track: CameraTrack, offset_s: float, cameras: Calibration, view: int, from_ns: int, to_ns: int) -> _Series:
    margin_ns = (MAX_LAG_S + 0.1) * 1e9
    near = track.part(from_ns - offset_s * 1e9 - margin_ns, to_ns - offset_s * 1e9 + margin_ns)
    chosen = main_person(near)
    xy_px = near.xy_px[chosen][:, list(POINTS)]
    ideal_xy = cameras.intrinsics.ideal_xy(xy_px, np.full(len(xy_px), view))
    time_s = np.asarray(near.t_ns[chosen] * 1e-9 + offset_s, float)
    return _Series(time_s, ideal_xy, near.score[chosen][:, list(POINTS)] > 0)


def _step_of(
    view: int, series: dict[int, _Series], cameras: Calibration, time_s: Floats
) -> tuple[float, OffsetStep] | None:
    """Returns the step of one view, and the error that is left of that without it; None if none is significant."""
    count = round(MAX_LAG_S / LAG_INTERVAL_S)
    lags_s = np.linspace(-MAX_LAG_S, MAX_LAG_S, 2 * count + 1)
    errors, now = _errors(view, series, cameras, time_s, lags_s), count  # (L,T)
    first = _first(errors, now)
    error = np.nan_to_num(_medians(errors[:, first:], MIN_TIMES), nan=np.inf)
    best = int(np.argmin(error))
    others = error[np.abs(lags_s - lags_s[best]) > OTHER_LAG_S]
    significant = (
        abs(lags_s[best]) >= MIN_STEP_S
        and error[best] < min(MAX_ERROR, MAX_ERROR_RATIO * error[now])
        and error[best] < MAX_OTHER_RATIO * others.min(initial=np.inf)
    )
    if not significant:
        return None
    return float(error[best] / error[now]), OffsetStep(view, _refined(lags_s, error, best), round(time_s[first] * 1e9))


def _errors(view: int, series: dict[int, _Series], cameras: Calibration, time_s: Floats, lags_s: Floats) -> Floats:
    """Returns (L,T) the median distance to the epipolar lines of all other views, in person sizes; NaN if unknown.

    A larger offset takes the detections of the view from an earlier time.
    """
    xy, visible = series[view].at(time_s[None] - lags_s[:, None])
    high, low = (np.where(visible[..., None], xy, sign * np.inf) for sign in (-1, 1))
    size = np.maximum((high.max(2) - low.min(2)).max(-1), 1e-6)
    distances = []
    for other in series:
        if other == view:
            continue
        other_xy, other_visible = series[other].at(time_s)
        line = _epipolar_lines(other_xy, cameras, other, view)
        normal = np.maximum(np.linalg.norm(line[..., :2], axis=-1), 1e-9)
        distance = np.abs((xy * line[None, ..., :2]).sum(-1) + line[None, ..., 2]) / normal
        distances.append(np.where(visible & other_visible[None], distance / size[..., None], np.nan))
    return _medians(np.concatenate(distances, -1), MIN_POINTS)


def _epipolar_lines(xy: Floats, cameras: Calibration, of: int, to: int) -> Floats:
    """Returns the lines (T,P,3) in one view of points (T,P,2) in another one."""
    to_from_of = cameras.rotation[to] @ cameras.rotation[of].T
    origin = cameras.translation[to] - to_from_of @ cameras.translation[of]
    ray = np.concatenate([xy, np.ones((*xy.shape[:-1], 1))], -1) @ to_from_of.T
    return np.asarray(np.cross(origin, ray))


def _medians(values: Floats, needed: int) -> Floats:
    """Returns medians over the last axis without NaN; NaN where fewer than ``needed`` are known."""
    known = np.isfinite(values).sum(-1)
    ordered = np.sort(values, axis=-1)  # NaN last
    middle = np.take_along_axis(ordered, (np.maximum(known - 1, 0) // 2)[..., None], -1)[..., 0]
    return np.where(known >= needed, middle, np.nan)


def _first(errors: Floats, now: int) -> int:
    """Returns since when errors (L,T) at one of the lags are smaller than those at the lag ``now``."""
    capped = np.minimum(errors, MAX_ERROR)
    gain = np.cumsum(np.nan_to_num(capped[now] - capped)[:, ::-1], axis=1)[:, ::-1]
    return int(np.argmax(gain[int(np.argmax(gain.max(1)))]))


def _refined(lags_s: Floats, error: Floats, best: int) -> float:
    """Returns the lag of the smallest error, by a parabola."""
    low, here, high = error[np.clip([best - 1, best, best + 1], 0, len(error) - 1)]
    bend = low - 2 * here + high
    shift = 0.5 * (low - high) / bend if np.isfinite(bend) and bend > 0 else 0.0
    return float(lags_s[best] + np.clip(shift, -1, 1) * LAG_INTERVAL_S)
