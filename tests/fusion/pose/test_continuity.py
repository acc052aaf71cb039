import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.continuity import MAX_OFFSET_SPEED_M_S, ContinuousPosition
from pose_rig.skeleton import J

FPS = 30.0
G = np.array([0.0, -9.81, 0.0])


def offsets(path: Floats, fps: float = FPS) -> Floats:
    """(T,3) m the offsets of a stiff body on a path (T,3) m."""
    position, body = ContinuousPosition(), np.random.default_rng(0).normal(0, 0.4, (J, 3))
    return np.stack([position(round(t * 1e9 / fps), body + at) for t, at in enumerate(path)])


def largest_m(path: Floats, fps: float = FPS) -> float:
    return float(np.linalg.norm(offsets(path, fps), axis=-1).max())


def accelerated(acceleration: Floats, fps: float) -> Floats:
    """(T,3) m the path from rest with an acceleration (T,3) m/s²."""
    velocity = np.cumsum(acceleration, axis=0) / fps
    return np.cumsum(velocity, axis=0) / fps


@pytest.mark.parametrize("fps", [10.0, 30.0, 60.0, 120.0])
def test_a_sprinter_is_not_slowed(fps: float) -> None:
    time = np.arange(0, 3, 1 / fps)
    start = np.where(time < 0.8, 10.0, 0.0)[:, None] * np.array([1.0, 0.0, 0.0])
    assert largest_m(accelerated(start, fps), fps) == 0  # to 8 m/s


@pytest.mark.parametrize("fps", [20.0, 30.0, 60.0])
def test_a_jump_from_the_height_of_a_table_is_not_slowed(fps: float) -> None:
    time = np.arange(0, 1, 1 / fps)
    landing = (time > 0.4) & (time < 0.6)  # from 3.9 m/s to rest in 0.2 s
    acceleration = np.where(time < 0.4, 1.0, 0.0)[:, None] * G - landing[:, None] * 2 * G
    assert largest_m(accelerated(acceleration, fps), fps) == 0


def test_noise_of_a_pose_has_no_effect() -> None:
    noise = np.random.default_rng(1).normal(0, 0.005, (300, 3))
    assert largest_m(noise) == 0


@pytest.mark.parametrize("speed_m_s", [0.0, 4.0])
def test_a_jump_becomes_a_glide(speed_m_s: float) -> None:
    path = np.arange(90)[:, None] / FPS * np.array([speed_m_s, 0.0, 0.0])
    path[30:] += np.array([0.0, 0.0, 2.0])
    shown = path + offsets(path)
    steps_m = np.linalg.norm(np.diff(shown, axis=0), axis=-1)
    np.testing.assert_allclose(shown[:30], path[:30])
    assert steps_m.max() < speed_m_s / FPS + 0.09 + MAX_OFFSET_SPEED_M_S / FPS
    assert np.linalg.norm(shown[29 + 60] - path[29 + 60]) < 0.1  # it ends within two seconds


def test_an_offset_ends() -> None:
    path = np.zeros((150, 3))
    path[30:, 2] = 1.0
    assert not offsets(path)[120:].any()


def test_one_wrong_pose_is_not_seen() -> None:
    path = np.zeros((60, 3))
    path[30, 2] = 1.0
    assert np.abs(path + offsets(path)).max() < 0.2


def test_after_a_gap_or_another_person_it_may_be_anywhere() -> None:
    position, body = ContinuousPosition(), np.zeros((J, 3))
    for t_ns in range(0, 200_000_000, 33_000_000):
        position(t_ns, body)
    assert np.linalg.norm(position(231_000_000, body + 2.0)) > 2
    assert not position(900_000_000, body - 2.0).any()
    position.restart()
    assert not position(933_000_000, body + 2.0).any()


def test_time_that_does_not_increase_restarts_it() -> None:
    position, body = ContinuousPosition(), np.zeros((J, 3))
    position(1_000_000_000, body)
    assert not position(1_000_000_000, body + 2.0).any()
    assert not position(500_000_000, body - 2.0).any()


def test_poses_at_nearly_the_same_time_give_no_velocity() -> None:
    position, body = ContinuousPosition(), np.random.default_rng(0).normal(0, 0.4, (J, 3))
    rng = np.random.default_rng(1)
    for frame in range(60):
        for nanoseconds in range(4):  # as while all cameras are late
            noisy = body + rng.normal(0, 0.003, 3)
            assert np.linalg.norm(position(round(frame * 1e9 / FPS) + nanoseconds, noisy)) < 1e-6
    moved = position(round(60e9 / FPS) + 1, body + np.array([1.0, 0.0, 0.0]))
    assert moved[0] < -0.8  # a jump is still none
