"""Movement as long as one likes, of one person who stays near: stretches of captured clips, joined without a jerk.

Axes: T instants, J = 17 joints. The room is y up, its floor at y = 0.
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
SLOWEST_M_S = 0.4  # mean over the joints: idling and signalling lie below 0.15, walking about above 0.45
LONGEST_S = 5.0  # of one stretch
OVERLAP_PER_S = 6.0  # what two stretches differ by has gone to a tenth after two thirds of a second
TURN_PER_M = 1.3  # radians: nobody walks tighter circles
NEAR_M = 0.8  # further from the middle of the room than this, people turn back
ANKLE_HEIGHT = 0.039  # of stature (Drillis and Contini 1966)
LEGS = [INDEX[f"{side}_{part}"] for side in "lr" for part in ("knee", "ankle")]
ANKLES = [INDEX["l_ankle"], INDEX["r_ankle"]]


def lively(clips: Sequence[Clip]) -> list[Clip]:
    """Returns the clips in which somebody moves.

    Raises:
        UsageError: There is none.
    """
    found = [clip for clip in clips if mean_speed_m_s(clip) > SLOWEST_M_S]
    if not found:
        raise UsageError("Nobody moves in these motion files.", "Add files of people walking about.")
    return found


def mean_speed_m_s(clip: Clip) -> float:
    """Returns how fast the joints move through the room, mean over joints and time."""
    places = clip.joints.astype(float) + clip.root[:, None]
    return float(np.linalg.norm(np.diff(places, axis=0), axis=-1).mean() * clip.fps)


def walk_about(
    clips: Sequence[Clip], bones: Floats, stature_m: float, seconds: float, rng: np.random.Generator
) -> Floats:
    """Returns (T,J,3) m in the room, at `FPS`: one person with the given bones (17,) who stays within about 3 × 3 m."""
    length = round(seconds * FPS)
    joints, root = _stretch(clips, bones, stature_m, rng)
    while len(root) < length:
        joints, root = _join((joints, root), _stretch(clips, bones, stature_m, rng))
    joints, root = joints[:length], root[:length]
    seed = int(rng.integers(1 << 31))  # one head turn for the whole take
    joints = np.concatenate([place_heads(pose[None], np.random.default_rng(seed)) for pose in joints])
    return _stay(rebuild(joints, np.tile(bones, (length, 1))), root)


def _stretch(clips: Sequence[Clip], bones: Floats, stature_m: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Returns joints (T,J,3) and root (T,3) of a random stretch, steps and floor made to fit the body."""
    clip = clips[int(rng.integers(len(clips)))]
    joints, root = clip.joints.astype(float), clip.root.astype(float)
    legs = np.linalg.norm(joints[:, LEGS] - joints[:, [i - 1 for i in LEGS]], axis=-1).mean(0).sum()
    root = root * (bones[LEGS].sum() / legs)
    joints = rebuild(joints, np.tile(bones, (len(joints), 1)))
    if rng.random() < 0.5:
        joints, root = mirror(joints), root * np.array([-1.0, 1.0, 1.0])
    ankle = (joints[:, ANKLES, 1] + root[:, None, 1]).min(1)
    root[:, 1] += ANKLE_HEIGHT * stature_m - np.percentile(ankle, 5)
    time = np.arange(0, (len(joints) - 1) / clip.fps, 1 / FPS)
    spare = max(time[-1] - LONGEST_S, 0.0)
    start = rng.uniform(0, spare) if spare else 0.0
    time = start + time[time <= LONGEST_S]
    both = np.concatenate([joints, root[:, None]], 1).reshape(len(joints), -1)
    own = np.arange(len(joints)) / clip.fps
    at = np.stack([np.interp(time, own, column) for column in both.T], -1).reshape(len(time), J + 1, 3)
    return at[:, :J], at[:, J]


def _join(before: tuple[Floats, Floats], after: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Returns two stretches one after the other: the second goes on where, whither and as fast as the first ended.

    What is left between the two poses, and between their speeds, dies away like a critically damped spring.
    """
    joints, root = after
    turn = heading(before[0][-1:])[0].T @ heading(joints[:1])[0]
    joints, root = joints @ turn.T, root @ turn.T
    root = root + (before[1][-1] - root[0]) * np.array([1.0, 0.0, 1.0])
    time = np.arange(1, len(root))[:, None, None] / FPS
    out = []
    for first, then in ((before[0], joints), (before[1][:, None], root[:, None])):
        gap = first[-1] - then[0]
        rush = ((first[-1] - first[-2]) - (then[1] - then[0])) * FPS
        rest = (gap + (rush + OVERLAP_PER_S * gap) * time) * np.exp(-OVERLAP_PER_S * time)
        out.append(np.concatenate([first, then[1:] + rest]))
    return out[0], out[1][:, 0]


def _stay(joints: Floats, root: Floats) -> Floats:
    """Returns the person (T,J,3) in the room, their path bent such that they stay near its middle."""
    steps = np.diff(root[:, [0, 2]], axis=0, append=root[-1:, [0, 2]])
    place, turned = np.zeros(2), 0.0
    places, yaws = [], []
    for step in steps:
        places.append(place)
        yaws.append(turned)
        c, s = np.cos(turned), np.sin(turned)
        step = np.array([c * step[0] + s * step[1], c * step[1] - s * step[0]])
        place = place + step
        off = np.arctan2(*step) - np.arctan2(*-place)  # angles about y, from z to x, as the yaw
        off = (off + np.pi) % (2 * np.pi) - np.pi
        turned -= (
            np.sign(off)
            * min(abs(off), 1.0)
            * min(float(np.linalg.norm(place)) / NEAR_M, 1.0)
            * (TURN_PER_M * float(np.linalg.norm(step)))
        )
    yaw = np.array(yaws)
    turn = rotation_from_vector(np.stack([0 * yaw, yaw, 0 * yaw], -1))
    path = np.stack(places)
    return np.asarray(rotate(turn, joints) + np.stack([path[:, 0], root[:, 1], path[:, 1]], -1)[:, None])
