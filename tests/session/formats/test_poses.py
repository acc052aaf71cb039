import numpy as np
import pytest

from tests.session.posed import NAMES, START_NS, made, with_gaps


def test_rate_and_seconds() -> None:
    poses = made(7, 60.0)
    assert len(poses) == 7
    assert poses.rate_hz == 60.0
    np.testing.assert_allclose(poses.t_s, np.arange(7) / 60, atol=1e-8)
    assert made(1).rate_hz == 0.0
    assert made(0).rate_hz == 0.0
    assert made(0).t_s.shape == (0,)


def test_a_joint_is_its_trajectory() -> None:
    poses = made(4)
    np.testing.assert_array_equal(poses.joint("l_knee"), poses.xyz[:, NAMES.index("l_knee")])
    np.testing.assert_array_equal(poses["left_knee"], poses.joint("l_knee"))
    np.testing.assert_array_equal(poses["LBigToe"], poses.joint("left_foot_index"))
    with pytest.raises(KeyError, match=r"^Unknown joint 'tail'\. The joints are pelvis, r_hip, "):
        poses.joint("tail")


def test_poses_describe_themselves_in_a_line() -> None:
    assert repr(made(120)) == "Poses(120 time steps, 2.0 s at 60 Hz, 37 joints, solved 99 %, height of 1.82 m given)"
    assert repr(made(1, height_assumed=True)) == "Poses(1 time step, 37 joints, solved 0 %, height of 1.82 m assumed)"
    assert repr(made(0)) == "Poses(0 time steps, 37 joints, height of 1.82 m given)"


def test_the_standard_deviation_is_that_along_one_axis() -> None:
    assert made(3).sd_m.shape == (3, len(NAMES))
    np.testing.assert_allclose(made(3).sd_m, 0.01, rtol=1e-6)


def test_tracked_is_where_a_person_is() -> None:
    assert with_gaps(4).tracked.tolist() == [True, False, True, True]


def test_resampled_poses_are_interpolated() -> None:
    poses = made(61, 60.0).resampled(25.0)
    assert len(poses) == 26
    assert set(np.diff(poses.t_ns).tolist()) == {40_000_000}
    np.testing.assert_allclose(poses.xyz[:, 0, 0], poses.t_s, atol=1e-6)  # x is time
    assert (poses.mode[1:] == "solved").all()
    assert np.isfinite(poses.xyz).all()


def test_poses_at_a_constant_rate_are_unchanged_by_resampling() -> None:
    poses = made(30, 50.0)
    even = poses.resampled()
    np.testing.assert_array_equal(even.t_ns, poses.t_ns)
    np.testing.assert_array_equal(even.xyz, poses.xyz)
    np.testing.assert_array_equal(even.score, poses.score)


def test_nothing_is_made_up_in_a_long_gap() -> None:
    t_ns = START_NS + np.array([0, 20, 40, 340, 360, 560, 580], np.int64) * 1_000_000  # gaps of 0.3 s and 0.2 s
    poses = made(7, t_ns=t_ns).resampled(50.0)
    inside = (poses.t_s > 0.0401) & (poses.t_s < 0.3399)
    assert inside.sum() == 14
    assert np.isnan(poses.xyz[inside]).all()
    assert (poses.score[inside] == 0).all()
    assert np.isfinite(poses.xyz[~inside]).all()


def test_a_person_without_visible_landmarks_stays_invisible() -> None:
    poses = with_gaps(6).resampled(120.0)
    assert poses.tracked.tolist() == [True, False, False, False] + [True] * 7


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_are_even(count: int) -> None:
    poses = made(count)
    assert poses.resampled() is poses
    assert poses.resampled(30.0) is poses


def test_between_keeps_both_ends() -> None:
    poses = made(60, 60.0)
    part = poses.between(0.5, 0.75)
    assert part.t_ns.tolist() == poses.t_ns[30:46].tolist()
    np.testing.assert_array_equal(part.xyz, poses.xyz[30:46])
    assert part.covariance_m2.shape == (16, len(NAMES), 3, 3)
    assert len(poses.between(None, None)) == 60
    assert len(poses.between(0.9, None)) == 6
    assert len(poses.between(9.0, None)) == 0
