"""The rotations of moving cameras: each follows from the previous time step, as in cold mode.

Axes: V views.
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.hypothesis import Hypothesis, RotationPrior
from pose_rig.fusion.pose.lifts import camera_from_body
from pose_rig.geometry import nearest_rotation

MAX_AGE_NS = 500_000_000  # an older rotation of a moving camera is not used
ROTATION_SD = np.radians(10.0)  # of a hand-held camera between two time steps, with the error of the lifts
MIN_MOVES = 3  # within `MOVES_WINDOW_NS`: the camera counts as moving
MIN_INTERVAL_NS = 5_000_000_000  # between moves; sooner, its pose was only not estimated well yet
MOVES_WINDOW_NS = 20_000_000_000


class MovingCameras:
    """The cameras that move.

    Args:
        moving: (V,) those known to.

    Attributes:
        moving: (V,) those known or found to.
    """

    def __init__(self, moving: NDArray[np.bool_]) -> None:
        self.moving = moving.copy()
        self._camera_from_rig = np.tile(np.eye(3), (len(moving), 1, 1))
        self._updated_ns = np.full(len(moving), -MAX_AGE_NS)
        self._moves_ns: list[list[int]] = [[] for _ in moving]

    def count_move(self, view: int, t_ns: int) -> None:
        """Counts that a camera was moved; after `MIN_MOVES` it counts as moving."""
        recent = [before for before in self._moves_ns[view] if t_ns - before < MOVES_WINDOW_NS]
        if not recent or t_ns - recent[-1] > MIN_INTERVAL_NS:
            recent.append(t_ns)
        self._moves_ns[view] = recent
        self.moving[view] |= len(recent) >= MIN_MOVES

    def known(self, t_ns: int) -> NDArray[np.bool_]:
        """Returns (V,) which moving cameras have a known rotation."""
        return np.asarray(self.moving & (np.abs(t_ns - self._updated_ns) < MAX_AGE_NS))

    def apply(self, prior: RotationPrior, t_ns: int) -> RotationPrior:
        """Returns the rotations with those of the moving cameras."""
        known = self.known(t_ns)
        if not known.any():
            return prior
        rotation = np.where(known[:, None, None], self._camera_from_rig, prior.camera_from_rig)
        return RotationPrior(rotation, np.where(known, ROTATION_SD, prior.sd))

    def update(self, hypothesis: Hypothesis) -> None:
        """Sets the rotations of cameras that were known to those which the graph computed."""
        known = self.known(hypothesis.observation.t_ns) & hypothesis.present
        self._set(hypothesis.observation.t_ns, known, camera_from_body(hypothesis))

    def initialise(self, cold: Hypothesis, camera_from_rig: Floats, known: NDArray[np.bool_]) -> None:
        """Sets the rotations of cameras that were not known, relative to those that are.

        Args:
            cold: With rotations from this time step alone.
            camera_from_rig: (V,3,3).
            known: (V,) of these.
        """
        both = known & cold.present
        if not both.any():
            return
        from_body = camera_from_body(cold)
        body_from_rig = nearest_rotation((from_body[both].swapaxes(-1, -2) @ camera_from_rig[both]).sum(0))
        t_ns = cold.observation.t_ns
        self._set(t_ns, self.moving & cold.present & ~self.known(t_ns), from_body @ body_from_rig)

    def _set(self, t_ns: int, views: NDArray[np.bool_], camera_from_rig: Floats) -> None:
        self._camera_from_rig = np.where(views[:, None, None], camera_from_rig, self._camera_from_rig)
        self._updated_ns = np.where(views, t_ns, self._updated_ns)
