"""Where each detection alone places a body: pose and distance from its camera, as lifted.

Axes: C candidates, V views, J = 17 joints.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.body_scale import EARS_TO_ANKLES, bone_lengths, upright_length
from pose_rig.fusion.pose.computation import Computations
from pose_rig.fusion.pose.hypothesis import GraphRun
from pose_rig.fusion.pose.observation import Observation
from pose_rig.graph import Engine, GraphInput


@dataclass(frozen=True, slots=True)
class SingleViews:
    """Bodies as single detections show them.

    Attributes:
        t_ns: Time.
        view: (C,) index of each candidate's view.
        pelvis: (C,3) in camera axes, body heights.
        lifted: (C,J,3) the lifted pose in camera axes.
    """

    t_ns: int
    view: NDArray[np.int64]
    pelvis: Floats
    lifted: Floats

    def nearest(self, view: int, most: int) -> NDArray[np.int64]:
        """Returns the candidates of a view, at most so many, those nearest to the camera."""
        rows = np.flatnonzero(self.view == view)
        if len(rows) <= most:
            return rows
        return np.sort(rows[np.argsort(np.linalg.norm(self.pelvis[rows], axis=-1), kind="stable")[:most]])


def single_views(observation: Observation, engine: Engine) -> Computations[SingleViews]:
    """Returns what each candidate shows by itself."""
    count = len(observation.view)
    one = np.ones((count, 1), np.float32)
    out = yield GraphRun(
        engine,
        GraphInput(
            ray_xy=observation.ray_xy.astype(np.float32),
            confidence=observation.score.astype(np.float32),
            norm=observation.norm.astype(np.float32),
            assignment=np.arange(count)[:, None],
            view_weight=one,
            ray_from_rig=observation.ray_from_camera[:, None].astype(np.float32),
            rotation_prior_sd=one,
            depth_bias_sd=0 * one,
            lifter_rotations=np.ones(count, bool),
            depth=observation.ray_depth.astype(np.float32),
        ),
    )
    height = np.array([upright_length(bone_lengths(body)) for body in out.body.astype(float)]) / EARS_TO_ANKLES
    scale = out.scale[:, 0].astype(float)
    distance = 1 / np.maximum(observation.norm * scale * height, 1e-6)
    pelvis = observation.ray_from_camera[:, 2] * distance[:, None]
    lifted = out.lifted.astype(float) @ observation.ray_from_camera
    return SingleViews(observation.t_ns, observation.view, pelvis, lifted)
