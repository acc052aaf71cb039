"""Captured motion, its true foot contacts, and an avatar with and without foot lock.

Axes: T time steps, J joints, S sides.
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
from pose_rig.simulation.motion import Clip, split_at_jumps
from pose_rig.skeleton import JOINTS

RATE_HZ = 60.0
HEIGHT_M = 1.7
NOISE_CORRELATION, NOISE_CORRELATION_S = 0.9, 0.04  # errors of detectors are correlated over time
CONTACT_M_S, CONTACT_M, FLIGHT_M = 0.15, 0.03, 0.08
MIN_FALL_M_S2 = 5.0  # half of a free fall: the pelvis is not the centre of mass
CONTACT_PERCENTILE = 10  # of a foot's height
TOES = {
    "LeftToeEnd": "left_foot_index", "RightToeEnd": "right_foot_index", "l_toe": "left_foot_index",
    "r_toe": "right_foot_index", "foot.L_end": "left_foot_index", "foot.R_end": "right_foot_index",
    "l_heel": "left_heel", "r_heel": "right_heel",
}  # fmt: skip
ANKLES = ("l_ankle", "r_ankle")
TIPS = ("left_foot_index", "right_foot_index")
SIDES = ("Left", "Right")
LEGS = [INDEX[side + bone] for side in SIDES for bone in ("UpperLeg", "LowerLeg", "Foot")]


def correlated_noise(shape: tuple[int, ...], sd_m: float, rate_hz: float, rng: np.random.Generator) -> Floats:
    """Returns noise (T,…) m, correlated over time as that of detectors."""
    kept = NOISE_CORRELATION ** (1 / (NOISE_CORRELATION_S * rate_hz))
    noise = rng.normal(0, sd_m, shape)
    for i in range(1, len(noise)):
        noise[i] = kept * noise[i - 1] + np.sqrt(1 - kept**2) * noise[i]
    return noise


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """A person in motion: ``xyz`` (T,J,3) m at about `RATE_HZ`, floor at 0; names of the joints."""

    joints: tuple[str, ...]
    rate_hz: float
    xyz: Floats

    def positions(self, *names: str) -> Floats:
        """Returns (T,N,3) m of some joints."""
        return self.xyz[:, [self.joints.index(name) for name in names]]

    def in_contact(self, *names: str) -> NDArray[np.bool_]:
        """Returns (T,N) whether joints are in contact with the floor."""
        positions = self.positions(*names)
        some = max(round(0.025 * self.rate_hz), 1)
        later, earlier = np.roll(positions, -some, 0), np.roll(positions, some, 0)
        speed = np.linalg.norm(later - earlier, axis=-1) * self.rate_hz / (2 * some)
        speed[:some], speed[-some:] = np.inf, np.inf
        return np.asarray((speed < CONTACT_M_S) & (self.clearance(*names) < CONTACT_M))

    def in_flight(self, *names: str) -> NDArray[np.bool_]:
        """Returns (T,) whether the body falls freely and all joints are off the floor, also 50 ms before and after."""
        some = max(round(0.05 * self.rate_hz), 1)
        y = self.positions("pelvis")[:, 0, 1]
        fall = (2 * y - np.roll(y, some) - np.roll(y, -some)) * (self.rate_hz / some) ** 2
        fall[:some], fall[-some:] = 0.0, 0.0
        flight = (fall > MIN_FALL_M_S2) & (self.clearance(*names) > FLIGHT_M).all(1)
        return np.asarray(flight & np.roll(flight, some) & np.roll(flight, -some))

    def clearance(self, *names: str) -> Floats:
        """Returns (T,N) m, height above that of contact."""
        y = self.positions(*names)[..., 1]
        return np.asarray(y - np.percentile(y, CONTACT_PERCENTILE, axis=0))

    def noisy(self, sd_m: float, rng: np.random.Generator) -> Floats:
        """Returns (T,J,3) m with noise of that standard deviation."""
        return self.xyz + correlated_noise(self.xyz.shape, sd_m, self.rate_hz, rng)


@dataclass(frozen=True, slots=True, eq=False)
class AvatarMotion:
    """Motion of an avatar: root (T,3) m, rotation (T,B,4).

    Attributes:
        ankles: (T,S,3) m.
        tips: (T,S,3) m, of the toes.
    """

    root: Floats
    rotation: Floats
    ankles: Floats
    tips: Floats

    @classmethod
    def from_frames(cls, rest: RestPose, frames: list[tuple[Floats, Floats]]) -> "AvatarMotion":
        """Returns the motion of frames: root (3,), rotation (B,4)."""
        root, rotation = np.stack([frame[0] for frame in frames]), np.stack([frame[1] for frame in frames])
        start, world = forward_kinematics(rest, root, rotation)
        toes = [INDEX[f"{side}Toes"] for side in SIDES]
        tips = start[:, toes] + rotate(world[:, toes], rest.tip[toes])
        return cls(root, rotation, start[:, [INDEX[f"{side}Foot"] for side in SIDES]], tips)

    def steps_deg(self) -> Floats:
        """Returns (T-1,B) the rotation of each bone between frames."""
        cosine = np.abs((self.rotation[1:] * self.rotation[:-1]).sum(-1))
        return np.asarray(np.degrees(2 * np.arccos(np.minimum(cosine, 1.0))))


@dataclass(frozen=True, slots=True, eq=False)
class LockResult:
    """One take without foot lock (``free``) and with it (``locked``); ``contact`` (T,S): feet that the lock held."""

    take: Take
    free: AvatarMotion
    locked: AvatarMotion
    contact: NDArray[np.bool_]


def lock_feet(
    take: Take, xyz: Floats, rest: RestPose | None = None, solved: NDArray[np.bool_] | None = None
) -> LockResult:
    """Returns the effect of the foot lock on a take.

    Args:
        take: The true motion.
        xyz: (T,J,3) m measured joints.
        rest: Rest pose; None = measured from the take.
        solved: (T,) whether the rig is solved; None = always.
    """
    score = np.ones(take.xyz.shape[:2])
    rest = rest or rest_pose(take.joints, xyz, score, HEIGHT_M)
    retargeter, lock = Retargeter(rest, take.joints), FootLock(rest)
    column = {name: i for i, name in enumerate(take.joints)}
    free, locked, contact = [], [], []
    for i, joints in enumerate(xyz):
        t_ns = int(i * 1e9 / take.rate_hz)
        free.append(retargeter.step(t_ns, joints, score[i]))
        now = True if solved is None else bool(solved[i])
        locked.append(lock.step(t_ns, *free[-1], joints, score[i], column, solved=now))
        contact.append(lock.locked)
    motions = [AvatarMotion.from_frames(rest, frames) for frames in (free, locked)]
    return LockResult(take, motions[0], motions[1], np.array(contact))


def sliding_m_s(points: Floats, contact: NDArray[np.bool_], rate_hz: float) -> Floats:
    """Returns (N,) m/s the horizontal speed of points (T,S,3) during true contact (T,S)."""
    speed = np.linalg.norm(np.diff(points[..., [0, 2]], axis=0), axis=-1) * rate_hz
    return np.asarray(speed[contact[1:] & contact[:-1]])


def takes(path: Path, feet: Path | None, every: int) -> Iterator[Take]:
    """Yields every ``every``-th take of a motion file at about `RATE_HZ`, standing on the floor."""
    with np.load(path, allow_pickle=False) as file:
        data = dict(file)
    with np.load(feet or path, allow_pickle=False) as file:
        further = dict(file)
    columns: dict[str, int] = {}
    rel = data["joints17_rel"]
    for names, positions in (("extra_names", "extra_rel"), ("joint_names", "joints_rel")):
        if positions in further:
            columns = {TOES[name]: i for i, name in enumerate(further[names].tolist()) if name in TOES}
            rel = np.concatenate([rel, further[positions][:, list(columns.values())]], 1)
    for start, length in list(zip(data["clip_start"], data["clip_len"], strict=True))[::every]:
        part, fps = slice(start, start + length), float(data["fps"])
        skip = max(round(fps / RATE_HZ), 1)
        for clip in split_at_jumps(Clip("", fps, rel[part].astype(np.float32), data["root"][part])):
            xyz = (clip.joints + clip.root[:, None]).astype(float)[::skip]
            yield on_floor(Take((*JOINTS, *columns), fps / skip, xyz))


def on_floor(take: Take) -> Take:
    """Returns the take shifted such that its lower ankle is usually as high as that of a person standing at 0."""
    rest = rest_pose(take.joints, take.xyz, np.ones(take.xyz.shape[:2]), HEIGHT_M)
    low = np.percentile(take.positions(*ANKLES)[..., 1].min(1), 2 * CONTACT_PERCENTILE)
    ankle_m = sum(rest.offset[INDEX[bone], 1] for bone in ("Hips", "LeftUpperLeg", "LeftLowerLeg", "LeftFoot"))
    return Take(take.joints, take.rate_hz, take.xyz + np.array([0.0, ankle_m - low, 0.0]))
