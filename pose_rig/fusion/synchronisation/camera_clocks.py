"""The clocks of the cameras: their offsets, how they were found, and what is said of them.

Axes: V views.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.synchronisation.camera_clock import RIG_CLOCK, CameraClock, clocks_of
from pose_rig.fusion.synchronisation.clock_adjustment import AdjustedClocks
from pose_rig.fusion.synchronisation.clock_offsets import CoarseOffsets
from pose_rig.wire.messages import CameraState, RigState

COARSE_SD_S = 0.015  # of offsets that only the movement signals support
KEPT_SD, ALL_KEPT_SD = 2.0, 3.0  # a clock whose offset and rate are below is kept as it is, and all if none is above
MIN_STATED_RATE = 1e-4  # smaller ones are likely, but not certain
MIN_COARSE_OFFSET_S = 0.08  # smaller ones are left to the bundle adjustment: they are off by 0.05 s at a desk
MAX_FINE_OFFSET_S = 0.25  # of cameras without a coarse offset; the bundle adjustment has a local minimum elsewhere
NOT_CHECKED = (
    "The clock of {} could not be checked: the person hardly moves or always in the same way, or is not in view "
    "together with the other cameras. If it is off, set offset_ms, or record again and move arms and legs."
)

APART = (
    "{} and the other recordings have no moment in common: their clocks are too far apart, or they were recorded one "
    "after the other. If that is wrong, set offset_ms."
)
LEFT_OUT = "{} is left out: its clock could not be checked, and it does not agree with the other cameras."
NEVER_SEEN = "{} never shows a person: its clock could not be checked."


@dataclass(frozen=True, slots=True)
class CameraClocks:
    """Offsets of clocks; the rig's clock is that of the first camera.

    Attributes:
        offset_s: (V,) rig time minus camera time, as applied; 0 where the camera's own clock is kept.
        sd_s: (V,) standard deviation; NaN where nothing is known of the offset.
        note: For people; empty if nothing was changed and everything could be checked.
        rate: (V,) rig seconds per camera second; None = 1, as given.
    """

    offset_s: Floats
    sd_s: Floats
    note: str = ""
    rate: Floats | None = None

    @classmethod
    def unchecked(cls, views: int) -> "CameraClocks":
        """Returns the clocks as they are given."""
        return cls(np.zeros(views), np.where(np.arange(views) == 0, 0.0, np.nan))

    @property
    def by_camera(self) -> list[CameraClock]:
        """(V) the clock of each camera, as applied."""
        return clocks_of(self.offset_s.tolist(), self.rates.tolist())

    @property
    def rates(self) -> Floats:
        """(V,) the rates, as applied."""
        return np.ones(len(self.offset_s)) if self.rate is None else self.rate

    @property
    def lead_ns(self) -> int:
        """By how much the rig's clock is ahead of the earliest clock of a camera, which exposed no later."""
        return max([0, *(clock.offset_ns for clock in self.by_camera)])

    @property
    def known_offset_s(self) -> Floats:
        """(V,) the offsets, NaN where nothing is known of them."""
        return np.where(np.isfinite(self.sd_s), self.offset_s, np.nan)

    def added_to(self, states: Sequence[CameraState]) -> tuple[CameraState, ...]:
        """Returns the states (V) of the cameras with their clocks."""
        values = zip(self.offset_s.tolist(), self.sd_s.tolist(), self.rates.tolist(), strict=True)
        return tuple(
            structs.replace(
                state, time_offset_s=offset, time_offset_sd_s=sd if np.isfinite(sd) else None, time_rate=rate
            )
            for state, (offset, sd, rate) in zip(states, values, strict=True)
        )

    def without(self, views: NDArray[np.bool_]) -> "CameraClocks":
        """Returns the clocks with those of some views (V,) as given."""
        offset_s, rate = np.where(views, 0.0, self.offset_s), np.where(views, 1.0, self.rates)
        return CameraClocks(offset_s, np.where(views, np.nan, self.sd_s), rate=rate)

    def searched(self, views: NDArray[np.int64], offsets_s: Sequence[float | None]) -> "CameraClocks":
        """Returns the clocks with those of some views replaced (None = as given), relative to the first camera."""
        offset_s, sd_s, rate = self.offset_s.copy(), self.sd_s.copy(), self.rates.copy()
        for view, offset in zip(views.tolist(), offsets_s, strict=True):
            offset_s[view], sd_s[view] = (0.0, np.nan) if offset is None else (offset, COARSE_SD_S)
            rate[view] = 1.0
        if (offset_s == self.offset_s).all() and (np.isfinite(sd_s) == np.isfinite(self.sd_s)).all():
            return self
        return CameraClocks(np.where(np.isfinite(sd_s), offset_s - offset_s[0], 0.0), sd_s, rate=rate)

    def near(self, other: "CameraClocks", difference_s: float, times_ns: Sequence[int] = (0,)) -> bool:
        """Whether no clock differs by more than ``difference_s`` at some times of the cameras."""
        pairs = zip(self.by_camera, other.by_camera, strict=True)
        return max(abs(a.rig_ns(t) - b.rig_ns(t)) for a, b in pairs for t in times_ns) <= difference_s * 1e9


def clock_of(state: CameraState) -> CameraClock:
    """Returns the clock of a recorded camera."""
    return CameraClock(round(state.time_offset_s * 1e9), state.time_rate)


def coarse_clocks(found: CoarseOffsets, clocks: Sequence[CameraClock] = ()) -> CameraClocks:
    """Returns the clocks that the movement signals make likely.

    Args:
        found: Constant offsets.
        clocks: (V) the same with rates, or none.
    """
    sd_s = np.where(np.isfinite(found.likely_s), COARSE_SD_S, np.nan)
    offset_s, rate = found.likely_s, np.ones(len(sd_s))
    if clocks:
        offset_s = np.where(np.isfinite(sd_s), [clock.offset_ns * 1e-9 for clock in clocks], np.nan)
        rate = np.array([clock.rate for clock in clocks])
    used = (np.abs(found.likely_s) >= MIN_COARSE_OFFSET_S) | (rate != 1.0)
    sd_s = np.where(used, sd_s, np.hypot(sd_s, found.likely_s))
    return CameraClocks(np.where(used, offset_s, 0.0), sd_s, rate=np.where(used, rate, 1.0))


def fine_clocks(coarse: CameraClocks, adjusted: AdjustedClocks | None, ambiguous: NDArray[np.bool_]) -> CameraClocks:
    """Returns the clocks after the bundle adjustment; where it has no result, the coarse ones.

    Args:
        coarse: What the movement signals support.
        adjusted: Result of the bundle adjustment, None without one.
        ambiguous: (V,) where it cannot be used, for the movement repeats itself.
    """
    if adjusted is None:
        return coarse
    near = np.isfinite(coarse.sd_s) | (np.abs(adjusted.offset_s) < MAX_FINE_OFFSET_S)
    observable = np.isfinite(adjusted.sd_s) & near & ~ambiguous
    rate, formula_s = (
        np.array(values) for values in zip(*((c.rate, c.offset_ns / 1e9) for c in adjusted.clocks), strict=True)
    )
    ratio = np.where(observable, np.abs(adjusted.offset_s) / np.maximum(adjusted.sd_s, 1e-9), 0.0)
    ratio = np.maximum(ratio, np.where(observable, adjusted.rate_ratio, 0.0))
    own = (ratio < KEPT_SD) | (ratio.max() < ALL_KEPT_SD)
    return CameraClocks(
        np.where(observable, np.where(own, 0.0, formula_s), coarse.offset_s),
        np.where(observable, adjusted.start_sd_s, coarse.sd_s),
        rate=np.where(observable & ~own, rate, coarse.rates),
    )


def described(
    clocks: CameraClocks,
    names: Sequence[str],
    spans_ns: Sequence[tuple[int, int] | None] | None = None,
    left_out: Sequence[str] = (),
) -> CameraClocks:
    """Returns the clocks with a note.

    Args:
        clocks: Without one.
        names: (V) of the cameras.
        spans_ns: (V) first and last detection of each camera, its clock; None = none.
        left_out: Names of the cameras that are not used.
    """
    sentences = [
        f"{name}'s clock {_faults(clock)}: corrected."
        for name, clock in zip(names, clocks.by_camera, strict=True)
        if clock != RIG_CLOCK
    ]
    unknown = [name for name, sd in zip(names, clocks.sd_s.tolist(), strict=True) if not np.isfinite(sd)]
    if len(unknown) == len(names):
        unknown = unknown[1:]  # of which the first one has the rig's clock
    if spans_ns is not None:
        sentences += [NEVER_SEEN.format(name) for name, span in zip(names, spans_ns, strict=True) if span is None]
        apart = [name for name, alone in zip(names, _alone(clocks.by_camera, spans_ns), strict=True) if alone]
        sentences += [APART.format(name) for name in apart if name in unknown]
        seen = [name for name, span in zip(names, spans_ns, strict=True) if span is not None]
        unknown = [name for name in unknown if name in seen and name not in apart]
    if unknown:
        sentences.append(NOT_CHECKED.format(", ".join(unknown)))
    sentences += [LEFT_OUT.format(name) for name in left_out]
    sd_s = clocks.sd_s.copy()
    if np.isfinite(sd_s[0]) or not np.isfinite(sd_s[1:]).any():
        sd_s[0] = 0.0  # the clock of the rig
    return CameraClocks(clocks.offset_s, sd_s, " ".join(sentences), clocks.rate)


def recorded_clocks(state: RigState, names: Sequence[str]) -> CameraClocks:
    """Returns the clocks of a recording."""
    known = {camera.name: camera for camera in state.cameras}
    rows = [known.get(name) or CameraState(name=name, focal_px=1.0) for name in names]
    sd_s = [np.nan if row.time_offset_sd_s is None else row.time_offset_sd_s for row in rows]
    rate = np.array([row.time_rate for row in rows])
    return CameraClocks(np.array([row.time_offset_s for row in rows]), np.array(sd_s), rate=rate)


def _alone(clocks: Sequence[CameraClock], spans_ns: Sequence[tuple[int, int] | None]) -> list[bool]:
    """Returns (V) which cameras detected a person, but never while another one did."""
    spans = [
        None if span is None else (clock.rig_ns(span[0]), clock.rig_ns(span[1]))
        for clock, span in zip(clocks, spans_ns, strict=True)
    ]
    return [
        span is not None
        and not any(
            other is not None and other[0] <= span[1] and span[0] <= other[1]
            for number, other in enumerate(spans)
            if number != view
        )
        for view, span in enumerate(spans)
    ]


def _faults(clock: CameraClock) -> str:
    """Returns by how much a clock is off."""
    parts = [f"is {abs(clock.offset_ns) * 1e-9:.3f} s {'behind' if clock.offset_ns > 0 else 'ahead'}"]
    if abs(clock.rate - 1) >= MIN_STATED_RATE:
        parts.append(f"runs {abs(clock.rate - 1) * 1e6:.0f} ppm {'slow' if clock.rate > 1 else 'fast'}")
    return " and ".join(parts)
