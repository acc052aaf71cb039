from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pose_rig.errors import UsageError
from pose_rig.training.datasets.load import load
from pose_rig.training.datasets.protocol import SKIPOSE
from tests.training.datasets.world import shoot

SHOT = shoot(0.08, SKIPOSE.size_px)  # 4 frames
FOCAL = np.array([4.0, 5.0, 6.0, 7.0])[:, None] + np.arange(6) / 10  # of the width, by frame and camera


def rows(missing: tuple[int, int] = (2, 3)) -> dict[str, Any]:
    """The labels of one run in two sequences, without one image, in no order."""
    pairs = [(t, v) for t in range(4) for v in range(6) if (t, v) != missing]
    order = np.random.default_rng(0).permutation(len(pairs))
    t, v = np.array(pairs)[order].T
    intrinsic = np.zeros((len(t), 9))
    intrinsic[:, [0, 4]], intrinsic[:, [2, 5]] = FOCAL[t, v, None], 0.5
    return {
        "3D": (SHOT.local - SHOT.local[:, :, :1])[t, v].reshape(-1, 51),
        "2D": (SHOT.xy_px / 256)[t, v].reshape(-1, 34),
        "cam_intrinsic": intrinsic,
        "seq": np.where(t < 1, 103, 110)[:, None].astype(float),
        "frame": (10 * t)[:, None].astype(float),
        "cam": v[:, None].astype(float),
        "subj": np.full((len(t), 1), 2.0),
    }


def write(folder: Path, content: dict[str, Any], split: str = "train") -> None:
    (folder / split).mkdir(parents=True)
    with h5py.File(folder / split / "labels.h5", "w") as file:
        for key, value in content.items():
            file[key] = value


def test_rows_of_one_frame_become_views(tmp_path: Path) -> None:
    write(tmp_path / "Ski-PosePTZ-CameraDataset-png", rows())
    first, second = load("skipose", tmp_path, "train")
    assert [(take.name, take.subject, take.frames, take.views) for take in (first, second)] == [
        ("skipose 103", "S2", 1, 6),
        ("skipose 110", "S2", 3, 6),
    ]
    assert first.moving
    assert second.score.all(-1).tolist() == [[True] * 6, [True] * 3 + [False] + [True] * 2, [True] * 6]
    assert second.score[1, 3].max() == 0
    assert second.xy_px[1, 3].max() == 0
    assert second.truth is not None
    there = second.score[:, :, 0] > 0
    np.testing.assert_allclose(second.xy_px[there], SHOT.xy_px[1:][there], rtol=1e-5)
    about_pelvis = SHOT.local[1:] - SHOT.local[1:, :, :1]
    np.testing.assert_allclose(second.truth.joints[there], about_pelvis[there], atol=1e-6)
    assert second.focal_px == pytest.approx(256 * np.array([6, 6.1, 6.2, 6.3, 6.4, 6.5]))
    assert second.size_px.tolist() == [[256, 256]] * 6


def test_the_splits_are_files(tmp_path: Path) -> None:
    write(tmp_path, rows())
    write(tmp_path, {key: value[:6] for key, value in rows().items()}, "test")
    assert sum(int(take.score[..., 0].sum()) for take in load("skipose", tmp_path, "test")) == 6
    with pytest.raises(UsageError, match="has no supported file of skipose for 'morphing'"):
        load("skipose", tmp_path, "morphing")


def test_clean_frames_are_those_of_the_list(tmp_path: Path) -> None:
    write(tmp_path, rows())
    (tmp_path / "train" / "clean.txt").write_text("110 10\n110 30\n")
    (take,) = load("skipose-clean", tmp_path, "train")
    assert (take.name, take.frames) == ("skipose 110", 2)
    np.testing.assert_allclose(take.xy_px, SHOT.xy_px[[1, 3]], rtol=1e-5)


@pytest.mark.parametrize("content", [None, "110\n", "a b\n"])
def test_clean_needs_a_list(tmp_path: Path, content: str | None) -> None:
    write(tmp_path, rows())
    if content is not None:
        (tmp_path / "train" / "clean.txt").write_text(content)
    with pytest.raises(UsageError, match=r"clean\.txt cannot be read: .*Write one line per clean frame"):
        load("skipose-clean", tmp_path, "train")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"2D": np.zeros((23, 32))}, r"'2D' has the shape \(23, 32\) for 23 rows"),
        ({"seq": np.zeros((0, 1))}, "for 0 rows"),
        ({"cam": np.full((23, 1), 6.0)}, "has cameras beyond 0–5"),
    ],
)
def test_labels_of_another_form_are_refused(tmp_path: Path, change: dict[str, Any], text: str) -> None:
    write(tmp_path, rows() | change)
    with pytest.raises(UsageError, match=text):
        load("skipose", tmp_path, "train")


def test_labels_without_a_column_are_refused(tmp_path: Path) -> None:
    content = rows()
    del content["3D"]
    write(tmp_path, content)
    with pytest.raises(UsageError, match="'3D' has the shape"):
        load("skipose", tmp_path, "train")
