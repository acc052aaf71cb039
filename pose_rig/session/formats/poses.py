"""A sequence of poses as arrays.

Axes: T time steps, J joints.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import SessionError, UsageError
from pose_rig.installer import requires_extra
from pose_rig.joint_name import joint_index

if TYPE_CHECKING:
    import pandas

FRAME_DESCRIPTION = "rig: right-handed, y up"
UNITS = {"t_ns": "ns, rig clock", "t_s": "s", "x_m": "m", "y_m": "m", "z_m": "m", "sd_m": "m", "score": "0-1"}

ROWS = ("t_ns", "xyz", "score", "covariance_m2", "residual_px", "mode", "age_ns")  # fields of `Poses` with an axis T
MAX_GAP_S = 0.25  # longer gaps are not interpolated
ROUNDING_NS = 1000  # of times at a constant rate
MIN_POSES = 2  # that have a rate
MAX_RESAMPLED = 20_000_000  # four days at 60 Hz; an invalid timestamp leads to centuries


def rate_hz(t_ns: NDArray[np.int64]) -> float:
    """Returns the rate of timestamps (T,), from their median distance, rounded to 0.1; 0 with fewer than two."""
    return round(1e9 / float(np.median(np.diff(t_ns))), 1) if len(t_ns) >= MIN_POSES else 0.0


def span(t_ns: NDArray[np.int64], what: str = "time steps") -> str:
    """Returns ``1440 time steps, 24.0 s at 60 Hz`` for timestamps (T,)."""
    if len(t_ns) < MIN_POSES:
        return f"{len(t_ns)} {what if len(t_ns) != 1 else what.removesuffix('s')}"
    return f"{len(t_ns)} {what}, {(t_ns[-1] - t_ns[0]) * 1e-9:.1f} s at {rate_hz(t_ns):g} Hz"


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """The poses of one person.

    Attributes:
        t_ns: (T,) int64, capture timestamps, rig clock, increasing.
        joints: (J) names; the first 17 are `pose_rig.skeleton.JOINTS`, further ones are the detector's landmarks.
        xyz: (T,J,3) float32 m in ``rig`` (right-handed, y up), as streamed; NaN while no person is tracked.
        score: (T,J) float32 0–1, 0 = guessed.
        covariance_m2: (T,J,3,3) float32 of ``xyz`` before smoothing; NaN where unknown.
        residual_px: (T,J) float32, mean distance of the detections from the pose.
        mode: (T,) ``cold``, ``settled`` or ``solved``.
        age_ns: (T,) int64, latency from capture to publication.
        height_m: Body height that sets the scale.
        height_assumed: Whether it is the default of 1.70 m rather than given.
        person: Identity, 0 for the first person of a run.
    """

    t_ns: NDArray[np.int64]
    joints: tuple[str, ...]
    xyz: NDArray[np.float32]
    score: NDArray[np.float32]
    covariance_m2: NDArray[np.float32]
    residual_px: NDArray[np.float32]
    mode: NDArray[np.str_]
    age_ns: NDArray[np.int64]
    height_m: float
    height_assumed: bool
    person: int = 0

    def __len__(self) -> int:
        return len(self.t_ns)

    def __repr__(self) -> str:
        solved = f", solved {np.mean(self.mode == 'solved'):.0%}" if len(self) else ""
        given = "assumed" if self.height_assumed else "given"
        whose = f"person {self.person}: " if self.person else ""
        return (
            f"Poses({whose}{span(self.t_ns)}, {len(self.joints)} joints{solved.replace('%', ' %')}, "
            f"height of {self.height_m:.2f} m {given})"
        )

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """Returns `joint`."""
        return self.joint(name)

    @property
    def t_s(self) -> NDArray[np.float64]:
        """(T,) seconds from the first pose."""
        return np.asarray((self.t_ns - self.t_ns[:1]) * 1e-9, np.float64)

    @property
    def tracked(self) -> NDArray[np.bool_]:
        """(T,) whether a person is tracked."""
        return np.asarray(np.isfinite(self.xyz).all((1, 2)))

    @property
    def rate_hz(self) -> float:
        """Poses per second, as `rate_hz` of their timestamps."""
        return rate_hz(self.t_ns)

    @property
    def sd_m(self) -> NDArray[np.float32]:
        """(T,J) standard deviation of a joint along one axis, mean over all directions, m; NaN where unknown."""
        return np.asarray(np.sqrt(np.trace(self.covariance_m2, axis1=2, axis2=3) / 3), np.float32)

    def joint(self, name: str) -> NDArray[np.float32]:
        """Returns (T,3) the trajectory of a joint, m.

        Args:
            name: ``r_wrist``, or another spelling: ``right_wrist``, ``RWrist``, ``wrist_r`` (`joint_index`).

        Raises:
            JointError: There is no such joint (a KeyError); the message lists the joints.
        """
        return self.xyz[:, joint_index(name, self.joints)]

    def columns(self, *, sd: bool = False) -> dict[str, NDArray[Any]]:
        """Returns the columns by name, (T,) each.

        ``t_ns`` (rig clock), ``t_s`` (from the first pose), ``mode``, then for every joint ``<joint>_x_m``,
        ``<joint>_y_m``, ``<joint>_z_m`` in ``rig`` (right-handed, y up), NaN while no person is tracked,
        ``<joint>_score``, 0–1, 0 = guessed, and with ``sd`` ``<joint>_sd_m`` (`sd_m`), NaN where unknown.
        """
        sd_m = self.sd_m if sd else None
        table: dict[str, NDArray[Any]] = {"t_ns": self.t_ns, "t_s": self.t_s, "mode": self.mode}
        for j, joint in enumerate(self.joints):
            table |= {f"{joint}_{axis}_m": self.xyz[:, j, a] for a, axis in enumerate("xyz")}
            table[f"{joint}_score"] = self.score[:, j]
            if sd_m is not None:
                table[f"{joint}_sd_m"] = sd_m[:, j]
        return table

    def to_dataframe(self) -> "pandas.DataFrame":
        """Returns `columns` with standard deviations as a pandas table.

        Its ``attrs`` are ``units`` (by the end of a column's name), ``frame``, ``joints``, ``rate_hz``, ``height_m``
        and ``height_assumed``.

        Raises:
            PoseRigError: pandas is not installed.
        """
        with requires_extra("A DataFrame", "files"):
            import pandas
        frame = pandas.DataFrame(self.columns(sd=True))
        frame.attrs = {
            "frame": FRAME_DESCRIPTION,
            "units": UNITS,
            "joints": list(self.joints),
            "rate_hz": self.rate_hz,
            "height_m": self.height_m,
            "height_assumed": self.height_assumed,
        }
        return frame

    def without_guesses(self) -> "Poses":
        """Returns the poses with NaN in place of guessed joints (score 0)."""
        return replace(self, xyz=np.where(self.score[..., None] == 0, np.float32(np.nan), self.xyz))

    def resampled(self, rate_hz: float | None = None, span_ns: tuple[int, int] | None = None) -> "Poses":
        """Returns the poses at a constant rate, linearly interpolated; NaN with score 0 in gaps above `MAX_GAP_S`.

        Args:
            rate_hz: Poses per second; None = `rate_hz` of the poses.
            span_ns: First and last time; poses outside of the own ones are such a gap. None = those of the poses.

        Raises:
            SessionError: There would be more than `MAX_RESAMPLED`: a timestamp is invalid.
        """
        rate_hz = rate_hz or self.rate_hz
        if not rate_hz or len(self) < (MIN_POSES if span_ns is None else 1):
            return self
        first_ns, last_ns = span_ns or (self.t_ns[0], self.t_ns[-1])
        steps = np.arange(resampled_count((last_ns - first_ns) * 1e-9, rate_hz))
        t_ns = first_ns + np.round(steps * (1e9 / rate_hz)).astype(np.int64)
        after = np.clip(np.searchsorted(self.t_ns, t_ns), min(1, len(self) - 1), len(self) - 1)
        before = np.maximum(after - 1, 0)
        width_ns = np.maximum(self.t_ns[after] - self.t_ns[before], 1)
        part = np.clip((t_ns - self.t_ns[before]) / width_ns, 0.0, 1.0)
        nearest = np.where(part < 0.5, before, after)
        exact = (part == 0.0) | (part == 1.0)
        if span_ns is not None:  # the times are not the own ones, and the last pose before a gap is not to be lost
            exact = np.abs(t_ns - self.t_ns[nearest]) <= ROUNDING_NS
        gap = ((width_ns > MAX_GAP_S * 1e9) | (t_ns < self.t_ns[0]) | (t_ns > self.t_ns[-1])) & ~exact
        w = part[:, None, None]
        between = (1 - w) * self.xyz[before] + w * self.xyz[after]
        xyz = np.where(exact[:, None, None], self.xyz[nearest], between)
        return replace(
            self,
            t_ns=t_ns,
            xyz=np.where(gap[:, None, None], np.nan, xyz).astype(np.float32),
            score=np.where(gap[:, None], 0.0, self.score[nearest]).astype(np.float32),
            covariance_m2=self.covariance_m2[nearest],
            residual_px=self.residual_px[nearest],
            mode=self.mode[nearest],
            age_ns=self.age_ns[nearest],
        )

    def between(self, from_s: float | None, to_s: float | None, start_ns: int | None = None) -> "Poses":
        """Returns the poses from ``from_s`` to ``to_s``, None = no limit.

        Both are seconds from ``start_ns``; None = from the first pose.
        """
        t_s = self.t_s if start_ns is None else (self.t_ns - start_ns) * 1e-9
        kept = (t_s >= (from_s or 0.0)) & (t_s <= (np.inf if to_s is None else to_s))
        return replace(self, **{name: getattr(self, name)[kept] for name in ROWS})


def check_range(from_s: float | None, to_s: float | None, duration_s: float) -> None:
    """Checks a range in seconds from the start; None = no limit.

    Raises:
        UsageError: It is empty, or outside of the duration.
    """
    if from_s is None and to_s is None:
        return
    begin_s, end_s = from_s or 0.0, duration_s if to_s is None else to_s
    if not (0 <= begin_s < end_s and begin_s <= duration_s):  # also refuses NaN
        raise UsageError(
            f"The range from {begin_s:.1f} s to {end_s:.1f} s is empty or outside.",
            f"The recording has {duration_s:.1f} s: choose another --start and --end.",
        )


def resampled_count(seconds: float, rate_hz: float) -> int:
    """Returns the number of samples of a duration at a constant rate, both ends included.

    Raises:
        SessionError: There would be more than `MAX_RESAMPLED`: a timestamp is invalid.
    """
    count = int(np.floor(seconds * rate_hz + 1e-6)) + 1
    if count > MAX_RESAMPLED:
        raise SessionError(
            f"From the first to the last timestamp it is {seconds / 3600:.0f} h, which are {count:.1e} rows.",
            "A timestamp is invalid: choose a part with --start and --end.",
        )
    return count
