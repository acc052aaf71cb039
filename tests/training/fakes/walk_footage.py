"""Footage with ground truth.

Axes: T frames, V views, J = 17 joints.
"""

from pathlib import Path

import numpy as np
import torch

from pose_rig.geometry import rotation_from_vector
from pose_rig.simulation.cameras import Cameras, look_at
from pose_rig.simulation.clips import load_clips
from pose_rig.training.footage.footage import Footage
from pose_rig.training.footage.simulated import simulate_footage
from tests.fusion.fakes import walk
from tests.training.fakes.footage import footage_of
from tests.training.fakes.motion_files import write_motion

SIZE_PX, FOCAL_PX = (1280, 720), 1000.0


def simulated(folder: Path, takes: int = 12, views: int = 4, seed: int = 0) -> list[Footage]:
    """Returns noisy takes of a walk."""
    return simulate_footage(load_clips([write_motion(folder / "motion.npz")]), takes, views, 1.0, seed, hz=10.0)


def exact(views: int = 4, frames: int = 6, distance_m: float = 4.0) -> Footage:
    """Returns a walk in front of a ring of cameras, without noise; every joint is visible."""
    people = walk(1)[:frames] - walk(1)[:frames, :1]
    angle = np.linspace(0.3, 2.4 * np.pi * views / (views + 1), views)
    position = distance_m * np.stack([np.sin(angle), 0.1 + 0 * angle, np.cos(angle)], -1)
    rotation = look_at(position, np.zeros((views, 3)))
    sizes = np.tile(np.array(SIZE_PX, float), (views, 1))
    return footage_of(people, Cameras(rotation, position, np.full(views, FOCAL_PX), sizes), "walk")


def random_rotations(*shape: int, seed: int = 0, sd: float = 1.0) -> torch.Tensor:
    """Returns (...,3,3) rotations."""
    vector = np.random.default_rng(seed).normal(0, sd, (*shape, 3))
    return torch.from_numpy(rotation_from_vector(vector.reshape(-1, 3)).reshape(*shape, 3, 3)).float()
