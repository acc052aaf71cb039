"""Skeleton morphing: 2D joints of a detector are moved to the joints of a benchmark (Wandt et al., CVPR 2021).

Detectors and benchmarks define hips, neck and head differently. A network is trained on one subject with 2D ground
truth, frozen, and applied to the detections of all others. A rig with one detector does not need it.

Axes: N poses, K = 16 joints of the paper, J = 17 joints, T frames, V views.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pose_rig.errors import UsageError
from pose_rig.geometry import complete_root
from pose_rig.skeleton import INDEX, JOINTS
from pose_rig.training.evaluation.scores import PAPER_JOINTS
from pose_rig.training.footage.footage import Footage, Single

PAPER = list(PAPER_JOINTS)
_TRUNK = [INDEX[name] for name in ("l_hip", "r_hip", "l_shoulder", "r_shoulder")]
_K = len(PAPER)
_BATCH = 8192


class Residual(nn.Module):
    """A residual block of two linear layers, as in CanonPose."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Returns (N,width)."""
        inner = nn.functional.leaky_relu(self.first(x))
        return x + nn.functional.leaky_relu(self.second(inner))


class Morphing(nn.Module):
    """A residual network from 32 coordinates of a pose to the 32 of the morphed pose."""

    def __init__(self, width: int = 1024) -> None:
        super().__init__()
        self.stem = nn.Linear(2 * _K, width)
        self.blocks = nn.ModuleList(Residual(width) for _ in range(2))
        self.head = nn.Linear(width, 2 * _K)

    def forward(self, pose_2d: Tensor) -> Tensor:
        """Returns (N,32) morphed poses of (N,32): all x, then all y, about the detector's pelvis, of unit norm."""
        x = self.stem(pose_2d)
        for block in self.blocks:
            x = nn.functional.leaky_relu(block(x))
        morphed: Tensor = pose_2d + self.head(x)
        return morphed


@dataclass(frozen=True, slots=True)
class MorphingConfig:
    """Hyperparameters; the defaults are those of CanonPose.

    Attributes:
        width: Units per hidden layer.
        epochs: Passes over the training set.
        batch: Poses per batch.
        learning_rate: Of Adam.
        weight_decay: Of Adam.
        milestones: Epochs after which the learning rate is divided by 10.
        seed: Random seed.
    """

    width: int = 1024
    epochs: int = 100
    batch: int = 32
    learning_rate: float = 1e-4
    weight_decay: float = 1e-5
    milestones: tuple[int, ...] = (40, 80, 95)
    seed: int = 0


def train_morphing(
    footage: Sequence[Footage],
    config: MorphingConfig | None = None,
    device: str = "cpu",
    on_progress: Callable[[float], None] = lambda _: None,
) -> tuple[Morphing, list[float]]:
    """Returns a frozen network that morphs detections, and its mean squared error in each epoch.

    The ground truth is divided by the norm of its detection, so that the output can be converted to pixels, and the
    pelvis may move too.

    Args:
        footage: The morphing subjects, with ground truth.
        config: Hyperparameters; None = the defaults.
        device: Device of the training; the network is returned on the CPU.
        on_progress: Called with the progress, 0–1, after every epoch.

    Raises:
        UsageError: The footage has no ground truth.
    """
    config = config or MorphingConfig()
    pose_2d, target, weight = (torch.from_numpy(part).to(device) for part in _pairs(footage))
    torch.manual_seed(config.seed)
    network = Morphing(config.width).to(device)
    decay = config.weight_decay  # fused: 2.4 times the steps per second of one core
    optimizer = torch.optim.Adam(network.parameters(), config.learning_rate, weight_decay=decay, fused=True)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, list(config.milestones), 0.1)
    errors = []
    for epoch in range(config.epochs):
        total = 0.0
        for rows in torch.split(torch.randperm(len(pose_2d)).to(device), config.batch):
            off = (network(pose_2d[rows]) - target[rows]) * weight[rows]
            loss = off.square().sum() / weight[rows].sum().clamp(min=1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        schedule.step()
        errors.append(total / len(pose_2d))
        on_progress((epoch + 1) / config.epochs)
    return network.requires_grad_(False).eval().cpu(), errors


def morph(footage: Footage, network: Morphing) -> Footage:
    """Returns the footage with its visible 2D joints morphed.

    The spine, which is not one of the 16, becomes the centre of hips and shoulders where all of them are visible.
    """
    pose_2d, root, norm, whole = _normalised(footage)
    device = network.stem.weight.device
    with torch.no_grad():
        parts = [network(part.to(device)).cpu() for part in torch.split(torch.from_numpy(pose_2d), _BATCH)]
    morphed = torch.cat(parts).numpy() if parts else pose_2d
    joints = _points(morphed) * norm + root
    out = footage.xy_px.reshape(-1, *footage.xy_px.shape[2:]).copy()
    visible = (footage.score.reshape(len(out), -1) > 0) & whole[:, None]
    out[:, PAPER] = np.where(visible[:, PAPER, None], joints, out[:, PAPER])
    trunk = visible[:, _TRUNK].all(-1) & visible[:, INDEX["spine"]]
    out[trunk, INDEX["spine"]] = out[trunk][:, _TRUNK].mean(1)
    return replace(footage, xy_px=out.reshape(footage.xy_px.shape))


def _pairs(footage: Sequence[Footage]) -> tuple[Single, Single, Single]:
    """Returns (N,32) detections, their ground truth in the same norm, and (N,32) 1 where the joint is visible."""
    poses_2d, targets, weights = [], [], []
    for one in footage:
        if one.truth is None:
            continue
        pose_2d, root, norm, whole = _normalised(one)
        truth = (one.truth.xy_px.reshape(-1, len(JOINTS), 2)[:, PAPER] - root) / norm
        score = one.score.reshape(-1, len(JOINTS))[:, PAPER] > 0
        poses_2d.append(pose_2d[whole])
        targets.append(_row(truth)[whole])
        weights.append(np.tile(score, 2)[whole].astype(np.float32))
    if not sum(len(pose_2d) for pose_2d in poses_2d):
        raise UsageError("There is no 2D ground truth.", "Skeleton morphing needs a subject with 2D labels.")
    return np.concatenate(poses_2d), np.concatenate(targets), np.concatenate(weights)


def _normalised(footage: Footage) -> tuple[Single, Single, Single, NDArray[np.bool_]]:
    """Returns (N,32) root-centred poses of unit norm, 0 where not visible, with (N,1,2) px root and (N,1,1) px norm.

    The last array is (N,), True where there is a pose.
    """
    xy, whole = complete_root(footage.xy_px.astype(np.float64), footage.score.astype(np.float64))
    poses = xy.reshape(-1, *xy.shape[2:])
    root = poses[:, :1]
    visible = footage.score.reshape(len(poses), -1)[:, PAPER] > 0
    offsets = np.where(visible[..., None], (poses - root)[:, PAPER], 0)
    norm = np.maximum(np.linalg.norm(offsets, axis=(1, 2), keepdims=True), 1e-6)
    pose_2d = _row(offsets / norm)
    return pose_2d, root.astype(np.float32), norm.astype(np.float32), whole.ravel()


def _row(points: NDArray[np.floating]) -> Single:
    """Returns (N,32): all x, then all y, of (N,16,2)."""
    return points.swapaxes(1, 2).reshape(len(points), -1).astype(np.float32)


def _points(rows: Single) -> Single:
    """Returns (N,16,2) of (N,32)."""
    return rows.reshape(-1, 2, _K).swapaxes(1, 2)
