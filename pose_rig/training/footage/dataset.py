"""The training dataset, all of it on the device, and batches of it.

Axes: N frames of all footage, V = largest number of views, J = 17 joints; a batch has B = rigs × frames per rig, the
frames of one rig next to each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pose_rig.arrays import Floats
from pose_rig.errors import UsageError
from pose_rig.geometry import complete_root, ray_depths, rectify
from pose_rig.graph import depth_input
from pose_rig.skeleton import MIRROR
from pose_rig.training.footage.footage import Footage, InputFrame

_MIRROR = list(MIRROR)
NO_DEPTH_SHARE = 1 / 3  # so that a lifter with depths also learns to do without


@dataclass(frozen=True, slots=True)
class LifterInput:
    """The lifter's input for footage.

    Attributes:
        pose_2d: (T,V,J,2) root-centred, unit norm; 0 where not visible.
        confidence: (T,V,J) 0–1, 0 = not visible; 0 for all joints of a pose without a root.
        inverse_depth: (T,V) of the root, in units of ``pose_2d``; 0 = weak perspective.
        view_from_camera: (T,V,3,3).
        depth: (T,V,J) as estimated by the detector, in units of ``pose_2d``; NaN = unknown.
    """

    pose_2d: Floats
    confidence: Floats
    inverse_depth: Floats
    view_from_camera: Floats
    depth: Floats

    @property
    def visible(self) -> NDArray[np.bool_]:
        """(T,V) where there is a pose."""
        return np.asarray((self.confidence > 0).any(-1))


def lifter_input(footage: Footage, frame: InputFrame) -> LifterInput:
    """Returns the 2D poses of footage in the frame of a lifter's input (`pose_rig.lifting.model.LifterConfig`)."""
    xy, whole = complete_root(footage.xy_px.astype(np.float64), footage.score.astype(np.float64))
    score = np.where(whole[..., None], footage.score, 0.0)
    unknown = np.full(score.shape, np.nan)
    depth = unknown if footage.depth_px is None else ray_depths(footage.depth_px.astype(np.float64), xy, score)
    if frame == "ray":
        focal_px = np.broadcast_to(footage.focal_px.astype(np.float64), score.shape[:2])
        size_px = np.broadcast_to(footage.size_px.astype(np.float64), (*score.shape[:2], 2))
        pose_2d, inverse_depth, ray_from_camera = rectify(xy, score, focal_px, size_px)
        return LifterInput(pose_2d, score, inverse_depth, ray_from_camera, depth)
    visible = score > 0
    pose_2d = np.where(visible[..., None], xy - xy[..., :1, :], 0.0)
    share = np.maximum(visible.mean(-1), 1 / visible.shape[-1])
    pose_2d /= np.maximum(np.sqrt((pose_2d**2).sum((-1, -2)) / share), 1e-6)[..., None, None]
    identity = np.tile(np.eye(3), (*score.shape[:2], 1, 1))
    return LifterInput(pose_2d, score, np.zeros(score.shape[:2]), identity, depth)


@dataclass(frozen=True, slots=True)
class Batch:
    """Frames of several rigs, those of one rig next to each other.

    Attributes:
        pose_2d: (B,V,J,2), confidence: (B,V,J), inverse_depth: (B,V), view_from_camera: (B,V,3,3) as in `LifterInput`.
        depth: (B,V,J,2) as estimated by the detector (`pose_rig.graph.depth_input`).
        moving: (B,) 1 = the cameras move.
        camera_from_rig: (B,V,3,3) as solved by the rig.
        has_rotation: (B,) 1 = ``camera_from_rig`` is known.
        true_pose: (B,V,J,3) in the view, its projection of unit norm.
        has_truth: (B,V) 1 = ``true_pose`` is known.
        per_rig: Frames per rig.
        processes: Number of processes that have a part of the batch each.
    """

    pose_2d: Tensor
    confidence: Tensor
    inverse_depth: Tensor
    view_from_camera: Tensor
    depth: Tensor
    moving: Tensor
    camera_from_rig: Tensor
    has_rotation: Tensor
    true_pose: Tensor
    has_truth: Tensor
    per_rig: int = field(default=1, kw_only=True)
    processes: int = field(default=1, kw_only=True)


TENSORS = tuple(each.name for each in fields(Batch) if not each.kw_only)
ROTATIONS = ("view_from_camera", "camera_from_rig")
PER_VIEW = tuple(name for name in TENSORS if name not in ("moving", "has_rotation"))


class TrainingSet(Protocol):
    """What the steps of a training draw from.

    Attributes:
        sharded: Whether every process has a part of its own; otherwise all have the same.
    """

    sharded: bool

    def advance(self, step: int) -> None:
        """Prepares for a step."""

    def sample(self, rigs: int, per_rig: int, rng: np.random.Generator) -> Batch:
        """Returns a random batch of ``rigs`` rigs × ``per_rig`` of their frames."""


class PoseDataset:
    """All footage as tensors.

    Args:
        footage: The footage; frames in which fewer than two views have a pose are left out.
        frame: Frame of the lifter's input.
        device: Device of the tensors.

    Raises:
        UsageError: No frame is left.
    """

    sharded = False

    def __init__(self, footage: Sequence[Footage], frame: InputFrame, device: str = "cpu") -> None:
        views = max((one.views for one in footage), default=0)
        parts, self.lengths = [], []
        for one in footage:
            part = _arrays(one, frame, views)
            kept = part["confidence"].any(-1).sum(-1) >= min(2, one.views)
            if count := int(kept.sum()):
                parts.append({name: value[kept] for name, value in part.items()})
                self.lengths.append(count)
        if not parts:
            raise UsageError(
                "In no frame is a person visible in two cameras.", "Training needs a person in view of several cameras."
            )
        joined = {name: np.concatenate([part[name] for part in parts]) for name in TENSORS}
        self.all = Batch(*(torch.from_numpy(joined[name]).to(device) for name in TENSORS))
        self._starts = np.cumsum([0, *self.lengths[:-1]])

    def __len__(self) -> int:
        """Returns the number of frames."""
        return int(sum(self.lengths))

    def advance(self, step: int) -> None:
        """Does nothing: every step draws from all footage."""

    def sample(self, rigs: int, per_rig: int, rng: np.random.Generator, *, augment: bool = True) -> Batch:
        """Returns a random batch of ``rigs`` rigs (with a probability by their length) × ``per_rig`` of their frames.

        Args:
            rigs: Number of rigs, drawn with replacement.
            per_rig: Frames of each, drawn with replacement.
            rng: Random generator.
            augment: Mirror half of the rigs, and leave out the depths of a third.
        """
        lengths = np.array(self.lengths)
        chosen = rng.choice(len(lengths), rigs, p=lengths / lengths.sum())
        index = self._starts[chosen, None] + (rng.random((rigs, per_rig)) * lengths[chosen, None]).astype(np.int64)
        rows = torch.from_numpy(index.ravel()).to(self.all.pose_2d.device)
        batch = replace(self.all, per_rig=per_rig, **{name: getattr(self.all, name)[rows] for name in TENSORS})
        if not augment:
            return batch
        mirrored, without = rng.random(rigs) < 0.5, rng.random(rigs) < NO_DEPTH_SHARE
        kept = torch.from_numpy(~without).to(rows.device).repeat_interleave(per_rig)[:, None, None, None]
        batch = replace(batch, depth=batch.depth * kept)
        return mirror(batch, torch.from_numpy(mirrored).to(rows.device))

    def batches(self, size: int) -> list[Batch]:
        """Returns all frames in order, in batches of at most ``size``."""
        split = {name: torch.split(getattr(self.all, name), size) for name in TENSORS}
        return [Batch(*columns) for columns in zip(*(split[name] for name in TENSORS), strict=True)]


def joined(batches: Sequence[Batch]) -> Batch:
    """Returns batches as one; those of fewer views get views without a person."""
    views = max(batch.pose_2d.shape[1] for batch in batches)
    padded = [_padded(batch, views) for batch in batches]
    whole: dict[str, Any] = {name: torch.cat([getattr(one, name) for one in padded]) for name in TENSORS}
    return replace(batches[0], **whole)


def _padded(batch: Batch, views: int) -> Batch:
    """Returns a batch with so many views, those that it lacks without a person."""
    missing = views - batch.pose_2d.shape[1]
    if not missing:
        return batch
    changed: dict[str, Any] = {}
    for name in PER_VIEW:
        value: Tensor = getattr(batch, name)
        blank = value.new_zeros(len(value), missing, *value.shape[2:])
        if name in ROTATIONS:
            blank += torch.eye(3, device=value.device)
        changed[name] = torch.cat([value, blank], 1)
    return replace(batch, **changed)


def mirror(batch: Batch, rigs: Tensor) -> Batch:
    """Returns the batch with some rigs (R,) mirrored: x negated, left and right exchanged."""
    chosen = rigs.repeat_interleave(batch.per_rig)
    here = chosen[:, None, None, None]
    sign = torch.tensor([-1.0, 1.0, 1.0], device=chosen.device)
    turn = sign[:, None] * sign  # F R F
    return replace(
        batch,
        pose_2d=torch.where(here, batch.pose_2d[:, :, _MIRROR] * sign[:2], batch.pose_2d),
        confidence=torch.where(here[..., 0], batch.confidence[:, :, _MIRROR], batch.confidence),
        depth=torch.where(here, batch.depth[:, :, _MIRROR], batch.depth),
        view_from_camera=torch.where(here, batch.view_from_camera * turn, batch.view_from_camera),
        camera_from_rig=torch.where(here, batch.camera_from_rig * turn, batch.camera_from_rig),
        true_pose=torch.where(here, batch.true_pose[:, :, _MIRROR] * sign, batch.true_pose),
    )


def _arrays(footage: Footage, frame: InputFrame, views: int) -> dict[str, NDArray[np.float32]]:
    """Returns the fields of a `Batch`, padded to a number of views."""
    given = lifter_input(footage, frame)
    count, missing = footage.frames, views - footage.views
    true_pose = np.zeros((*footage.xy_px.shape[:3], 3))
    if footage.truth is not None:
        joints = footage.truth.joints - footage.truth.joints[:, :, :1]
        true_pose = np.einsum("tvij,tvkj->tvki", given.view_from_camera, joints)
        true_pose /= np.maximum(np.linalg.norm(true_pose[..., :2], axis=(-2, -1), keepdims=True), 1e-6)
    solved = footage.camera_from_rig is not None
    rotation = np.tile(np.eye(3), (footage.views, 1, 1)) if footage.camera_from_rig is None else footage.camera_from_rig
    per_view = {
        "pose_2d": given.pose_2d,
        "confidence": given.confidence,
        "inverse_depth": given.inverse_depth,
        "view_from_camera": given.view_from_camera,
        "depth": depth_input(given.depth),
        "camera_from_rig": np.tile(rotation, (count, 1, 1, 1)),
        "true_pose": true_pose,
        "has_truth": (footage.truth is not None) * given.confidence.any(-1).astype(float),
    }
    for name, value in per_view.items():
        blank = np.zeros((count, missing, *value.shape[2:]))
        if name in ROTATIONS:
            blank += np.eye(3)
        per_view[name] = np.concatenate([value, blank], 1)
    per_frame = {
        "moving": np.full(count, float(footage.moving)),
        "has_rotation": np.full(count, float(solved)),
    }
    return {name: value.astype(np.float32) for name, value in (per_view | per_frame).items()}
