"""A walking person in front of known cameras, and files in the formats of benchmarks.

Axes: T frames, V views, J = 17 joints, K joints of a file.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.simulation.cameras import Cameras, look_at
from pose_rig.skeleton import INDEX
from tests.fusion.fakes import walk

FOCAL_PX = 1145.0
UNUSED = 777.0  # what joints of a file hold that are none of ours


@dataclass(frozen=True, slots=True)
class Shot:
    """room (T,J,3) m, z up; local (T,V,J,3) m in the axes of each camera; xy_px (T,V,J,2)."""

    room: Floats
    local: Floats
    xy_px: Floats


def shoot(seconds: float, sizes_px: Sequence[tuple[int, int]], start_deg: float = 0.0, fps: float = 50.0) -> Shot:
    """A walk in front of cameras all around."""
    joints = walk(seconds, fps)
    azimuth = np.radians(start_deg + 75.0 * np.arange(len(sizes_px)))
    position = np.stack([4 * np.sin(azimuth), 1.2 + 0.3 * (np.arange(len(azimuth)) % 3), 4 * np.cos(azimuth)], -1)
    rotation = look_at(position, np.array([0.0, 0.9, 0.0]))
    cameras = Cameras(rotation, position, np.full(len(azimuth), FOCAL_PX), np.array(sizes_px, float))
    xy_px, local = cameras.project(joints[:, None])
    return Shot(joints[..., [0, 2, 1]] * [1, -1, 1], local, xy_px)  # y up → z up


def as_file(joints: Floats, places: dict[str, int], width: int) -> Floats:
    """(...,width,C) of (...,J,C): our joints at their places in a file of so many."""
    out = np.full((*joints.shape[:-2], width, joints.shape[-1]), UNUSED)
    for name, place in places.items():
        out[..., place, :] = joints[..., INDEX[name], :]
    return out
