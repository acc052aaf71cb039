"""Which views agreed with the last poses."""

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.motion import MAX_JUMP_NS, PersonMotion
from pose_rig.fusion.pose.solved_pose import SolvedPose
from pose_rig.skeleton import J

VIEWS = 3
START = 5_000_000_000


def pose(agreement: list[float]) -> SolvedPose:
    empty: Floats = np.zeros((VIEWS, J, 2))
    return SolvedPose(
        joints=np.zeros((J, 3)),
        covariance=np.tile(np.eye(3), (J, 1, 1)),
        inlier=np.ones((VIEWS, J)),
        agreement=np.array(agreement),
        projected_px=empty,
        ideal_xy=empty,
        sd=np.ones(VIEWS),
        visible=np.ones((VIEWS, J)),
    )


def test_no_view_jumps_before_it_has_agreed() -> None:
    motion = PersonMotion(VIEWS)
    assert not motion.may_jump(0).any()
    motion.update(pose([0.2, 0.0, 0.4]), 0)
    assert not motion.may_jump(1).any()


def test_a_view_that_agreed_may_jump_for_a_while() -> None:
    motion = PersonMotion(VIEWS)
    motion.update(pose([0.9, 0.2, 0.9]), START)
    motion.update(pose([0.9, 0.2, 0.1]), START + MAX_JUMP_NS // 2)
    assert motion.may_jump(START + MAX_JUMP_NS // 2).tolist() == [True, False, True]
    assert motion.may_jump(START + MAX_JUMP_NS).tolist() == [True, False, False]


def test_a_pose_is_a_prior_for_a_moment() -> None:
    motion = PersonMotion(VIEWS)
    assert motion.prior(START) is None
    motion.update(pose([0.9, 0.9, 0.9]), START)
    assert motion.prior(START + 33_000_000) is not None
    assert motion.prior(START + 1_000_000_000) is None
