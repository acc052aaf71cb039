"""Whole simulated takes: one person moving before several cameras, with the truth beside it.

Axes: V views, T instants, J = 17 joints.
"""

from dataclasses import dataclass

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.geometry import rotation_from_vector
from pose_rig.simulation.bodies import place_heads, random_bones, rebuild
from pose_rig.simulation.cameras import Cameras, look_at, random_cameras
from pose_rig.simulation.motion import Clip
from pose_rig.simulation.noise import detect, drift, happens

LOST_VIEW_SHARE = 0.02  # of the time a view follows somebody else
SKI_OUTLIERS = 0.25  # share of the limb joints that are lost where people move fast before snow
FOLLOW_SD = 0.04  # how badly a moving camera follows, of the distance
ZOOM_SD = 0.15  # of the logarithm of its focal length


@dataclass(frozen=True, slots=True)
class Take:
    """A simulated take.

    Attributes:
        xy_px: (V,T,J,2) detections.
        score: (V,T,J) 0–1.
        fps: Instants per second.
        joints: (T,J,3) m, the truth, in the room (y up).
        cameras: The V true cameras, one for each instant (V,T) if they move.
    """

    xy_px: Floats
    score: Floats
    fps: float
    joints: Floats
    cameras: Cameras


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
    """Returns a take of a random stretch of a clip, with another body, in front of random cameras.

    Args:
        clip: Whose movement.
        views: How many cameras.
        seconds: Length at most.
        rng: Source of chance.
        fps: Instants per second at most.
        ski: As skiers are filmed: cameras follow and zoom, and a quarter of the limb joints are lost.
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
    # one head turn for the whole take: the same chance for every instant
    heads = np.concatenate([place_heads(pose[None], np.random.default_rng(seed)) for pose in joints])
    people = rebuild(heads, bones) + root[:, None] - root.mean(0) * np.array([1.0, 0.0, 1.0])
    turn = rotation_from_vector(np.array([0.0, rng.uniform(0, 2 * np.pi), 0.0]))
    people = people @ turn.T
    reach = np.linalg.norm(people[:, 0] - people[:, 0].mean(0), axis=-1).max()
    cameras = random_cameras((views,), people[:, 0].mean(0), rng, upside=upside)
    back = (cameras.position - people[:, 0].mean(0)) * 0.5 * reach / 3.0  # who walks needs room
    cameras = Cameras(cameras.rotation, cameras.position + back, cameras.focal_px, cameras.size_px)
    if ski:
        cameras = follow(cameras, people[:, 0], fps, rng)
    xy, _ = project(cameras, people)
    extent = np.ptp(xy, axis=-2).max(-1)[..., None, None]
    seen = detect(xy, fps, rng, lost=SKI_OUTLIERS if ski else 0.0)
    away = happens(np.array([LOST_VIEW_SHARE]), (views, length, 1), fps, rng)[..., None]
    bystander = xy[:, ::-1] + extent * rng.uniform(-2, 2, (views, 1, 1, 2))  # the same person, another time and place
    return Take(np.where(away, bystander, seen.xy_px), seen.score, fps, people, cameras)


def project(cameras: Cameras, people: Floats) -> tuple[Floats, Floats]:
    """Returns (V,T,J,2) px and (V,T,J,3) m in the cameras' axes of people (T,J,3), cameras moving (V,T) or not (V,)."""
    if cameras.focal_px.ndim > 1:
        return cameras.project(people[None])
    values = (cameras.rotation, cameras.position, cameras.focal_px, cameras.size_px)
    return Cameras(*(value[:, None] for value in values)).project(people[None])


def follow(cameras: Cameras, root: Floats, fps: float, rng: np.random.Generator) -> Cameras:
    """Returns (V,T) cameras that follow a person's pelvis (T,3) about as well as somebody with a tripod, and zoom."""
    shape = (len(cameras.position), len(root))
    position = np.repeat(cameras.position[:, None], len(root), axis=1)
    distance = np.linalg.norm(position - root, axis=-1)[..., None]
    aim = root + FOLLOW_SD * distance * drift((*shape, 1, 3), fps, rng)[..., 0, :]
    zoom = np.exp(ZOOM_SD * drift((*shape, 1, 1), fps, rng)[..., 0, 0])
    size = np.repeat(cameras.size_px[:, None], len(root), axis=1)
    return Cameras(look_at(position, aim), position, cameras.focal_px[:, None] * zoom, size)
