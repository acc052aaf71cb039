"""Rotations of static cameras, averaged over keyframes.

Static cameras keep their relative rotations while the person moves. The lifter's rotations of every keyframe are
averaged on SO(3) after the viewing-ray rotation has been removed. Gauss–Newton steps, whose normal equations the graph
delivers per keyframe and view, then minimise the reprojection error of the fused poses. The remaining mirror ambiguity
is resolved by the body's `chirality`.

Axes: N keyframes, V views.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.chirality import chirality
from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.calibration.vertical import resolve_vertical
from pose_rig.geometry import angle_deg, nearest_rotation, rectify_ideal, rotation_from_vector
from pose_rig.graph import GATE_MODEL_SD, Engine, GraphInput, GraphOutput
from pose_rig.intrinsics import Intrinsics
from pose_rig.skeleton import J

CAUCHY_SCALE_DEG = 8.0  # distance from the mean at which a rotation has half of its weight
AVERAGE_ITERATIONS = 8
REFINE_ITERATIONS = 12
MIN_STEP_DEG = 0.05  # convergence of the refinement
KEYFRAMES_PER_INDEPENDENT = 10.0  # neighbouring errors correlate: lag-1 correlation 0.9 at 25 Hz
# The lifter's error is the same in every keyframe, so its depths do not average out, and three views determine the
# rotations without them: started from the truth, refinement stays within 1° with this added to their standard
# deviation, and drifts by 4–7° without. Two views need the depths.
DEPTH_BIAS_SD = 0.5
FIXED_ROTATION_SD = 1e-3  # rad
FLIP = np.diag([1.0, 1.0, -1.0])


@dataclass(frozen=True, slots=True)
class CameraRotations:
    """Rotations of a rig.

    Attributes:
        camera_from_rig: (V,3,3); the rig is y up, −z away from the first camera.
        sd_deg: (V,) their standard deviation, degrees.
        known: (V,) False for views without any frame in common with others.
        warning: Message if the vertical is uncertain.
        person_up: (3,) the vertical as estimated by the lifter, rig axes; None = y.
    """

    camera_from_rig: Floats
    sd_deg: Floats
    known: NDArray[np.bool_]
    warning: str = ""
    person_up: Floats | None = None


def estimate_rotations(
    keyframes: Sequence[Keyframe], engine: Engine, intrinsics: Intrinsics, initial: CameraRotations | None
) -> CameraRotations | None:
    """Returns the rotations that agree best with the keyframes, None if these do not suffice.

    The frame of an earlier result, ``initial``, is kept.
    """
    found = extend(initial, average_rotations([k for k in keyframes if k.camera_from_body is not None]))
    if found is None:
        return None
    rotation, sd_deg, out = refine_rotations(keyframes, engine, intrinsics, found.camera_from_rig, found.known)
    if chirality(out.body) < 0:  # the mirror image has the same reprojection error, but joints bend the wrong way
        mirrored = FLIP @ rotation @ FLIP
        rotation, sd_deg, _ = refine_rotations(keyframes, engine, intrinsics, mirrored, found.known)
    if initial is None:
        return _gravity_aligned(CameraRotations(rotation, sd_deg, found.known), keyframes)
    # gauge: refinement may rotate the whole rig
    before = initial.camera_from_rig[initial.known]
    drift = nearest_rotation((rotation[initial.known].swapaxes(-1, -2) @ before).sum(0))
    return replace(initial, camera_from_rig=rotation @ drift, sd_deg=sd_deg, known=found.known)


def consistency_weight(model_sd: NDArray[np.floating]) -> Floats:
    """Returns (...) Cauchy weights 0–1 of views from their model errors; one half at the gate."""
    return np.asarray(1 / (1 + (model_sd / GATE_MODEL_SD) ** 2))


def extend(initial: CameraRotations | None, averaged: CameraRotations | None) -> CameraRotations | None:
    """Returns earlier rotations, extended by the views that only the average has."""
    if initial is None or averaged is None:
        return initial or averaged
    both = initial.known & averaged.known
    if not both.any():
        return initial
    old, new = initial.camera_from_rig, averaged.camera_from_rig
    new_from_old = nearest_rotation((new[both].swapaxes(-1, -2) @ old[both]).sum(0))
    rotation = np.where(initial.known[:, None, None], old, new @ new_from_old)
    return replace(initial, camera_from_rig=rotation, known=initial.known | averaged.known)


def average_rotations(keyframes: Sequence[Keyframe]) -> CameraRotations | None:
    """Returns the robust mean of the lifter's rotations in an arbitrary frame; None without two connected views."""
    if not keyframes:
        return None
    rotations = np.stack([k.camera_from_body for k in keyframes if k.camera_from_body is not None])
    weight = np.stack([k.weight for k in keyframes])
    relative = np.einsum("nvij,nukj->nvuik", rotations, rotations)  # camera v from camera u
    pair_weight = weight[:, :, None] * weight[:, None, :]
    mean = np.einsum("nvu,nvuij->vuij", pair_weight, relative)
    rotation, known = synchronise(mean, pair_weight.sum(0))
    for _ in range(AVERAGE_ITERATIONS):
        error = angle_deg(relative, np.einsum("vij,ukj->vuik", rotation, rotation)[None])
        robust = pair_weight / (1 + (error / CAUCHY_SCALE_DEG) ** 2)
        rotation, known = synchronise(np.einsum("nvu,nvuij->vuij", robust, relative), robust.sum(0))
    if known.sum() < 2:
        return None
    return CameraRotations(rotation, np.full(len(rotation), np.nan), known)


def synchronise(mean: Floats, weight: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Returns rotations (V,3,3) that fit summed relative rotations (V,V,3,3) best, and the views connected.

    Spectral synchronisation: the top three eigenvectors of the block matrix, each 3×3 block projected to SO(3).
    """
    views = len(mean)
    adjacent = weight - np.diag(np.diag(weight)) > 0
    connected = np.zeros(views, bool)
    connected[int(np.argmax(adjacent.sum(1)))] = True
    for _ in range(views):
        connected |= adjacent[connected].any(0)
    degree = np.maximum(weight.sum(1), 1e-9)
    blocks = mean / np.sqrt(degree[:, None] * degree[None])[..., None, None]
    blocks = blocks * (connected[:, None] & connected[None])[..., None, None]
    matrix = blocks.transpose(0, 2, 1, 3).reshape(3 * views, 3 * views)
    _, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
    stacked = vectors[:, -3:].reshape(views, 3, 3)
    if np.linalg.det(stacked[connected]).sum() < 0:
        stacked = stacked @ FLIP
    rotation = np.tile(np.eye(3), (views, 1, 1))
    rotation[connected] = nearest_rotation(stacked[connected])
    return rotation, connected


def refine_rotations(
    keyframes: Sequence[Keyframe],
    engine: Engine,
    intrinsics: Intrinsics,
    rotation: Floats,
    known: NDArray[np.bool_],
) -> tuple[Floats, Floats, GraphOutput]:
    """Returns rotations after Gauss–Newton over all keyframes, their standard deviations, and the fused poses."""
    score = np.stack([k.score for k in keyframes])
    xy_px = np.stack([k.xy_px for k in keyframes])
    ray_xy, norm, ray_from_camera = rectify_ideal(intrinsics.ideal_xy(xy_px), score)
    weight = np.stack([k.weight for k in keyframes]) * known
    depth = np.stack([np.full_like(k.score, np.nan) if k.ray_depth is None else k.ray_depth for k in keyframes])
    for _ in range(REFINE_ITERATIONS):
        out = _run_graph(engine, ray_xy, score, depth, norm, ray_from_camera @ rotation, weight)
        robust = weight * consistency_weight(out.model_sd)
        hessian = out.rotation_hessian.astype(float).reshape(*weight.shape, 3, 3)
        total = np.einsum("nv,nvji,nvjk,nvkl->vil", robust, ray_from_camera, hessian, ray_from_camera)
        gradient = np.einsum("nv,nvji,nvj->vi", robust, ray_from_camera, out.rotation_gradient.astype(float))
        step = np.linalg.solve(total + np.eye(3), gradient[..., None])[..., 0]
        rotation = rotation_from_vector(step) @ rotation
        if np.degrees(np.linalg.norm(step, axis=-1).max()) < MIN_STEP_DEG:
            break
    covariance = np.linalg.inv(total + np.eye(3)) * KEYFRAMES_PER_INDEPENDENT
    return rotation, np.degrees(np.sqrt(np.trace(covariance, axis1=1, axis2=2))), out


def _gravity_aligned(found: CameraRotations, keyframes: Sequence[Keyframe]) -> CameraRotations:
    """Returns rotations in a frame with y up, −z along the axis of the first known camera."""
    rotation, known = found.camera_from_rig, found.known
    person_up = mean_vertical(rotation, keyframes, known)
    up, warning = resolve_vertical(rotation[known], person_up)
    frame = gravity_aligned_rotation(up, rotation[int(np.flatnonzero(known)[0])][2])
    aligned_up = frame @ person_up / max(float(np.linalg.norm(person_up)), 1e-9) if warning else None
    aligned = rotation @ frame.swapaxes(-1, -2)
    return replace(found, camera_from_rig=aligned, warning=warning, person_up=aligned_up)


def mean_vertical(rotation: Floats, keyframes: Sequence[Keyframe], known: NDArray[np.bool_]) -> Floats:
    """Returns (3,) the robust mean of the lifter's verticals, of arbitrary length."""
    weight = np.stack([k.weight for k in keyframes]) * known
    verticals = np.einsum("vji,nvj->nvi", rotation, np.stack([k.up for k in keyframes]))
    up = np.einsum("nv,nvi->i", weight, verticals)
    for _ in range(AVERAGE_ITERATIONS):  # single lifts of a lying or bent person are outliers
        up = up / max(float(np.linalg.norm(up)), 1e-9)
        robust = weight / (1 + (np.linalg.norm(verticals - up, axis=-1) / np.radians(CAUCHY_SCALE_DEG)) ** 2)
        up = np.einsum("nv,nvi->i", robust, verticals)
    return np.asarray(up)


def gravity_aligned_rotation(up: Floats, forward: Floats) -> Floats:
    """Returns aligned_from_any (3,3) with y along ``up`` and −z along the horizontal part of ``forward``."""
    y = up / max(float(np.linalg.norm(up)), 1e-9)
    level = forward - (forward @ y) * y
    if np.linalg.norm(level) < 1e-3:  # vertical camera axis: any horizontal direction will do
        level = np.cross(y, [1.0, 0.0, 0.0]) if abs(y[0]) < 0.9 else np.cross(y, [0.0, 1.0, 0.0])
    z = -level / np.linalg.norm(level)
    return np.stack([np.cross(y, z), y, z])


def _run_graph(
    engine: Engine, ray_xy: Floats, score: Floats, depth: Floats, norm: Floats, ray_from_rig: Floats, weight: Floats
) -> GraphOutput:
    """Returns the graph's output for all keyframes in one batch, with given rotations (N,V,3,3)."""
    count, views = weight.shape
    bias = np.where((weight > 0).sum(1, keepdims=True) > 2, DEPTH_BIAS_SD, 0.0)
    return engine.run(
        GraphInput(
            ray_xy=ray_xy.reshape(count * views, J, 2).astype(np.float32),
            confidence=score.reshape(count * views, J).astype(np.float32),
            norm=norm.ravel().astype(np.float32),
            assignment=np.arange(count * views).reshape(count, views),
            view_weight=weight.astype(np.float32),
            ray_from_rig=ray_from_rig.astype(np.float32),
            rotation_prior_sd=np.full((count, views), FIXED_ROTATION_SD, np.float32),
            depth_bias_sd=bias.astype(np.float32),
            lifter_rotations=np.zeros(count, bool),
            depth=depth.reshape(count * views, J).astype(np.float32),
        )
    )
