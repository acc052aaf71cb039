import numpy as np
import pytest

from pose_rig.capture.simulated import SimulatedCamera, matrices, pose
from pose_rig.capture.source import Frame
from pose_rig.capture.source_factory import expand, open_source
from pose_rig.config import CameraConfig
from pose_rig.errors import UsageError
from pose_rig.simulation.walk import captured_walk
from pose_rig.skeleton import INDEX


def frames_of(member: int, members: int = 4) -> list[Frame]:
    source = open_source(CameraConfig(source="sim", member=member, members=members), "all", lambda: 0)
    return list(iter(source.read, None))


def test_the_motion_is_five_seconds_of_a_person_on_the_floor() -> None:
    xyz_TJ3, fps = captured_walk()
    assert len(xyz_TJ3) / fps == 5
    assert 1.3 < xyz_TJ3[:, INDEX["head"], 1].mean() < 1.8
    assert 0 < xyz_TJ3[:, [INDEX["l_ankle"], INDEX["r_ankle"]], 1].min() < 0.15
    thigh = np.linalg.norm(xyz_TJ3[:, INDEX["l_knee"]] - xyz_TJ3[:, INDEX["l_hip"]], axis=-1)
    assert thigh.std() < 0.005  # bones do not stretch


def test_the_motion_is_continuous() -> None:
    steps = [np.abs(pose(k / 30) - pose((k + 1) / 30)).max() for k in range(700)]
    assert max(steps) < 0.25


def test_cameras_are_aimed_at_the_person_from_3_to_5_m_and_upright() -> None:
    for member in range(8):
        K, R, t = matrices(member)
        np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(R) == pytest.approx(1)
        head, feet = R @ [0, 1.6, 0] + t, R @ [0, 0, 0] + t
        assert head[1] < feet[1]  # y points down in images
        assert 3 < np.linalg.norm(t) < 5.5
        x, y, z = K @ (R @ [0, 0.9, 0] + t)
        assert (x / z, y / z) == pytest.approx((640, 360), abs=1e-6)


def test_detections_are_the_projected_motion_plus_noise() -> None:
    K, R, t = matrices(2)
    errors, seen = [], 0
    for frame in frames_of(2):
        assert frame.detections is not None
        rays = (pose(frame.t_ns / 1e9) @ R.T + t) @ K.T
        inside = frame.detections.score[0] > 0
        errors.append((frame.detections.xy[0] - rays[:, :2] / rays[:, 2:])[inside])
        seen += int(inside.sum())
    error = np.concatenate(errors)
    assert 0.5 < error.std() < 4
    assert seen > 0.9 * 298 * 17


def test_members_differ_and_runs_do_not() -> None:
    first, again, other = frames_of(0), frames_of(0), frames_of(1)
    assert all(
        a.detections and b.detections and a.detections.xy.tobytes() == b.detections.xy.tobytes()
        for a, b in zip(first, again, strict=True)
    )
    assert first[0].detections is not None
    assert other[0].detections is not None
    assert not np.allclose(first[0].detections.xy, other[0].detections.xy)


def test_a_live_source_never_ends() -> None:
    assert SimulatedCamera(CameraConfig(source="sim"), endless=True).info.total_frames is None
    assert SimulatedCamera(CameraConfig(source="sim", fps=60.0), endless=False).info.total_frames == 596


def test_a_rig_expands_to_its_members() -> None:
    cameras = expand(CameraConfig(source="sim", members=3))
    assert [(camera.name, camera.member, camera.members) for camera in cameras] == [
        ("sim0", 0, 3), ("sim1", 1, 3), ("sim2", 2, 3)
    ]  # fmt: skip


def test_a_missing_member() -> None:
    with pytest.raises(UsageError, match="simulated rig of 2 has no camera 2"):
        SimulatedCamera(CameraConfig(source="sim", member=2, members=2), endless=False)
