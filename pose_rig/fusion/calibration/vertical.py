"""The vertical: from the lifted poses, unless most cameras are level and contradict them.

The lifter is trained on upright people. For a person who always lies or hangs head down its vertical is a quarter or
half a turn off, and nothing in the poses shows it. Cameras on tripods, shelves and screens are level.

Axes: V views, N keyframes, J = 17 joints.
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.body_scale import ANKLE_HEIGHT
from pose_rig.skeleton import INDEX

MIN_CONTRADICTION_DEG = 45.0  # between the vertical of the lifts and that of the cameras
MAX_ROLL_DEG = 20.0  # of a level camera
MAX_TILT_DEG = 55.0
MAX_UPWARD_PITCH_DEG = 12.0  # cameras point down at people; one that points up may be mounted on its side
MIN_LEVEL_SHARE = 2 / 3  # of the cameras
MIN_TRAVEL_SD_M = 0.25  # of a walking person, along the direction of largest variance
MAX_FOOT_HEIGHT_SD_M = 0.08  # of a walking person's lower foot
UP_AXIS_WEIGHT = 0.03  # against the horizontal axes: tilts vary, rolls are near 0
VERTICAL_FROM_CAMERAS = (
    "The vertical is taken from the cameras, because the person was never upright in their images. If the cameras are "
    "rotated, walk about; stand upright for a second at the beginning to be sure."
)
VERTICAL_UNCERTAIN = (
    "The vertical is uncertain: the person was never upright in the images, or the cameras are rotated. Stand upright "
    "for a second at the beginning and start again, with most cameras level."
)


def resolve_vertical(rotation: Floats, person_up: Floats) -> tuple[Floats, str]:
    """Returns the vertical (3,) and a warning if it is uncertain.

    Args:
        rotation: (V,3,3) camera_from_rig.
        person_up: (3,) the vertical of the lifted poses, of any length.
    """
    unit = person_up / max(float(np.linalg.norm(person_up)), 1e-9)
    cameras_up = vertical_from_cameras(rotation)
    if cameras_up is None:
        return person_up, "" if 2 * _are_level(rotation, unit).sum() >= len(rotation) else VERTICAL_UNCERTAIN
    if cameras_up @ unit > np.cos(np.radians(MIN_CONTRADICTION_DEG)):
        return person_up, ""
    return cameras_up, VERTICAL_FROM_CAMERAS


def vertical_from_cameras(rotation: Floats) -> Floats | None:
    """Returns the vertical (3,) of level cameras, None if most are not level, or fewer than two."""
    across, up = rotation[:, 0], -rotation[:, 1]
    _, axes = np.linalg.eigh(across.T @ across - UP_AXIS_WEIGHT * up.T @ up)
    found = axes[:, 0] * np.sign(axes[:, 0] @ up.sum(0))
    level = _are_level(rotation, found) & (rotation[:, 2] @ found < np.sin(np.radians(MAX_UPWARD_PITCH_DEG)))
    return found if level.sum() >= max(2, MIN_LEVEL_SHARE * len(rotation)) else None


def _are_level(rotation: Floats, up: Floats) -> NDArray[np.bool_]:
    """Returns (V,) cameras with little roll and tilt, given the vertical."""
    rolled = np.abs(rotation[:, 0] @ up) > np.sin(np.radians(MAX_ROLL_DEG))
    return np.asarray(~rolled & (-rotation[:, 1] @ up > np.cos(np.radians(MAX_TILT_DEG))))


def is_sideways(up: Floats) -> bool:
    """Whether a vertical (3,) in a camera's axes is impossible for a level camera."""
    return bool(-up[1] < np.cos(np.radians(MAX_TILT_DEG)) * np.linalg.norm(up))


def has_walked(bodies: Floats, up: Floats) -> bool:
    """Whether people (N,J,3) m have walked on their feet, which excludes lying and hanging."""
    pelvis = bodies[:, 0] - bodies[:, 0].mean(0)
    level = pelvis - (pelvis @ up)[:, None] * up
    travel = np.sqrt(np.linalg.eigvalsh(level.T @ level / max(len(level), 1))[-1])
    lower = (bodies[:, [INDEX["l_ankle"], INDEX["r_ankle"]]] @ up).min(1)
    return bool(travel > MIN_TRAVEL_SD_M and lower.std() < MAX_FOOT_HEIGHT_SD_M)


def lowest_height(bodies: Floats, up: Floats, height_m: float) -> float:
    """Returns the floor height, m, under people (N,J,3) who lie, crawl or hang: their lowest joint touches it."""
    return float(np.percentile((bodies @ up).min(1), 20)) - ANKLE_HEIGHT * height_m
