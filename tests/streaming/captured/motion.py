"""Captured motion, if it is in ``shared/data/mocap`` next to the repository."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.engines.feet import correlated_noise
from pose_rig.arrays import Floats
from pose_rig.skeleton import JOINTS

FOLDER = Path(__file__).parents[4] / "shared" / "data" / "mocap"
MAX_SPEED_M_S = 12.0  # relative to the pelvis; faster joints are glitches of the capture
MIN_LENGTH_S = 0.5
# data set → names of its toes and heels, and ours
FEET = {
    "cmu_subset": {"LeftToeEnd": "left_foot_index", "RightToeEnd": "right_foot_index"},
    "reactidle": {"foot.L_end": "left_foot_index", "foot.R_end": "right_foot_index"},
    "opencap_subset": {
        "l_toe": "left_foot_index", "r_toe": "right_foot_index", "l_heel": "left_heel", "r_heel": "right_heel",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A part of captured motion without glitches: ``xyz`` (T,J,3) m at ``rate_hz``; names of the joints."""

    name: str
    joints: tuple[str, ...]
    rate_hz: float
    xyz: Floats

    @property
    def t_ns(self) -> NDArray[np.int64]:
        """(T,) timestamps."""
        return np.round(np.arange(len(self.xyz)) * (1e9 / self.rate_hz)).astype(np.int64)

    def slower(self, rate_hz: float) -> "Clip":
        """Returns the clip at about a lower rate."""
        every = max(round(self.rate_hz / rate_hz), 1)
        return Clip(self.name, self.joints, self.rate_hz / every, self.xyz[::every])

    def noisy(self, sd_m: float, rng: np.random.Generator) -> "Clip":
        """Returns the clip with noise like that of detectors."""
        noise = correlated_noise(self.xyz.shape, sd_m, self.rate_hz, rng)
        return Clip(self.name, self.joints, self.rate_hz, self.xyz + noise)


def clips(name: str, every: int = 1, seconds: float = np.inf) -> Iterator[Clip]:
    """Yields parts of every Nth clip of a data set, of limited length; skips the test without the data."""
    paths = sorted((FOLDER / name).glob("*.npz"))
    if not paths:
        pytest.skip(f"no captured motion in {FOLDER / name}")
    first, last = (np.load(path, allow_pickle=False) for path in (paths[0], paths[-1]))  # with one file, the same
    data = dict(first)
    further, names = ("joints_rel", "joint_names") if "joints_rel" in last else ("extra_rel", "extra_names")
    columns = [last[names].tolist().index(foot) for foot in FEET[name]]
    feet = last[further][:, columns]
    xyz = np.concatenate([data["joints17_rel"], feet], 1).astype(float)
    joints, rate_hz = (*JOINTS, *FEET[name].values()), float(data["fps"])
    for i in range(0, len(data["clip_start"]), every):
        start = data["clip_start"][i]
        part = slice(start, start + min(data["clip_len"][i], int(min(seconds, 1e6) * rate_hz)))
        fast = np.linalg.norm(np.diff(xyz[part, :17], axis=0), axis=-1).max(-1) * rate_hz > MAX_SPEED_M_S
        positions = xyz[part] + data["root"][part, None]
        for a, b in pairwise([0, *(np.flatnonzero(fast) + 1).tolist(), len(positions)]):
            if b - a >= MIN_LENGTH_S * rate_hz:
                yield Clip(f"{name} {data['clip_name'][i]} from {a}", joints, rate_hz, positions[a:b])
