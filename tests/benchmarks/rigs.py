"""Movement for the tests of simulated rigs: the walk that comes with the package."""

import numpy as np

from pose_rig.simulation.motion import Clip
from tests.fusion.fakes import walk


def walking(seconds: float = 3.0) -> Clip:
    joints = walk(seconds)
    return Clip("walking", 30.0, (joints - joints[:, :1]).astype(np.float32), joints[:, 0].astype(np.float32))


def standing_still() -> Clip:
    clip = walking(1.0)
    return Clip("idle", 30.0, np.tile(clip.joints[:1], (30, 1, 1)), np.tile(clip.root[:1], (30, 1)))
