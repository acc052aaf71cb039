"""The canonical frame of a lifter that was trained from scratch: handedness, up and front.

Projections determine neither (P R X = P (F R F)(F X) for F = diag(1,1,−1); P R X = P (R Aᵀ)(A X) for any rotation A).
Both are estimated once for the whole network, without labels, and stored in its configuration.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from pose_rig.chirality import chirality
from pose_rig.geometry import nearest_rotation
from pose_rig.lifting.model import Lifter
from pose_rig.skeleton import INDEX
from pose_rig.training.footage.dataset import PoseDataset
from pose_rig.training.losses import visible_views
from pose_rig.training.training_step import lift

MAX_VIEWS = 20000  # that are lifted for the estimate


@torch.no_grad()
def with_canonical_frame(lifter: Lifter, dataset: PoseDataset) -> Lifter:
    """Returns the lifter with its poses of the training set not mirrored, y up, on average facing +z."""
    poses = _poses(_configured(lifter, mirrored=False, turn=()), dataset)
    mirrored = chirality(poses) < 0
    if mirrored:
        poses = poses * np.array([1.0, 1.0, -1.0])
    turn = body_from_canonical(poses)
    return _configured(lifter, mirrored=mirrored, turn=tuple(float(value) for value in turn.ravel()))


@torch.no_grad()
def handedness(lifter: Lifter, dataset: PoseDataset) -> float:
    """Returns the chirality of the lifted poses: 1 = people, −1 = their mirror images."""
    return chirality(_poses(lifter, dataset))


def body_from_canonical(poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns (3,3) for poses (N,J,3): on average y points up the trunk, x from right to left."""
    size = np.linalg.norm(poses, axis=(1, 2), keepdims=True).clip(1e-9)
    whole = poses / size
    up = (whole[:, INDEX["thorax"]] - whole[:, INDEX["pelvis"]]).mean(0)
    left = sum(whole[:, INDEX[f"l_{part}"]] - whole[:, INDEX[f"r_{part}"]] for part in ("hip", "shoulder"))
    y = up / max(float(np.linalg.norm(up)), 1e-9)
    x = np.asarray(left).mean(0)
    x = x - (x @ y) * y
    x = x / max(float(np.linalg.norm(x)), 1e-9)
    return np.asarray(nearest_rotation(np.stack([x, y, np.cross(x, y)])))


def _poses(lifter: Lifter, dataset: PoseDataset) -> NDArray[np.float64]:
    """Returns (N,J,3) canonical poses of a part of the dataset."""
    stride = max(1, len(dataset) * dataset.all.pose_2d.shape[1] // MAX_VIEWS)
    confidence = dataset.all.confidence[::stride]
    lifted = lift(lifter, dataset.all.pose_2d[::stride], confidence, dataset.all.depth[::stride])
    return np.asarray(lifted.pose[visible_views(confidence).bool()].double().cpu().numpy())


def _configured(lifter: Lifter, *, mirrored: bool, turn: tuple[float, ...]) -> Lifter:
    out = Lifter(replace(lifter.config, mirrored=mirrored, body_from_canonical=turn))
    out.load_state_dict(lifter.state_dict())
    return out.to(next(lifter.parameters()).device).eval()
