"""Whole simulated takes: one person moving before several cameras, with the truth beside it.

Axes: V views, T instants, J = 17 joints.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.geometry import rotation_from_vector
from pose_rig.training.bodies import place_heads, random_bones, rebuild
from pose_rig.training.motion import Clip
from pose_rig.training.noise import detect, happens
from pose_rig.training.rigs import Cameras, random_cameras

Floats = NDArray[np.float64]

LOST_VIEW_SHARE = 0.02  # of the time a view follows somebody else


@dataclass(frozen=True, slots=True)
class Take:
    """A simulated take.

    Attributes:
        xy_px: (V,T,J,2) detections.
        score: (V,T,J) 0–1.
        fps: Instants per second.
        joints: (T,J,3) m, the truth, in the room (y up).
        cameras: The V true cameras.
    """

    xy_px: Floats
    score: Floats
    fps: float
    joints: Floats
    cameras: Cameras


def simulate(clip: Clip, views: int, seconds: float, rng: np.random.Generator, fps: float = 30.0) -> Take:
    """Returns a take of a random stretch of a clip, with another body, in front of random cameras."""
    step = max(1, round(clip.fps / fps))
    joints, root = clip.joints[::step].astype(float), clip.root[::step].astype(float)
    fps = clip.fps / step
    length = min(len(joints), round(seconds * fps))
    start = int(rng.integers(0, len(joints) - length + 1))
    joints, root = joints[start : start + length], root[start : start + length]
    seed = int(rng.integers(1 << 31))
    bones = np.repeat(random_bones(1, rng), length, axis=0)
    # one head turn for the whole take: the same chance for every instant
    heads = np.concatenate([place_heads(pose[None], np.random.default_rng(seed)) for pose in joints])
    people = rebuild(heads, bones) + root[:, None] - root.mean(0) * np.array([1.0, 0.0, 1.0])
    turn = rotation_from_vector(np.array([0.0, rng.uniform(0, 2 * np.pi), 0.0]))
    people = people @ turn.T
    reach = np.linalg.norm(people[:, 0] - people[:, 0].mean(0), axis=-1).max()
    cameras = random_cameras((views,), people[:, 0].mean(0), rng)
    back = (cameras.position - people[:, 0].mean(0)) * 0.5 * reach / 3.0  # who walks needs room
    cameras = Cameras(cameras.rotation, cameras.position + back, cameras.focal_px, cameras.size_px)
    over_time = Cameras(
        *(value[:, None] for value in (cameras.rotation, cameras.position, cameras.focal_px, cameras.size_px))
    )
    xy, _ = over_time.project(people[None])
    seen = detect(xy, fps, rng)
    lost = happens(np.array([LOST_VIEW_SHARE]), (views, length, 1), fps, rng)[..., None]
    extent = np.ptp(xy, axis=-2).max(-1)[..., None, None]
    bystander = xy[:, ::-1] + extent * rng.uniform(-2, 2, (views, 1, 1, 2))  # the same person, another time and place
    return Take(np.where(lost, bystander, seen.xy_px), seen.score, fps, people, cameras)
