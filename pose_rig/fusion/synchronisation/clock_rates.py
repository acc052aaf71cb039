"""Rates of clocks in long recordings, coarse: how the offsets that the movement signals support change over time.

Where clocks run 1000 ppm apart, their offset changes by 0.3 s in five minutes: too much for the bundle adjustment,
which needs clocks that are right to some 0.1 s.

Axes: V views, W windows.
"""

from collections.abc import Sequence

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.synchronisation.camera_clock import MAX_RATE, CameraClock, clocks_of
from pose_rig.fusion.synchronisation.clock_offsets import CoarseOffsets, coarse_offsets
from pose_rig.fusion.synchronisation.clock_signals import MovementSignals

WINDOW_S = 20.0  # in which offsets are found to some 5 ms
MIN_WINDOWS = 4
MAX_CHANGE_S = 1.0  # of an offset, within the recording
MIN_CHANGE_S = 0.03  # of an offset, from the middle of the recording to its ends; smaller ones are found later


def coarse_rates(signals: Sequence[MovementSignals], offsets: CoarseOffsets) -> list[CameraClock]:
    """Returns linear clocks (V) of recordings whose constant offsets are known, relative to the same view as these.

    Args:
        signals: (V) of each camera.
        offsets: What they support for the whole recording.

    Returns:
        Clocks with the constant offset where there is no rate: the recording is short, or the change is small.
    """
    constant_s = np.nan_to_num(offsets.likely_s)
    clocks = clocks_of(constant_s.tolist())
    views = np.flatnonzero(offsets.found).tolist()
    if not views:
        return clocks
    spans = np.array([signals[view].span_s for view in views]) + constant_s[views, None]
    start_s, end_s = spans[:, 0].max(), spans[:, 1].min()
    count = int((end_s - start_s) / WINDOW_S)
    if count < MIN_WINDOWS:
        return clocks
    edges_s = np.linspace(start_s, end_s, count + 1)
    change_s = _changes([signals[view] for view in views], constant_s[views], edges_s)
    for view, column in zip(views, change_s.T, strict=True):
        slope, level_s = _line(0.5 * (edges_s[1:] + edges_s[:-1]), column)
        if abs(slope) * 0.5 * (end_s - start_s) > MIN_CHANGE_S and abs(slope) < MAX_RATE:
            offset_s = constant_s[view] + level_s + slope * constant_s[view]
            clocks[view] = CameraClock(round(offset_s * 1e9), 1.0 + slope)
    return clocks


def _changes(signals: Sequence[MovementSignals], offset_s: Floats, edges_s: Floats) -> Floats:
    """Returns (W,V) the offset in each window minus the constant one; NaN where it is not clear."""
    out = []
    for start_s, end_s in zip(edges_s[:-1].tolist(), edges_s[1:].tolist(), strict=True):
        parts = [
            one.part(start_s - of, end_s - of).later(of) for one, of in zip(signals, offset_s.tolist(), strict=True)
        ]
        found = coarse_offsets(parts, MAX_CHANGE_S)
        out.append(np.where(found.found, found.offset_s, np.nan))
    return np.stack(out)


def _line(time_s: Floats, value: Floats) -> tuple[float, float]:
    """Returns slope and value at time 0 of the line through most points (W,), (0, 0) if too few are not NaN.

    Source: Theil–Sen estimator (Sen 1968).
    """
    known = np.isfinite(value)
    time_s, value = time_s[known], value[known]
    if len(time_s) < MIN_WINDOWS:
        return 0.0, 0.0
    first, second = np.triu_indices(len(time_s), 1)
    slope = float(np.median((value[second] - value[first]) / (time_s[second] - time_s[first])))
    return slope, float(np.median(value - slope * time_s))
