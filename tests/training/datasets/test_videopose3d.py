from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose_rig.errors import UsageError
from pose_rig.skeleton import INDEX, J
from pose_rig.training.datasets.layout import HUMAN36M_32
from pose_rig.training.datasets.load import load
from pose_rig.training.datasets.protocol import HUMAN36M
from tests.training.datasets.world import Shot, as_file, shoot

SHOTS = {
    ("S5", "Walking"): shoot(1.2, HUMAN36M.size_px),
    ("S5", "Walking 1"): shoot(1.6, HUMAN36M.size_px),
    ("S9", "Waiting"): shoot(2.6, HUMAN36M.size_px, start_deg=20),
}
OFFSET_PX = 4.0


def nested(values: dict[tuple[str, str], Any]) -> Any:
    out: dict[str, dict[str, Any]] = {}
    for (subject, action), value in values.items():
        out.setdefault(subject, {})[action] = value
    return np.array(out, object)


def views_of(shot: Shot, shift_px: float) -> list[Any]:
    """Videos go on for 7 frames after the mocap has ended."""
    views = (shot.xy_px + shift_px).swapaxes(0, 1)
    return [np.concatenate([view, view[-1:].repeat(7, 0)]).astype(np.float32) for view in views]


def write(folder: Path, shots: dict[tuple[str, str], Shot], *, detector: str = "cpn_ft_h36m_dbb") -> None:
    np.savez_compressed(
        folder / "data_3d_h36m.npz",
        positions_3d=nested(
            {key: as_file(shot.room, HUMAN36M_32, 32).astype(np.float32) for key, shot in shots.items()}
        ),
    )
    metadata = np.array({"layout_name": "h36m", "num_joints": 17}, object)
    for name, shift in (("gt", 0.0), (detector, OFFSET_PX)):
        poses = nested({key: views_of(shot, shift) for key, shot in shots.items()})
        np.savez_compressed(folder / f"data_2d_h36m_{name}.npz", positions_2d=poses, metadata=metadata)


def test_actions_become_takes_with_the_truth_in_the_axes_of_each_camera(tmp_path: Path) -> None:
    write(tmp_path, SHOTS)
    takes = load("human36m", tmp_path, "train")
    assert [(take.name, take.subject, take.frames) for take in takes] == [
        ("S5 Walking", "S5", 12),
        ("S5 Walking 1", "S5", 16),
    ]
    for take, shot in zip(takes, (SHOTS["S5", "Walking"], SHOTS["S5", "Walking 1"]), strict=True):
        np.testing.assert_allclose(take.xy_px, shot.xy_px[::5] + OFFSET_PX, rtol=1e-5)
        assert take.truth is not None
        np.testing.assert_allclose(take.truth.xy_px, shot.xy_px[::5], rtol=1e-5)
        np.testing.assert_allclose(take.truth.joints, shot.local[::5], atol=0.01)
        assert take.score.min() == 1
        assert take.size_px[0].tolist() == [1000, 1002]
    assert [(take.name, take.frames) for take in load("human36m", tmp_path, "test")] == [("S9 Waiting", 3)]
    with pytest.raises(UsageError, match="no subject of 'morphing'"):
        load("human36m", tmp_path, "morphing")


def test_labels_are_input_and_ground_truth(tmp_path: Path) -> None:
    write(tmp_path, SHOTS)
    (tmp_path / "data_2d_h36m_cpn_ft_h36m_dbb.npz").unlink()
    take = load("human36m", tmp_path, "train")[0]
    assert take.truth is not None
    np.testing.assert_array_equal(take.xy_px, take.truth.xy_px)


@pytest.mark.parametrize("name", ["data_3d_h36m.npz", "data_2d_h36m_gt.npz"])
def test_without_both_labels_there_is_no_truth(tmp_path: Path, name: str) -> None:
    write(tmp_path, SHOTS)
    (tmp_path / name).unlink()
    take = load("human36m", tmp_path, "train")[0]
    assert take.truth is None
    assert take.frames == 14  # 67 frames of the video


def test_a_missing_camera_has_score_0_and_keeps_the_others(tmp_path: Path) -> None:
    shot = SHOTS["S5", "Walking 1"]
    write(tmp_path, SHOTS)
    path = tmp_path / "data_2d_h36m_cpn_ft_h36m_dbb.npz"
    views = views_of(shot, 0.0)
    views[1] = np.zeros((0, 17, 2))
    np.savez(path, positions_2d=nested({("S5", "Walking 1"): views}))
    take = load("human36m", tmp_path, "train")[0]
    assert take.score.any((0, 2)).tolist() == [True, False, True, True]
    assert take.truth is not None
    np.testing.assert_allclose(take.truth.joints, shot.local[::5], atol=0.01)


def test_joints_of_coco_are_put_together(tmp_path: Path) -> None:
    eyes_and_ears = np.zeros((30, 17, 2))
    eyes_and_ears[:, [5, 6]] = [[100, 10], [60, 10]]  # shoulders
    eyes_and_ears[:, [11, 12]] = [[90, 60], [70, 60]]  # hips
    np.savez(
        tmp_path / "data_2d_h36m_detectron_pt_coco.npz",
        positions_2d=nested({("S9", "Waiting"): [eyes_and_ears] * 4}),
        metadata=np.array({"layout_name": "coco"}, object),
    )
    take = load("human36m", tmp_path, "test")[0]
    assert take.xy_px[0, 0, INDEX["pelvis"]].tolist() == [80, 60]
    assert take.xy_px[0, 0, INDEX["thorax"]].tolist() == [80, 10]


def test_2d_and_3d_of_different_takes_are_refused(tmp_path: Path) -> None:
    shot = SHOTS["S9", "Waiting"]
    mixed = np.random.default_rng(0).uniform(0, 1000, shot.xy_px.shape)
    write(tmp_path, {("S9", "Waiting"): Shot(shot.room, shot.local, mixed)})
    with pytest.raises(UsageError, match=r"S9, camera 54138969: 3D poses and 2D labels do not match"):
        load("human36m", tmp_path, "test")


@pytest.mark.parametrize(
    ("positions", "text"),
    [
        ([1, 2], "has no positions_2d of subjects and actions"),
        ({"S9": [1]}, "has no positions_2d of subjects and actions"),
        ({"S9": {"Waiting": [np.zeros((5, 20, 2))] * 4}}, r"2D poses have the shape \(5, 20, 2\)"),
    ],
)
def test_files_of_another_form_are_refused(tmp_path: Path, positions: Any, text: str) -> None:
    np.savez(tmp_path / "data_2d_h36m_gt.npz", positions_2d=np.array(positions, object))
    with pytest.raises(UsageError, match=text):
        load("human36m", tmp_path, "test")


def test_3d_of_another_form_is_refused(tmp_path: Path) -> None:
    write(tmp_path, SHOTS)
    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d=nested({("S9", "Waiting"): np.zeros((5, J + 3, 3))}))
    with pytest.raises(UsageError, match=r"3D poses have the shape \(5, 20, 3\)"):
        load("human36m", tmp_path, "test")
