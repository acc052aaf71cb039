"""Data for tests of training: exact poses, rigs with ground truth, simulated takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from pose_rig.arrays import Floats
from pose_rig.geometry import rotation_from_vector
from pose_rig.simulation.cameras import Cameras, look_at
from pose_rig.simulation.motion import Clip
from pose_rig.training.footage import simulated
from pose_rig.training.footage.dataset import PoseDataset
from pose_rig.training.footage.footage import Footage, GroundTruth, InputFrame
from tests.fusion.fakes import FPS, SIZE, film, ring, standing, walk

FLIP = torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)  # of depth: invisible in projections
SEEN = 0.95


@dataclass(frozen=True)
class Exact:
    """Poses (B,V,J,3), the same for all views of a frame but for their size, and their projections, float64."""

    pose: Tensor
    rotation: Tensor
    pose_2d: Tensor
    confidence: Tensor
    inverse_depth: Tensor

    @property
    def mirrored(self) -> "Exact":
        """The other poses with the same projections: P R X = P (F R F)(F X)."""
        return Exact(
            self.pose * FLIP, FLIP[:, None] * self.rotation * FLIP, self.pose_2d, self.confidence, self.inverse_depth
        )


def bodies(rng: np.random.Generator, count: int) -> Floats:
    """(N,J,3): standing people, each a little different."""
    out = standing() + rng.normal(0, 0.05, (count, len(standing()), 3))
    return np.asarray(out - out[:, :1])


def exact(seed: int = 0, frames: int = 6, views: int = 4, inverse_depth: float = 0.0) -> Exact:
    """Poses without noise, norm 1 in every image; with first-order perspective if ``inverse_depth`` > 0."""
    rng = np.random.default_rng(seed)
    body = bodies(rng, frames)[:, None] * rng.uniform(0.5, 2.0, (frames, views, 1, 1))
    rotation = rotation_from_vector(rng.normal(0, 1.0, (frames, views, 3)))
    there = np.einsum("bvij,bvkj->bvki", rotation, body)
    pose_2d = there[..., :2] / np.linalg.norm(there[..., :2], axis=(-2, -1), keepdims=True)
    if inverse_depth:
        pose_2d = perspective(there, inverse_depth)
    confidence, k = np.full(pose_2d.shape[:-1], SEEN), np.full((frames, views), inverse_depth)
    return Exact(*(torch.from_numpy(value) for value in (body, rotation, pose_2d, confidence, k)))


def perspective(there: Floats, inverse_depth: float) -> Floats:
    """(...,J,2), norm 1: poses (...,J,3) in their views, nearer joints further apart."""
    there = there / np.linalg.norm(there[..., :2], axis=(-2, -1), keepdims=True)
    image = there[..., :2] / (1 + inverse_depth * there[..., 2:])
    return np.asarray(image / np.linalg.norm(image, axis=(-2, -1), keepdims=True))


def wrong(scene: Exact, seed: int = 9) -> Exact:
    """The same 2D and confidences, with random lifts: another person in every view."""
    lead = scene.pose_2d.shape[:2]
    other = exact(seed, lead.numel(), 1)
    pose, rotation = (value.reshape(*lead, *value.shape[2:]) for value in (other.pose, other.rotation))
    return Exact(pose, rotation, scene.pose_2d, scene.confidence, scene.inverse_depth)


def blind(scene: Exact, view: int, joint: int | slice) -> Exact:
    """A joint, or all of them, is invisible in a view of the first frame."""
    pose_2d, confidence = scene.pose_2d.clone(), scene.confidence.clone()
    pose_2d[0, view, joint], confidence[0, view, joint] = 0.0, 0.0
    return Exact(scene.pose, scene.rotation, pose_2d, confidence, scene.inverse_depth)


def footage_of(joints: Floats, rig: Cameras, name: str, xy_px: Floats | None = None, score: float = 1.0) -> Footage:
    """Joints (T,J,3) in front of static cameras; xy_px (V,T,J,2) detections, exact if None."""
    over_time = rig.each(lambda values: values[:, None])
    xy, local = (value.swapaxes(0, 1).astype(np.float32) for value in over_time.project(joints[None]))
    return Footage(
        name=name,
        subject=name,
        xy_px=xy if xy_px is None else xy_px.swapaxes(0, 1).astype(np.float32),
        score=np.full(xy.shape[:3], score, np.float32),
        size_px=rig.size_px.astype(np.float32),
        focal_px=rig.focal_px.astype(np.float32),
        truth=GroundTruth(local, xy),
    )


def walking(
    seconds: float = 2.0, views: int = 4, *, noise: float = 0.0, hz: float = 10.0, seed: int = 0, start_deg: float = 0.0
) -> Footage:
    """A walk in front of a ring of static cameras, with all joints visible and ground truth."""
    rig = ring(views, start_deg=start_deg)
    scene = film(walk(seconds, hz), rig, noise=noise, seed=seed, fps=hz)
    return footage_of(scene.joints, rig, f"walk{seed}", scene.xy_px, SEEN)


def exact_walk(views: int = 4, frames: int = 6, distance_m: float = 4.0) -> Footage:
    """Returns a walk in front of a ring of cameras, without noise; every joint is visible."""
    people = walk(1)[:frames] - walk(1)[:frames, :1]
    angle = np.linspace(0.3, 2.4 * np.pi * views / (views + 1), views)
    position = distance_m * np.stack([np.sin(angle), 0.1 + 0 * angle, np.cos(angle)], -1)
    rotation = look_at(position, np.zeros((views, 3)))
    sizes = np.tile(np.array(SIZE, float), (views, 1))
    return footage_of(people, Cameras(rotation, position, np.full(views, 1000.0), sizes), "walk")


@cache
def clips() -> tuple[Clip, ...]:
    """A captured walk, two seconds at a time."""
    joints = walk(8.0).astype(np.float32)
    parts = joints.reshape(4, -1, *joints.shape[1:])
    return tuple(Clip(f"walking_{i}", FPS, part - part[:, :1], part[:, 0]) for i, part in enumerate(parts))


@cache
def takes(count: int = 6, views: int = 3, seed: int = 0) -> tuple[Footage, ...]:
    """Simulated takes of two seconds."""
    return tuple(simulated.simulate_footage(clips(), count, views, 2.0, seed))


def split_datasets(footage: Sequence[Footage], frame: InputFrame) -> tuple[PoseDataset, PoseDataset]:
    """Frames to learn from, and every fifth, held back."""
    held = [np.arange(one.frames) % 5 == 4 for one in footage]
    learned = [one.at(~some) for one, some in zip(footage, held, strict=True)]
    return PoseDataset(learned, frame), PoseDataset(
        [one.at(some) for one, some in zip(footage, held, strict=True)], frame
    )


def random_rotations(*shape: int, seed: int = 0, sd: float = 1.0) -> torch.Tensor:
    """Returns (...,3,3) rotations."""
    vector = np.random.default_rng(seed).normal(0, sd, (*shape, 3))
    return torch.from_numpy(rotation_from_vector(vector.reshape(-1, 3)).reshape(*shape, 3, 3)).float()
