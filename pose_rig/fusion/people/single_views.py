"""Where each detection alone places a body: pose and distance from its camera, as lifted.

Axes: C candidates, V views, J = 17 joints.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.body_scale import EARS_TO_ANKLES, bone_lengths, upright_length
from pose_rig.fusion.pose.computation import Computations
from pose_rig.fusion.pose.hypothesis import single_view_run
from pose_rig.fusion.pose.observation import Observation
from pose_rig.graph import Engine


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
    out = yield single_view_run(engine, observation, np.arange(len(observation.view)))
    height = np.array([upright_length(bone_lengths(body)) for body in out.body.astype(float)]) / EARS_TO_ANKLES
    scale = out.scale[:, 0].astype(float)
    distance = 1 / np.maximum(observation.norm * scale * height, 1e-6)
    pelvis = observation.ray_from_camera[:, 2] * distance[:, None]
    lifted = out.lifted.astype(float) @ observation.ray_from_camera
    return SingleViews(observation.t_ns, observation.view, pelvis, lifted)
