"""Simulated takes: one moving person in front of several cameras, with ground truth.

Axes: V views, T frames, J = 17 joints.
"""

from dataclasses import dataclass, replace

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.geometry import rotation_from_vector
from pose_rig.simulation.bodies import place_heads, random_bones, rebuild
from pose_rig.simulation.cameras import Cameras, look_at, random_cameras
from pose_rig.simulation.depth_estimates import estimated_depths
from pose_rig.simulation.motion import Clip
from pose_rig.simulation.noise import detect, drift, random_events

OTHER_PERSON_SHARE = 0.02  # of the frames in which a view detects another person
SKI_OUTLIER_SHARE = 0.25  # of the limb joints
AIM_SD = 0.04  # of a moving camera, as a share of the distance
LOG_FOCAL_SD = 0.15  # of a zooming camera


@dataclass(frozen=True, slots=True)
class Take:
    """A simulated take.

    Attributes:
        xy_px: (V,T,J,2) detections.
        score: (V,T,J) 0–1.
        fps: Frames per second.
        joints: (T,J,3) m, ground truth, in the room (y up).
        cameras: True cameras (V,), or (V,T) if they move.
        depth_px: (V,T,J) as the detector estimates them (`pose_rig.simulation.depth_estimates`); None = it does not.
    """

    xy_px: Floats
    score: Floats
    fps: float
    joints: Floats
    cameras: Cameras
    depth_px: Floats | None = None


def simulate(
    clip: Clip,
    views: int,
    seconds: float,
    rng: np.random.Generator,
    fps: float = 30.0,
    *,
    ski: bool = False,
    upside: float = 0.1,
) -> Take:
    """Returns a take of a random part of a clip, with random bones, in front of random cameras.

    Args:
        clip: The motion.
        views: Number of cameras.
        seconds: Maximum duration.
        rng: Random generator.
        fps: Maximum frame rate.
        ski: As in footage of skiers: cameras follow and zoom, and a quarter of the limb joints are outliers.
        upside: Share of cameras mounted on their side or upside down.
    """
    step = max(1, round(clip.fps / fps))
    joints, root = clip.joints[::step].astype(float), clip.root[::step].astype(float)
    fps = clip.fps / step
    length = min(len(joints), round(seconds * fps))
    start = int(rng.integers(0, len(joints) - length + 1))
    joints, root = joints[start : start + length], root[start : start + length]
    seed = int(rng.integers(1 << 31))
    bones = np.repeat(random_bones(1, rng), length, axis=0)
    # one rotation of the head for the whole take
    heads = np.concatenate([place_heads(pose[None], np.random.default_rng(seed)) for pose in joints])
    people = rebuild(heads, bones) + root[:, None] - root.mean(0) * np.array([1.0, 0.0, 1.0])
    turn = rotation_from_vector(np.array([0.0, rng.uniform(0, 2 * np.pi), 0.0]))
    people = people @ turn.T
    reach = np.linalg.norm(people[:, 0] - people[:, 0].mean(0), axis=-1).max()
    cameras = random_cameras((views,), people[:, 0].mean(0), rng, upside=upside)
    back = (cameras.position - people[:, 0].mean(0)) * 0.5 * reach / 3.0  # more distance for larger motion
    cameras = replace(cameras, position=cameras.position + back)
    if ski:
        cameras = follow(cameras, people[:, 0], fps, rng)
    xy, local = project(cameras, people)
    extent = np.ptp(xy, axis=-2).max(-1)[..., None, None]
    detections = detect(xy, fps, rng, lost=SKI_OUTLIER_SHARE if ski else 0.0)
    away = random_events(np.array([OTHER_PERSON_SHARE]), (views, length, 1), fps, rng)[..., None]
    bystander = xy[:, ::-1] + extent * rng.uniform(-2, 2, (views, 1, 1, 2))  # the same person at another time and place
    depth = estimated_depths(local, xy, detections, fps, rng.spawn(1)[0])  # of its own: all else is as without
    depth = np.where(away[..., 0], depth[:, ::-1], depth)
    return Take(np.where(away, bystander, detections.xy_px), detections.score, fps, people, cameras, depth)


def project(cameras: Cameras, people: Floats) -> tuple[Floats, Floats]:
    """Returns (V,T,J,2) px and (V,T,J,3) m in camera axes of people (T,J,3), for cameras (V,T) or (V,)."""
    if cameras.focal_px.ndim > 1:
        return cameras.project(people[None])
    return cameras.each(lambda values: values[:, None]).project(people[None])


def follow(cameras: Cameras, root: Floats, fps: float, rng: np.random.Generator) -> Cameras:
    """Returns (V,T) cameras on tripods that follow a pelvis (T,3) and zoom."""
    shape = (len(cameras.position), len(root))
    position = np.repeat(cameras.position[:, None], len(root), axis=1)
    distance = np.linalg.norm(position - root, axis=-1)[..., None]
    aim = root + AIM_SD * distance * drift((*shape, 1, 3), fps, rng)[..., 0, :]
    zoom = np.exp(LOG_FOCAL_SD * drift((*shape, 1, 1), fps, rng)[..., 0, 0])
    size = np.repeat(cameras.size_px[:, None], len(root), axis=1)
    return Cameras(look_at(position, aim), position, cameras.focal_px[:, None] * zoom, size)
