"""Cameras that were moved: they disagree with the others for long, and are excluded until they are placed again.

Axes: V views.
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.hypothesis import Hypothesis
from pose_rig.fusion.pose.solved_pose import SolvedPose
from pose_rig.fusion.rig.calibrator import Calibrator
from pose_rig.fusion.rig.camera_poses import CameraPoses
from pose_rig.fusion.rig.consistency import Consistency
from pose_rig.fusion.rig.pair_agreement import PairAgreement, unmoved_pair

MOVED_AFTER_S = 1.0  # a camera that disagrees for longer was moved
BOTH_LOST_AFTER_S = 3.0  # if there are two: which one was moved is unknown. Sooner, one may follow another person


class MovedCameras:
    """Finds cameras that were moved, and excludes them.

    Args:
        poses: The camera poses in use.
        consistency: How well they agree.
        calibrator: Holds the keyframes, from which a moved camera is removed.

    Attributes:
        unchecked: (V,) whose disagreement may come from their clock: they are not excluded yet.
        count: How often a camera counted as moved.
    """

    def __init__(self, poses: CameraPoses, consistency: Consistency, calibrator: Calibrator) -> None:
        self._poses, self._consistency, self._calibrator = poses, consistency, calibrator
        self._pairs = PairAgreement()
        self.unchecked = np.zeros(len(poses.known), bool)
        self.count = 0

    def add(self, hypothesis: Hypothesis, pose: SolvedPose, length: Floats) -> None:
        """Adds a time step; arguments as in `PairAgreement.add`."""
        self._pairs.add(hypothesis, pose, length)

    def clear(self) -> None:
        """Discards the time steps so far, which were of another person, of other images or of other clocks."""
        self._pairs.clear()

    def exclude(self, t_ns: int) -> bool:
        """Excludes cameras that have disagreed for long: they were moved, or follow another person.

        Returns False if two are left that have disagreed for so long that both are lost: which was moved is unknown.
        """
        poses, inconsistent_s = self._poses, self._consistency.inconsistent_s
        for view in np.flatnonzero(poses.known & (inconsistent_s > MOVED_AFTER_S) & ~self.unchecked).tolist():
            self.count += 1
            pair = self._unmoved_pair(t_ns) if poses.known.sum() < 4 else None
            if pair is not None:
                self._trust_only(pair, t_ns)
                return True
            if poses.known.sum() < 3:
                return poses.solved is not None and bool(inconsistent_s[view] < BOTH_LOST_AFTER_S)
            self._exclude(view, t_ns)
        return True

    def _unmoved_pair(self, t_ns: int) -> NDArray[np.int64] | None:
        """Returns which two of three or more solved cameras agree, None if no pair clearly does."""
        solved, moving = self._poses.solved, self._poses.moving.moving
        if solved is None or (solved.solution.cameras.known & ~moving).sum() < 3:
            return None
        agreement = self._pairs.between(t_ns, solved.solution)
        compared = np.where(moving | moving[:, None], np.nan, agreement)
        return unmoved_pair(compared, solved.placed, solved.known & ~moving)

    def _trust_only(self, pair: NDArray[np.int64], t_ns: int) -> None:
        """Excludes the other cameras; one of the pair that was excluded by mistake is used again."""
        unmoved = np.isin(np.arange(len(self.unchecked)), pair)
        for view in np.flatnonzero(self._poses.known & ~unmoved).tolist():
            self._exclude(view, t_ns)
        for view in pair.tolist():
            self._consistency.reset(view)
            if self._poses.solved is not None:
                self._poses.solved.trust(view)

    def _exclude(self, view: int, t_ns: int) -> None:
        self._consistency.reset(view)
        self._poses.moving.count_move(view, t_ns)
        self._poses.exclude(view)
        self._calibrator.remove_view(view, keeps_solution=self._poses.solved is not None)
