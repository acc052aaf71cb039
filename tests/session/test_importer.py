"""Other people's keypoints as sessions."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pose_rig.capture.keypoint_file import load
from pose_rig.config import CameraConfig, Config
from pose_rig.errors import UsageError
from pose_rig.session.importer import import_keypoints
from pose_rig.session.reader import Session
from tests.capture.keypoints import FRAMES, VIEWS, arrays, write_keypoints

ROUNDED_PX = 1 / 64  # keypoints that travel
CONFIG = Config(camera=tuple(CameraConfig(source="kp.npz", name=name) for name in ("left", "right")), pace="all")


def test_every_frame_of_every_view_is_there(tmp_path: Path) -> None:
    keypoints = load(write_keypoints(tmp_path / "kp.npz"))
    assert import_keypoints(keypoints, CONFIG, tmp_path / "take.mcap") == VIEWS * FRAMES
    with Session(tmp_path / "take.mcap") as session:
        assert session.info.origin == "import"
        assert session.info.config == CONFIG
        assert session.cameras == ("left", "right")
        for view, camera in enumerate(session.cameras):
            got = session.keypoints(camera)
            np.testing.assert_allclose(got.xy[:, 0], keypoints.xy[view].reshape(FRAMES, 17, 2), atol=ROUNDED_PX)
            np.testing.assert_allclose(got.score[:, 0], 0.8, atol=0.01)
            assert got.t_ns.tolist() == keypoints.t_ns[view].tolist()
            assert got.size_px == tuple(keypoints.size_px[view])
            assert got.schema == "coco17"
        assert session.gaps() == []
        assert "/camera/left/keypoints" in session.topics  # viewers see it, too
        times = [message.t_ns for message in session.messages(("keypoints/",))]  # type: ignore[attr-defined]
        assert times == sorted(times)


def test_invisible_landmarks_and_people_are_kept(tmp_path: Path) -> None:
    content = arrays()
    xy = np.repeat(content["xy"][:, :, None], 2, 2)
    score = np.repeat(content["score"][:, :, None], 2, 2)
    xy[0, 3, 1], score[0, 3, 1] = np.nan, 0.0  # one person is missing in one frame
    xy[1, 5], score[1, 5] = np.nan, 0.0  # and both in another
    xy[1, 6, 0, 4], score[1, 6, 0, 4] = np.nan, 0.0  # and an ear
    import_keypoints(load(write_keypoints(tmp_path / "kp.npz", xy=xy, score=score)), CONFIG, tmp_path / "take.mcap")
    with Session(tmp_path / "take.mcap") as session:
        left, right = session.keypoints("left"), session.keypoints("right")
    assert left.xy.shape == (FRAMES, 2, 17, 2)
    assert np.isfinite(left.xy).all((2, 3)).tolist() == [[True, i != 3] for i in range(FRAMES)]
    assert np.isnan(right.xy[5]).all()
    assert np.isnan(right.xy[6, 0, 4]).all()
    assert np.isfinite(right.xy[6, 0, :4]).all()


def test_depths_are_kept(tmp_path: Path) -> None:
    depth = np.random.default_rng(1).uniform(-30, 30, (VIEWS, FRAMES, 17))
    depth[1, 4] = np.nan
    import_keypoints(load(write_keypoints(tmp_path / "kp.npz", depth=depth)), CONFIG, tmp_path / "take.mcap")
    with Session(tmp_path / "take.mcap") as session:
        found = [session.keypoints(camera).depth[:, 0] for camera in session.cameras]
    np.testing.assert_allclose(found, depth, atol=0.5)


def test_rows_that_are_padding_are_no_frames(tmp_path: Path) -> None:
    keypoints = load(write_keypoints(tmp_path / "kp.npz"))
    t_ns = keypoints.t_ns.copy()
    t_ns[1, 8:] = t_ns[1, 7]  # as folders of JSON come: the second camera stopped earlier
    keypoints = replace(keypoints, t_ns=t_ns)
    assert import_keypoints(keypoints, CONFIG, tmp_path / "take.mcap") == FRAMES + 8
    with Session(tmp_path / "take.mcap") as session:
        assert len(session.keypoints("right").t_ns) == 8
        assert session.keypoints("right").index.tolist() == list(range(8))


def test_nothing_is_written_over(tmp_path: Path) -> None:
    keypoints = load(write_keypoints(tmp_path / "kp.npz"))
    (tmp_path / "take.mcap").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"take\.mcap exists already\."):
        import_keypoints(keypoints, CONFIG, tmp_path / "take.mcap")
    assert (tmp_path / "take.mcap").read_bytes() == b"mine"
    assert sorted(os.listdir(tmp_path)) == ["kp.npz", "take.mcap"]
