"""Errors of the detector that depend on the direction of view, as unknowns of bundle adjustment.

Detectors place joints off their true positions, by shares of the person's size that depend on the side from which the
body is seen, and that do not average out: near and far hips differ in height, which looks like perspective. A left
joint is shifted to the right and up in the image, each by b₁ + b₂ cos φ + b₃ sin φ + b₄ cos 2φ + b₅ sin 2φ with the
azimuth φ of the camera in the frame of the body; a right joint by the mirror image of that, one in the middle by the
mean of both.

Axes: N keyframes, V views, P points (`segments.POINTS`), B coefficients: 8 body parts, 2 directions in the image, K = 5
terms. Coefficients are in standard deviations of a detection, which are shares of the person's size.
"""

from dataclasses import dataclass

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.normal_equations import NormalEquations
from pose_rig.fusion.calibration.bundle.segments import POINTS
from pose_rig.skeleton import INDEX, JOINTS

PARTS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist", "nose", "head")
K = 5
B = len(PARTS) * 2 * K
_NAMES = [JOINTS[joint] for joint in POINTS]
PART = [PARTS.index(name.removeprefix("l_").removeprefix("r_")) for name in _NAMES]  # (P)
SIDE = [("l_", "r_").index(name[:2]) if name[:2] in ("l_", "r_") else 2 for name in _NAMES]  # (P) left, right, middle
_HIPS, _SHOULDERS = ([POINTS.index(INDEX[f"{side}_{part}"]) for side in "lr"] for part in ("hip", "shoulder"))


@dataclass(frozen=True, slots=True)
class ViewDirections:
    """From where the body is seen in every view of every keyframe.

    Attributes:
        azimuth: (N,V) of the camera in the frame of the body: 0 ahead, π/2 on its left.
        right: (N,V,2), up: (N,V,2) directions in the image, for a person upright.
        sideways: (N,V,3,K), upwards: (N,V,3,K) the terms of a left, a right and a middle joint.
    """

    azimuth: Floats
    right: Floats
    up: Floats
    sideways: Floats
    upwards: Floats

    def jacobian(self, point: int) -> Floats:
        """Returns (N,V,2,2K) the derivatives of the shift of a point by the coefficients of its body part."""
        sideways, upwards = self.sideways[:, :, None, SIDE[point]], self.upwards[:, :, None, SIDE[point]]
        return np.concatenate([self.right[..., None] * sideways, self.up[..., None] * upwards], -1)

    def shift(self, bias: Floats) -> Floats:
        """Returns (N,V,P,2) the shifts of all points with coefficients (B,)."""
        across, along = bias.reshape(len(PARTS), 2, K)[PART].swapaxes(0, 1)  # (P,K)
        right = np.einsum("nvpk,pk->nvp", self.sideways[:, :, SIDE], across)
        up = np.einsum("nvpk,pk->nvp", self.upwards[:, :, SIDE], along)
        return np.asarray(right[..., None] * self.right[:, :, None] + up[..., None] * self.up[:, :, None])


def view_directions(rotation: Floats, translation: Floats, points: Floats) -> ViewDirections:
    """Returns from where the body is seen by cameras (V,3,3), (V,3), for points (N,P,3).

    The vertical is the median direction of the trunk; the body turns about it.
    """
    hips, shoulders = points[:, _HIPS], points[:, _SHOULDERS]
    vertical = _normalised(np.median(_normalised((shoulders - hips).sum(1)), axis=0))
    left = (hips[:, 0] - hips[:, 1]) + (shoulders[:, 0] - shoulders[:, 1])
    left = _normalised(left - (left @ vertical)[:, None] * vertical)
    middle = 0.25 * (hips + shoulders).sum(1)
    toward = -np.einsum("vji,vj->vi", rotation, translation) - middle[:, None]
    ahead = np.cross(left, vertical)
    azimuth = np.arctan2(np.einsum("nvi,ni->nv", toward, left), np.einsum("nvi,ni->nv", toward, ahead))
    local = np.einsum("vij,nj->nvi", rotation, middle) + translation
    step = rotation @ vertical
    up = _normalised(step[:, :2] * local[..., 2:] - local[..., :2] * step[:, 2:])
    terms, mirrored = _terms(azimuth), _terms(-azimuth)
    return ViewDirections(
        azimuth=azimuth,
        right=np.stack([-up[..., 1], up[..., 0]], -1),  # images are y down
        up=up,
        sideways=np.stack([terms, -mirrored, 0.5 * (terms - mirrored)], 2),
        upwards=np.stack([terms, mirrored, 0.5 * (terms + mirrored)], 2),
    )


def add_direction_bias(
    system: NormalEquations,
    directions: ViewDirections,
    residual: Floats,
    weight: Floats,
    by_point: Floats,
    by_camera: Floats,
) -> None:
    """Adds the derivatives by the bias, the last B globals, to the normal equations.

    Args:
        system: Detections without bias are in it already.
        directions: From where the body is seen; they count as fixed.
        residual: (N,V,P,2), in standard deviations.
        weight: (N,V,P).
        by_point: (N,V,P,2,3) derivatives of projections.
        by_camera: (N,V,P,2,C) the same.
    """
    count, views, points = weight.shape
    size, first = by_camera.shape[-1], len(system.hessian_global) - B
    cross = system.hessian_cross.reshape(count, points, 3, -1)  # a view of it
    for point in range(points):
        at = first + PART[point] * 2 * K + np.arange(2 * K)
        jacobian = directions.jacobian(point)
        weighted = (weight[:, :, point, None, None] * jacobian).reshape(count, views * 2, 2 * K)
        rows = jacobian.reshape(-1, 2 * K)
        cross[:, point, :, at[0] : at[-1] + 1] += (
            by_point[:, :, point].reshape(count, views * 2, 3).swapaxes(1, 2) @ weighted
        )
        system.hessian_global[np.ix_(at, at)] += weighted.reshape(-1, 2 * K).T @ rows
        system.gradient_global[at] += residual[:, :, point].reshape(-1) @ weighted.reshape(-1, 2 * K)
        for view in range(views):
            of_view = weighted[:, 2 * view : 2 * view + 2].reshape(-1, 2 * K)
            block = by_camera[:, view, point].reshape(-1, size).T @ of_view
            system.hessian_global[view * size : view * size + size, at] += block
            system.hessian_global[at, view * size : view * size + size] += block.T


def weighted_sums(directions: ViewDirections, weight: Floats) -> Floats:
    """Returns (B,V,2) the sums over keyframes and points of a weight (N,V,P) times the derivatives of their shifts."""
    out = np.zeros((len(PARTS), 2 * K, weight.shape[1], 2))
    for point, part in enumerate(PART):
        out[part] += np.einsum("nv,nvik->kvi", weight[:, :, point], directions.jacobian(point))
    return out.reshape(B, -1, 2)


def _terms(azimuth: Floats) -> Floats:
    """Returns (…,K)."""
    return np.stack(
        [np.ones_like(azimuth), np.cos(azimuth), np.sin(azimuth), np.cos(2 * azimuth), np.sin(2 * azimuth)], -1
    )


def _normalised(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))
