"""The rig frame while the cameras are unknown: that of the first camera, levelled by an averaged vertical.

Axes: V views.
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.rotation_averaging import gravity_aligned_rotation
from pose_rig.geometry import nearest_rotation

AVERAGING_STEPS = 60  # after so many time steps, one more moves the averages by 1/60
MIN_DETERMINANT = 0.1  # of an averaged rotation that is used
_FORWARD = np.array([0.0, 0.0, 1.0])


class ColdFrame:
    """Averages the vertical in each camera, and the rotations to the first camera."""

    def __init__(self, views: int) -> None:
        self._up = np.zeros((views, 3))
        self._first_from_camera = np.zeros((views, 3, 3))
        self._steps = 0

    @property
    def vertical(self) -> Floats | None:
        """(3,) in camera axes, of a rig with one camera, once it has been averaged for long enough."""
        return self._up[0] if len(self._up) == 1 and self._steps >= AVERAGING_STEPS else None

    def rig_from_body(
        self,
        camera_from_body: Floats,
        ray_from_camera: Floats,
        upright: NDArray[np.float32],
        present: NDArray[np.bool_],
    ) -> Floats:
        """Adds a time step and returns rig_from_body (3,3).

        While the first camera does not detect the person, its averaged rotation to another one is used.

        Args:
            camera_from_body: (V,3,3).
            ray_from_camera: (V,3,3).
            upright: (V,3) the vertical in ray frames, by the lifts.
            present: (V,) which views detect the person; at least one.
        """
        first = int(np.flatnonzero(present)[0])
        if first and np.linalg.det(self._first_from_camera[first]) > MIN_DETERMINANT:
            first_from_body = nearest_rotation(self._first_from_camera[first]) @ camera_from_body[first]
            return np.asarray(gravity_aligned_rotation(self._up[0], _FORWARD) @ first_from_body)
        self._steps += 1
        share = 1 / min(self._steps, AVERAGING_STEPS)
        first_from = camera_from_body[first] @ camera_from_body.swapaxes(-1, -2)
        if first == 0:
            self._first_from_camera += share * present[:, None, None] * (first_from - self._first_from_camera)
        up = np.einsum("vij,vkj,vk->vi", first_from, ray_from_camera, upright.astype(float))[present].mean(0)
        self._up[first] += share * (up - self._up[first])
        return np.asarray(gravity_aligned_rotation(self._up[first], _FORWARD) @ camera_from_body[first])
