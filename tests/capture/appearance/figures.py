"""Painted people in an image."""

import cv2
import numpy as np

from pose_rig.arrays import Floats, Image
from pose_rig.skeleton import INDEX, J

RED, BLUE, BLACK, WHITE, SKIN = (30, 30, 200), (200, 60, 20), (15, 15, 15), (235, 235, 235), (140, 170, 220)  # BGR
BACKGROUND = (90, 140, 90)
SIZE = (640, 480)
_AT = {
    "pelvis": (0, 0), "r_hip": (-18, 0), "l_hip": (18, 0), "r_knee": (-20, 70), "l_knee": (20, 70),
    "r_ankle": (-21, 140), "l_ankle": (21, 140), "spine": (0, -45), "thorax": (0, -90), "nose": (0, -115),
    "head": (0, -120), "l_shoulder": (26, -88), "r_shoulder": (-26, -88), "l_elbow": (42, -45),
    "r_elbow": (-42, -45), "l_wrist": (46, 0), "r_wrist": (-46, 0),
}  # fmt: skip


def person(x: float, y: float = 230.0, size: float = 1.0) -> Floats:
    """Returns (J,2) px the joints of somebody who faces the camera; x and y of the hips."""
    out = np.zeros((J, 2))
    for name, at in _AT.items():
        out[INDEX[name]] = np.array([x, y]) + size * np.array(at)
    return out


def scene(background: tuple[int, int, int] = BACKGROUND) -> Image:
    """Returns an image of nobody."""
    return np.full((SIZE[1], SIZE[0], 3), background, np.uint8)


def paint(image: Image, joints: Floats, trunk: tuple[int, int, int], legs: tuple[int, int, int]) -> None:
    """Paints a person (J,2) with clothes of these colours."""
    corners = [INDEX[name] for name in ("l_shoulder", "r_shoulder", "r_hip", "l_hip")]
    cv2.fillPoly(image, [joints[corners].astype(np.int32)], trunk)
    for side in "lr":
        bones = joints[[INDEX[f"{side}_{name}"] for name in ("hip", "knee", "ankle")]].astype(np.int32)
        cv2.polylines(image, [bones], False, legs, 16)
