"""Where solved cameras stand and look, in words and figures for people, and which of it is weak.

Frame ``rig``: m, y up, floor at y = 0, −z is the way camera 0 looks (docs/frames.md). Axes: V cameras.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.config import SolvedCamera
from pose_rig.geometry import nearest_rotation

# Two rays that meet at less than 20° give a depth three times as uncertain as their width, and worse below.
ALIKE_DEG = 20.0
ROTATION_SD_DEG = 1.0  # 7 cm at 4 m
POSITION_SD_M = 0.05
FOCAL_SD = 0.03  # share of the focal length
LEVEL = 1e-3  # shorter level parts of a viewing axis have no direction
UP = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True, slots=True)
class RigCamera:
    """A camera of a rig, solved or not.

    Attributes:
        name: Name of the camera.
        solved: Where it stands, None if nobody knows.
    """

    name: str
    solved: SolvedCamera | None


def rotation(camera: SolvedCamera) -> Floats:
    """Returns (3,3) camera_from_rig, free of the rounding of the file."""
    return nearest_rotation(np.array(camera.rotation))


def position_m(camera: SolvedCamera) -> Floats:
    """Returns (3,) where the camera stands, m, ``rig``."""
    return np.asarray(-rotation(camera).T @ camera.translation_m)


def axis(camera: SolvedCamera) -> Floats:
    """Returns (3,) the unit vector along which it looks, ``rig``."""
    return np.asarray(rotation(camera)[2])


def azimuth_deg(camera: SolvedCamera) -> float | None:
    """Returns 0–360, clockwise from above, 0 = the way camera 0 looks; None straight up or down."""
    x, _, z = axis(camera)
    return float(np.degrees(np.arctan2(x, -z)) % 360) if np.hypot(x, z) > LEVEL else None


def tilt_deg(camera: SolvedCamera) -> float:
    """Returns by how much it looks above the horizon, negative below."""
    return float(np.degrees(np.arcsin(np.clip(axis(camera)[1], -1, 1))))


def roll_deg(camera: SolvedCamera) -> float | None:
    """Returns by how much it is turned about its own axis, clockwise from behind; None straight up or down."""
    level = np.cross(axis(camera), UP)
    if np.linalg.norm(level) < LEVEL:
        return None
    level /= np.linalg.norm(level)
    right = rotation(camera)[0]
    return float(np.degrees(np.arctan2(right @ np.cross(axis(camera), level), right @ level)))


def view_deg(camera: SolvedCamera) -> float:
    """Returns the horizontal field of view."""
    return float(2 * np.degrees(np.arctan(camera.size_px[0] / 2 / camera.focal_px)))


def weaknesses(places: Sequence[RigCamera]) -> list[str]:
    """Returns what is weak about a rig, one sentence each; empty when it is well placed and well known."""
    solved = [(place.name, place.solved) for place in places if place.solved]
    found = [f"{place.name} is not solved." for place in places if not place.solved]
    if len(solved) == 2:
        found.append("Only two cameras: a third one would see what they hide, and hold them in place.")
    found += _pairs(solved)
    for name, camera in solved:
        found += _doubts(name, camera)
    return found


def _pairs(solved: Sequence[tuple[str, SolvedCamera]]) -> list[str]:
    """Returns the pairs whose views hardly cross, if no third camera crosses both."""
    axes = np.stack([axis(camera) for _, camera in solved])
    angle = np.degrees(np.arccos(np.clip(axes @ axes.T, -1, 1)))
    crosses = (angle > ALIKE_DEG) & (angle < 180 - ALIKE_DEG)
    return [
        f"{solved[i][0]} and {solved[j][0]} "
        + ("look nearly the same way" if angle[i, j] < 90 else "face each other")
        + f" ({angle[i, j]:.0f}° between their axes), and no other camera crosses both: depth along them is weak."
        for i, j in itertools.combinations(range(len(solved)), 2)
        if not crosses[i, j] and not (crosses[i] & crosses[j]).any()
    ]


def _doubts(name: str, camera: SolvedCamera) -> list[str]:
    doubts = []
    if camera.rotation_sd_deg > ROTATION_SD_DEG:
        doubts.append(f"its direction to ±{camera.rotation_sd_deg:.1f}°")
    if camera.translation_sd_m > POSITION_SD_M:
        doubts.append(f"its position to ±{camera.translation_sd_m * 100:.0f} cm")
    if camera.focal_sd_px > FOCAL_SD * camera.focal_px:
        doubts.append(f"its focal length to ±{100 * camera.focal_sd_px / camera.focal_px:.0f} %")
    return [f"{name} is known only roughly: {', '.join(doubts)}. Move about in its view."] if doubts else []
