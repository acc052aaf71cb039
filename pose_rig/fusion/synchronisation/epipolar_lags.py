"""Distances of the detections of one camera to the epipolar lines of those of the others, at other lags of its clock.

At another lag, identities are not known: each person is compared with the one that fits best in another view.

Axes: T times, V views, P points (`segments.POINTS`), L lags.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.segments import POINTS
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.people_in_view import main_person, people_in_view

MAX_LAG_S = 1.2
MAX_GAP_S = 0.15  # between two detections that are interpolated
MIN_TIMES = 12  # half a second
MIN_POINTS = 4  # of one time


@dataclass(frozen=True, slots=True)
class Series:
    """A person in one view: ideal coordinates (T,P,2), and (T,P) whether they are known; at times (T,) s."""

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


def all_series(
    tracks: Sequence[CameraTrack],
    offset_s: Floats,
    cameras: Calibration,
    from_ns: int,
    to_ns: int,
    *,
    several: bool = False,
) -> dict[int, list[Series]]:
    """Returns the people in each known view that has enough detections: the main person, or all of ``several``."""
    series = {}
    for view in np.flatnonzero(cameras.known).tolist():
        people = _people(tracks[view], offset_s[view], cameras, view, from_ns, to_ns, several=several)
        if any(len(one.time_s) >= MIN_TIMES for one in people):
            series[view] = people
    return series


def _people(
    track: CameraTrack,
    offset_s: float,
    cameras: Calibration,
    view: int,
    from_ns: int,
    to_ns: int,
    *,
    several: bool,
) -> list[Series]:
    margin_ns = (MAX_LAG_S + 0.1) * 1e9
    near = track.part(from_ns - offset_s * 1e9 - margin_ns, to_ns - offset_s * 1e9 + margin_ns)

    def series(chosen: NDArray[np.int64]) -> Series:
        xy_px = near.xy_px[chosen][:, list(POINTS)]
        ideal_xy = cameras.intrinsics.ideal_xy(xy_px, np.full(len(xy_px), view))
        time_s = np.asarray(near.t_ns[chosen] * 1e-9 + offset_s, float)
        return Series(time_s, ideal_xy, near.score[chosen][:, list(POINTS)] > 0)

    return [series(chosen) for chosen in (_in_rows(near) if several else [main_person(near)])]


def _in_rows(track: CameraTrack) -> list[NDArray[np.int64]]:
    """Returns the detections of people who are seen for some time, those of one after the other in one row."""
    people = [one for one in people_in_view(track) if len(one) >= MIN_TIMES]
    rows: list[NDArray[np.int64]] = []
    for person in sorted(people, key=lambda one: int(one[0])):
        for number, row in enumerate(rows):
            if track.t_ns[person[0]] - track.t_ns[row[-1]] > MAX_GAP_S * 1e9:
                rows[number] = np.concatenate([row, person])
                break
        else:
            rows.append(person)
    return rows


def lag_errors(
    view: int, series: Mapping[int, Sequence[Series]], cameras: Calibration, time_s: Floats, lags_s: Floats
) -> Floats:
    """Returns (L,T) the median distance to the epipolar lines of all other views, in person sizes; NaN if unknown.

    A larger offset takes the detections of the view from an earlier time.
    """
    lines = _lines(view, series, cameras, time_s)
    distances = []
    for person in series[view]:
        xy, visible = person.at(time_s[None] - lags_s[:, None])
        size = _sizes(xy, visible)
        distances += [_nearest([_distances(xy, visible, size, *line) for line in people]) for people in lines]
    return medians(np.concatenate(distances, -1), MIN_POINTS)


def _lines(
    view: int, series: Mapping[int, Sequence[Series]], cameras: Calibration, time_s: Floats
) -> list[list[tuple[Floats, NDArray[np.bool_]]]]:
    """Returns the epipolar lines (T,P,3) of the people in each other view, and which are known (T,P)."""
    return [
        [
            (_epipolar_lines(xy, cameras, other, view), visible)
            for xy, visible in (person.at(time_s) for person in people)
        ]
        for other, people in series.items()
        if other != view
    ]


def _sizes(xy: Floats, visible: NDArray[np.bool_]) -> Floats:
    """Returns (L,T) the extents of people whose points are (L,T,P,2)."""
    high, low = (np.where(visible[..., None], xy, sign * np.inf) for sign in (-1, 1))
    return np.asarray(np.maximum((high.max(2) - low.min(2)).max(-1), 1e-6))


def _distances(
    xy: Floats, visible: NDArray[np.bool_], size: Floats, line: Floats, line_known: NDArray[np.bool_]
) -> Floats:
    """Returns (L,T,P) the distances of points (L,T,P,2) to lines (T,P,3), in person sizes (L,T); NaN if unknown."""
    normal = np.maximum(np.linalg.norm(line[..., :2], axis=-1), 1e-9)
    distance = np.abs((xy * line[None, ..., :2]).sum(-1) + line[None, ..., 2]) / normal
    return np.where(visible & line_known[None], distance / size[..., None], np.nan)


def _nearest(people: Sequence[Floats]) -> Floats:
    """Returns the distances (L,T,P) to the nearest of several people."""
    best = people[0]
    if len(people) > 1:
        least = medians(best, MIN_POINTS)
        for other in people[1:]:
            median = medians(other, MIN_POINTS)
            nearer = (median < least) | (np.isnan(least) & np.isfinite(median))
            best, least = np.where(nearer[..., None], other, best), np.where(nearer, median, least)
    return best


def _epipolar_lines(xy: Floats, cameras: Calibration, of: int, to: int) -> Floats:
    """Returns the lines (T,P,3) in one view of points (T,P,2) in another one."""
    to_from_of = cameras.rotation[to] @ cameras.rotation[of].T
    origin = cameras.translation[to] - to_from_of @ cameras.translation[of]
    ray = np.concatenate([xy, np.ones((*xy.shape[:-1], 1))], -1) @ to_from_of.T
    return np.asarray(np.cross(origin, ray))


def medians(values: Floats, needed: int) -> Floats:
    """Returns medians over the last axis without NaN; NaN where fewer than ``needed`` are known."""
    known = np.isfinite(values).sum(-1)
    ordered = np.sort(values, axis=-1)  # NaN last
    middle = np.take_along_axis(ordered, (np.maximum(known - 1, 0) // 2)[..., None], -1)[..., 0]
    return np.where(known >= needed, middle, np.nan)
