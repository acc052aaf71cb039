"""The clocks of the cameras: their offsets, how they were found, and what is said of them.

Axes: V views.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.synchronisation.camera_clock import CameraClock
from pose_rig.fusion.synchronisation.clock_adjustment import ClockOffsets
from pose_rig.fusion.synchronisation.clock_offsets import CoarseOffsets
from pose_rig.wire.messages import CameraState

COARSE_SD_S = 0.015  # of offsets that only the movement signals support
KEPT_BELOW_SD = 2.0  # standard deviations; a smaller offset is not corrected
MIN_COARSE_OFFSET_S = 0.05  # smaller ones are left to the bundle adjustment
MAX_FINE_OFFSET_S = 0.25  # of cameras without a coarse offset; the bundle adjustment has a local minimum elsewhere
NOT_CHECKED = (
    "The clock of {} could not be checked: the person hardly moves or always in the same way, or is not in view "
    "together with the other cameras. If it is off, set offset_ms, or record again and move arms and legs."
)


@dataclass(frozen=True, slots=True)
class CameraClocks:
    """Offsets of clocks; the rig's clock is that of the first camera.

    Attributes:
        offset_s: (V,) rig time minus camera time, as applied; 0 where the camera's own clock is kept.
        sd_s: (V,) standard deviation; NaN where nothing is known of the offset.
        note: For people; empty if nothing was changed and everything could be checked.
    """

    offset_s: Floats
    sd_s: Floats
    note: str = ""

    @classmethod
    def unchecked(cls, views: int) -> "CameraClocks":
        """Returns the clocks as they are given."""
        return cls(np.zeros(views), np.where(np.arange(views) == 0, 0.0, np.nan))

    @property
    def by_camera(self) -> list[CameraClock]:
        """(V) the clock of each camera, as applied."""
        return [CameraClock(round(offset * 1e9)) for offset in self.offset_s.tolist()]

    @property
    def known_offset_s(self) -> Floats:
        """(V,) the offsets, NaN where nothing is known of them."""
        return np.where(np.isfinite(self.sd_s), self.offset_s, np.nan)

    def added_to(self, states: Sequence[CameraState]) -> tuple[CameraState, ...]:
        """Returns the states (V) of the cameras with their clocks."""
        values = zip(self.offset_s.tolist(), self.sd_s.tolist(), strict=True)
        return tuple(
            structs.replace(state, time_offset_s=offset, time_offset_sd_s=sd if np.isfinite(sd) else None)
            for state, (offset, sd) in zip(states, values, strict=True)
        )

    def without(self, views: NDArray[np.bool_]) -> "CameraClocks":
        """Returns the clocks with those of some views (V,) as given."""
        return CameraClocks(np.where(views, 0.0, self.offset_s), np.where(views, np.nan, self.sd_s))

    def near(self, other: "CameraClocks", difference_s: float) -> bool:
        """Whether no offset differs by more than ``difference_s``."""
        return bool(np.abs(self.offset_s - other.offset_s).max() <= difference_s)


def coarse_clocks(found: CoarseOffsets) -> CameraClocks:
    """Returns the clocks that the movement signals support."""
    offset_s = np.where(found.found, _kept(found.offset_s, np.full(len(found.found), MIN_COARSE_OFFSET_S / 2)), 0.0)
    return CameraClocks(_relative(offset_s), np.where(found.found, COARSE_SD_S, np.nan))


def fine_clocks(coarse: CameraClocks, adjusted: ClockOffsets | None, ambiguous: NDArray[np.bool_]) -> CameraClocks:
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
    sd_s = np.where(observable, adjusted.sd_s, coarse.sd_s)
    return CameraClocks(_relative(np.where(observable, _kept(adjusted.offset_s, sd_s), coarse.offset_s)), sd_s)


def described(clocks: CameraClocks, names: Sequence[str]) -> CameraClocks:
    """Returns the clocks with a note."""
    sentences = [
        f"{name}'s clock is {abs(offset):.3f} s {'behind' if offset > 0 else 'ahead'}: corrected."
        for name, offset in zip(names, clocks.offset_s.tolist(), strict=True)
        if offset
    ]
    unknown = [name for name, sd in zip(names, clocks.sd_s.tolist(), strict=True) if not np.isfinite(sd)]
    if len(unknown) == len(names):
        unknown = unknown[1:]  # of which the first one has the rig's clock
    if unknown:
        sentences.append(NOT_CHECKED.format(", ".join(unknown)))
    sd_s = np.where(np.arange(len(names)) == 0, 0.0, clocks.sd_s)
    return CameraClocks(clocks.offset_s, sd_s, " ".join(sentences))


def _kept(offset_s: Floats, sd_s: Floats) -> Floats:
    """Returns the offsets, 0 where they are not significant."""
    return np.where(np.abs(offset_s) < KEPT_BELOW_SD * sd_s, 0.0, offset_s)


def _relative(offset_s: Floats) -> Floats:
    """Returns the offsets relative to the first camera, exactly 0 for equal ones."""
    return np.asarray(offset_s - offset_s[0])
