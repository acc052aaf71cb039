"""Anatomical joint angles and limb lengths.

Axes: T time steps, J joints. Frame ``rig``, m; angles in degrees, NaN where a joint is not detected.
"""

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.session.formats.poses import Poses

SIDES = ("l", "r")
ANGLES = ("knee flexion", "hip flexion", "elbow flexion", "shoulder elevation")
LIMBS = {
    "thigh": ("hip", "knee"),
    "shank": ("knee", "ankle"),
    "upper arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
}
_NEEDED = {
    "knee flexion": ("hip", "knee", "ankle"),
    "hip flexion": ("hip", "knee"),
    "elbow flexion": ("shoulder", "elbow", "wrist"),
    "shoulder elevation": ("shoulder", "elbow"),
}


def angle_deg(poses: Poses, name: str, side: str) -> Floats:
    """Returns (T,) one of `ANGLES` of one side, ``l`` or ``r``.

    - Knee and elbow flexion: 0° when straight, growing as the limb bends; never negative.
    - Hip flexion: of the thigh against the trunk, seen from the person's side: 0° standing, positive forwards,
      negative backwards. The trunk points from the pelvis to the thorax, the side is that of the hip line.
    - Shoulder elevation: of the upper arm against the trunk, in any direction: 0° hanging, 90° horizontal,
      180° overhead. Flexion and abduction are not separated: they are not defined for every pose.
    """
    with np.errstate(invalid="ignore", divide="ignore"):  # coinciding joints have no angle: NaN
        return _angle_deg(poses, name, side)


def angles_deg(poses: Poses) -> dict[str, Floats]:
    """Returns (T,) every angle of both sides by its column name, such as ``l_knee_flexion``."""
    return {f"{side}_{name.replace(' ', '_')}": angle_deg(poses, name, side) for side in SIDES for name in ANGLES}


def _angle_deg(poses: Poses, name: str, side: str) -> Floats:
    places = [_joint(poses, f"{side}_{part}") for part in _NEEDED[name]]
    if name in ("knee flexion", "elbow flexion"):
        above, joint, below = places
        return _between_deg(joint - above, below - joint)
    joint, below = places
    trunk = _joint(poses, "thorax") - _joint(poses, "pelvis")
    if name == "shoulder elevation":
        return _between_deg(-trunk, below - joint)
    up = trunk / np.linalg.norm(trunk, axis=1, keepdims=True)
    right = _joint(poses, "r_hip") - _joint(poses, "l_hip")
    forward = np.cross(up, right)
    forward /= np.linalg.norm(forward, axis=1, keepdims=True)
    thigh = below - joint
    return np.asarray(np.degrees(np.arctan2((thigh * forward).sum(1), -(thigh * up).sum(1))))


def limb_m(poses: Poses, limb: str, side: str) -> Floats:
    """Returns (T,) the length of a limb, one of `LIMBS`."""
    above, below = (_joint(poses, f"{side}_{part}") for part in LIMBS[limb])
    return np.asarray(np.linalg.norm(below - above, axis=1))


def _joint(poses: Poses, name: str) -> Floats:
    """Returns (T,3) a joint, NaN where it is guessed."""
    visible = poses.score[:, poses.joints.index(name)] > 0
    return np.where(visible[:, None], poses.joint(name), np.nan).astype(np.float64)


def _between_deg(a: Floats, b: Floats) -> Floats:
    """Returns (T,) the angles between vectors (T,3), by half-angle formula: exact near 0° and 180° too."""
    a = a / np.linalg.norm(a, axis=1, keepdims=True)
    b = b / np.linalg.norm(b, axis=1, keepdims=True)
    return np.asarray(np.degrees(2 * np.arctan2(np.linalg.norm(a - b, axis=1), np.linalg.norm(a + b, axis=1))))


def variation_percent(length_m: Floats) -> float:
    """Returns the coefficient of variation of a length in per cent, ignoring NaN; NaN if it is never known."""
    known = length_m[np.isfinite(length_m)]
    return float(100 * known.std() / known.mean()) if len(known) else float("nan")
