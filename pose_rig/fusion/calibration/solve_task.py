"""What a rig is solved from.

Axes: V views.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.intrinsics import Intrinsics


@dataclass(frozen=True, slots=True)
class SolveTask:
    """Input of `self_solve`.

    Attributes:
        keyframes: Detections.
        intrinsics: Focal lengths assumed or given.
        focal_given: (V,) whether the focal length comes from the configuration.
        camera_from_rig: (V,3,3) from rotation averaging, or of the current rig; defines the frame.
        known: (V,) views with a known rotation.
        height_m: Body height of person 0, the first; None = unknown.
        current: The current rig, the only initial state if it covers all views.
        placed: Views of the current rig that were placed by resection since it was solved. The others define its frame;
            these keep their focal lengths.
        other_heights_m: Body heights of persons 1, 2, …, None = unknown; those of all further ones are unknown.
    """

    keyframes: Sequence[Keyframe]
    intrinsics: Intrinsics
    focal_given: NDArray[np.bool_]
    camera_from_rig: Floats
    known: NDArray[np.bool_]
    height_m: float | None
    current: Calibration | None = None
    placed: tuple[int, ...] = ()
    other_heights_m: Sequence[float | None] = ()

    def known_height_m(self, person: int) -> float | None:
        """Returns the body height of a person, None if it is unknown."""
        return dict(enumerate([self.height_m, *self.other_heights_m])).get(person)
