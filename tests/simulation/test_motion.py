"""Motion files, and postures drawn from them."""

from pathlib import Path

import numpy as np
import pytest

from pose_rig.chirality import chirality
from pose_rig.errors import UsageError
from pose_rig.simulation.clips import load_clips
from pose_rig.simulation.motion import PosePool, shipped
from pose_rig.skeleton import J
from tests.fusion.fakes import walk
from tests.training.fakes.motion_files import CLIPS, clips, write_motion


def test_clips_come_back_as_they_were_written(tmp_path: Path) -> None:
    found = clips(tmp_path)
    assert [clip.label for clip in found][-2:] == ["running_a", "running_b"]
    assert {(clip.fps, clip.joints.shape, clip.root.shape) for clip in found} == {(30.0, (30, J, 3), (30, 3))}
    assert np.allclose(found[3].joints[:, 0], 0)
    assert np.allclose(found[3].root, walk(CLIPS)[90:120, 0], atol=1e-6)


def test_without_a_root_people_stay_in_place(tmp_path: Path) -> None:
    assert (load_clips([write_motion(tmp_path / "m.npz", root=None)])[0].root == 0).all()


def test_a_missing_motion_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.npz is not a motion file: .*No such file"):
        load_clips([tmp_path / "gone.npz"])


def test_rare_movements_are_drawn_more_often_than_their_share(tmp_path: Path) -> None:
    found = clips(tmp_path)
    for clip in found[-2:]:
        clip.joints[:] = 7.0  # to be distinguished from the rest
    drawn = PosePool(found).draw(4000, np.random.default_rng(0))
    assert drawn.shape == (4000, J, 3)
    assert 0.3 < (drawn == 7.0).all((1, 2)).mean() < 0.45  # two of eight clips: √2 / (√2 + √6)


def test_the_shipped_postures_are_people() -> None:
    poses = shipped().draw(500, np.random.default_rng(0))
    shins = np.linalg.norm(poses[:, 3] - poses[:, 2], axis=-1)
    assert 0.3 < np.median(shins) < 0.5
    assert chirality(poses) > 0.6
    assert np.std(poses[:, 16], axis=0).min() > 0.1  # hands are in many places
