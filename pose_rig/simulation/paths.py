"""Several people in one room: where each walks, so that they cross, and no two are in the same place.

Axes: T frames, N people, J = 17 joints. The room is y up, its floor at y = 0; m.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.geometry import rotation_from_vector
from pose_rig.simulation.bodies import heading

MIN_DISTANCE_M = 0.4  # between the pelvises of two people
CLEARANCE_M = 0.5  # wanted between them; less is corrected by force
CROSSING_M = 1.0  # two people who come so close have crossed
START_RADIUS_M = 0.75  # of the middles of the paths, from the middle of the room, times the root of their number
CANDIDATES = 30  # random places of a path, of which the best is used
WORK_DISTANCE_M = (0.45, 0.9)  # of people who work together, from their middle
WORK_AREA_M = (0.2, 2.0)  # longer side of the area in which each of them moves
WORK_TURN_SD = 0.7  # radians, of how they face that middle
EVASION_S = 0.6  # standard deviation over time of a step aside
MAX_EVASIONS = 2000
BYSTANDER_DISTANCE_M = (1.2, 3.0)  # from the area of the others
BYSTANDER_SPACE_M = 0.6  # from each other; twice that from cameras
GROUND = np.array([1.0, 0.0, 1.0])


def place_together(people: Sequence[Floats], frames: int, fps: float, rng: np.random.Generator) -> Floats:
    """Returns (T,N,J,3) people in one room, on paths that cross; `MIN_DISTANCE_M` apart at least.

    Args:
        people: Each (S,J,3), S ≥ T, who walks about the middle of the room; a random part is used.
        frames: T.
        fps: Frames per second.
        rng: Random generator.
    """
    placed: list[Floats] = []
    radius_m = START_RADIUS_M * len(people) ** 0.5
    for person in people:
        candidates = [_anywhere(person, frames, radius_m, rng) for _ in range(CANDIDATES if placed else 1)]
        placed.append(min(candidates, key=lambda candidate: _cost(candidate, placed)))
    return keep_apart(np.stack(placed, 1), fps)


def place_at_work(people: Sequence[Floats], frames: int, fps: float, rng: np.random.Generator) -> Floats:
    """Returns (T,N,J,3) people who stand around something and face it, and walk a little; arguments as above.

    The feet slide, as far as a path is shortened.
    """
    placed, angle = [], rng.uniform(0, 2 * np.pi) + 2 * np.pi * rng.permutation(len(people)) / max(len(people), 1)
    for person, around in zip(people, angle, strict=True):
        start = int(rng.integers(0, len(person) - frames + 1))
        moving = person[start : start + frames]
        path = moving[:, :1] * GROUND
        extent = max(float(np.ptp(path[:, 0], axis=0).max()), 1e-6)
        moving = moving - path + (path - path.mean(0)) * min(rng.uniform(*WORK_AREA_M) / extent, 1.0)
        ahead = np.arctan2(*heading(moving)[:, 2].mean(0)[[0, 2]])
        yaw = around + np.pi - ahead + rng.normal(0, WORK_TURN_SD)
        here = rng.uniform(*WORK_DISTANCE_M) * np.array([np.sin(around), 0.0, np.cos(around)])
        placed.append(moving @ rotation_from_vector(np.array([0.0, yaw, 0.0])).T + here)
    return keep_apart(np.stack(placed, 1), fps)


def keep_apart(joints: Floats, fps: float) -> Floats:
    """Returns people (T,N,J,3) who step aside where two of them are less than `MIN_DISTANCE_M` apart."""
    out = joints.copy()
    time_s = np.arange(len(out)) / fps
    for _ in range(MAX_EVASIONS):
        closest = min(
            ((float(distance.min()), int(distance.argmin()), pair) for distance, pair in _distances(out)),
            default=(np.inf, 0, (0, 0)),
        )
        if closest[0] >= MIN_DISTANCE_M:
            break
        distance, t, (one, other) = closest
        aside = _aside(out[:, one, 0] - out[:, other, 0], t)
        step = 0.5 * (MIN_DISTANCE_M - distance + 0.02) * np.exp(-0.5 * ((time_s - time_s[t]) / EVASION_S) ** 2)
        out[:, one] += (step[:, None] * aside)[:, None]
        out[:, other] -= (step[:, None] * aside)[:, None]
    return out


def place_around(people: Sequence[Floats], joints: Floats, cameras: Floats, rng: np.random.Generator) -> Floats:
    """Returns (T,N,J,3) bystanders, who stay where they are, outside the area of others.

    Args:
        people: Each (S,J,3), S ≥ T.
        joints: (T,M,J,3) the others.
        cameras: (V,3) positions of the cameras, which are kept free.
        rng: Random generator.
    """
    middle = joints[:, :, 0].mean((0, 1)) * GROUND
    reach = np.linalg.norm((joints[:, :, 0] - middle) * GROUND, axis=-1).max()
    taken = [(camera * GROUND, 2 * BYSTANDER_SPACE_M) for camera in cameras]
    out = []
    for person in people:
        spot = _free_spot(middle, reach, taken, rng)
        taken.append((spot, BYSTANDER_SPACE_M))
        standing = person[: len(joints)] - (person[: len(joints), :1] * GROUND)
        out.append(_turned(standing, rng) + spot)
    return np.stack(out, 1) if out else np.zeros((len(joints), 0, *joints.shape[2:]))


def nearest_distance(joints: Floats) -> Floats:
    """Returns (T,) the distance of the two people (T,N,J,3) who are closest on the floor; infinite for one person."""
    distances = [distance for distance, _ in _distances(joints)]
    return np.asarray(np.min(distances, axis=0)) if distances else np.full(len(joints), np.inf)


def _anywhere(person: Floats, frames: int, radius_m: float, rng: np.random.Generator) -> Floats:
    """Returns a random part (T,J,3) of a movement, turned and moved."""
    start = int(rng.integers(0, len(person) - frames + 1))
    angle, radius = rng.uniform(0, 2 * np.pi), radius_m * np.sqrt(rng.random())
    offset = radius * np.array([np.sin(angle), 0.0, np.cos(angle)])
    return np.asarray(_turned(person[start : start + frames], rng) + offset)


def _turned(person: Floats, rng: np.random.Generator) -> Floats:
    return np.asarray(person @ rotation_from_vector(np.array([0.0, rng.uniform(0, 2 * np.pi), 0.0])).T)


def _cost(candidate: Floats, placed: Sequence[Floats]) -> float:
    """Returns how much is missing of the clearance to others, per frame, and 1 if there is no crossing."""
    gaps = [np.linalg.norm((candidate[:, 0] - other[:, 0]) * GROUND, axis=-1) for other in placed]
    if not gaps:
        return 0.0
    missing = sum(float(np.maximum(CLEARANCE_M - gap, 0).mean()) for gap in gaps)
    return missing + float(np.min(gaps) > CROSSING_M)


def _distances(joints: Floats) -> list[tuple[Floats, tuple[int, int]]]:
    """Returns the distances (T,) of the pelvises of each pair of people on the floor."""
    pelvis = joints[:, :, 0] * GROUND
    pairs = combinations(range(joints.shape[1]), 2)
    return [(np.linalg.norm(pelvis[:, one] - pelvis[:, other], axis=-1), (one, other)) for one, other in pairs]


def _aside(gap: Floats, t: int) -> Floats:
    """Returns the unit vector (3,) on the floor in which two people part whose difference is ``gap`` (T,3)."""
    here = gap[t] * GROUND
    motion = (gap[min(t + 1, len(gap) - 1)] - gap[max(t - 1, 0)]) * GROUND
    if np.linalg.norm(here) < 0.5 * MIN_DISTANCE_M and np.linalg.norm(motion) > 0:  # through each other
        across = np.cross(motion, [0.0, 1.0, 0.0])
        here = across if across @ here >= 0 else -across
    if not here.any():
        here = np.array([1.0, 0.0, 0.0])
    return np.asarray(here / np.linalg.norm(here))


def _free_spot(middle: Floats, reach: float, taken: Sequence[tuple[Floats, float]], rng: np.random.Generator) -> Floats:
    """Returns a random point (3,) on the floor around the area, as far from the taken ones as they need if possible."""
    spots = []
    for _ in range(CANDIDATES):
        angle, radius = rng.uniform(0, 2 * np.pi), reach + rng.uniform(*BYSTANDER_DISTANCE_M)
        spot = middle + radius * np.array([np.sin(angle), 0.0, np.cos(angle)])
        missing = sum(max(space - float(np.linalg.norm(spot - other)), 0.0) for other, space in taken)
        spots.append((missing, spot))
        if missing == 0:
            break
    return min(spots, key=lambda pair: pair[0])[1]
