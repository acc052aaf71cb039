"""Lifter and CSM as the module that is exported, and simulated input to trace and check it."""

import copy

import numpy as np
import torch
from torch import Tensor, nn

from pose_rig.geometry import rectify
from pose_rig.graph import LIFTER_ROTATION_SD, GraphInput, GraphOutput
from pose_rig.lifting import csm
from pose_rig.lifting.model import Lifter
from pose_rig.simulation.bodies import random_bones, rebuild
from pose_rig.simulation.cameras import random_cameras
from pose_rig.skeleton import BONES, INDEX, J

# direction of each bone of a standing person who faces +z
STANDING = {
    "r_hip": (-1, 0, 0), "l_hip": (1, 0, 0), "r_knee": (0, -1, 0.1), "l_knee": (0, -1, 0.1), "r_ankle": (0, -1, -0.1),
    "l_ankle": (0, -1, -0.1), "spine": (0, 1, 0), "thorax": (0, 1, 0), "head": (0, 1, 0), "nose": (0, 0.5, 1),
    "r_shoulder": (-1, 0, 0), "l_shoulder": (1, 0, 0), "r_elbow": (-0.3, -1, 0), "l_elbow": (0.3, -1, 0),
    "r_wrist": (0, -1, 0.4), "l_wrist": (0, -1, 0.4),
}  # fmt: skip


class RigGraph(nn.Module):
    """Lifter and CSM in one module; code for tracing is here, not in the models."""

    def __init__(self, lifter: Lifter) -> None:
        super().__init__()
        self.lifter = lifter

    def forward(
        self,
        flat: Tensor,
        confidence: Tensor,
        norm: Tensor,
        pick: Tensor,
        weight: Tensor,
        rotation: Tensor,
        freedom: Tensor,
        doubt: Tensor,
    ) -> tuple[Tensor, ...]:
        """Returns the fields of `GraphOutput` in order; arguments as in `ONNX_INPUTS`."""
        canonical, ray_from_canonical, spread = self.lifter(flat, confidence)
        lifted = canonical @ ray_from_canonical.transpose(1, 2)
        guessed = freedom[..., None, None] > 0.5 * LIFTER_ROTATION_SD
        guess = lifted[..., :2] / (1 + norm[:, None, None] * lifted[..., 2:]).clamp_min(0.5)
        filled = torch.where(confidence.unsqueeze(-1) > 0, flat, guess)
        views = csm.Views(
            ray_xy=filled[pick],
            confidence=confidence[pick],
            weight=weight,
            norm=norm[pick],
            depth=lifted[..., 2][pick],
            depth_sd=csm.LAPLACE_SD * spread[pick] + doubt.unsqueeze(-1),
            ray_from_body=torch.where(guessed, ray_from_canonical[pick], rotation),
        )
        fused = csm.fuse(views, freedom)
        return (
            lifted, ray_from_canonical[:, :, 1], fused.refined, fused.body, fused.ray_from_body, fused.inlier,
            fused.model_sd, fused.scale, fused.offset, fused.rotation_gradient, fused.rotation_hessian,
        )  # fmt: skip


def rounded(lifter: Lifter) -> Lifter:
    """Returns a copy on the CPU with weights rounded to half precision, as they are stored."""
    copied = copy.deepcopy(lifter).cpu().eval()
    for weight in copied.parameters():
        weight.data = weight.data.half().float()
    return copied


def example(views: int, hypotheses: int, rng: np.random.Generator) -> GraphInput:
    """Returns simulated people, for tracing and checks; every second hypothesis has given rotations."""
    count = views * hypotheses
    directions = np.zeros((hypotheses, J, 3))
    for name, way in STANDING.items():
        directions[:, INDEX[name]] = way
    directions += rng.normal(0, 0.2, directions.shape)
    joints = np.zeros_like(directions)
    for parent, child in BONES:
        joints[:, child] = joints[:, parent] + directions[:, child]
    people = np.repeat(rebuild(joints, random_bones(hypotheses, rng)), views, axis=0)
    cameras = random_cameras((count,), np.zeros((count, 3)), rng)
    xy, _ = cameras.project(people)
    xy += rng.normal(0, 0.01, xy.shape) * np.ptp(xy, axis=1).max(-1)[:, None, None]
    score = rng.uniform(0.3, 1.0, (count, J))
    flat, norm, frame = rectify(xy, score, cameras.focal_px, cameras.size_px)
    return GraphInput(
        ray_xy=flat.astype(np.float32),
        confidence=score.astype(np.float32),
        norm=norm.astype(np.float32),
        assignment=np.arange(count).reshape(hypotheses, views),
        view_weight=np.ones((hypotheses, views), np.float32),
        ray_from_rig=(frame @ cameras.rotation).astype(np.float32).reshape(hypotheses, views, 3, 3),
        rotation_prior_sd=np.full((hypotheses, views), 0.1, np.float32),
        depth_bias_sd=np.zeros((hypotheses, 1), np.float32),
        lifter_rotations=np.arange(hypotheses) % 2 == 0,
    )


def tensors(given: GraphInput) -> tuple[Tensor, ...]:
    """Returns the graph's inputs in order."""
    return tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in given.onnx().values())


def reference(graph: RigGraph, given: GraphInput) -> GraphOutput:
    """Returns the outputs of torch."""
    with torch.no_grad():
        outputs = graph(*tensors(given))
    return GraphOutput(*(value.numpy() for value in outputs))
