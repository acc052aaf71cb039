"""Benchmarks whose protocol asks for skeleton morphing, and those that need none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose_rig.errors import UsageError
from pose_rig.skeleton import INDEX
from pose_rig.training.datasets.canonpose import load as load_single
from pose_rig.training.datasets.layout import PAPER_16
from pose_rig.training.datasets.load import load
from pose_rig.training.datasets.morphed import morphed
from pose_rig.training.datasets.morphing import MorphingConfig
from pose_rig.training.datasets.protocol import HUMAN36M, SKIPOSE, Split
from pose_rig.training.footage.footage import Footage
from tests.training.datasets.test_canonpose import flat_file, write
from tests.training.datasets.world import as_file, shoot

QUICK = MorphingConfig(width=64, epochs=25, learning_rate=1e-3, milestones=(15, 20))
COUNT = 20  # frames of each subject
HEAD_PX = 25.0  # so far above the labels is the detector's head


def detections(count: int = COUNT, teachers: int = COUNT) -> dict[str, Any]:
    """As the paper's code reads it; a detector that has the head elsewhere."""
    people = np.repeat([1, 5, 9], (teachers, count, count))
    xy = shoot(len(people) / 50, HUMAN36M.size_px)
    seen = xy.xy_px.copy()
    seen[:, :, INDEX["head"], 1] -= HEAD_PX
    cameras = list(enumerate(HUMAN36M.cameras))
    return {
        "subjects": people,
        "poses_2d_pred": {camera: as_file(seen[:, v], PAPER_16, 16) for v, camera in cameras},
        "p2d_gt": {camera: as_file(xy.xy_px[:, v], PAPER_16, 16) for v, camera in cameras},
        "p3d_gt": {camera: as_file(1000 * xy.local[:, v], PAPER_16, 16) for v, camera in cameras},
    }


def head_off_px(takes: list[Footage]) -> float:
    (take,) = takes
    assert take.truth is not None
    return float(np.linalg.norm(take.xy_px - take.truth.xy_px, axis=-1)[:, :, INDEX["head"]].mean())


@pytest.mark.parametrize("split", ["train", "test"])
def test_one_subject_trains_the_morphing_of_all_others(tmp_path: Path, split: Split) -> None:
    write(tmp_path / "alphapose.pickle", detections())
    lines: list[str] = []
    told: list[float] = []
    takes = morphed("human36m", tmp_path, split, log=lines.append, on_progress=told.append, config=QUICK)
    assert lines == ["human36m: skeleton morphing is trained on the 2D ground truth of S1."]
    assert told == pytest.approx([(i + 1) / QUICK.epochs for i in range(QUICK.epochs)])
    before = load("human36m", tmp_path, split)
    assert head_off_px(before) == pytest.approx(HEAD_PX, rel=1e-3)
    assert head_off_px(takes) < 0.4 * HEAD_PX
    assert [take.name for take in takes] == [take.name for take in before]
    again = morphed("human36m", tmp_path, split, log=lines.append, config=QUICK)
    np.testing.assert_array_equal(again[0].xy_px, takes[0].xy_px)


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in detections().items() if name != key}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (flat_file(), "those of S1 are the 2D ground truth itself"),
        (without("p2d_gt"), "those of S1 are the 2D ground truth itself"),
        (without("p3d_gt"), "the 2D ground truth of S1 is missing"),
        (
            {**detections(), "subjects": np.repeat([5, 5, 9], COUNT)},
            "S1 is missing",
        ),
    ],
)
def test_without_morphing_poses_are_unchanged_and_the_reason_is_logged(
    tmp_path: Path, data: dict[str, Any], reason: str
) -> None:
    write(tmp_path / "alphapose.pickle", data)
    lines: list[str] = []
    takes = morphed("human36m", tmp_path, "test", log=lines.append)
    assert lines == [f"human36m: 2D poses are not morphed: {reason}."]
    for take, plain in zip(takes, load("human36m", tmp_path, "test"), strict=True):
        np.testing.assert_array_equal(take.xy_px, plain.xy_px)


def test_a_protocol_without_morphing_subjects_needs_none(tmp_path: Path) -> None:
    shot = shoot(0.1, SKIPOSE.size_px)
    cameras = {f"cam_0{v}": as_file(shot.xy_px[:, v], PAPER_16, 16).reshape(5, 32) for v in range(6)}
    write(tmp_path / "ski.pickle", {"subjects": [103] * 5, "poses_2d_pred": cameras})
    lines: list[str] = []
    takes = morphed("skipose", tmp_path, "train", log=lines.append)
    assert lines == ["skipose: 2D poses are not morphed: its protocol has none."]
    np.testing.assert_array_equal(takes[0].xy_px, load_single(tmp_path / "ski.pickle", SKIPOSE, "train")[0].xy_px)


def test_a_damaged_file_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "alphapose.pickle").write_bytes(b"damaged")
    with pytest.raises(UsageError, match=r"alphapose\.pickle"):
        morphed("human36m", tmp_path, "test", log=pytest.fail)
