"""Movement of any duration of one person in a small area: segments of captured clips, joined smoothly.

Axes: T time steps, J = 17 joints. The room is y up, its floor at y = 0.
"""

from collections.abc import Sequence

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.errors import UsageError
from pose_rig.geometry import rotation_from_vector
from pose_rig.simulation.bodies import heading, mirror, place_heads, rebuild, rotate
from pose_rig.simulation.motion import Clip
from pose_rig.skeleton import INDEX, J

FPS = 30.0
MIN_SPEED_M_S = 0.4  # mean over the joints: idling and signalling are below 0.15, walking above 0.45
SLOW_SHARE = 0.65  # of the segments of people who work
MAX_SEGMENT_S = 5.0
BLEND_RATE_HZ = 6.0  # the difference of two segments decays to a tenth in two thirds of a second
MAX_CURVATURE_RAD_M = 1.3  # of the path
TURN_BACK_RADIUS_M = 0.8  # from the middle of the room
ANKLE_HEIGHT = 0.039  # of the body height (Drillis and Contini 1966)
LEGS = [INDEX[f"{side}_{part}"] for side in "lr" for part in ("knee", "ankle")]
ANKLES = [INDEX["l_ankle"], INDEX["r_ankle"]]


def moving_clips(clips: Sequence[Clip]) -> list[Clip]:
    """Returns the clips with a mean speed above `MIN_SPEED_M_S`.

    Raises:
        UsageError: There is none.
    """
    found = [clip for clip in clips if mean_speed_m_s(clip) > MIN_SPEED_M_S]
    if not found:
        raise UsageError("These motion files have no clip with enough movement.", "Add files of people walking.")
    return found


def working_clips(clips: Sequence[Clip]) -> list[Clip]:
    """Returns the clips so often that about `SLOW_SHARE` of them are slow: standing, signalling, working.

    Raises:
        UsageError: There are no slow ones, or no others.
    """
    moving = moving_clips(clips)
    slow = [clip for clip in clips if mean_speed_m_s(clip) <= MIN_SPEED_M_S]
    if not slow:
        raise UsageError("These motion files have no clip of people who stand.", "Add a file of idle people.")
    times = round(SLOW_SHARE / (1 - SLOW_SHARE) * len(moving) / len(slow))
    return [*moving, *(slow * max(times, 1))]


def mean_speed_m_s(clip: Clip) -> float:
    """Returns the mean speed of all joints in the room."""
    positions = clip.joints.astype(float) + clip.root[:, None]
    return float(np.linalg.norm(np.diff(positions, axis=0), axis=-1).mean() * clip.fps)


def random_walk(
    clips: Sequence[Clip], bones: Floats, body_height_m: float, seconds: float, rng: np.random.Generator
) -> Floats:
    """Returns (T,J,3) m in the room, at `FPS`: a person with bone lengths (17,) in an area of about 3 × 3 m."""
    length = round(seconds * FPS)
    joints, root = _segment(clips, bones, body_height_m, rng)
    while len(root) < length:
        joints, root = _join((joints, root), _segment(clips, bones, body_height_m, rng))
    joints, root = joints[:length], root[:length]
    seed = int(rng.integers(1 << 31))  # one head turn for the whole take
    joints = np.concatenate([place_heads(pose[None], np.random.default_rng(seed)) for pose in joints])
    return _bend_path(rebuild(joints, np.tile(bones, (length, 1))), root)


def walking_area(people: Floats, size_m: float) -> Floats:
    """Returns the person (T,J,3) on a path scaled to an area whose longer side is ``size_m``; the feet then slide."""
    path = people[:, 0] * np.array([1.0, 0.0, 1.0])
    return np.asarray(people + ((size_m / np.ptp(path, axis=0).max() - 1) * (path - path.mean(0)))[:, None])


def _segment(
    clips: Sequence[Clip], bones: Floats, body_height_m: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Returns joints (T,J,3) and root (T,3) of a random segment, with step length and floor scaled to the body."""
    clip = clips[int(rng.integers(len(clips)))]
    joints, root = clip.joints.astype(float), clip.root.astype(float)
    legs = np.linalg.norm(joints[:, LEGS] - joints[:, [i - 1 for i in LEGS]], axis=-1).mean(0).sum()
    root = root * (bones[LEGS].sum() / legs)
    joints = rebuild(joints, np.tile(bones, (len(joints), 1)))
    if rng.random() < 0.5:
        joints, root = mirror(joints), root * np.array([-1.0, 1.0, 1.0])
    ankle = (joints[:, ANKLES, 1] + root[:, None, 1]).min(1)
    root[:, 1] += ANKLE_HEIGHT * body_height_m - np.percentile(ankle, 5)
    time = np.arange(0, (len(joints) - 1) / clip.fps, 1 / FPS)
    max_start = max(time[-1] - MAX_SEGMENT_S, 0.0)
    start = rng.uniform(0, max_start) if max_start else 0.0
    time = start + time[time <= MAX_SEGMENT_S]
    columns = np.concatenate([joints, root[:, None]], 1).reshape(len(joints), -1)
    clip_time = np.arange(len(joints)) / clip.fps
    resampled = np.stack([np.interp(time, clip_time, column) for column in columns.T], -1).reshape(len(time), J + 1, 3)
    return resampled[:, :J], resampled[:, J]


def _join(before: tuple[Floats, Floats], after: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Returns two segments in sequence: the second continues the position, direction and speed of the first.

    The differences of pose and speed decay like a critically damped spring.
    """
    joints, root = after
    turn = heading(before[0][-1:])[0].T @ heading(joints[:1])[0]
    joints, root = joints @ turn.T, root @ turn.T
    root = root + (before[1][-1] - root[0]) * np.array([1.0, 0.0, 1.0])
    time = np.arange(1, len(root))[:, None, None] / FPS
    out = []
    for first, then in ((before[0], joints), (before[1][:, None], root[:, None])):
        gap = first[-1] - then[0]
        speed_gap = ((first[-1] - first[-2]) - (then[1] - then[0])) * FPS
        rest = (gap + (speed_gap + BLEND_RATE_HZ * gap) * time) * np.exp(-BLEND_RATE_HZ * time)
        out.append(np.concatenate([first, then[1:] + rest]))
    return out[0], out[1][:, 0]


def _bend_path(joints: Floats, root: Floats) -> Floats:
    """Returns the person (T,J,3) in the room, with the path bent to stay near the middle."""
    steps = np.diff(root[:, [0, 2]], axis=0, append=root[-1:, [0, 2]])
    position, turned = np.zeros(2), 0.0
    positions, yaws = [], []
    for step in steps:
        positions.append(position)
        yaws.append(turned)
        c, s = np.cos(turned), np.sin(turned)
        step = np.array([c * step[0] + s * step[1], c * step[1] - s * step[0]])
        position = position + step
        off = np.arctan2(*step) - np.arctan2(*-position)  # angles about y, from z to x, as the yaw
        off = (off + np.pi) % (2 * np.pi) - np.pi
        turned -= (
            np.sign(off)
            * min(abs(off), 1.0)
            * min(float(np.linalg.norm(position)) / TURN_BACK_RADIUS_M, 1.0)
            * (MAX_CURVATURE_RAD_M * float(np.linalg.norm(step)))
        )
    yaw = np.array(yaws)
    turn = rotation_from_vector(np.stack([0 * yaw, yaw, 0 * yaw], -1))
    path = np.stack(positions)
    return np.asarray(rotate(turn, joints) + np.stack([path[:, 0], root[:, 1], path[:, 1]], -1)[:, None])
