"""Simulated people as input of the graph: to trace it, to compare engines and to time them."""

import numpy as np

from pose_rig.geometry import ray_depths, rectify
from pose_rig.graph import GraphInput
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
    xy, local = cameras.project(people)
    depth_px = cameras.focal_px[:, None] * (local[..., 2] / local[:, :1, 2] - 1)
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
        depth=ray_depths(depth_px, xy, score).astype(np.float32),
    )
