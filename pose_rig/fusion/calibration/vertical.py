"""What is up: as the person stands, unless the cameras, which mostly stand level, say something else altogether.

Lifts take whoever they see for somebody upright. Of somebody who lies or hangs head down all the time they are a
quarter or half a turn off, and nothing in the poses shows it. Tripods, shelves and screens do: they stand level.

Axes: V views, N instants, J = 17 joints.
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.body_scale import ANKLE_HEIGHT
from pose_rig.skeleton import INDEX

APART_DEG = 45.0  # the two must be so far apart to contradict each other
ROLL_DEG = 20.0  # of a camera that stands level
TILT_DEG = 55.0
LOOKS_UP_DEG = 12.0  # cameras look down at people rather than up; what looks up may be turned on its side
MOST = 2 / 3  # of the cameras must stand level with each other
TRAVEL_M = 0.25  # standard deviation of where people walk, in the direction in which they do most
ON_FEET_M = 0.08  # and of how high their lower foot is
LEVEL = 0.03  # up weighs so little against across: a camera's tilt is anything, its roll about none
VERTICAL_FROM_CAMERAS = (
    "Up is as the cameras stand, for the person was never upright in their pictures. If it is the cameras that are "
    "turned, walk about; stand upright for a second at the beginning to be sure."
)
VERTICAL_UNCERTAIN = (
    "Up is uncertain: as the pictures show it, the person was never upright, or the cameras are turned. Stand upright "
    "for a second at the beginning and start again, with most cameras level."
)


def resolve_vertical(rotation: Floats, person_up: Floats) -> tuple[Floats, str]:
    """Returns what is up (3,) and, if that is in doubt, why, for people.

    Args:
        rotation: (V,3,3) camera_from_rig.
        person_up: (3,) as the lifts see it, of any length.
    """
    unit = person_up / max(float(np.linalg.norm(person_up)), 1e-9)
    level = vertical_from_cameras(rotation)
    if level is None:
        return person_up, "" if 2 * _stand(rotation, unit).sum() >= len(rotation) else VERTICAL_UNCERTAIN
    if level @ unit > np.cos(np.radians(APART_DEG)):
        return person_up, ""
    return level, VERTICAL_FROM_CAMERAS


def vertical_from_cameras(rotation: Floats) -> Floats | None:
    """Returns what is up (3,) for cameras that stand level, None if they do not, or are less than two."""
    across, up = rotation[:, 0], -rotation[:, 1]
    _, axes = np.linalg.eigh(across.T @ across - LEVEL * up.T @ up)
    found = axes[:, 0] * np.sign(axes[:, 0] @ up.sum(0))
    standing = _stand(rotation, found) & (rotation[:, 2] @ found < np.sin(np.radians(LOOKS_UP_DEG)))
    return found if standing.sum() >= max(2, MOST * len(rotation)) else None


def _stand(rotation: Floats, up: Floats) -> NDArray[np.bool_]:
    """Returns (V,) which cameras stand about level if this is up."""
    rolled = np.abs(rotation[:, 0] @ up) > np.sin(np.radians(ROLL_DEG))
    return np.asarray(~rolled & (-rotation[:, 1] @ up > np.cos(np.radians(TILT_DEG))))


def is_sideways(up: Floats) -> bool:
    """Whether a vertical (3,) in a camera's axes is none that a camera that stands level sees."""
    return bool(-up[1] < np.cos(np.radians(TILT_DEG)) * np.linalg.norm(up))


def has_walked(bodies: Floats, up: Floats) -> bool:
    """Whether people (N,J,3) m have has_walked about on their feet, which nobody does who lies or hangs."""
    pelvis = bodies[:, 0] - bodies[:, 0].mean(0)
    level = pelvis - (pelvis @ up)[:, None] * up
    travel = np.sqrt(np.linalg.eigvalsh(level.T @ level / max(len(level), 1))[-1])
    lower = (bodies[:, [INDEX["l_ankle"], INDEX["r_ankle"]]] @ up).min(1)
    return bool(travel > TRAVEL_M and lower.std() < ON_FEET_M)


def lowest_height(bodies: Floats, up: Floats, height_m: float) -> float:
    """Returns the floor height, m, under people (N,J,3) who lie, crawl or hang: their lowest joint touches it."""
    return float(np.percentile((bodies @ up).min(1), 20)) - ANKLE_HEIGHT * height_m
