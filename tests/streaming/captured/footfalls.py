"""Subjects with known foot contacts: they face +z and keep their feet horizontal.

Axes: T time steps, J joints, S sides.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.engines.feet import RATE_HZ, correlated_noise
from pose_rig.arrays import Floats
from pose_rig.skeleton import JOINTS

THIGH_M, SHANK_M, ANKLE_M = 0.41, 0.40, 0.08  # ankle above the sole
HIPS_M = 0.80  # with slightly bent knees
G = 9.81
FEET = ("left_foot_index", "right_foot_index", "left_heel", "right_heel")
NAMES = (*JOINTS, *FEET)
COLUMN = {name: i for i, name in enumerate(NAMES)}
# relative to the pelvis, m
TRUNK = {
    "pelvis": (0.0, 0.0), "spine": (0.0, 0.25), "thorax": (0.0, 0.5), "nose": (0.0, 0.7), "head": (0.0, 0.72),
    "l_shoulder": (0.17, 0.5), "l_elbow": (0.2, 0.22), "l_wrist": (0.2, -0.02), "r_shoulder": (-0.17, 0.5),
    "r_elbow": (-0.2, 0.22), "r_wrist": (-0.2, -0.02), "l_hip": (0.1, 0.0), "r_hip": (-0.1, 0.0),
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Stepper:
    """A subject with known foot contacts.

    Attributes:
        xyz: (T,J,3) m, the joints `NAMES`.
        contact: (T,S) feet in contact.
    """

    xyz: Floats
    contact: NDArray[np.bool_]

    @property
    def t_ns(self) -> NDArray[np.int64]:
        return np.round(np.arange(len(self.xyz)) * 1e9 / RATE_HZ).astype(np.int64)

    def raised(self, by_m: float) -> "Stepper":
        return Stepper(self.xyz + np.array([0.0, by_m, 0.0]), self.contact)

    def noisy(self, sd_m: float, seed: int) -> "Stepper":
        """Returns the subject with noise like that of detectors."""
        noise = correlated_noise(self.xyz.shape, sd_m, RATE_HZ, np.random.default_rng(seed))
        return Stepper(self.xyz + noise, self.contact)


def times_s(seconds: float) -> Floats:
    return np.arange(int(seconds * RATE_HZ)) / RATE_HZ


def stander(seconds: float) -> Stepper:
    """Returns a subject who stands still."""
    n = len(times_s(seconds))
    return _person(np.tile([0.0, HIPS_M, 0.0], (n, 1)), _feet(np.zeros((n, 2)), np.zeros((n, 2))), np.ones((n, 2)) > 0)


def one_legged(seconds: float) -> Stepper:
    """Returns a subject who stands on the left leg, the right foot 15 cm above the floor."""
    n = len(times_s(seconds))
    feet = _feet(np.zeros((n, 2)), np.tile([0.0, 0.15], (n, 1)))
    return _person(np.tile([0.0, HIPS_M, 0.0], (n, 1)), feet, np.tile([True, False], (n, 1)))


def walker(seconds: float, speed_m_s: float = 1.0, cycle_s: float = 1.1, stance: float = 0.6) -> Stepper:
    """Returns a subject who walks: a foot is in contact for a part of the cycle, then swings to its next position."""
    t = times_s(seconds)
    phase = (t[:, None] / cycle_s + np.array([0.0, 0.5])) % 1.0
    contact = phase < stance
    swing = np.clip((phase - stance) / (1 - stance), 0, 1)
    stride_m = speed_m_s * cycle_s
    began = np.floor(t[:, None] / cycle_s + np.array([0.0, 0.5])) - np.array([0.0, 0.5])
    z = stride_m * (began + stance / 2 + swing**2 * (3 - 2 * swing))
    pelvis = np.stack([0 * t, HIPS_M + 0 * t, speed_m_s * t], -1)
    return _person(pelvis, _feet(z, 0.10 * np.sin(np.pi * swing) ** 2), contact)


def jumper(flight_s: float = 0.5, before_s: float = 2.0, after_s: float = 2.0) -> Stepper:
    """Returns a subject who jumps straight up."""
    t = times_s(before_s + flight_s + after_s)
    up = np.clip(t - before_s, 0, flight_s)
    height = 0.5 * G * up * (flight_s - up)
    pelvis = np.stack([0 * t, HIPS_M + height, 0 * t], -1)
    feet = _feet(np.zeros((len(t), 2)), np.tile(height[:, None], (1, 2)))
    return _person(pelvis, feet, np.tile(height[:, None] == 0, (1, 2)))


def _feet(z: Floats, lifted: Floats) -> Floats:
    """Returns (T,S,3) m the ankles, left at +x."""
    return np.stack([np.broadcast_to([0.1, -0.1], z.shape), ANKLE_M + lifted, z], -1)


def _person(pelvis: Floats, ankles: Floats, contact: NDArray[np.bool_]) -> Stepper:
    position = {name: pelvis + np.array([*at, 0.0]) for name, at in TRUNK.items()}
    position["nose"] = position["nose"] + [0.0, 0.0, 0.1]
    for s, (short, side) in enumerate((("l", "left"), ("r", "right"))):
        position[f"{short}_ankle"] = ankles[:, s]
        position[f"{short}_knee"] = _knee(position[f"{short}_hip"], ankles[:, s])
        position[f"{side}_foot_index"] = ankles[:, s] + [0.0, -ANKLE_M, 0.14]
        position[f"{side}_heel"] = ankles[:, s] + [0.0, -ANKLE_M, -0.05]
    return Stepper(np.stack([position[name] for name in NAMES], 1), contact)


def _knee(hip: Floats, ankle: Floats) -> Floats:
    """Returns (T,3) m, bent forwards."""
    way = ankle - hip
    far = np.linalg.norm(way, axis=-1, keepdims=True)
    along = (far**2 + THIGH_M**2 - SHANK_M**2) / (2 * far)
    aside = np.sqrt(np.maximum(THIGH_M**2 - along**2, 0.0))
    front = np.cross(way / far, [1.0, 0.0, 0.0])  # of a leg pointing down: −y × x = z
    return np.asarray(hip + way / far * along + front / np.linalg.norm(front, axis=-1, keepdims=True) * aside)
