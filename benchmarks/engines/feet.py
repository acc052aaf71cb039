"""Captured motion, when its feet truly stand, and what an avatar does with the lock and without it.

Axes: T instants, J joints, S sides.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import INDEX, RestPose, forward_kinematics, rotate
from pose_rig.humanoid.foot_lock import FootLock
from pose_rig.humanoid.rest_pose import rest_pose
from pose_rig.humanoid.retarget import Retargeter
from pose_rig.simulation.motion import Clip, whole_parts
from pose_rig.skeleton import JOINTS

RATE_HZ = 60.0
HEIGHT_M = 1.7
NOISE_KEPT, NOISE_KEPT_S = 0.9, 0.04  # detectors are off in the same way for a while
STANDS_M_S, STANDS_M, FLIES_M = 0.15, 0.03, 0.08
FALLS_M_S2 = 5.0  # half of a free fall: the pelvis is not the centre of mass
USUALLY = 10  # percentile of a foot's height: it stands
TOES = {
    "LeftToeEnd": "left_foot_index", "RightToeEnd": "right_foot_index", "l_toe": "left_foot_index",
    "r_toe": "right_foot_index", "foot.L_end": "left_foot_index", "foot.R_end": "right_foot_index",
    "l_heel": "left_heel", "r_heel": "right_heel",
}  # fmt: skip
ANKLES = ("l_ankle", "r_ankle")
TIPS = ("left_foot_index", "right_foot_index")
SIDES = ("Left", "Right")
LEGS = [INDEX[side + bone] for side in SIDES for bone in ("UpperLeg", "LowerLeg", "Foot")]


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """Somebody who moves: ``xyz`` (T,J,3) m at about `RATE_HZ`, the floor at 0, joints named."""

    joints: tuple[str, ...]
    rate_hz: float
    xyz: Floats

    def at(self, *names: str) -> Floats:
        """Returns (T,N,3) m of some joints."""
        return self.xyz[:, [self.joints.index(name) for name in names]]

    def stands(self, *names: str) -> NDArray[np.bool_]:
        """Returns (T,N) whether they truly stand."""
        at = self.at(*names)
        some = max(round(0.025 * self.rate_hz), 1)
        ahead, behind = np.roll(at, -some, 0), np.roll(at, some, 0)
        speed = np.linalg.norm(ahead - behind, axis=-1) * self.rate_hz / (2 * some)
        speed[:some], speed[-some:] = np.inf, np.inf
        return np.asarray((speed < STANDS_M_S) & (self.above(*names) < STANDS_M))

    def flies(self, *names: str) -> NDArray[np.bool_]:
        """Returns (T,) whether the body falls freely, all of these well above the floor, 50 ms ago and ahead, too."""
        some = max(round(0.05 * self.rate_hz), 1)
        y = self.at("pelvis")[:, 0, 1]
        fall = (2 * y - np.roll(y, some) - np.roll(y, -some)) * (self.rate_hz / some) ** 2
        fall[:some], fall[-some:] = 0.0, 0.0
        flies = (fall > FALLS_M_S2) & (self.above(*names) > FLIES_M).all(1)
        return np.asarray(flies & np.roll(flies, some) & np.roll(flies, -some))

    def above(self, *names: str) -> Floats:
        """Returns (T,N) m above where they usually stand."""
        y = self.at(*names)[..., 1]
        return np.asarray(y - np.percentile(y, USUALLY, axis=0))

    def noisy(self, sd_m: float, rng: np.random.Generator) -> Floats:
        """Returns (T,J,3) m, each coordinate off by that."""
        kept = NOISE_KEPT ** (1 / (NOISE_KEPT_S * self.rate_hz))
        noise = rng.normal(0, sd_m, self.xyz.shape)
        for i in range(1, len(noise)):
            noise[i] = kept * noise[i - 1] + np.sqrt(1 - kept**2) * noise[i]
        return self.xyz + noise


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What an avatar does.

    Attributes:
        ankles: (T,S,3) m; tips: (T,S,3) m, of the toes.
        rotation: (T,B,4).
    """

    ankles: Floats
    tips: Floats
    rotation: Floats

    @classmethod
    def of(cls, rest: RestPose, root: Floats, rotation: Floats) -> "Shown":
        """Returns what a motion shows: root (T,3), rotation (T,B,4)."""
        begin, turned = forward_kinematics(rest, root, rotation)
        toes = [INDEX[f"{side}Toes"] for side in SIDES]
        tips = begin[:, toes] + rotate(turned[:, toes], rest.tip[toes])
        return cls(begin[:, [INDEX[f"{side}Foot"] for side in SIDES]], tips, rotation)

    def steps_deg(self) -> Floats:
        """Returns (T-1,B) how far bones turn from instant to instant."""
        alike = np.abs((self.rotation[1:] * self.rotation[:-1]).sum(-1))
        return np.asarray(np.degrees(2 * np.arccos(np.minimum(alike, 1.0))))


@dataclass(frozen=True, slots=True, eq=False)
class Walked:
    """One take without the lock and with it: ``free``, ``held``; ``standing`` (T,S) is what the lock believed."""

    take: Take
    free: Shown
    held: Shown
    standing: NDArray[np.bool_]


def walked(take: Take, xyz: Floats) -> Walked:
    """Returns what the lock does to a take whose joints were seen at (T,J,3) m."""
    score = np.ones(take.xyz.shape[:2])
    rest = rest_pose(take.joints, xyz, score, HEIGHT_M)
    solver, lock = Retargeter(rest, take.joints), FootLock(rest)
    column = {name: i for i, name in enumerate(take.joints)}
    free, held, standing = [], [], []
    for i, joints in enumerate(xyz):
        t_ns = int(i * 1e9 / take.rate_hz)
        free.append(solver.step(t_ns, joints, score[i]))
        held.append(lock.step(t_ns, *free[-1], joints, score[i], column, solved=True))
        standing.append(lock.locked)
    shown = [
        Shown.of(rest, np.stack([root for root, _ in way]), np.stack([turned for _, turned in way]))
        for way in (free, held)
    ]
    return Walked(take, shown[0], shown[1], np.array(standing))


def sliding_m_s(points: Floats, stands: NDArray[np.bool_], rate_hz: float) -> Floats:
    """Returns (N,) m/s how fast points (T,S,3) move over the floor at instants at which they truly stand (T,S)."""
    speed = np.linalg.norm(np.diff(points[..., [0, 2]], axis=0), axis=-1) * rate_hz
    return np.asarray(speed[stands[1:] & stands[:-1]])


def takes(path: Path, feet: Path | None, every: int) -> Iterator[Take]:
    """Yields every so many-th take of a motion file at about `RATE_HZ`, ankles where a rig puts them over the floor."""
    with np.load(path, allow_pickle=False) as file:
        data = dict(file)
    with np.load(feet or path, allow_pickle=False) as file:
        further = dict(file)
    columns: dict[str, int] = {}
    rel = data["joints17_rel"]
    for names, places in (("extra_names", "extra_rel"), ("joint_names", "joints_rel")):
        if places in further:
            columns = {TOES[name]: i for i, name in enumerate(further[names].tolist()) if name in TOES}
            rel = np.concatenate([rel, further[places][:, list(columns.values())]], 1)
    for start, length in list(zip(data["clip_start"], data["clip_len"], strict=True))[::every]:
        part, fps = slice(start, start + length), float(data["fps"])
        skip = max(round(fps / RATE_HZ), 1)
        for clip in whole_parts(Clip("", fps, rel[part].astype(np.float32), data["root"][part])):
            xyz = (clip.joints + clip.root[:, None]).astype(float)[::skip]
            yield level(Take((*JOINTS, *columns), fps / skip, xyz))


def level(take: Take) -> Take:
    """Returns the take with its lower ankle usually as high as that of somebody who stands on a floor at 0."""
    rest = rest_pose(take.joints, take.xyz, np.ones(take.xyz.shape[:2]), HEIGHT_M)
    low = np.percentile(take.at(*ANKLES)[..., 1].min(1), 2 * USUALLY)
    ankle_m = sum(rest.offset[INDEX[bone], 1] for bone in ("Hips", "LeftUpperLeg", "LeftLowerLeg", "LeftFoot"))
    return Take(take.joints, take.rate_hz, take.xyz + np.array([0.0, ankle_m - low, 0.0]))
