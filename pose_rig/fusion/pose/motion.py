"""Where a person is expected, from their last pose in the solved rig and its velocity.

Axes: V views, P points (`segments.POINTS`).
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.fit import TemporalPrior
from pose_rig.fusion.pose.solved_pose import MIN_AGREEMENT, SolvedPose

VELOCITY_AVERAGING_NS = 100_000_000
MAX_PRIOR_AGE_NS = 200_000_000  # an older pose is no prior
MAX_JUMP_NS = 1_500_000_000  # a view that has disagreed for longer does not jump: the pose may be wrong
NEVER_NS = -(1 << 62)


class PersonMotion:
    """The last pose and velocity of one person."""

    def __init__(self, views: int) -> None:
        self._pose: SolvedPose | None = None
        self._agreed_ns = np.full(views, NEVER_NS)  # (V,) when each view last agreed with the pose
        self._t_ns = 0
        self._velocity = np.zeros((0, 3))  # (P,3) m/s

    def prior(self, t_ns: int) -> TemporalPrior | None:
        """Returns the temporal prior for a time step, None if the last pose is too old."""
        elapsed_ns = t_ns - self._t_ns
        if self._pose is None or not 0 <= elapsed_ns <= MAX_PRIOR_AGE_NS:
            return None
        return self._pose.temporal_prior(elapsed_ns * 1e-9, self._velocity)

    def expected(self, t_ns: int) -> Floats | None:
        """Returns (P,3) m where the points are expected, None before the first pose and after a restart.

        For longer than a prior is of use, the person is expected to have stopped.
        """
        if self._pose is None:
            return None
        elapsed_ns = min(max(t_ns - self._t_ns, 0), MAX_PRIOR_AGE_NS)
        return self._pose.points + self._velocity * (elapsed_ns * 1e-9)

    def restart(self) -> None:
        """Forgets the last pose, and which views agreed with it."""
        self._pose = None
        self._agreed_ns = np.full(len(self._agreed_ns), NEVER_NS)

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
