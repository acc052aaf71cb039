"""A captured walk of 5 s from the CMU Graphics Lab Motion Capture Database (NOTICE), repeated forward and backward.

Axes: T frames, J joints. Frame ``rig``: m, y up, floor at y = 0.
"""

from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import ArrayLike

from pose_rig.arrays import Floats


@cache
def captured_walk() -> tuple[Floats, float]:
    """Returns (T,J,3) joints in m, and their frames per second."""
    with resources.files("pose_rig.data").joinpath("sim_motion.npz").open("rb") as file, np.load(file) as arrays:
        return arrays["xyz_tenth_mm"] * 1e-4, float(arrays["fps"])


def walk_at(frame: ArrayLike) -> Floats:
    """Returns (...,J,3) joints in m at fractional frame numbers (...)."""
    xyz, _ = captured_walk()
    last = len(xyz) - 1
    position = last - np.abs(last - np.asarray(frame) % (2 * last))
    before = np.minimum(position.astype(int), last - 1)
    weight = (position - before)[..., None, None]
    return np.asarray((1 - weight) * xyz[before] + weight * xyz[before + 1])
