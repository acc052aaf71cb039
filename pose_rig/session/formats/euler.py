"""Rotations as the three angles of a BVH file, without jumps.

The angles are about z, x, y in that order: R = Rz · Rx · Ry. Every rotation has two such triples (and each angle any
number of whole turns), so those are taken that lie next to the ones before, beginning at T-pose: a knee that bends
through 90° goes on to 100° instead of turning all three angles over.
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats

# below this (radians, about) z and y cannot be told apart in float64, and z - y keeps its value
LOCKED = 1e-7


def zxy_deg(rotation: Floats) -> Floats:
    """Returns (T,3) degrees about z, x, y of one bone's rotations, continuous over time.

    The half angles follow from sums and differences of the quaternion's parts, which stay exact at x = ±90°; after
    Bernardes and Viollet, "Quaternion to Euler angles conversion", PLoS ONE 17(11), 2022.

    Args:
        rotation: (T,4) unit quaternions x, y, z, w.
    """
    x, y, z, w = rotation.T
    plus, minus = np.hypot(w + x, y + z), np.hypot(w - x, z - y)
    half_sum = _held(np.arctan2(y + z, w + x), plus < LOCKED)
    half_difference = _held(np.arctan2(z - y, w - x), minus < LOCKED)
    tilt = 2 * np.arctan2(plus - minus, plus + minus)
    return np.rad2deg(_continuous(np.stack([half_sum + half_difference, tilt, half_sum - half_difference], -1)))


def _held(angle: Floats, locked: NDArray[np.bool_]) -> Floats:
    """Returns (T,) the angles, where they are locked the last one before (0 in the beginning)."""
    last = np.maximum.accumulate(np.where(locked, -1, np.arange(len(angle))))
    return np.where(last < 0, 0.0, angle[last])


def _continuous(zxy: Floats) -> Floats:
    """Returns (T,3) of the equivalent triples of radians those that are nearest to the ones before."""
    flat = np.vstack([np.zeros((1, 3)), zxy])
    # the distance of two triples is the same if both are exchanged for their twins: only changes of side matter
    stay = np.abs(_wrapped(flat[1:] - flat[:-1])).sum(1)
    change = np.abs(_wrapped(_twin(flat[1:]) - flat[:-1])).sum(1)
    twin = np.cumsum(change < stay) % 2 == 1
    flat[1:] = np.where(twin[:, None], _twin(zxy), zxy)
    return np.unwrap(flat, axis=0)[1:]


def _twin(zxy: Floats) -> Floats:
    """Returns (T,3) the other angles, in radians, of the same rotations."""
    return np.asarray([np.pi, np.pi, np.pi] + zxy * [1.0, -1.0, 1.0])


def _wrapped(angle: Floats) -> Floats:
    """Returns radians within ±π."""
    return np.asarray((angle + np.pi) % (2 * np.pi) - np.pi)
