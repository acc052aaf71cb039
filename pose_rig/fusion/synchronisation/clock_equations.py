"""Normal equations of clocks and cameras, from reprojection errors that may have a constant in every block of time.

The errors of detectors change slowly: with the direction of view, the pose, the joint. A wrong clock shows in what
follows the movement within a second. So every keypoint of every view gets a constant per block, which is (all but)
eliminated, like the position of every joint at every time. What is left constrains offsets and rates of clocks, and the
cameras that would otherwise absorb them.

Axes: N times, V views, P points (`segments.POINTS`), M measurements (2·V), C parameters per camera, B blocks,
G = V·C + V + V globals: cameras, offsets in s, rates in s per s.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.reprojection import (
    FRAMES_PER_INDEPENDENT,
    Tracks,
    jacobians,
    residuals,
    robust_weight,
)
from pose_rig.fusion.calibration.bundle.state import BundleState, C

CAMERA_PRIOR_SD = 0.01  # of a step of rotations (rad), translations (m), log focal scale, distortion
CLOCK_PRIOR_SD = (0.2, 0.002)  # of a step of offsets (s) and rates
POINT_RIDGE = 1e-6
HELD = 1e12
SLOW_SHARE = 0.9  # of the mean of a block that is taken as the error of a detector


@dataclass(frozen=True, slots=True)
class ClockEquations:
    """Normal equations, block by block.

    Attributes:
        hessian: (B,G,G), gradient: (B,G).
        views: Their number.
    """

    hessian: Floats
    gradient: Floats
    views: int

    def solve(self, rates: NDArray[np.bool_]) -> "ClockStep":
        """Returns the Gauss–Newton step; the first camera has the rig's clock.

        Args:
            rates: (V,) which rates are free.
        """
        prior = np.concatenate([np.full(self.views * C, CAMERA_PRIOR_SD), np.repeat(CLOCK_PRIOR_SD, self.views)]) ** -2
        first = self.views * C
        held = np.concatenate([np.arange(self.views) == 0, ~rates | (np.arange(self.views) == 0)])
        prior[first:] = np.where(held, HELD, prior[first:])
        inverse = np.linalg.inv(self.hessian.sum(0) + FRAMES_PER_INDEPENDENT * np.diag(prior))
        step = inverse @ self.gradient.sum(0)
        scores = self.gradient - self.hessian @ step
        blocks = len(scores)
        covariance = inverse @ (scores.T @ scores) @ inverse * blocks / max(blocks - 1, 1)
        clock = np.where(held, 0.0, step[first:])
        return ClockStep(
            step[:first].reshape(self.views, C), clock[: self.views], clock[self.views :],
            covariance[first:, first:] * np.outer(~held, ~held),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ClockStep:
    """A Gauss–Newton step.

    Attributes:
        cameras: (V,C) as in `BundleState.updated`.
        offset_s: (V,) in the middle of the take, rate: (V,).
        covariance: (2·V,2·V) of offsets, then rates, from the scatter between the blocks.
    """

    cameras: Floats
    offset_s: Floats
    rate: Floats
    covariance: Floats


def clock_equations(
    state: BundleState, tracks: Tracks, velocity: Floats, time_s: Floats, blocks: int
) -> ClockEquations:
    """Returns the equations; velocities (N,V,P,2) are in the units of the tracks, times (N,) relative to the middle.

    The times are ``blocks`` blocks of equally many, one after the other.
    """
    count, views = tracks.weight.shape[:2]
    local, projected, residual, square = residuals(state, tracks)
    weight = np.sqrt(robust_weight(tracks, local, square) * FRAMES_PER_INDEPENDENT)[..., None, None]
    by_point, by_camera = jacobians(state, tracks, local, projected)
    by_offset = (velocity / tracks.sd[..., None])[..., None]
    by_clock = np.concatenate([by_offset, by_offset * time_s[:, None, None, None, None]], -1)
    visible = _by_point((tracks.weight > 0).astype(float)[..., None, None], 2)
    by_point, residual = _by_point(weight * by_point), _by_point(weight * residual[..., None])
    own = weight * np.concatenate([by_camera, by_clock], -1)
    hessian, gradient = [], []
    for block in range(blocks):
        part = slice(block * count // blocks, (block + 1) * count // blocks)
        rows = np.concatenate([_columns(own[part]), residual[part]], -1)
        rows = _without_constants(_without_points(rows, by_point[part]), visible[part])
        rows = rows.reshape(-1, rows.shape[-1])
        product = rows.T @ rows
        hessian.append(product[:-1, :-1])
        gradient.append(product[:-1, -1])
    return ClockEquations(np.stack(hessian), np.stack(gradient), views)


def _by_point(values: Floats, axes: int = 1) -> Floats:
    """Returns values (N,V,P,2,…) as (N,P,M,…); ``axes`` is 2 where both coordinates share a value."""
    values = np.repeat(values, axes, axis=3)
    count, views, points = values.shape[:3]
    return values.swapaxes(1, 2).reshape(count, points, views * 2, -1)


def _columns(own: Floats) -> Floats:
    """Returns (N,P,M,G) from the derivatives (N,V,P,2,C + 2) of every view by its own parameters."""
    count, views, points = own.shape[:3]
    out = np.zeros((count, points, views, 2, views * (C + 2)))
    for v in range(views):
        out[:, :, v, :, v * C : v * C + C] = own[:, v, ..., :C]
        out[:, :, v, :, views * C + v] = own[:, v, ..., C]
        out[:, :, v, :, views * (C + 1) + v] = own[:, v, ..., C + 1]
    return out.reshape(count, points, views * 2, -1)


def _without_points(rows: Floats, by_point: Floats) -> Floats:
    """Returns rows (N,P,M,…) with the positions of the joints eliminated."""
    transposed = by_point.swapaxes(-1, -2)
    return rows - by_point @ np.linalg.solve(transposed @ by_point + POINT_RIDGE * np.eye(3), transposed @ rows)


def _without_constants(rows: Floats, measured: Floats) -> Floats:
    """Returns rows (N,P,M,…) minus most of their mean over the times with a measurement (N,P,M,1)."""
    mean = (rows * measured).sum(0) / np.maximum(measured.sum(0), 1)
    return np.asarray(measured * (rows - SLOW_SHARE * mean))


def explained_velocity(state: BundleState, tracks: Tracks, velocity: Floats) -> Floats:
    """Returns (V,) the share of a view's squared velocities (N,V,P,2) that follows from those in the other views."""
    local, projected, _, square = residuals(state, tracks)
    weight = robust_weight(tracks, local, square)
    by_point, _ = jacobians(state, tracks, local, projected)
    rate = velocity / tracks.sd[..., None]
    matrix = np.einsum("nvp,nvpij,nvpik->nvpjk", weight, by_point, by_point)
    right = np.einsum("nvp,nvpij,nvpi->nvpj", weight, by_point, rate)
    others = matrix.sum(1, keepdims=True) - matrix
    ridge = 1e-3 * np.trace(others, axis1=-2, axis2=-1)[..., None, None] * np.eye(3) + 1e-9 * np.eye(3)
    speed = np.linalg.solve(others + ridge, (right.sum(1, keepdims=True) - right)[..., None])[..., 0]
    predicted = np.einsum("nvpij,nvpj->nvpi", by_point, speed)
    measured = (weight[..., None] * rate**2).sum((0, 2, 3))
    return np.asarray((weight[..., None] * rate * predicted).sum((0, 2, 3)) / np.maximum(measured, 1e-12))
