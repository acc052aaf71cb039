"""Where a person is expected, and which views agreed with the last poses."""

from dataclasses import replace

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.segments import POINTS
from pose_rig.fusion.pose.motion import MAX_JUMP_NS, MAX_PRIOR_AGE_NS, PersonMotion
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


def standing_at(x_m: float) -> SolvedPose:
    return replace(pose([0.9, 0.9, 0.9]), joints=np.full((J, 3), [x_m, 0.0, 0.0]))


def test_a_person_is_expected_to_walk_on_for_a_moment() -> None:
    motion = PersonMotion(VIEWS)
    assert motion.expected(START) is None
    for step in range(4):  # 1 m/s
        motion.update(standing_at(0.1 * step), START + step * 100_000_000)
    last = START + 300_000_000
    for after_ns, x_m in ((0, 0.3), (100_000_000, 0.4), (MAX_PRIOR_AGE_NS, 0.5), (60_000_000_000, 0.5), (-1, 0.3)):
        expected = motion.expected(last + after_ns)
        assert expected is not None
        np.testing.assert_allclose(expected, np.full((len(POINTS), 3), [x_m, 0.0, 0.0]), atol=1e-9)


def test_nothing_is_expected_after_a_restart() -> None:
    motion = PersonMotion(VIEWS)
    motion.update(standing_at(0.5), START)
    assert motion.expected(START) is not None
    assert motion.may_jump(START).all()
    motion.restart()
    assert motion.expected(START) is None
    assert motion.prior(START) is None
    assert not motion.may_jump(START).any()
    motion.update(standing_at(9.0), START + 33_000_000)
    expected = motion.expected(START + 133_000_000)
    assert expected is not None
    np.testing.assert_allclose(expected, np.full((len(POINTS), 3), [9.0, 0.0, 0.0]))  # without a velocity
