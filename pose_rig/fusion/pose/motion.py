"""Where a person is expected, from their last pose in the solved rig and its velocity.

Axes: V views, P points (`segments.POINTS`).
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.fusion.pose.fit import TemporalPrior
from pose_rig.fusion.pose.solved_pose import MIN_AGREEMENT, SolvedPose

VELOCITY_AVERAGING_NS = 100_000_000
MAX_PRIOR_AGE_NS = 200_000_000  # an older pose is no prior
MAX_JUMP_NS = 1_500_000_000  # a view that has disagreed for longer does not jump: the pose may be wrong


class PersonMotion:
    """The last pose and velocity of one person."""

    def __init__(self, views: int) -> None:
        self._pose: SolvedPose | None = None
        self._agreed_ns = np.full(views, -MAX_JUMP_NS)  # (V,) when each view last agreed with the pose
        self._t_ns = 0
        self._velocity = np.zeros((0, 3))  # (P,3) m/s

    def prior(self, t_ns: int) -> TemporalPrior | None:
        """Returns the temporal prior for a time step, None if the last pose is too old."""
        elapsed_ns = t_ns - self._t_ns
        if self._pose is None or not 0 <= elapsed_ns <= MAX_PRIOR_AGE_NS:
            return None
        return self._pose.temporal_prior(elapsed_ns * 1e-9, self._velocity)

    def may_jump(self, t_ns: int) -> NDArray[np.bool_]:
        """Returns (V,) the views that agreed with the pose until now, or less than `MAX_JUMP_NS` ago."""
        return np.asarray(np.abs(t_ns - self._agreed_ns) < MAX_JUMP_NS)

    def update(self, pose: SolvedPose, t_ns: int) -> None:
        """Adds a pose."""
        self._agreed_ns = np.where(pose.agreement > MIN_AGREEMENT, t_ns, self._agreed_ns)
        elapsed_ns = t_ns - self._t_ns
        if self._pose is None or not 0 < elapsed_ns <= MAX_PRIOR_AGE_NS:
            self._velocity = np.zeros_like(pose.points)
        else:
            share = min(elapsed_ns / VELOCITY_AVERAGING_NS, 1.0)
            self._velocity += share * ((pose.points - self._pose.points) / (elapsed_ns * 1e-9) - self._velocity)
        self._pose, self._t_ns = pose, t_ns
