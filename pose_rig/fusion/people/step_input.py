"""What is given at one time step, from which people are estimated.

Axes: V views, C candidates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.pose.observation import Observation
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.rig.camera_properties import CameraProperties
from pose_rig.fusion.rig.rig_view import RigView
from pose_rig.graph import Engine


@dataclass(frozen=True)
class StepInput:
    """The detections of one time step, all of them or those of one person, and the cameras.

    Attributes:
        observation: The candidates.
        samples: (V) the detections that they come from.
        cameras: Their image sizes and landmark sets.
        rig: What is known of the cameras.
        engine: Runs the graph.
    """

    observation: Observation
    samples: Sequence[Sample | None]
    cameras: CameraProperties
    rig: RigView
    engine: Engine

    @property
    def t_ns(self) -> int:
        """Time."""
        return self.observation.t_ns

    @cached_property
    def solved_cameras(self) -> Calibration | None:
        """The solved cameras, those that are not trusted not known; None until the rig is solved."""
        solution = self.rig.solution
        return None if solution is None else replace(solution.cameras, known=self.rig.known)

    def part(self, candidates: NDArray[np.int64]) -> "StepInput":
        """Returns it with some of the candidates."""
        return replace(self, observation=self.observation.part(candidates))
