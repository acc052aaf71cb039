"""Subjects with known bones and known motion.

Axes: T time steps, J joints, B bones.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import BONES, INDEX, JOINT_OF, B, RestPose, forward_kinematics, multiply, rotate
from pose_rig.skeleton import JOINTS

EXTRAS = tuple(
    f"{side}_{name}"
    for side in ("left", "right")
    for name in ("ear", "eye", "index", "pinky", "thumb", "heel", "foot_index")
)
ALL = (*JOINTS, *EXTRAS)
# swing about x, y, z of the left side: centre ± reach, °; then the twist
Reach = tuple[float, float]
SWING: dict[str, tuple[Reach, Reach, Reach]] = {
    "Spine": ((0, 6), (0, 10), (0, 7)),
    "Chest": ((0, 6), (0, 10), (0, 7)),
    "Neck": ((0, 10), (0, 20), (0, 8)),
    "Head": ((0, 10), (0, 20), (0, 8)),
    "Shoulder": ((0, 0), (0, 8), (0, 8)),
    "UpperArm": ((0, 0), (-40, 60), (-40, 50)),
    "LowerArm": ((0, 0), (-60, 55), (0, 0)),
    "Hand": ((0, 0), (0, 12), (0, 35)),
    "UpperLeg": ((-30, 35), (0, 0), (6, 12)),
    "LowerLeg": ((50, 46), (0, 0), (0, 0)),
    "Foot": ((5, 15), (0, 10), (0, 10)),
}
TWIST: dict[str, Reach] = {"UpperArm": (0, 50), "LowerArm": (0, 55), "UpperLeg": (0, 18)}
HEIGHT_RANGE_M = (1.55, 1.95)


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """A subject in motion.

    Attributes:
        rest: Rest pose.
        t_ns: (T,) timestamps.
        root: (T,3) m.
        rotation: (T,B,4) local rotations.
        xyz: (T,J,3) m, true positions of the joints `ALL`.
        height_m: Body height.
    """

    rest: RestPose
    t_ns: NDArray[np.int64]
    root: Floats
    rotation: Floats
    xyz: Floats
    height_m: float


def angles_deg(a: Floats, b: Floats) -> Floats:
    """Returns (...) the angles between rotations (...,4)."""
    return np.asarray(np.degrees(2 * np.arccos(np.clip(np.abs((a * b).sum(-1)), 0, 1))))


def steps_deg(rotation: Floats) -> Floats:
    """Returns (T-1,...) the angle between consecutive rotations (T,...,4)."""
    return angles_deg(rotation[1:], rotation[:-1])


def about(vector_deg: Floats) -> Floats:
    """Returns (...,4) quaternions of rotation vectors (...,3) in degrees."""
    half = 0.5 * np.radians(np.linalg.norm(vector_deg, axis=-1, keepdims=True))
    axis = vector_deg / np.maximum(np.linalg.norm(vector_deg, axis=-1, keepdims=True), 1e-9)
    return np.concatenate([axis * np.sin(half), np.cos(half)], -1)


def person(seed: int, seconds: float = 10.0, rate_hz: float = 60.0, *, tumbling: bool = False) -> Person:
    """Returns a subject who moves every joint within its limits; if tumbling, through all orientations."""
    rng = np.random.default_rng(seed)
    t_s = np.arange(int(seconds * rate_hz)) / rate_hz
    height_m = float(rng.uniform(*HEIGHT_RANGE_M))
    rest = random_rest(height_m, rng)
    rotation = np.zeros((len(t_s), B, 4))
    rotation[..., 3] = 1.0
    for bone in BONES[1:]:
        side = bone[:4] if bone.startswith("Left") else bone[:5] if bone.startswith("Right") else ""
        name = bone.removeprefix(side)
        if name in SWING:
            rotation[:, INDEX[bone]] = _bone(name, side, rest.tip[INDEX[bone]], t_s, rng)
    heading = about(np.stack([0 * t_s, _smooth(0.25 * t_s, (0, 400), rng), 0 * t_s], -1))
    attitude = np.stack([_smooth(0.5 * t_s, (0, 200 if tumbling else 15), rng) for _ in range(3)], -1)
    rotation[:, 0] = multiply(heading, about(attitude))
    root = rest.offset[0] + np.stack([_smooth(t_s, (0, 0.5), rng) for _ in range(3)], -1)
    xyz = joints_of(rest, root, rotation, height_m, rng)
    return Person(rest, (t_s * 1e9).astype(np.int64), root, rotation, xyz, height_m)


def random_rest(height_m: float, rng: np.random.Generator) -> RestPose:
    """Returns the rest pose of a random person."""

    def some(part: float, spread: float = 0.06) -> float:
        return float(height_m * part * np.exp(rng.normal(0, spread)))

    offset = np.zeros((B, 3))
    at = {name: offset[i] for name, i in INDEX.items()}
    spine, chest, neck, clavicle = some(0.06, 0.2), some(0.09, 0.2), some(0.15), some(0.016, 0.3)
    at["Spine"][1], at["Chest"][1] = spine, chest
    at["Neck"][:] = [0, neck + some(0.03, 0.2), some(0.01)]
    at["Head"][:] = [0, some(0.05), some(0.01)]
    shoulder, upper, lower, hip, thigh, shank = (some(p) for p in (0.088, 0.168, 0.148, 0.056, 0.238, 0.226))
    ankle, ball = some(0.043, 0.1), some(0.065)
    for side, out in (("Left", 1.0), ("Right", -1.0)):
        at[f"{side}Shoulder"][:] = [out * clavicle, neck, 0]
        at[f"{side}UpperArm"][0], at[f"{side}LowerArm"][0], at[f"{side}Hand"][0] = (
            out * size for size in (shoulder, upper, lower)
        )
        at[f"{side}UpperLeg"][0] = out * hip
        at[f"{side}LowerLeg"][1], at[f"{side}Foot"][1] = -thigh, -shank
        at[f"{side}Toes"][:] = [0, -ankle, ball]
    at["Hips"][1] = thigh + shank + ankle
    tip = np.zeros((B, 3))
    for bone in ("UpperArm", "LowerArm", "Shoulder", "Hand"):
        tip[INDEX[f"Left{bone}"], 0], tip[INDEX[f"Right{bone}"], 0] = 1.0, -1.0
    for side in ("Left", "Right"):
        tip[INDEX[f"{side}UpperLeg"], 1] = tip[INDEX[f"{side}LowerLeg"], 1] = -1.0
    return RestPose(offset, tip)


def joints_of(rest: RestPose, root: Floats, rotation: Floats, height_m: float, rng: np.random.Generator) -> Floats:
    """Returns (T,J,3) m the joints `ALL` of a humanoid."""
    start, world = forward_kinematics(rest, root, rotation)

    def point(bone: str, at: list[float]) -> Floats:
        part = height_m * np.array(at) * np.exp(rng.normal(0, 0.05, 3))
        return np.asarray(start[:, INDEX[bone]] + rotate(world[:, INDEX[bone]], part))

    position = {joint: start[:, INDEX[bone]] for bone, joint in JOINT_OF.items()}
    position["thorax"] = 0.5 * (position["l_shoulder"] + position["r_shoulder"])
    position["spine"] = 0.5 * (position["pelvis"] + position["thorax"])
    state = rng.bit_generator.state
    for side, out in (("left", 1.0), ("right", -1.0)):
        rng.bit_generator.state = state  # the same on both sides
        bone = side.capitalize()
        position[f"{side}_ear"] = point("Head", [0.045 * out, 0.03, 0.012])
        position[f"{side}_eye"] = point("Head", [0.02 * out, 0.045, 0.05])
        position[f"{side}_index"] = point(f"{bone}Hand", [0.05 * out, 0, 0.012])
        position[f"{side}_pinky"] = point(f"{bone}Hand", [0.05 * out, 0, -0.012])
        position[f"{side}_thumb"] = point(f"{bone}Hand", [0.02 * out, 0, 0.03])
        toes, part = rest.offset[INDEX[f"{bone}Toes"]] / height_m, np.array([0.0, 0.0, 0.04])
        heel = np.array([0.0, toes[1], -0.035])
        for name, at in (("heel", heel), ("foot_index", toes + part)):
            foot = INDEX[f"{bone}Foot"]
            position[f"{side}_{name}"] = start[:, foot] + rotate(world[:, foot], height_m * at)
    position["head"] = 0.5 * (position["left_ear"] + position["right_ear"])
    nose = position["head"] + rotate(world[:, INDEX["Head"]], height_m * np.array([0.0, -0.012, 0.055]))
    position["nose"] = nose
    return np.stack([position[name] for name in ALL], 1)


def _bone(name: str, side: str, tip: Floats, t_s: Floats, rng: np.random.Generator) -> Floats:
    swing = np.stack([_smooth(t_s, reach, rng) for reach in SWING[name]], -1)
    if side == "Right":
        swing[:, 1:] *= -1
    rotated = about(swing)
    if name in TWIST:
        axis = tip / np.linalg.norm(tip)
        rotated = multiply(rotated, about(axis * _smooth(t_s, TWIST[name], rng)[:, None]))
    return rotated


def _smooth(t_s: Floats, reach: tuple[float, float], rng: np.random.Generator) -> Floats:
    """Returns (T,) a smooth function between centre − reach and centre + reach."""
    waves = [np.sin(2 * np.pi * (rng.uniform(0.1, 0.8) * t_s + rng.uniform())) for _ in range(3)]
    return np.asarray(reach[0] + reach[1] * np.sum(waves, 0) / 2.4).clip(reach[0] - reach[1], reach[0] + reach[1])
