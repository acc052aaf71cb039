"""Synthetic motion from formulas, to try training and evaluation without a motion file.

All joint angles are sinusoidal and the body has one size; `pose_rig.simulation.takes` changes the bones. Results on it
are not representative of real people.

Axes: T frames. Body axes: the person faces +z, left is +x, y up; m, angles in degrees in the tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.geometry import rotation_from_vector
from pose_rig.simulation.bodies import BODY_HEIGHT_M, BONE_LENGTH_SHARE, define_centres, mirror
from pose_rig.simulation.motion import Clip
from pose_rig.skeleton import INDEX, J

SYNTHETIC_MOTION = Path("synthetic")  # in lists of motion files
SYNTHETIC_NOTE = (
    "The motion is synthetic: results on it are not representative of real people. "
    "Use captured motion with --simulated MOTION.npz; docs/training.md has the format."
)
FPS = 30.0
DURATION_S = 8.0
VARIATIONS = 3
ANKLE_HEIGHT_M = 0.08
SWAY_DEG = 3.0  # slow random swings of every angle
TRUNK = ("lean", "side", "twist", "look")  # forward; to a side; of the trunk, and of the head on it
LIMBS = ("hip", "out", "knee", "arm", "lift", "elbow")  # of each side; hip and arm forward, out and lift sideways

Swing = tuple[float, float, float, float]  # middle, swing, swings per cycle, when it is largest as a share of the cycle
Swings = Mapping[str, Swing]
NO_SWING: Swing = (0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True, slots=True)
class Movement:
    """A periodic motion.

    Attributes:
        label: ``walking``.
        hz: Cycles per second.
        swings: Angles in degrees, of `TRUNK` and `LIMBS`, with ``r_`` or ``l_`` for one side.
        speed_m_s: Forward.
        turn_deg_s: To the left.
        jump_m: Height.
    """

    label: str
    hz: float
    swings: Swings
    speed_m_s: float = 0.0
    turn_deg_s: float = 0.0
    jump_m: float = 0.0


def _stride(hip: float, knee: float, arm: float, elbow: float) -> dict[str, Swing]:
    """Returns the swings of a gait: arms opposite to the legs, knees bent in the swing phase."""
    sides = {"r": 0.0, "l": 0.5}
    return {
        "twist": (0, 6, 1, 0.5),
        **{f"{side}_hip": (0.4 * hip, hip, 1, at) for side, at in sides.items()},
        **{f"{side}_knee": (knee, 0.9 * knee, 1, at - 0.2) for side, at in sides.items()},
        **{f"{side}_arm": (0, arm, 1, at + 0.5) for side, at in sides.items()},
        **{f"{side}_elbow": (elbow, 0.3 * elbow, 1, at + 0.5) for side, at in sides.items()},
    }


MOVEMENTS = (
    Movement("walking", 0.9, {"lean": (4, 1, 2, 0), **_stride(24, 30, 22, 25)}, 1.2, 15),
    Movement("running", 1.4, {"lean": (10, 2, 2, 0), **_stride(38, 50, 35, 80)}, 2.6, 40, 0.06),
    Movement(
        "squatting",
        0.35,
        {"hip": (42, 42, 1, 0.5), "knee": (52, 50, 1, 0.5), "lean": (18, 16, 1, 0.5), "arm": (45, 40, 1, 0.5)},
    ),
    Movement(
        "sitting",
        0.25,
        {"hip": (45, 42, 1, 0.5), "knee": (46, 44, 1, 0.5), "lean": (14, 14, 2, 0.4), "elbow": (40, 15, 1, 0)},
    ),
    Movement(
        "reaching",
        0.3,
        {
            "r_arm": (75, 70, 1, 0), "r_lift": (20, 25, 2, 0.3), "r_elbow": (40, 38, 1, 0.5), "twist": (5, 25, 1, 0),
            "lean": (8, 14, 1, 0.1), "look": (0, 30, 1, 0.1), "l_elbow": (20, 15, 1, 0.2),
        },
    ),
    Movement("turning", 0.7, {**_stride(10, 18, 8, 30), "look": (15, 20, 1, 0)}, 0.1, 80),
    Movement(
        "jumping",
        0.5,
        {"hip": (28, 28, 1, 0.5), "knee": (38, 37, 1, 0.5), "lean": (14, 14, 1, 0.5), "arm": (40, 75, 1, 0.05)},
        jump_m=0.3,
    ),
    Movement(
        "waving",
        0.6,
        {"r_lift": (110, 30, 1, 0), "r_elbow": (55, 40, 2, 0.2), "l_arm": (10, 15, 1, 0), "side": (0, 8, 1, 0.5)},
    ),
    Movement(
        "bending",
        0.3,
        {"lean": (48, 45, 1, 0.5), "hip": (32, 30, 1, 0.5), "knee": (24, 22, 1, 0.5), "arm": (45, 40, 1, 0.5)},
    ),
    Movement(
        "kicking",
        0.5,
        {
            "r_hip": (22, 48, 1, 0), "r_knee": (38, 36, 1, 0.75), "l_knee": (12, 8, 1, 0.5), "l_arm": (15, 40, 1, 0),
            "r_arm": (-5, 30, 1, 0.5), "lift": (20, 12, 1, 0), "lean": (-2, 10, 1, 0.5),
        },
    ),
    Movement(
        "lunging",
        0.3,
        {
            "r_hip": (36, 36, 1, 0.5), "r_knee": (42, 40, 1, 0.5), "l_hip": (-8, 10, 1, 0), "l_knee": (36, 34, 1, 0.5),
            "elbow": (70, 15, 1, 0),
        },
        0.15,
    ),
    Movement("star jumps", 0.8, {"lift": (80, 72, 1, 0), "out": (12, 11, 1, 0), "knee": (14, 12, 2, 0)}, jump_m=0.12),
)  # fmt: skip


def clips() -> list[Clip]:
    """Returns three variations of every movement in speed and amplitude; always the same ones."""
    rng = np.random.default_rng(0)
    return [_clip(movement, rng, mirrored=number % 2 == 1) for number in range(VARIATIONS) for movement in MOVEMENTS]


def _clip(movement: Movement, rng: np.random.Generator, *, mirrored: bool) -> Clip:
    t_s = np.arange(round(DURATION_S * FPS)) / FPS
    hz, size = movement.hz * rng.uniform(0.8, 1.2), rng.uniform(0.75, 1.1)
    body = _body(_angles(movement.swings, t_s * hz, size, rng))
    yaw = np.radians(movement.turn_deg_s * rng.uniform(0.7, 1.3) * t_s + rng.uniform(0, 360))
    ahead = movement.speed_m_s * size * np.stack([np.sin(yaw), np.zeros_like(yaw), np.cos(yaw)], -1) / FPS
    root = np.cumsum(ahead, axis=0)
    legs = body[:, [INDEX["l_ankle"], INDEX["r_ankle"]], 1]
    root[:, 1] = ANKLE_HEIGHT_M - legs.min(1) + movement.jump_m * size * np.maximum(np.cos(2 * np.pi * hz * t_s), 0.0)
    turned = body @ rotation_from_vector(np.stack([0 * yaw, yaw, 0 * yaw], -1)).swapaxes(-1, -2)
    if mirrored:
        turned, root = mirror(turned), root * [-1.0, 1.0, 1.0]
    return Clip(movement.label, FPS, turned.astype(np.float32), root.astype(np.float32))


def _angles(swings: Swings, cycles: Floats, size: float, rng: np.random.Generator) -> dict[str, Floats]:
    """Returns (T,) rad of every angle, at cycles (T,) of a movement."""
    angles = {}
    for name in (*TRUNK, *(f"{side}_{name}" for side in "rl" for name in LIMBS)):
        middle, swing, times, peak = (
            swings.get(name) or swings.get(name.removeprefix("r_").removeprefix("l_")) or NO_SWING
        )
        sway = np.sin(2 * np.pi * (rng.uniform(0.1, 0.4) * cycles + rng.random()))
        angle_deg = middle + size * swing * np.cos(2 * np.pi * (times * cycles - peak)) + SWAY_DEG * sway
        if name.endswith(("knee", "elbow")):
            angle_deg = np.maximum(angle_deg, 0.0)  # joints with one direction
        angles[name] = np.radians(angle_deg)
    return angles


def _body(angles: Mapping[str, Floats]) -> Floats:
    """Returns (T,17,3) m relative to the pelvis, in body axes."""
    m = {part: BODY_HEIGHT_M[0] * share for part, share in BONE_LENGTH_SHARE.items()}
    lean, side, twist, look = (angles[name] for name in TRUNK)
    zero = np.zeros_like(lean)
    trunk = rotation_from_vector(np.stack([zero, twist, zero], -1)) @ rotation_from_vector(
        np.stack([lean, zero, side], -1)
    )
    out = np.zeros((len(lean), J, 3))
    thorax = trunk @ [0.0, m["thorax"], 0.0]
    out[:, INDEX["thorax"]] = thorax
    out[:, INDEX["head"]] = thorax + trunk @ [0.0, m["head"], 0.02]
    face = np.stack([np.sin(look), zero - 0.12, np.cos(look)], -1)
    out[:, INDEX["nose"]] = out[:, INDEX["head"]] + m["nose"] * np.einsum("tij,tj->ti", trunk, face)
    for name, sign in (("r", -1.0), ("l", 1.0)):
        flexion, outward, knee, arm, lift, elbow = (angles[f"{name}_{part}"] for part in LIMBS)
        hip = np.array([sign * m["hip"], 0.0, 0.0])
        thigh, shank = _limb(flexion, outward, -knee, sign)
        out[:, INDEX[f"{name}_hip"]] = hip
        out[:, INDEX[f"{name}_knee"]] = hip + m["knee"] * thigh
        out[:, INDEX[f"{name}_ankle"]] = hip + m["knee"] * thigh + m["ankle"] * shank
        shoulder = thorax + trunk @ [sign * m["shoulder"], 0.0, 0.0]
        upper, fore = (np.einsum("tij,tj->ti", trunk, bone) for bone in _limb(arm, lift, elbow, sign))
        out[:, INDEX[f"{name}_shoulder"]] = shoulder
        out[:, INDEX[f"{name}_elbow"]] = shoulder + m["elbow"] * upper
        out[:, INDEX[f"{name}_wrist"]] = shoulder + m["elbow"] * upper + m["wrist"] * fore
    return define_centres(out)


def _limb(flexion: Floats, outward: Floats, bend: Floats, sign: float) -> tuple[Floats, Floats]:
    """Returns (T,3) directions of the two bones of a limb, down at 0; ``bend`` rotates the second one forward."""
    c, s = np.cos(flexion), np.sin(flexion)
    first = np.stack([sign * np.sin(outward), -c * np.cos(outward), s * np.cos(outward)], -1)
    ahead = np.stack([np.zeros_like(c), s, c], -1)  # perpendicular to it
    return first, np.cos(bend)[:, None] * first + np.sin(bend)[:, None] * ahead
