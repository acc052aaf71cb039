"""The cameras' rotations: guessed anew at every instant (cold), then learned and held (settled).

Static cameras keep their rotations relative to each other while the person moves. Every cold instant gives a guess; the
guesses are averaged on SO(3) after the viewing-ray rotation has been removed, then turned until the
fused poses of all remembered instants explain the 2D best (5.4 e): Gauss–Newton steps whose normal equations the graph
delivers per instant and view. What is left undetermined, the mirror image, is settled by the body (`chirality`).

Axes: N remembered instants, V views.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.chirality import chirality
from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.calibration.vertical import resolve_vertical
from pose_rig.geometry import angle_deg, nearest_rotation, rectify, rotation_from_vector
from pose_rig.graph import GATE_MODEL_SD, Engine, GraphInput, GraphOutput
from pose_rig.skeleton import J

AGREE_DEG = 8.0  # guesses this far from the mean count half
AVERAGE_ROUNDS = 8
REFINE_ROUNDS = 12
MIN_STEP_DEG = 0.05  # turns smaller than this end the refinement
CORRELATED = 10.0  # neighbouring instants share their errors: lag-1 correlation 0.9 at 25 Hz makes ten worth one
# The lifter errs alike at every instant, so its depths do not average out, and three views fix the rotations without
# them: started from the truth, refinement stays within 1° with this added to their standard deviation, and wanders 4–7°
# without. Two views need the depths.
BIAS = 0.5
HELD = 1e-3  # radians: rotations that are not to move
FLIP = np.diag([1.0, 1.0, -1.0])


@dataclass(frozen=True, slots=True)
class AssumedIntrinsics:
    """How the cameras see, as far as it is known before they are solved.

    Attributes:
        focal_px: (V,) focal lengths in use.
        size_px: (V,2) width, height.
    """

    focal_px: Floats
    size_px: Floats


@dataclass(frozen=True, slots=True)
class CameraRotations:
    """A rig's rotations.

    Attributes:
        camera_from_rig: (V,3,3); the rig is y up, −z away from the first camera.
        sd_deg: (V,) their standard deviation, degrees.
        known: (V,) False for views that were never seen together with others.
        warning: Message if the vertical is uncertain.
        person_up: (3,) the vertical as the lifts see it, rig axes; None = y.
    """

    camera_from_rig: Floats
    sd_deg: Floats
    known: NDArray[np.bool_]
    warning: str = ""
    person_up: Floats | None = None


def estimate_rotations(
    instants: Sequence[Keyframe], engine: Engine, intrinsics: AssumedIntrinsics, start: CameraRotations | None
) -> CameraRotations | None:
    """Returns the rig that explains the remembered instants, None if they do not suffice.

    Args:
        instants: What is remembered, at least one.
        engine: Runs the graph.
        intrinsics: How the cameras see.
        start: An earlier solution to go on from; its frame is kept.
    """
    found = join(start, average([i for i in instants if i.camera_from_body is not None]))
    if found is None:
        return None
    rotation, sd_deg, out = refine(instants, engine, intrinsics, found.camera_from_rig, found.known)
    if chirality(out.body) < 0:  # the mirror image explains the projections as well, but nobody bends that way
        rotation, sd_deg, _ = refine(instants, engine, intrinsics, FLIP @ rotation @ FLIP, found.known)
    if start is None:
        return _upright(CameraRotations(rotation, sd_deg, found.known), instants)
    # refinement may turn the whole rig: turn it back onto what it was
    drift = nearest_rotation((rotation[start.known].swapaxes(-1, -2) @ start.camera_from_rig[start.known]).sum(0))
    return replace(start, camera_from_rig=rotation @ drift, sd_deg=sd_deg, known=found.known)


def consistency_weight(model_sd: NDArray[np.floating]) -> Floats:
    """Returns (...) how well views are explained by the others, 0–1, from their model errors; one half at the gate."""
    return np.asarray(1 / (1 + (model_sd / GATE_MODEL_SD) ** 2))


def join(start: CameraRotations | None, guessed: CameraRotations | None) -> CameraRotations | None:
    """Returns an earlier solution, extended by views that only the guesses know."""
    if start is None or guessed is None:
        return start or guessed
    both = start.known & guessed.known
    if not both.any():
        return start
    turn = nearest_rotation((guessed.camera_from_rig[both].swapaxes(-1, -2) @ start.camera_from_rig[both]).sum(0))
    rotation = np.where(start.known[:, None, None], start.camera_from_rig, guessed.camera_from_rig @ turn)
    return replace(start, camera_from_rig=rotation, known=start.known | guessed.known)


def average(instants: Sequence[Keyframe]) -> CameraRotations | None:
    """Returns the robust mean of the guesses, in an arbitrary frame; None without two views that were seen together."""
    if not instants:
        return None
    guess = np.stack([i.camera_from_body for i in instants if i.camera_from_body is not None])
    weight = np.stack([i.weight for i in instants])
    relative = np.einsum("nvij,nukj->nvuik", guess, guess)  # camera v from camera u
    pair_weight = weight[:, :, None] * weight[:, None, :]
    mean = np.einsum("nvu,nvuij->vuij", pair_weight, relative)
    rotation, known = synchronise(mean, pair_weight.sum(0))
    for _ in range(AVERAGE_ROUNDS):
        off = angle_deg(relative, np.einsum("vij,ukj->vuik", rotation, rotation)[None])
        robust = pair_weight / (1 + (off / AGREE_DEG) ** 2)
        rotation, known = synchronise(np.einsum("nvu,nvuij->vuij", robust, relative), robust.sum(0))
    if known.sum() < 2:
        return None
    return CameraRotations(rotation, np.full(len(rotation), np.nan), known)


def synchronise(mean: Floats, weight: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Returns rotations (V,3,3) that fit summed relative rotations (V,V,3,3) best, and which views they reach.

    Spectral: the top three eigenvectors of the block matrix, each 3×3 block projected to SO(3).
    """
    views = len(mean)
    together = weight - np.diag(np.diag(weight)) > 0
    reached = np.zeros(views, bool)
    reached[int(np.argmax(together.sum(1)))] = True
    for _ in range(views):
        reached |= together[reached].any(0)
    degree = np.maximum(weight.sum(1), 1e-9)
    blocks = mean / np.sqrt(degree[:, None] * degree[None])[..., None, None]
    blocks = blocks * (reached[:, None] & reached[None])[..., None, None]
    matrix = blocks.transpose(0, 2, 1, 3).reshape(3 * views, 3 * views)
    _, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
    stacked = vectors[:, -3:].reshape(views, 3, 3)
    if np.linalg.det(stacked[reached]).sum() < 0:
        stacked = stacked @ FLIP
    rotation = np.tile(np.eye(3), (views, 1, 1))
    rotation[reached] = nearest_rotation(stacked[reached])
    return rotation, reached


def refine(
    instants: Sequence[Keyframe],
    engine: Engine,
    intrinsics: AssumedIntrinsics,
    rotation: Floats,
    known: NDArray[np.bool_],
) -> tuple[Floats, Floats, GraphOutput]:
    """Returns rotations turned until the poses of all instants agree, their standard deviations, and those poses."""
    score = np.stack([i.score for i in instants])
    ray_xy, norm, frames = rectify(
        np.stack([i.xy_px for i in instants]), score, intrinsics.focal_px, intrinsics.size_px
    )
    weight = np.stack([i.weight for i in instants]) * known
    for _ in range(REFINE_ROUNDS):
        out = _run(engine, ray_xy, score, norm, frames @ rotation, weight)
        agreed = weight * consistency_weight(out.model_sd)
        stiffness = out.rotation_hessian.astype(float).reshape(*weight.shape, 3, 3)
        total = np.einsum("nv,nvji,nvjk,nvkl->vil", agreed, frames, stiffness, frames)
        pull = np.einsum("nv,nvji,nvj->vi", agreed, frames, out.rotation_gradient.astype(float))
        step = np.linalg.solve(total + np.eye(3), pull[..., None])[..., 0]
        rotation = rotation_from_vector(step) @ rotation
        if np.degrees(np.linalg.norm(step, axis=-1).max()) < MIN_STEP_DEG:
            break
    spread = np.linalg.inv(total + np.eye(3)) * CORRELATED
    return rotation, np.degrees(np.sqrt(np.trace(spread, axis1=1, axis2=2))), out


def _upright(found: CameraRotations, instants: Sequence[Keyframe]) -> CameraRotations:
    """Returns a solution with y up, −z where the first known camera looks."""
    rotation, known = found.camera_from_rig, found.known
    person_up = seen_up(rotation, instants, known)
    up, warning = resolve_vertical(rotation[known], person_up)
    frame = gravity_aligned_rotation(up, rotation[int(np.flatnonzero(known)[0])][2])
    lies = frame @ person_up / max(float(np.linalg.norm(person_up)), 1e-9) if warning else None
    return replace(found, camera_from_rig=rotation @ frame.swapaxes(-1, -2), warning=warning, person_up=lies)


def seen_up(rotation: Floats, instants: Sequence[Keyframe], known: NDArray[np.bool_]) -> Floats:
    """Returns (3,) the vertical as the lifts see it in the mean, of no particular length."""
    weight = np.stack([i.weight for i in instants]) * known
    votes = np.einsum("vji,nvj->nvi", rotation, np.stack([i.up for i in instants]))
    up = np.einsum("nv,nvi->i", weight, votes)
    for _ in range(AVERAGE_ROUNDS):  # a lying or bent person misleads single lifts: the direction most agree on
        up = up / max(float(np.linalg.norm(up)), 1e-9)
        robust = weight / (1 + (np.linalg.norm(votes - up, axis=-1) / np.radians(AGREE_DEG)) ** 2)
        up = np.einsum("nv,nvi->i", robust, votes)
    return np.asarray(up)


def gravity_aligned_rotation(up: Floats, forward: Floats) -> Floats:
    """Returns rig_from_any (3,3) with y along ``up`` and −z along the level part of ``forward``."""
    y = up / max(float(np.linalg.norm(up)), 1e-9)
    level = forward - (forward @ y) * y
    if np.linalg.norm(level) < 1e-3:  # looking straight down or up: any level direction will do
        level = np.cross(y, [1.0, 0.0, 0.0]) if abs(y[0]) < 0.9 else np.cross(y, [0.0, 1.0, 0.0])
    z = -level / np.linalg.norm(level)
    return np.stack([np.cross(y, z), y, z])


def _run(engine: Engine, ray_xy: Floats, score: Floats, norm: Floats, rotation: Floats, weight: Floats) -> GraphOutput:
    """Returns the graph's view of all instants at once, with given rotations (N,V,3,3) ray_from_rig."""
    count, views = weight.shape
    return engine.run(
        GraphInput(
            ray_xy=ray_xy.reshape(count * views, J, 2).astype(np.float32),
            confidence=score.reshape(count * views, J).astype(np.float32),
            norm=norm.ravel().astype(np.float32),
            assignment=np.arange(count * views).reshape(count, views),
            view_weight=weight.astype(np.float32),
            ray_from_rig=rotation.astype(np.float32),
            rotation_prior_sd=np.full((count, views), HELD, np.float32),
            depth_bias_sd=np.where((weight > 0).sum(1, keepdims=True) > 2, BIAS, 0.0).astype(np.float32),
            lifter_rotations=np.zeros(count, bool),
        )
    )
