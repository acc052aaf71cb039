"""The lifter: 2D pose and confidences of one view → canonical 3D pose and its rotation into the view's ray frame.

The network of CanonPose (Wandt et al., CVPR 2021) and of Cross-View Self-Fusion (Kim et al., ACCV 2022): one residual
block, then a pose and a camera branch of two each. Narrower than theirs, and the rotation is predicted as two columns
("6D", Zhou et al., CVPR 2019), which are continuous; their axis-angle output is kept for comparison. Where a detector
estimates depths, a further branch corrects the features by them.

Axes: N samples (of any view and frame), J = 17 joints.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import torch
from torch import Tensor, nn

from pose_rig.skeleton import J

_NEXT, _AFTER = (1, 2, 0), (2, 0, 1)
MIN_SPREAD = 0.005  # about 1 cm, the best depth error of a single view


@dataclass(frozen=True, slots=True)
class LifterConfig:
    """Configuration of a network, stored in its checkpoint.

    Attributes:
        width: Units per hidden layer.
        pose_blocks: Residual blocks of the pose branch.
        camera_blocks: Residual blocks of the camera branch.
        frame: Of its input: ``ray`` (`pose_rig.geometry.rectify`), or ``image`` as in CanonPose.
        rotation: Parametrisation of the rotation: ``6d``, or ``axis_angle`` as in CanonPose.
        body_from_canonical: Rotation from the canonical frame that self-supervised training converged to into ours
            (y up, the person faces +z), nine numbers by rows; empty if they are equal.
        mirrored: Whether training converged to the depth mirror image of people; undone in the output.
        depth: Whether it uses depths that a detector estimates.
    """

    width: int = 512
    pose_blocks: int = 2
    camera_blocks: int = 2
    frame: Literal["ray", "image"] = "ray"
    rotation: Literal["6d", "axis_angle"] = "6d"
    body_from_canonical: tuple[float, ...] = ()
    mirrored: bool = False
    depth: bool = False


class Residual(nn.Module):
    """Two linear layers with LeakyReLU, added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Returns (N,width)."""
        inner = nn.functional.leaky_relu(self.first(x))
        return nn.functional.leaky_relu(x + nn.functional.leaky_relu(self.second(inner)))


class DepthBranch(nn.Module):
    """Corrects the features of a 2D pose by depths that a detector estimates.

    It returns 0 before it is trained, and always where no depth is known: the lifter then computes exactly what it
    would without the branch.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(width + 2 * J, width // 2)
        self.inner = Residual(width // 2)
        self.last = nn.Linear(width // 2, width)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, features: Tensor, depth: Tensor) -> Tensor:
        """Returns (N,width) to add to features (N,width), from depths (N,J,2) as in `Lifter.forward`."""
        joined = torch.cat([features, depth.reshape(depth.shape[0], 2 * J)], 1)
        known = depth[:, :, 1].amax(1, keepdim=True)
        correction: Tensor = self.last(self.inner(nn.functional.leaky_relu(self.first(joined))))
        return known * correction


class Lifter(nn.Module):
    """The lifting network."""

    def __init__(self, config: LifterConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = nn.Linear(3 * J, config.width)
        if config.depth:
            self.depth_branch = DepthBranch(config.width)
        self.shared = Residual(config.width)
        self.pose = nn.Sequential(*(Residual(config.width) for _ in range(config.pose_blocks)))
        self.camera = nn.Sequential(*(Residual(config.width) for _ in range(config.camera_blocks)))
        self.pose_head = nn.Linear(config.width, 4 * J)
        frontal = FRONTAL_ROTATION[config.rotation]
        self.camera_head = nn.Linear(config.width, len(frontal))
        with torch.no_grad():
            self.camera_head.bias.copy_(torch.tensor(frontal))

    def forward(self, ray_xy: Tensor, confidence: Tensor, depth: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Lifts 2D poses.

        Args:
            ray_xy: (N,J,2) root-centred, unit norm, ray frame (`pose_rig.geometry.rectify`).
            confidence: (N,J) 0–1, 0 = not visible.
            depth: (N,J,2) as estimated by a detector (`pose_rig.graph.depth_input`), in units of ``ray_xy``; None =
                unknown. Ignored by networks that do not use it.

        Returns:
            canonical: (N,J,3) root-relative, in units of ``ray_xy``; y up, the person faces +z.
            ray_from_canonical: (N,3,3).
            depth_spread: (N,J) Laplace scale of the depth error of each joint in the ray frame, in the same units; the
                fusion weights the depth by it.
        """
        x = self.shared(self.stem(torch.cat([ray_xy.reshape(ray_xy.shape[0], 2 * J), confidence], 1)))
        if self.config.depth and depth is not None:
            x = x + self.depth_branch(x, depth)
        pose = self.pose_head(self.pose(x))
        canonical = pose[:, : 3 * J].reshape(ray_xy.shape[0], J, 3)
        spread = nn.functional.softplus(pose[:, 3 * J :] - 3.0) + MIN_SPREAD
        canonical = canonical - canonical[:, :1]
        rotation = ROTATION_FROM[self.config.rotation](self.camera_head(self.camera(x)))
        if self.config.mirrored:  # P R X = P (F R F)(F X): the mirror ambiguity of a single view
            flip = _constant((1.0, 1.0, -1.0), ray_xy.device)
            canonical, rotation = canonical * flip, flip[:, None] * rotation * flip
        if self.config.body_from_canonical:
            body_from_canonical = _constant(self.config.body_from_canonical, ray_xy.device).reshape(3, 3)
            canonical, rotation = canonical @ body_from_canonical.T, rotation @ body_from_canonical.T
        return canonical, rotation, spread


def with_depth(lifter: Lifter) -> Lifter:
    """Returns a lifter that uses depths; until it is trained, it computes what ``lifter`` computes without them."""
    if lifter.config.depth:
        return lifter
    out = Lifter(replace(lifter.config, depth=True)).to(lifter.stem.weight.device)
    out.load_state_dict(lifter.state_dict(), strict=False)
    return out.train(lifter.training)


@cache
def _constant(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Returns a constant; copied to the device once, which a recorded CUDA graph could not do."""
    return torch.tensor(values, device=device)


@cache
def _index(values: tuple[int, ...], device: torch.device) -> Tensor:
    """Returns indices; copied to the device once."""
    return torch.tensor(values, device=device)


def rotation_from_6d(columns: Tensor) -> Tensor:
    """Returns (N,3,3) rotations from their first two columns (N,6), made orthonormal (Zhou et al. 2019, eq. 15)."""
    first, second = columns[:, :3], columns[:, 3:]
    x = first / (first.square().sum(-1, keepdim=True) + 1e-12).sqrt()
    y = second - (x * second).sum(-1, keepdim=True) * x
    y = y / (y.square().sum(-1, keepdim=True) + 1e-12).sqrt()
    following, last = _index(_NEXT, x.device), _index(_AFTER, x.device)
    z = x[:, following] * y[:, last] - x[:, last] * y[:, following]  # cross product, in basic operations
    return torch.cat([x, y, z], -1).reshape(columns.shape[0], 3, 3).transpose(1, 2)


def rotation_from_axis_angle(vector: Tensor) -> Tensor:
    """Returns (N,3,3) rotations about ``vector`` (N,3) by its length in radians (Rodrigues)."""
    angle = (vector.square().sum(-1, keepdim=True) + 1e-12).sqrt()
    x, y, z = (vector / angle).unbind(-1)
    zero = torch.zeros_like(x)
    k = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(vector.shape[0], 3, 3)
    sine, cosine = torch.sin(angle).unsqueeze(-1), torch.cos(angle).unsqueeze(-1)
    return torch.eye(3, device=vector.device) + sine * k + (1 - cosine) * (k @ k)


FRONTAL_ROTATION = {"6d": [1.0, 0.0, 0.0, 0.0, -1.0, 0.0], "axis_angle": [0.0, 0.0, 0.0]}
ROTATION_FROM = {"6d": rotation_from_6d, "axis_angle": rotation_from_axis_angle}
