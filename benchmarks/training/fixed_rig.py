"""Footage of one fixed rig like that of Human3.6M: few people in front of the same four cameras.

Axes: V views, T frames, J = 17 joints.
"""

from collections.abc import Sequence

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.geometry import rotation_from_vector
from pose_rig.simulation.bodies import place_heads, random_bones, rebuild
from pose_rig.simulation.cameras import Cameras, look_at
from pose_rig.simulation.motion import Clip
from pose_rig.simulation.noise import detect, detections
from pose_rig.simulation.takes import Take, project
from pose_rig.training.footage.footage import Footage, GroundTruth
from pose_rig.training.footage.simulated import as_footage

FOCAL_PX, SIZE_PX = 1145.0, 1000.0
RADIUS_M, HEIGHT_M, TARGET_HEIGHT_M = 5.0, 1.6, 0.9
AZIMUTHS_DEG = (45.0, 135.0, 225.0, 315.0)
MAX_REACH_M = 1.5  # of a pelvis from the middle of the room; longer ways are scaled
MAX_SECONDS, HZ = 10.0, 5.0


def fixed_rig() -> Cameras:
    """Returns the four cameras (V,), in a circle around the middle of the room."""
    azimuth = np.radians(AZIMUTHS_DEG)
    height = np.full(4, HEIGHT_M)
    position = np.stack([RADIUS_M * np.sin(azimuth), height, RADIUS_M * np.cos(azimuth)], -1)
    rotation = look_at(position, np.array([0.0, TARGET_HEIGHT_M, 0.0]))
    return Cameras(rotation, position, np.full(4, FOCAL_PX), np.full((4, 2), SIZE_PX))


def fixed_rig_footage(clips: Sequence[Clip], people: int, takes: int, seed: int, *, exact: bool) -> list[Footage]:
    """Returns the footage of each person: random parts of random clips, one after the other, with the person's bones.

    Args:
        clips: Motion to draw from.
        people: Number of people.
        takes: Takes of each person, of at most 10 s.
        seed: Random seed; bodies, movements and rotations are the same with exact and with noisy 2D.
        exact: True projections as 2D instead of detections with the measured noise.
    """
    rng = np.random.default_rng(seed)
    cameras = fixed_rig()
    out = []
    for person in range(people):
        bones = random_bones(1, rng)
        parts = []
        for _ in range(takes):
            joints = _movement(clips[int(rng.integers(len(clips)))], bones, rng)
            xy, _ = project(cameras, joints)
            found = detections(xy, 1.0) if exact else detect(xy, HZ, rng.spawn(1)[0])
            take = Take(found.xy_px, found.score, HZ, joints, cameras)
            parts.append(as_footage(take, f"person{person}", HZ, moving=False))
        out.append(_joined(parts))
    return out


def _movement(clip: Clip, bones: Floats, rng: np.random.Generator) -> Floats:
    """Returns (T,J,3) m in the room: a random part of a clip, near the middle, turned about the vertical at random."""
    step = max(1, round(clip.fps / HZ))
    length = min(len(clip.joints), round(MAX_SECONDS * clip.fps))
    start = int(rng.integers(0, len(clip.joints) - length + 1))
    joints, root = (values[start : start + length : step].astype(float) for values in (clip.joints, clip.root))
    seed = int(rng.integers(1 << 31))
    # one rotation of the head for the whole take
    heads = np.concatenate([place_heads(pose[None], np.random.default_rng(seed)) for pose in joints])
    way = (root - root.mean(0)) * np.array([1.0, 0.0, 1.0])
    way *= min(1.0, MAX_REACH_M / max(float(np.linalg.norm(way, axis=-1).max()), 1e-6))
    height = root * np.array([0.0, 1.0, 0.0])
    turn = rotation_from_vector(np.array([0.0, rng.uniform(0, 2 * np.pi), 0.0]))
    people = rebuild(heads, np.repeat(bones, len(heads), axis=0)) + (way + height)[:, None]
    return np.asarray(people @ turn.T)


def _joined(parts: Sequence[Footage]) -> Footage:
    """Returns takes of one person in front of one rig as one."""
    truths = [part.truth for part in parts if part.truth is not None]
    first = parts[0]
    return Footage(
        name=first.name,
        subject=first.subject,
        xy_px=np.concatenate([part.xy_px for part in parts]),
        score=np.concatenate([part.score for part in parts]),
        size_px=first.size_px,
        focal_px=first.focal_px,
        truth=GroundTruth(
            np.concatenate([truth.joints for truth in truths]), np.concatenate([truth.xy_px for truth in truths])
        ),
    )
