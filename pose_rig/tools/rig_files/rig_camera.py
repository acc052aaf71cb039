"""Solved cameras for display: position, viewing direction, field of view, and what is uncertain.

Frame ``rig``: m, y up, floor at y = 0, optical axis of camera 0 along −z (docs/frames.md). Axes: V cameras.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.config import SolvedCamera
from pose_rig.geometry import nearest_rotation
from pose_rig.intrinsics import Intrinsics

# Two rays that meet at less than 20° give a depth three times as uncertain as their width, and worse below.
MIN_AXIS_ANGLE_DEG = 20.0
WARN_ROTATION_SD_DEG = 2.0  # 14 cm at 4 m; an unknown principal point makes 1.2°
WARN_POSITION_SD_M = 0.08
WARN_FOCAL_SD = 0.04  # share of the focal length
MIN_HORIZONTAL = 1e-3  # a viewing axis with a shorter horizontal part has no azimuth
UP = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True, slots=True)
class RigCamera:
    """A camera of a rig.

    Attributes:
        name: Name of the camera.
        solved: Its calibration, None if it is not solved.
    """

    name: str
    solved: SolvedCamera | None


SolvedCameras = list[tuple[int, str, SolvedCamera]]  # index in the rig, name, calibration


def solved_cameras(cameras: Sequence[RigCamera]) -> SolvedCameras:
    """Returns the solved cameras of a rig."""
    return [(index, camera.name, camera.solved) for index, camera in enumerate(cameras) if camera.solved]


def clocks_differ(cameras: Sequence[RigCamera]) -> bool:
    """Whether a solved camera has another clock than the rig."""
    return any(one.time_offset_s != 0 or one.time_rate != 1 for _, _, one in solved_cameras(cameras))


def camera_from_rig(camera: SolvedCamera) -> Floats:
    """Returns (3,3) the rotation, orthonormal despite the rounding of the file."""
    return nearest_rotation(np.array(camera.rotation))


def intrinsics_of(camera: SolvedCamera) -> Intrinsics:
    """Returns the intrinsics of one camera (V = 1)."""
    width, height = camera.size_px
    return Intrinsics(
        np.array([camera.focal_px]),
        np.array([[width, height]], np.float64),
        np.array([camera.principal_point_px or (width / 2, height / 2)]),
        np.array([camera.lens]),
        np.array([camera.fisheye]),
    )


def corner_directions(camera: SolvedCamera) -> Floats:
    """Returns (4,3) the directions of the corners of the image, camera axes, z = 1: clockwise from the top left."""
    width, height = camera.size_px
    corners_px = np.array([[[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]]])
    ideal_xy = intrinsics_of(camera).ideal_xy(corners_px)[0]
    return np.concatenate([ideal_xy, np.ones((4, 1))], 1)


def position_m(camera: SolvedCamera) -> Floats:
    """Returns (3,) the position, m, ``rig``."""
    return np.asarray(-camera_from_rig(camera).T @ camera.translation_m)


def optical_axis(camera: SolvedCamera) -> Floats:
    """Returns (3,) the unit vector of the viewing direction, ``rig``."""
    return np.asarray(camera_from_rig(camera)[2])


def azimuth_deg(camera: SolvedCamera) -> float | None:
    """Returns 0–360, clockwise from above, 0 = viewing direction of camera 0; None straight up or down."""
    x, _, z = optical_axis(camera)
    return float(np.degrees(np.arctan2(x, -z)) % 360) if np.hypot(x, z) > MIN_HORIZONTAL else None


def tilt_deg(camera: SolvedCamera) -> float:
    """Returns the angle of the viewing direction above the horizon, negative below."""
    return float(np.degrees(np.arcsin(np.clip(optical_axis(camera)[1], -1, 1))))


def roll_deg(camera: SolvedCamera) -> float | None:
    """Returns the rotation about the optical axis, clockwise from behind; None straight up or down."""
    axis = optical_axis(camera)
    level = np.cross(axis, UP)
    if np.linalg.norm(level) < MIN_HORIZONTAL:
        return None
    level /= np.linalg.norm(level)
    right = camera_from_rig(camera)[0]
    return float(np.degrees(np.arctan2(right @ np.cross(axis, level), right @ level)))


def horizontal_fov_deg(camera: SolvedCamera) -> float:
    """Returns the horizontal field of view, at the height of the principal point."""
    intrinsics = intrinsics_of(camera)
    edges_px = np.array([[[0.0, intrinsics.principal_point_px[0, 1]], [camera.size_px[0], 0.0]]])
    edges_px[0, 1, 1] = edges_px[0, 0, 1]
    left, right = np.degrees(np.arctan(intrinsics.ideal_xy(edges_px)[0, :, 0]))
    return float(right - left)


def rig_warnings(cameras: Sequence[RigCamera]) -> list[str]:
    """Returns what is weak about a rig, one sentence each; empty for a well placed and well known rig."""
    solved = [(name, camera) for _, name, camera in solved_cameras(cameras)]
    found = [f"{camera.name} is not solved." for camera in cameras if not camera.solved]
    if len(solved) == 2:
        found.append("Only two cameras: a third one would see occluded joints and stabilise the solution.")
    found += _parallel_pairs(solved)
    for name, camera in solved:
        found += _uncertainties(name, camera)
    return found


def _parallel_pairs(solved: Sequence[tuple[str, SolvedCamera]]) -> list[str]:
    """Returns the pairs with almost parallel optical axes, if no third camera crosses both."""
    axes = np.stack([optical_axis(camera) for _, camera in solved])
    angle = np.degrees(np.arccos(np.clip(axes @ axes.T, -1, 1)))
    crosses = (angle > MIN_AXIS_ANGLE_DEG) & (angle < 180 - MIN_AXIS_ANGLE_DEG)
    return [
        f"{solved[i][0]} and {solved[j][0]} "
        + ("have almost the same viewing direction" if angle[i, j] < 90 else "face each other")
        + f" ({angle[i, j]:.0f}° between their axes), and no other camera crosses both: depth along them is uncertain."
        for i, j in itertools.combinations(range(len(solved)), 2)
        if not crosses[i, j] and not (crosses[i] & crosses[j]).any()
    ]


def _uncertainties(name: str, camera: SolvedCamera) -> list[str]:
    found = []
    if camera.rotation_sd_deg > WARN_ROTATION_SD_DEG:
        found.append(f"direction ±{camera.rotation_sd_deg:.1f}°")
    if camera.translation_sd_m > WARN_POSITION_SD_M:
        found.append(f"position ±{camera.translation_sd_m * 100:.0f} cm")
    if camera.focal_sd_px > WARN_FOCAL_SD * camera.focal_px:
        found.append(f"focal length ±{100 * camera.focal_sd_px / camera.focal_px:.0f} %")
    return [f"{name} is uncertain: {', '.join(found)}. Move around in its view."] if found else []
