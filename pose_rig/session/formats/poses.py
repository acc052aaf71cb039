"""A person's movement as arrays: what a session, a poses file and every converter speak of.

Axes: T instants, J joints.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import SessionError, UsageError
from pose_rig.installer import missing
from pose_rig.joint_name import joint_index

if TYPE_CHECKING:
    import pandas

FRAME = "rig: right-handed, y up"
UNITS = {"t_ns": "ns, rig clock", "t_s": "s", "x_m": "m", "y_m": "m", "z_m": "m", "sd_m": "m", "score": "0-1"}

LONGEST_GAP_S = 0.25  # nothing is made up for longer than this
FEWEST = 2
MOST_INSTANTS = 20_000_000  # at even distances: four days at 60 Hz; a wrong time leads to centuries


def rate_hz(t_ns: NDArray[np.int64]) -> float:
    """Returns instants (T,) per second, by the median distance, to the nearest tenth; 0 with fewer than two."""
    return round(1e9 / float(np.median(np.diff(t_ns))), 1) if len(t_ns) >= FEWEST else 0.0


def span(t_ns: NDArray[np.int64], what: str = "instants") -> str:
    """Returns ``1440 instants, 24.0 s at 60 Hz`` of instants (T,)."""
    if len(t_ns) < FEWEST:
        return f"{len(t_ns)} {what if len(t_ns) != 1 else what.removesuffix('s')}"
    return f"{len(t_ns)} {what}, {(t_ns[-1] - t_ns[0]) * 1e-9:.1f} s at {rate_hz(t_ns):g} Hz"


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """What the rig said of one person, instant by instant.

    Attributes:
        t_ns: (T,) int64, capture instants, rig clock, increasing.
        joints: (J) names; the first 17 are `pose_rig.skeleton.JOINTS`, further ones are the detector's landmarks.
        xyz: (T,J,3) float32 m in ``rig`` (right-handed, y up), as streamed; NaN while nobody is seen.
        score: (T,J) float32 0–1, 0 = guessed.
        covariance_m2: (T,J,3,3) float32 of ``xyz`` before smoothing; NaN where it is not known.
        residual_px: (T,J) float32, mean distance of the detections from the pose.
        mode: (T,) ``cold``, ``settled`` or ``solved``.
        age_ns: (T,) int64, from capture to publication.
        height_m: Stature the scale rests on.
        height_assumed: Whether nobody gave that stature: lengths are then those of a person of 1.70 m.
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

    def __len__(self) -> int:
        return len(self.t_ns)

    def __repr__(self) -> str:
        solved = f", solved {np.mean(self.mode == 'solved'):.0%}" if len(self) else ""
        given = "assumed" if self.height_assumed else "given"
        return (
            f"Poses({span(self.t_ns)}, {len(self.joints)} joints{solved.replace('%', ' %')}, "
            f"height of {self.height_m:.2f} m {given})"
        )

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """Returns `joint`."""
        return self.joint(name)

    @property
    def t_s(self) -> NDArray[np.float64]:
        """(T,) seconds from the first instant."""
        return np.asarray((self.t_ns - self.t_ns[:1]) * 1e-9, np.float64)

    @property
    def tracked(self) -> NDArray[np.bool_]:
        """(T,) whether somebody was seen."""
        return np.asarray(np.isfinite(self.xyz).all((1, 2)))

    @property
    def rate_hz(self) -> float:
        """Instants per second, by the median distance between them, to the nearest tenth; 0 with fewer than two."""
        return rate_hz(self.t_ns)

    @property
    def sd_m(self) -> NDArray[np.float32]:
        """(T,J) standard deviation of a joint along one axis, the mean over all directions, m; NaN where not known."""
        return np.asarray(np.sqrt(np.trace(self.covariance_m2, axis1=2, axis2=3) / 3), np.float32)

    def joint(self, name: str) -> NDArray[np.float32]:
        """Returns (T,3) one joint's way, m.

        Args:
            name: ``r_wrist``, or another spelling: ``right_wrist``, ``RWrist``, ``wrist_r`` (`joint_index`).

        Raises:
            JointError: There is no such joint (a KeyError); the message names those that are.
        """
        return self.xyz[:, joint_index(name, self.joints)]

    def columns(self, *, sd: bool = False) -> dict[str, NDArray[Any]]:
        """Returns the columns by name, (T,) each.

        ``t_ns`` (rig clock), ``t_s`` (from the first instant), ``mode``, then for every joint ``<joint>_x_m``,
        ``<joint>_y_m``, ``<joint>_z_m`` in ``rig`` (right-handed, y up), NaN while nobody is seen, ``<joint>_score``,
        0–1, 0 = guessed, and if wanted ``<joint>_sd_m`` (`sd_m`), NaN where it is not known.
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

        What numbers mean is in ``attrs``: ``units`` by the end of a column's name, ``frame``, ``joints``, ``rate_hz``,
        ``height_m``, ``height_assumed``.

        Raises:
            PoseRigError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise missing("A DataFrame", "pandas", "files") from error
        frame = pandas.DataFrame(self.columns(sd=True))
        frame.attrs = {
            "frame": FRAME,
            "units": UNITS,
            "joints": list(self.joints),
            "rate_hz": self.rate_hz,
            "height_m": self.height_m,
            "height_assumed": self.height_assumed,
        }
        return frame

    def without_guesses(self) -> "Poses":
        """Returns the poses with NaN in place of joints that are only guessed (score 0)."""
        return replace(self, xyz=np.where(self.score[..., None] == 0, np.float32(np.nan), self.xyz))

    def even(self, rate_hz: float | None = None) -> "Poses":
        """Returns the poses at even distances, as files with a frame rate want them: linear between neighbours.

        What lies in a gap of more than `LONGEST_GAP_S` is NaN with score 0.

        Args:
            rate_hz: Instants per second; None = `rate_hz` of the poses.

        Raises:
            SessionError: These would be far too many: a time is wrong.
        """
        rate_hz = rate_hz or self.rate_hz
        if len(self) < FEWEST or not rate_hz:
            return self
        steps = np.arange(even_count((self.t_ns[-1] - self.t_ns[0]) * 1e-9, rate_hz))
        t_ns = self.t_ns[0] + np.round(steps * (1e9 / rate_hz)).astype(np.int64)
        after = np.clip(np.searchsorted(self.t_ns, t_ns), 1, len(self) - 1)
        before = after - 1
        width_ns = self.t_ns[after] - self.t_ns[before]
        part = np.clip((t_ns - self.t_ns[before]) / width_ns, 0.0, 1.0)
        nearest = np.where(part < 0.5, before, after)
        exact = (part == 0.0) | (part == 1.0)
        gap = (width_ns > LONGEST_GAP_S * 1e9) & ~exact
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

    def between(self, from_s: float | None, to_s: float | None) -> "Poses":
        """Returns the part from ``from_s`` to ``to_s``, seconds from the first instant; None = from or to the end."""
        t_s = self.t_s
        kept = (t_s >= (from_s or 0.0)) & (t_s <= (np.inf if to_s is None else to_s))
        rows = ("t_ns", "xyz", "score", "covariance_m2", "residual_px", "mode", "age_ns")
        return replace(self, **{name: getattr(self, name)[kept] for name in rows})


def check_part(from_s: float | None, to_s: float | None, length_s: float) -> None:
    """Checks the part that is wanted of something.

    Args:
        from_s: Where it begins, in seconds from the start; None = there.
        to_s: Where it ends; None = at the end.
        length_s: How long the whole is.

    Raises:
        UsageError: It is empty, or lies elsewhere.
    """
    begin_s, end_s = from_s or 0.0, length_s if to_s is None else to_s
    wanted = from_s is not None or to_s is not None
    if wanted and not (0 <= begin_s < end_s and begin_s <= length_s):  # NaN neither
        raise UsageError(f"From {begin_s:.1f} s to {end_s:.1f} s is no time.", f"There are {length_s:.1f} s.")


def even_count(seconds: float, rate_hz: float) -> int:
    """Returns how many instants at even distances there are in a time, both ends included.

    Raises:
        SessionError: These would be far too many: a time is wrong.
    """
    count = int(np.floor(seconds * rate_hz + 1e-6)) + 1
    if count > MOST_INSTANTS:
        raise SessionError(
            f"From the first to the last instant it is {seconds / 3600:.0f} h, which are {count:.1e} rows at one rate.",
            "A time in it is wrong: choose a part with --start and --end.",
        )
    return count
