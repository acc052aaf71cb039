"""Offsets between the clocks of cameras, from the movement of one person: coarse, without any camera pose.

The signals of every pair of cameras are correlated over all lags; the offsets are those that the curves of all pairs
support together.

Axes: V views, S samples at `clock_signals.RATE_HZ`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.synchronisation.clock_signals import RATE_HZ, MovementSignals

MAX_OFFSET_S = 60.0
MIN_TAKE_S = 1.2  # of valid samples; in a shorter take there is no room for a second peak
MIN_OVERLAP_S, MIN_OVERLAP_SHARE = 5.0, 0.4  # the share is of the shorter one of two short takes
PEAK_WIDTH_S = 0.4  # a second peak is at least so far from the first
MIN_PEAK_RATIO = 1.6  # of the first to the second, in takes of
MIN_LIKELY_PEAK_RATIO = 1.2  # of an offset that needs to be confirmed, where other cameras have clear ones,
MIN_UNCLEAR_PEAK_RATIO = 1.35  # and where none has: moving persons 0 of 135 wrong, repeated steps below 1.25
LONG_TAKE_S = 8.0  # and more; shorter ones have higher peaks by chance
MAX_SECOND_PEAK = 0.15  # mean correlation of the signals at the second peak: walking in step 0.2–0.6, else below 0.15
# Of the signals of two cameras at the first peak, and of a camera with the one that it agrees with best: 0.2 occurs by
# chance where a person stands or repeats one cycle of a walk; 98 % of the cameras that show 5 s of movement or more
# have more than 0.22 (90 rigs).
MIN_CORRELATION, MIN_BEST_CORRELATION = 0.15, 0.22
MAX_DISAGREEMENT_S = 0.1  # of a pair with the offsets of all
MIN_AGREEING_SHARE = 0.5  # of the pairs of a camera
ROUNDS = 4


@dataclass(frozen=True, slots=True)
class CoarseOffsets:
    """Offsets of clocks, rig time minus camera time.

    Attributes:
        offset_s: (V,) relative to the first view that was found; 0 where none was found.
        found: (V,) whether there is one; none or at least two are.
        peak_ratio: (V,) of the first to the second peak, 0 without any overlap.
        correlation: (V,) with the camera that it agrees with best, 0 without one.
        ambiguous: (V,) whether the movement repeats itself: it is correlated at several offsets.
        likely_s: (V,) the offsets, also where the first peak is not clear and has to be confirmed; NaN where none is
            likely.
    """

    offset_s: Floats
    found: NDArray[np.bool_]
    peak_ratio: Floats
    correlation: Floats
    ambiguous: NDArray[np.bool_]
    likely_s: Floats


@dataclass(frozen=True, slots=True)
class Correlation:
    """The correlation of two views over all lags.

    Attributes:
        lag_s: Of the first entry, by which the second camera's clock is behind: its offset minus that of the first.
        curve: At `RATE_HZ`, correlation × √(share of the overlap); 0 where the overlap is too short.
    """

    lag_s: float
    curve: Floats

    def at(self, lag_s: Floats) -> Floats:
        """Returns the curve at lags, 0 outside of it."""
        grid = self.lag_s + np.arange(len(self.curve)) / RATE_HZ
        return np.interp(lag_s, grid, self.curve, 0.0, 0.0)

    @property
    def peak_s(self) -> float:
        """The lag of the highest peak."""
        return self.lag_s + int(np.argmax(self.curve)) / RATE_HZ


def coarse_offsets(
    signals: Sequence[MovementSignals], max_offset_s: float = MAX_OFFSET_S, min_peak_ratio: float = MIN_PEAK_RATIO
) -> CoarseOffsets:
    """Returns the offsets that the signals (V) support.

    Args:
        signals: Of each view.
        max_offset_s: Larger ones are not searched.
        min_peak_ratio: Of the first peak to the second, in takes of `LONG_TAKE_S`.
    """
    views = len(signals)
    curves = {(a, b): correlate(signals[a], signals[b], max_offset_s) for a, b in combinations(range(views), 2)}
    offset = _spanning_tree(curves, views)
    grid = np.arange(-round(2 * max_offset_s * RATE_HZ), round(2 * max_offset_s * RATE_HZ) + 1) / RATE_HZ
    totals = np.zeros((views, len(grid)))
    for _ in range(ROUNDS):
        for view in range(views):
            totals[view] = _total(curves, offset, view, grid)
            if view and totals[view].max() > 0:
                offset[view] = _refined_peak(totals[view], grid)
    peaks = np.array([_peaks(_total(curves, offset, v, grid), grid, offset[v]) for v in range(views)])
    ratio = peaks[:, 0] / np.maximum(peaks[:, 1], 1e-3)
    agreeing = np.zeros((views, views))  # correlations
    for (a, b), curve in curves.items():
        if abs(curve.peak_s - (offset[b] - offset[a])) < MAX_DISAGREEMENT_S:
            agreeing[a, b] = agreeing[b, a] = curve.curve.max()
    taken_s = np.array([one.valid.sum() for one in signals]) / RATE_HZ
    usable = taken_s >= MIN_TAKE_S  # a camera that shows no person makes the others no less certain
    correlation = agreeing.max(1)
    share = (agreeing > MIN_CORRELATION).sum(1) / max(usable.sum() - 1, 1)
    shortest_s = taken_s[usable].min() if usable.any() else MIN_TAKE_S
    by_duration = max(LONG_TAKE_S / shortest_s, 1.0) ** 0.25
    supported = (share >= MIN_AGREEING_SHARE) & (correlation > MIN_BEST_CORRELATION) & usable
    found = (ratio >= min_peak_ratio * by_duration) & supported
    found &= found.sum() > 1
    unclear = ~found & (ratio < MIN_UNCLEAR_PEAK_RATIO * by_duration)
    ambiguous = unclear & (peaks[:, 1].max() > MAX_SECOND_PEAK * (views - 1))
    likely = supported & ~ambiguous & ((ratio >= MIN_LIKELY_PEAK_RATIO) if found.any() else ~unclear)
    likely = found | (likely & (likely.sum() > 1))
    offset -= offset[np.argmax(found if found.any() else likely)]
    offset_s, likely_s = np.where(found, offset, 0.0), np.where(likely, offset, np.nan)
    return CoarseOffsets(offset_s, found, ratio, correlation, ambiguous, likely_s)


def correlate(a: MovementSignals, b: MovementSignals, max_offset_s: float = MAX_OFFSET_S) -> Correlation:
    """Returns the correlation of two views at lags of up to ``max_offset_s``."""
    count = len(a.values) + len(b.values)
    size = 1 << int(np.ceil(np.log2(count)))
    mask_a, mask_b = a.valid.astype(float)[:, None], b.valid.astype(float)[:, None]

    def product(x: Floats, y: Floats) -> Floats:
        """Σ over samples and channels of x at t + lag and y at t, for lags from 1 - S_b to S_a - 1."""
        spectrum = (np.fft.rfft(x, size, axis=0) * np.conj(np.fft.rfft(y, size, axis=0))).sum(-1)
        full = np.fft.irfft(spectrum, size)
        return np.concatenate([full[size - len(b.values) + 1 :], full[: len(a.values)]])

    overlap = product(mask_a, mask_b) / RATE_HZ
    power = product((a.values**2).sum(1, keepdims=True), mask_b) * product(mask_a, (b.values**2).sum(1, keepdims=True))
    shorter = min(mask_a.sum(), mask_b.sum()) / RATE_HZ
    needed = min(MIN_OVERLAP_S, MIN_OVERLAP_SHARE * shorter)
    lag_s = a.start_s - b.start_s + (1 - len(b.values)) / RATE_HZ
    lags = lag_s + np.arange(len(overlap)) / RATE_HZ
    usable = (overlap > max(needed, 0.5)) & (np.abs(lags) <= max_offset_s)
    curve = product(a.values, b.values) / np.sqrt(np.maximum(power, 1e-9))
    weight = np.sqrt(np.clip(overlap / max(shorter, 1e-9), 0.0, 1.0))
    return Correlation(lag_s, np.where(usable, curve * weight, 0.0))


def _spanning_tree(curves: dict[tuple[int, int], Correlation], views: int) -> Floats:
    """Returns the offsets (V,) along the tree of the highest peaks, the first view's being 0."""
    offset, known = np.zeros(views), {0}
    while len(known) < views:
        edges = [pair for pair in curves if len(known & set(pair)) == 1]
        a, b = max(edges, key=lambda pair: curves[pair].curve.max())
        lag_s = curves[a, b].peak_s
        if a in known:
            offset[b] = offset[a] + lag_s
        else:
            offset[a] = offset[b] - lag_s
        known |= {a, b}
    return offset


def _total(curves: dict[tuple[int, int], Correlation], offset: Floats, view: int, grid: Floats) -> Floats:
    """Returns the sum of a view's curves at offsets of that view, the others being given."""
    total = np.zeros(len(grid))
    for (a, b), curve in curves.items():
        if view == b:
            total += curve.at(grid - offset[a])
        elif view == a:
            total += curve.at(offset[b] - grid)
    return total


def _refined_peak(curve: Floats, grid: Floats) -> float:
    """Returns the position of the highest peak, by a parabola through three samples."""
    top = int(np.clip(np.argmax(curve), 1, len(curve) - 2))
    before, here, after = curve[top - 1 : top + 2]
    bend = before - 2 * here + after
    shift = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(grid[top] + np.clip(shift, -1, 1) / RATE_HZ)


def _peaks(curve: Floats, grid: Floats, peak_s: float) -> tuple[float, float]:
    """Returns the height of a peak, and of the highest one elsewhere."""
    high = float(np.interp(peak_s, grid, curve))
    return max(high, 0.0), float(curve[np.abs(grid - peak_s) > PEAK_WIDTH_S].max())
