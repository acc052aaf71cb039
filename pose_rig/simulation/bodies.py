"""Simulated people: random bone lengths, and new poses from captured ones.

Axes: N samples, J = 17 joints. All poses in m, relative to the pelvis, y up.
"""

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.geometry import rotation_from_vector
from pose_rig.skeleton import INDEX, MIRROR, PARENTS, J

UPPER = [INDEX["thorax"], *range(INDEX["nose"], J)]
ARMS = (("l_shoulder", "l_elbow", "l_wrist"), ("r_shoulder", "r_elbow", "r_wrist"))
LEGS = (("l_hip", "l_knee", "l_ankle"), ("r_hip", "r_knee", "r_ankle"))
# Length of the bone that ends in a joint as a share of the body height, after Drillis and Contini (1966), with hips
# (inward, upward) and heads (between the ears) where detectors place them; standard deviation between people below.
BONE_LENGTH_SHARE = {
    "hip": 0.056, "knee": 0.238, "ankle": 0.226, "thorax": 0.300, "head": 0.118, "shoulder": 0.103,
    "elbow": 0.168, "wrist": 0.148, "nose": 0.068,
}  # fmt: skip
BONE_LENGTH_SD = {"hip": 0.14, "shoulder": 0.10, "nose": 0.10, "head": 0.12}
DEFAULT_BONE_LENGTH_SD = 0.065
SIDE_DIFFERENCE_SD = 0.012  # difference of left and right
BODY_HEIGHT_M = (1.70, 0.11)  # mean and standard deviation


def mirror(joints: Floats) -> Floats:
    """Returns the mirror images: left and right exchanged, x negated."""
    return np.asarray(joints[:, MIRROR] * np.array([-1.0, 1.0, 1.0]))


def heading(joints: Floats) -> Floats:
    """Returns (N,3,3) body_from_room about the vertical, such that the person faces +z in ``body``.

    The left of the person is the mean direction right → left of hips and shoulders, projected to the floor.
    """

    def across(part: str) -> Floats:
        d = joints[:, INDEX[f"l_{part}"]] - joints[:, INDEX[f"r_{part}"]]
        return np.asarray(d / np.maximum(np.linalg.norm(d, axis=-1, keepdims=True), 1e-6))

    left = across("hip") + across("shoulder")
    length = np.maximum(np.hypot(left[:, 0], left[:, 2]), 1e-6)
    c, s, zero = left[:, 0] / length, left[:, 2] / length, np.zeros(len(left))
    return np.stack([c, zero, s, zero, zero + 1, zero, -s, zero, c], -1).reshape(-1, 3, 3)


def rotate(rotation: Floats, joints: Floats) -> Floats:
    """Returns (N,J,3) joints (N,J,3) rotated by (N,3,3)."""
    return np.asarray(joints @ rotation.swapaxes(-1, -2))


def random_bones(count: int, rng: np.random.Generator) -> Floats:
    """Returns (count,17) bone lengths in m, each the distance from a joint to its parent."""
    height_m = rng.normal(*BODY_HEIGHT_M, count).clip(1.35, 2.1)
    lengths = np.zeros((count, J))
    for part, mean in BONE_LENGTH_SHARE.items():
        length = height_m * mean * np.exp(rng.normal(0, BONE_LENGTH_SD.get(part, DEFAULT_BONE_LENGTH_SD), count))
        for joint, i in INDEX.items():
            if joint == part or joint[2:] == part:
                lengths[:, i] = length * np.exp(rng.normal(0, SIDE_DIFFERENCE_SD, count))
    return lengths


def rebuild(joints: Floats, lengths: Floats) -> Floats:
    """Returns the poses with the given bone lengths (N,17) and the directions of their bones."""
    bones = joints - joints[:, PARENTS]
    trunk = joints[:, INDEX["thorax"]] - joints[:, 0]
    bones[:, INDEX["thorax"]] = trunk
    bones[:, INDEX["nose"]] = joints[:, INDEX["nose"]] - joints[:, INDEX["head"]]
    bones *= (lengths / np.maximum(np.linalg.norm(bones, axis=-1), 1e-6))[..., None]
    out = np.zeros_like(joints)
    for name in ("r_hip", "l_hip", "thorax"):
        out[:, INDEX[name]] = bones[:, INDEX[name]]
    for name in ("r_knee", "r_ankle", "l_knee", "l_ankle", "head", *(name for arm in ARMS for name in arm)):
        i = INDEX[name]
        out[:, i] = out[:, PARENTS[i]] + bones[:, i]
    out[:, INDEX["nose"]] = out[:, INDEX["head"]] + bones[:, INDEX["nose"]]
    return define_centres(out)


def define_centres(joints: Floats) -> Floats:
    """Returns the poses with pelvis, thorax and spine recomputed as centres of other joints, pelvis at the origin."""
    out = joints.copy()
    out[:, INDEX["pelvis"]] = 0.5 * (joints[:, INDEX["l_hip"]] + joints[:, INDEX["r_hip"]])
    out[:, INDEX["thorax"]] = 0.5 * (joints[:, INDEX["l_shoulder"]] + joints[:, INDEX["r_shoulder"]])
    out[:, INDEX["spine"]] = 0.5 * (out[:, INDEX["pelvis"]] + out[:, INDEX["thorax"]])
    return np.asarray(out - out[:, :1])


def mix(lower: Floats, upper: Floats) -> Floats:
    """Returns the poses with the lower body of one person and the upper body of another, facing +z."""
    out = rotate(heading(lower), lower)
    out[:, UPPER] = rotate(heading(upper), upper)[:, UPPER]
    return out


def random_rotation(count: int, sd_deg: float, rng: np.random.Generator) -> Floats:
    """Returns (count,3,3) rotations; each component of the rotation vector has the given standard deviation."""
    return rotation_from_vector(rng.normal(0, np.radians(sd_deg), (count, 3)))


def swing_limbs(joints: Floats, rng: np.random.Generator) -> Floats:
    """Returns the poses with arms and legs rotated about their first joint at random."""
    out = joints.copy()
    for limbs, sd_deg in ((ARMS, 38.0), (LEGS, 14.0)):
        for names in limbs:
            i = [INDEX[name] for name in names]
            pivot = out[:, i[:1]]
            swing = random_rotation(len(out), sd_deg, rng)
            axis = out[:, i[1]] - out[:, i[0]]
            axis /= np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-6)
            twist = rotation_from_vector(axis * rng.normal(0, np.radians(1.2 * sd_deg), (len(out), 1)))
            out[:, i] = pivot + rotate(swing @ twist, out[:, i] - pivot)
    return out


def place_heads(joints: Floats, rng: np.random.Generator) -> Floats:
    """Returns the poses with randomly rotated heads, since the heads of the clips are synthetic."""
    face = heading(joints).swapaxes(-1, -2)
    yaw, pitch, roll = rng.normal(0, np.radians([32.0, 18.0, 10.0]), (len(joints), 3)).T
    zero = np.zeros_like(yaw)
    turn = rotation_from_vector(np.stack([zero, yaw, zero], -1)) @ rotation_from_vector(
        np.stack([pitch, zero, roll], -1)
    )
    out = joints.copy()
    forward = np.array([0.0, -0.12, 1.0])  # the nose is a little below the ears
    out[:, INDEX["nose"]] = out[:, INDEX["head"]] + 0.11 * np.einsum("nij,j->ni", face @ turn, forward)
    return out


def random_people(pool_draws: tuple[Floats, Floats], rng: np.random.Generator, *, vary: bool = True) -> Floats:
    """Returns (N,17,3) m: random people from two draws of captured poses (N,17,3).

    Args:
        pool_draws: Poses, and poses for some of the upper bodies.
        rng: Random generator.
        vary: Change the poses too, not only bones and heads.
    """
    first, second = pool_draws
    count = len(first)
    joints = rotate(heading(first), first)
    if vary:
        chosen = rng.random(count) < 0.5
        joints[chosen] = mix(first[chosen], second[chosen])
        chosen = rng.random(count) < 0.5
        joints[chosen] = swing_limbs(joints[chosen], rng)
        chosen = rng.random(count) < 0.4
        bend = random_rotation(int(chosen.sum()), 12.0, rng)
        upper = joints[chosen]
        upper[:, UPPER] = rotate(bend, upper[:, UPPER])
        joints[chosen] = upper
    joints = rebuild(place_heads(joints, rng), random_bones(count, rng))
    if vary:  # detectors and mocap define joints differently, by a few cm
        joints = define_centres(joints + rng.normal(0, 0.012, joints.shape))
        tilt = np.where(rng.random(count) < 0.06, 60.0, 5.0)
        vector = rng.normal(0, 1, (count, 3)) * np.radians(tilt)[:, None]
        joints = rotate(rotation_from_vector(vector), joints)
    flipped = rng.random(count) < 0.5
    joints[flipped] = mirror(joints[flipped])
    return joints
