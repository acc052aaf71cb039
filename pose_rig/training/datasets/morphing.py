"""Skeleton morphing: 2D joints of a detector moved to where a benchmark has them (Wandt et al., CVPR 2021).

Detectors and benchmarks disagree on hips, neck and head. A network learns the difference from one subject whose 2D
truth is known, is then frozen, and moves the detections of all others. A rig of one detector needs none.

Axes: N poses, K = 16 joints of the paper, J = 17 joints, T instants, V views.
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
    """Two activated linear layers, added to their input, as CanonPose has them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Returns (N,width)."""
        inner = nn.functional.leaky_relu(self.first(x))
        return x + nn.functional.leaky_relu(self.second(inner))


class Morphing(nn.Module):
    """The network: 32 numbers of a pose → width, two residual blocks → 32 that are added to the pose."""

    def __init__(self, width: int = 1024) -> None:
        super().__init__()
        self.stem = nn.Linear(2 * _K, width)
        self.blocks = nn.ModuleList(Residual(width) for _ in range(2))
        self.head = nn.Linear(width, 2 * _K)

    def forward(self, flat: Tensor) -> Tensor:
        """Returns (N,32) morphed poses of (N,32): all x, then all y, about the detector's pelvis, of unit norm."""
        x = self.stem(flat)
        for block in self.blocks:
            x = nn.functional.leaky_relu(block(x))
        moved: Tensor = flat + self.head(x)
        return moved


@dataclass(frozen=True, slots=True)
class MorphingConfig:
    """How the network is trained; the defaults are CanonPose's.

    Attributes:
        width: Units per hidden layer.
        epochs: Passes over all poses.
        batch: Poses per step.
        learning_rate: Of Adam.
        weight_decay: Of Adam.
        milestones: Epochs after which the learning rate is a tenth.
        seed: Of the weights and the order.
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
    tell: Callable[[float], None] = lambda _: None,
) -> tuple[Morphing, list[float]]:
    """Returns a frozen network that morphs detections into the 2D truth, and its mean squared error in each epoch.

    The truth is put in the norm of the detection that it belongs to, so that pixels come out again, and the pelvis may
    move too; a lifter norms poses anew, to which this makes no difference.

    Args:
        footage: Of the morphing subjects, with truth.
        config: How it is trained; None = the defaults.
        device: Where it is trained; it comes back on the CPU.
        tell: Hears how far it is, 0–1, after every epoch.

    Raises:
        UsageError: Nobody in the footage has truth.
    """
    config = config or MorphingConfig()
    flat, target, weight = (torch.from_numpy(part).to(device) for part in _pairs(footage))
    torch.manual_seed(config.seed)
    network = Morphing(config.width).to(device)
    decay = config.weight_decay  # fused: 2.4 times the steps per second of one core
    optimizer = torch.optim.Adam(network.parameters(), config.learning_rate, weight_decay=decay, fused=True)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, list(config.milestones), 0.1)
    errors = []
    for epoch in range(config.epochs):
        total = 0.0
        for rows in torch.split(torch.randperm(len(flat)).to(device), config.batch):
            off = (network(flat[rows]) - target[rows]) * weight[rows]
            loss = off.square().sum() / weight[rows].sum().clamp(min=1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        schedule.step()
        errors.append(total / len(flat))
        tell((epoch + 1) / config.epochs)
    return network.requires_grad_(False).eval().cpu(), errors


def morph(footage: Footage, network: Morphing) -> Footage:
    """Returns the footage with its 2D poses morphed.

    Scores stay, and so do joints that are not seen. The spine, which is not among the 16, is put in the middle of hips
    and shoulders where all of them are seen.
    """
    flat, root, norm, whole = _normed(footage)
    device = network.stem.weight.device
    with torch.no_grad():
        parts = [network(part.to(device)).cpu() for part in torch.split(torch.from_numpy(flat), _BATCH)]
    moved = torch.cat(parts).numpy() if parts else flat
    joints = _points(moved) * norm + root
    out = footage.xy_px.reshape(-1, *footage.xy_px.shape[2:]).copy()
    seen = (footage.score.reshape(len(out), -1) > 0) & whole[:, None]
    out[:, PAPER] = np.where(seen[:, PAPER, None], joints, out[:, PAPER])
    trunk = seen[:, _TRUNK].all(-1) & seen[:, INDEX["spine"]]
    out[trunk, INDEX["spine"]] = out[trunk][:, _TRUNK].mean(1)
    return replace(footage, xy_px=out.reshape(footage.xy_px.shape))


def _pairs(footage: Sequence[Footage]) -> tuple[Single, Single, Single]:
    """Returns (N,32) detections and their truth in the same norm, and (N,32) 1 where the detection is seen."""
    flats, targets, weights = [], [], []
    for one in footage:
        if one.truth is None:
            continue
        flat, root, norm, whole = _normed(one)
        truth = (one.truth.xy_px.reshape(-1, len(JOINTS), 2)[:, PAPER] - root) / norm
        score = one.score.reshape(-1, len(JOINTS))[:, PAPER] > 0
        flats.append(flat[whole])
        targets.append(_row(truth)[whole])
        weights.append(np.tile(score, 2)[whole].astype(np.float32))
    if not sum(len(flat) for flat in flats):
        raise UsageError("Nobody's 2D truth is known.", "Skeleton morphing learns from a subject with 2D labels.")
    return np.concatenate(flats), np.concatenate(targets), np.concatenate(weights)


def _normed(footage: Footage) -> tuple[Single, Single, Single, NDArray[np.bool_]]:
    """Returns (N,32) poses about their pelvis, of unit norm, 0 where unseen, and what they were normed by.

    That is: (N,1,2) pelvis px, (N,1,1) norm px; and (N,) where there is a pose at all.
    """
    xy, whole = complete_root(footage.xy_px.astype(np.float64), footage.score.astype(np.float64))
    poses = xy.reshape(-1, *xy.shape[2:])
    root = poses[:, :1]
    seen = footage.score.reshape(len(poses), -1)[:, PAPER] > 0
    offsets = np.where(seen[..., None], (poses - root)[:, PAPER], 0)
    norm = np.maximum(np.linalg.norm(offsets, axis=(1, 2), keepdims=True), 1e-6)
    flat = _row(offsets / norm)
    return flat, root.astype(np.float32), norm.astype(np.float32), whole.ravel()


def _row(points: NDArray[np.floating]) -> Single:
    """Returns (N,32): all x, then all y, of (N,16,2)."""
    return points.swapaxes(1, 2).reshape(len(points), -1).astype(np.float32)


def _points(rows: Single) -> Single:
    """Returns (N,16,2) of (N,32)."""
    return rows.reshape(-1, 2, _K).swapaxes(1, 2)
