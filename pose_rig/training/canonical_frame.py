"""What training from scratch leaves open: which of two mirror images people are, and where their up and front are.

Projections tell neither (P R X = P (F R F)(F X) for F = diag(1,1,−1); P R X = P (R Aᵀ)(A X) for any rotation A). Both
are decided once for the whole network, without labels, and written into its configuration.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from pose_rig.chirality import chirality
from pose_rig.geometry import nearest_rotation
from pose_rig.lifting.model import Lifter
from pose_rig.skeleton import INDEX
from pose_rig.training import terms
from pose_rig.training.footage.dataset import PoseDataset
from pose_rig.training.training_step import lift

ENOUGH = 20000  # views looked at


@torch.no_grad()
def settled(lifter: Lifter, bank: PoseDataset) -> Lifter:
    """Returns the lifter with its people the right way round, y up, facing +z in the mean.

    Args:
        lifter: From any training.
        bank: What it was trained on.
    """
    plain = _configured(lifter, mirrored=False, turn=())
    poses = _poses(plain, bank)
    mirrored = chirality(poses) < 0
    if mirrored:
        poses = poses * np.array([1.0, 1.0, -1.0])
    turn = upright(poses)
    return _configured(lifter, mirrored=mirrored, turn=tuple(float(value) for value in turn.ravel()))


@torch.no_grad()
def handed(lifter: Lifter, bank: PoseDataset) -> float:
    """Returns how surely the people of a lifter are human rather than mirrored: −1 … 1."""
    return chirality(_poses(lifter, bank))


def upright(poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns (3,3) body_from_canonical for poses (N,J,3): in the mean y goes up the trunk, x from right to left."""
    size = np.linalg.norm(poses, axis=(1, 2), keepdims=True).clip(1e-9)
    whole = poses / size
    up = (whole[:, INDEX["thorax"]] - whole[:, INDEX["pelvis"]]).mean(0)
    left = sum(whole[:, INDEX[f"l_{part}"]] - whole[:, INDEX[f"r_{part}"]] for part in ("hip", "shoulder"))
    y = up / max(float(np.linalg.norm(up)), 1e-9)
    x = np.asarray(left).mean(0)
    x = x - (x @ y) * y
    x = x / max(float(np.linalg.norm(x)), 1e-9)
    return np.asarray(nearest_rotation(np.stack([x, y, np.cross(x, y)])))


def _poses(lifter: Lifter, bank: PoseDataset) -> NDArray[np.float64]:
    """Returns (N,J,3) canonical poses of views that see enough."""
    views = bank.all.flat.shape[1]
    step = max(1, len(bank) * views // ENOUGH)
    flat, confidence = bank.all.flat[::step], bank.all.confidence[::step]
    lifted = lift(lifter, flat, confidence)
    return np.asarray(lifted.pose[terms.present(confidence).bool()].double().cpu().numpy())


def _configured(lifter: Lifter, *, mirrored: bool, turn: tuple[float, ...]) -> Lifter:
    out = Lifter(replace(lifter.config, mirrored=mirrored, body_from_canonical=turn))
    out.load_state_dict(lifter.state_dict())
    return out.to(next(lifter.parameters()).device).eval()
