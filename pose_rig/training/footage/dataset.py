"""Everything that training learns from, on the device, and batches of it.

Axes: N instants of all footage, V = most views of any, J = 17 joints; a batch has B = rigs × instants per rig, the
instants of one rig side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pose_rig.arrays import Floats
from pose_rig.errors import UsageError
from pose_rig.geometry import complete_root, rectify
from pose_rig.skeleton import MIRROR
from pose_rig.training.footage.footage import Footage, Frame

_MIRROR = list(MIRROR)


@dataclass(frozen=True, slots=True)
class LifterInput:
    """What a lifter sees of footage.

    Attributes:
        flat: (T,V,J,2) root-centred, unit norm; 0 where not seen.
        confidence: (T,V,J) 0–1, 0 = not seen, throughout where there is no pose to be centred on.
        norm: (T,V) inverse root depth in units of ``flat``, for the perspective term; 0 = weak perspective.
        view_from_camera: (T,V,3,3).
    """

    flat: Floats
    confidence: Floats
    norm: Floats
    view_from_camera: Floats


def lifter_input(footage: Footage, frame: Frame) -> LifterInput:
    """Returns the 2D poses of footage as a lifter takes them (`pose_rig.lifting.model.LifterConfig.frame`)."""
    xy, whole = complete_root(footage.xy_px.astype(np.float64), footage.score.astype(np.float64))
    score = np.where(whole[..., None], footage.score, 0.0)
    if frame == "ray":
        focal_px = np.broadcast_to(footage.focal_px.astype(np.float64), score.shape[:2])
        size_px = np.broadcast_to(footage.size_px.astype(np.float64), (*score.shape[:2], 2))
        flat, norm, turn = rectify(xy, score, focal_px, size_px)
        return LifterInput(flat, score, norm, turn)
    seen = score > 0
    flat = np.where(seen[..., None], xy - xy[..., :1, :], 0.0)
    share = np.maximum(seen.mean(-1), 1 / seen.shape[-1])
    flat /= np.maximum(np.sqrt((flat**2).sum((-1, -2)) / share), 1e-6)[..., None, None]
    return LifterInput(flat, score, np.zeros(score.shape[:2]), np.tile(np.eye(3), (*score.shape[:2], 1, 1)))


@dataclass(frozen=True, slots=True)
class Batch:
    """Instants of several rigs, those of one rig side by side.

    Attributes:
        flat: (B,V,J,2), confidence: (B,V,J), norm: (B,V), view_from_camera: (B,V,3,3) as in `LifterInput`.
        moving: (B,) 1 = the cameras move.
        rotation: (B,V,3,3) camera_from_rig as the rig has learned it, and
        known: (B,) whether it has.
        shape: (B,V,J,3) the true pose in the view, unit norm in the picture, and
        scored: (B,V) whether it is known.
        per_rig: Instants per rig.
    """

    flat: Tensor
    confidence: Tensor
    norm: Tensor
    view_from_camera: Tensor
    moving: Tensor
    rotation: Tensor
    known: Tensor
    shape: Tensor
    scored: Tensor
    per_rig: int = field(default=1, kw_only=True)


TENSORS = tuple(each.name for each in fields(Batch) if each.name != "per_rig")


class PoseDataset:
    """All footage as tensors.

    Args:
        footage: What to learn from.
        frame: What the lifter sees.
        device: Where the tensors live.

    Raises:
        UsageError: Nobody is seen in any of it.
    """

    def __init__(self, footage: Sequence[Footage], frame: Frame, device: str = "cpu") -> None:
        most = max((one.views for one in footage), default=0)
        parts, self.lengths = [], []
        for one in footage:
            part = _arrays(one, frame, most)
            someone = part["confidence"].any(-1).sum(-1) >= min(2, one.views)
            if count := int(someone.sum()):
                parts.append({name: value[someone] for name, value in part.items()})
                self.lengths.append(count)
        if not parts:
            raise UsageError(
                "Nobody is seen by two cameras at once.", "Training needs a person before several cameras."
            )
        joined = {name: np.concatenate([part[name] for part in parts]) for name in TENSORS}
        self.all = Batch(*(torch.from_numpy(joined[name]).to(device) for name in TENSORS))
        self._starts = np.cumsum([0, *self.lengths[:-1]])

    def __len__(self) -> int:
        """Returns the number of instants."""
        return int(sum(self.lengths))

    def draw(self, rigs: int, per_rig: int, rng: np.random.Generator, *, flips: bool = True) -> Batch:
        """Returns a batch of ``rigs`` rigs (drawn by their length) × ``per_rig`` of their instants.

        Args:
            rigs: How many; one may be drawn twice.
            per_rig: Instants of each; one may be drawn twice.
            rng: Source of chance.
            flips: Show half of the rigs' instants as in a mirror, left and right exchanged.
        """
        lengths = np.array(self.lengths)
        chosen = rng.choice(len(lengths), rigs, p=lengths / lengths.sum())
        index = self._starts[chosen, None] + (rng.random((rigs, per_rig)) * lengths[chosen, None]).astype(np.int64)
        rows = torch.from_numpy(index.ravel()).to(self.all.flat.device)
        batch = replace(self.all, per_rig=per_rig, **{name: getattr(self.all, name)[rows] for name in TENSORS})
        return mirror(batch, torch.from_numpy(rng.random(rigs) < 0.5).to(rows.device)) if flips else batch

    def parts(self, size: int) -> list[Batch]:
        """Returns all instants in order, in batches of at most ``size``."""
        split = {name: torch.split(getattr(self.all, name), size) for name in TENSORS}
        return [Batch(*columns) for columns in zip(*(split[name] for name in TENSORS), strict=True)]


def mirror(batch: Batch, rigs: Tensor) -> Batch:
    """Returns the batch with some rigs (R,) seen as in a mirror: x negated, left and right exchanged."""
    chosen = rigs.repeat_interleave(batch.per_rig)
    here = chosen[:, None, None, None]
    sign = torch.tensor([-1.0, 1.0, 1.0], device=chosen.device)
    turn = sign[:, None] * sign  # F R F
    return replace(
        batch,
        flat=torch.where(here, batch.flat[:, :, _MIRROR] * sign[:2], batch.flat),
        confidence=torch.where(here[..., 0], batch.confidence[:, :, _MIRROR], batch.confidence),
        view_from_camera=torch.where(here, batch.view_from_camera * turn, batch.view_from_camera),
        rotation=torch.where(here, batch.rotation * turn, batch.rotation),
        shape=torch.where(here, batch.shape[:, :, _MIRROR] * sign, batch.shape),
    )


def _arrays(footage: Footage, frame: Frame, views: int) -> dict[str, NDArray[np.float32]]:
    """Returns the fields of a `Batch`, padded to so many views."""
    seen = lifter_input(footage, frame)
    count, missing = footage.instants, views - footage.views
    eye = np.eye(3)
    shape = np.zeros((*footage.xy_px.shape[:3], 3))
    if footage.truth is not None:
        joints = footage.truth.joints - footage.truth.joints[:, :, :1]
        shape = np.einsum("tvij,tvkj->tvki", seen.view_from_camera, joints)
        shape /= np.maximum(np.linalg.norm(shape[..., :2], axis=(-2, -1), keepdims=True), 1e-6)
    rotation = np.tile(eye, (footage.views, 1, 1)) if footage.rotation is None else footage.rotation
    rows = {
        "flat": seen.flat,
        "confidence": seen.confidence,
        "norm": seen.norm,
        "view_from_camera": seen.view_from_camera,
        "moving": np.full(count, float(footage.moving)),
        "rotation": np.tile(rotation, (count, 1, 1, 1)),
        "known": np.full(count, float(footage.rotation is not None)),
        "shape": shape,
        "scored": (footage.truth is not None) * seen.confidence.any(-1).astype(float),
    }
    for name in ("flat", "confidence", "norm", "view_from_camera", "rotation", "shape", "scored"):
        blank = np.zeros((count, missing, *rows[name].shape[2:]))
        if rows[name].shape[2:] == (3, 3) and name != "shape":
            blank = np.tile(eye, (count, missing, 1, 1))
        rows[name] = np.concatenate([rows[name], blank], 1)
    return {name: value.astype(np.float32) for name, value in rows.items()}
