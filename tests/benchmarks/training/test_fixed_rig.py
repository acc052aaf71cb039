"""The footage of one fixed rig."""

import numpy as np
import pytest

from benchmarks.training.fixed_rig import FOCAL_PX, MAX_REACH_M, RADIUS_M, SIZE_PX, fixed_rig, fixed_rig_footage
from pose_rig.simulation.motion import Clip
from pose_rig.skeleton import INDEX, PARENTS
from tests.training.fakes.footage import walking


def clip(seconds: float = 3.0, speed_m_s: float = 4.0) -> Clip:
    """A person who runs straight on, far beyond the middle of the room."""
    fps, truth = 30.0, walking().truth
    assert truth is not None
    pose = truth.joints[0, 0] - truth.joints[0, 0, :1]
    time_s = np.arange(round(seconds * fps)) / fps
    root = np.stack([speed_m_s * time_s, np.full(len(time_s), 0.95), 0 * time_s], -1)
    joints = np.tile(pose * np.array([1, -1, -1]), (len(time_s), 1, 1))
    return Clip("run", fps, joints.astype(np.float32), root.astype(np.float32))


def test_the_cameras_are_in_a_circle_and_see_the_middle_upright() -> None:
    cameras = fixed_rig()
    points = np.tile([[0.0, 0.9, 0.0], [0.0, 1.9, 0.0]], (4, 1, 1))
    xy, local = cameras.project(points)
    assert np.allclose(np.linalg.norm(cameras.position[:, [0, 2]], axis=1), RADIUS_M)
    assert np.allclose(xy[:, 0], SIZE_PX / 2)
    assert (xy[:, 1, 1] < xy[:, 0, 1]).all()
    assert np.allclose(xy[:, 1, 0], SIZE_PX / 2)
    assert np.allclose(local[:, 0, 2], np.hypot(RADIUS_M, 1.6 - 0.9))


def test_exact_2d_is_the_projection_of_the_truth_with_one_body_per_person() -> None:
    people = fixed_rig_footage([clip()], 2, 3, 0, exact=True)
    assert [one.name for one in people] == ["person0", "person1"]
    lengths = []
    for one in people:
        assert one.truth is not None
        joints = one.truth.joints
        projected = FOCAL_PX * joints[..., :2] / joints[..., 2:] + SIZE_PX / 2
        assert np.abs(one.xy_px - projected).max() < 0.01
        assert (one.score == 1).all()
        assert one.frames == 3 * 15
        assert ((one.xy_px > 0) & (one.xy_px < SIZE_PX)).all()
        bones = np.linalg.norm(joints - joints[:, :, PARENTS], axis=-1)[..., INDEX["l_knee"]]
        assert np.ptp(bones) < 1e-4
        lengths.append(bones.mean())
    assert abs(lengths[0] - lengths[1]) > 0.005


def test_nobody_leaves_the_middle_of_the_room() -> None:
    (one,) = fixed_rig_footage([clip()], 1, 2, 0, exact=True)
    assert one.truth is not None
    rig = fixed_rig()
    room = np.einsum("vji,tvj->tvi", rig.rotation, one.truth.joints[:, :, 0]) + rig.position
    assert np.allclose(room, room[:, :1], atol=1e-3)
    reach = np.linalg.norm(room[:, 0, [0, 2]], axis=-1)
    assert reach.max() == pytest.approx(MAX_REACH_M, abs=1e-3)


def test_noise_changes_the_2d_alone() -> None:
    exact, noisy = (fixed_rig_footage([clip()], 2, 2, 5, exact=exact) for exact in (True, False))
    for one, other in zip(exact, noisy, strict=True):
        assert one.truth is not None
        assert other.truth is not None
        assert np.array_equal(one.truth.joints, other.truth.joints)
        off = np.linalg.norm(one.xy_px - other.xy_px, axis=-1)
        assert 2 < np.median(off) < 20
        assert (other.score < 0.85).any()
