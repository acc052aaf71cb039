"""``pose-rig process`` from 2D keypoints and recorded sessions to files that other programs read."""

import csv
import json
import os
import re
import signal
import sys
import warnings
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pygltflib
import pytest

from pose_rig.assets.catalog import demo_clip, detector_model
from pose_rig.errors import AssetError
from pose_rig.session.draw.overlay import tiles
from pose_rig.session.reader import Session
from pose_rig.tools.takes.result import TakeResult, read_result
from pose_rig.video.encoder import open_h264
from pose_rig.video.mp4 import open_mp4
from tests.capture.keypoints import write_keypoints
from tests.session.drawable import SIZE_PX
from tests.session.recorded import talk, write
from tests.tools.cli.recordings.stopped import stopped
from tests.tools.cli.test_app import pose_rig
from tests.tools.sessions import sample, unsolved, with_pictures, write_session
from tests.tools.test_end_to_end import keypoint_file

with warnings.catch_warnings():  # of what it imports itself
    warnings.simplefilter("ignore", PendingDeprecationWarning)
    import bvhio

FILES = [
    "overlay.mp4", "poses.bvh", "poses.glb", "poses.npz", "poses.trc", "poses_angles.csv", "quality.json",
    "report.html", "session.mcap",
]  # fmt: skip


def said(*arguments: object) -> tuple[int, str]:
    """Returns exit code and output in one line."""
    code, output = pose_rig("process", *map(str, arguments), "--headless")
    assert "Traceback" not in output
    return code, " ".join(output.split())


def result_in(folder: Path) -> TakeResult:
    found = read_result(folder)
    assert found is not None
    return found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A take of three cameras, 2D keypoints, processed."""
    folder = tmp_path_factory.mktemp("process")
    keypoint_file(folder / "walk.npz", seconds=4.0, views=3)
    out = folder / "out"
    code, output = said(folder / "walk.npz", "--height", "1.8", "--out", out)
    assert code == 0, output
    assert f"Written to {out}: session.mcap, poses.npz, poses.bvh, poses.glb, poses.trc" in output
    assert re.search(r"walk: solved after 0\.0 s, tracked 100 % of the time, residual \d+\.\d px, bone lengths", output)
    return out


def test_a_take_becomes_every_file(processed: Path) -> None:
    assert sorted(os.listdir(processed)) == FILES
    assert sorted([*result_in(processed).files, "quality.json"]) == FILES


def test_its_animation_is_read_by_other_programs(processed: Path) -> None:
    root = bvhio.readAsHierarchy(str(processed / "poses.bvh"))
    assert root.getKeyframeRange() == (0, 119)
    glb = pygltflib.GLTF2().load(str(processed / "poses.glb"))
    assert glb is not None
    assert len(glb.animations) == 1


def test_its_markers_and_angles_are_those_of_the_poses_file(processed: Path) -> None:
    with np.load(processed / "poses.npz") as poses:
        assert len(poses["t_ns"]) == 120
        assert set(poses["mode"]) == {"solved"}
    lines = (processed / "poses.trc").read_text().splitlines()
    assert lines[2].split("\t")[2] == "120"
    rows = list(csv.DictReader((processed / "poses_angles.csv").read_text().splitlines()))
    assert len(rows) == 120
    assert 0 <= float(rows[60]["l_knee_flexion_deg"]) < 120


def test_its_overlay_video_has_every_camera_and_both_poses(processed: Path) -> None:
    video = cv2.VideoCapture(str(processed / "overlay.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 120
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(30)
    video.set(cv2.CAP_PROP_POS_FRAMES, 60)
    read, frame = video.read()
    assert read
    image = np.asarray(frame).astype(int)
    assert ((image[..., 1] > 180) & (image[..., 2] < 120)).sum() > 500
    assert ((image[..., 2] > 180) & (image[..., 0] < 100)).sum() > 500


def test_its_quality_is_in_numbers(processed: Path) -> None:
    found = json.loads((processed / "quality.json").read_text())
    assert (found["state"], found["take"], found["options"]) == ("done", "walk", {"height": 1.8})
    assert len(found["inputs"]["sha256"]) == 64
    quality = found["quality"]
    assert (quality["poses"], quality["tracked"], quality["solved"], quality["solved_after_s"]) == (120, 1.0, 1.0, 0.0)
    assert 0 < quality["residual_px"] < quality["residual_95_px"] < 20
    assert 0 < quality["joint_sd_mm"] < 60
    assert [camera["frames"] for camera in quality["cameras"]] == [120] * 3
    assert quality["height_assumed"] is False
    page = (processed / "report.html").read_text()
    assert "<h1>walk</h1>" in page
    assert "solved after 0.0 s" in page


def test_a_result_is_not_replaced_without_force_and_the_input_never(processed: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in processed.iterdir()}
    source = processed.parent / "walk.npz"
    code, output = said(source, "--out", processed)
    assert code == 2
    assert "session.mcap exists already. Choose another folder with --out, or add --force to replace it." in output
    code, output = said(processed / "session.mcap", "--out", processed, "--force")
    assert code == 2
    assert f"{processed} has the recordings themselves in it. Choose another folder with --out." in output
    assert {path: path.stat().st_mtime_ns for path in processed.iterdir()} == before


def test_a_recorded_session_is_processed_from_its_own_keypoints(here: Path) -> None:
    write(here / "take.mcap", talk(20))
    code, output = said("take.mcap", "--no-overlay")
    assert code == 0, output
    assert sorted(os.listdir("take-poses")) == [name for name in FILES if name != "overlay.mp4"]
    found = result_in(Path("take-poses"))
    assert found.options == {"no-overlay": True}
    assert found.quality is not None
    assert "The cameras were never solved: positions in the room are unknown, and depths are rough." in output
    assert "A body height of 1.70 m was assumed" in output
    with Session("take-poses/session.mcap") as session:
        assert len(session.poses()) == 20


def test_the_overlay_has_the_images_of_the_session_that_is_processed(here: Path) -> None:
    encoder = open_h264(SIZE_PX)
    image = np.full((SIZE_PX[1], SIZE_PX[0], 3), 180, np.uint8)
    write_session(here / "take.mcap", with_pictures("h264", [encoder.encode(i, image).data for i in range(60)]))
    code, output = said("take.mcap", "--height", "1.8")
    assert code == 0, output
    assert "cam1 is drawn without its images: it has no images." in output
    video = cv2.VideoCapture("take-poses/overlay.mp4")
    frames = [np.asarray(frame, np.uint8) for _, frame in iter(video.read, (False, None))]
    assert len(frames) == 60
    corner = tiles(["cam0", "cam1"], [SIZE_PX] * 2)[0].cut_from(frames[30])[-40:-8, -40:-8]
    assert corner.mean() == pytest.approx(180, abs=5)


def test_a_pose2sim_project_is_processed(here: Path) -> None:
    write_session(here / "take.mcap", sample())
    assert pose_rig("convert", "take.mcap", "--to", "json", "--out", "Project")[0] == 0
    Path("Project/take_2d").rename("Project/pose")
    Path("Project/Config.toml").write_text("[project]\nframe_rate = 30\n")
    code, output = said("Project", "--size", "1280,720", "--landmarks", "rig17", "--no-overlay")
    assert code == 0, output
    assert len(np.load("Project-poses/poses.npz")["t_ns"]) == 60
    assert not Path("Project-poses/imported.mcap").exists()


def test_a_take_without_a_person_fails_and_keeps_what_there_is(here: Path) -> None:
    write_session(here / "empty.mcap", unsolved())
    code, output = said("empty.mcap")
    assert code == 1
    assert "Error: No person was detected in any camera." in output
    found = result_in(Path("empty-poses"))
    assert found.state == "failed"
    assert found.error == "No person was detected in any camera."
    assert "upright, well lit" in found.remedy
    assert Path("empty-poses/session.mcap").exists()


def test_an_output_that_cannot_be_written_does_not_stop_the_others(here: Path) -> None:
    write(here / "take.mcap", talk(20))
    Path("out/poses.bvh").mkdir(parents=True)
    code, output = said("take.mcap", "--out", "out", "--no-overlay")
    assert (code, "out/poses.bvh exists already." in output) == (2, True)
    Path("out/poses.bvh").rmdir()
    Path("out/poses.partial.bvh").mkdir()
    code, output = said("take.mcap", "--out", "out", "--no-overlay")
    assert code == 1
    assert "Error: Cannot write out/poses.bvh: Is a directory." in output
    found = result_in(Path("out"))
    assert (found.state, found.error) == ("failed", "Cannot write out/poses.bvh: Is a directory.")
    assert "poses.trc" in found.files
    assert "poses.bvh" not in found.files
    assert Path("out/report.html").exists()


@pytest.mark.network
def test_real_videos_become_poses_and_an_overlay_with_their_images(here: Path) -> None:
    """Half a second of three cameras of the demo clip, at half size, detected by MediaPipe."""
    try:
        clip = demo_clip(lambda text: None)
        detector_model("full", lambda text: None)
    except AssetError as error:
        pytest.skip(str(error))
    for source in clip[:3]:
        device = cv2.VideoCapture(str(source))
        images = [cv2.resize(device.read()[1], (540, 960)).astype(np.uint8) for _ in range(30)]
        with open_mp4(here / source.name, (540, 960), 60.0) as writer:
            for image in images:
                writer.write(image)
    code, output = said(*sorted(here.glob("*.mp4")), "--height", "1.8", "--out", "out")
    assert code == 0, output
    found = result_in(Path("out"))
    assert found.quality is not None
    assert (found.quality.poses, found.quality.tracked) == (30, 1.0)
    assert [camera.frames for camera in found.quality.cameras] == [30] * 3
    video = cv2.VideoCapture("out/overlay.mp4")
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 15
    shown = np.asarray(video.read()[1], np.uint8)
    tile = tiles(list("abc"), [(540, 960)] * 3)[2]
    expected = cv2.resize(np.asarray(cv2.VideoCapture(str(here / clip[2].name)).read()[1]), tile.size_px)
    off = np.abs(tile.cut_from(shown)[60:].astype(int) - expected[60:].astype(int)).max(-1)
    assert np.median(off) < 8
    assert 0.001 < (off > 60).mean() < 0.1  # the skeletons


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "Missing argument 'FILES'"),
        (["missing.mp4"], "There is no file missing.mp4."),
        (["missing.mcap"], "There is no file missing.mcap. Check the path. A take is videos, a session"),
        (["0"], "There is no file 0."),
        (["/dev/null"], "/dev/null is a live camera. Record it first: `pose-rig record`."),
        (["kp.npz", "--height", "180"], "A height of 180 m is out of range."),
        (["take.mcap", "--model", "lite"], "--model applies to videos only. Leave it out for take.mcap."),
        (["take.mcap", "--fps", "60"], "--fps applies to 2D keypoints of other programs only."),
        (["kp.npz", "--size", "1,1"], "--size applies to 2D keypoints of other programs only."),
        (["take.mcap", "kp.npz"], "take.mcap is a take by itself; got 2 of them."),
        (["empty"], "There is no video in the folder empty."),
        (["kp.npz", "--out", "take.mcap/x"], "Cannot make the folder take.mcap/x: "),
        (["kp.npz", "--weights", "no.onnx"], "There are no weights at no.onnx."),
        (["poses.npz"], "poses.npz is a poses file"),
    ],
)
def test_wrong_use_ends_in_one_sentence_and_writes_nothing(here: Path, arguments: list[str], text: str) -> None:
    write(here / "take.mcap", talk(2))
    write_keypoints(here / "kp.npz")
    np.savez(here / "poses.npz", xyz=np.zeros(3))
    (here / "empty").mkdir()
    before = sorted(os.listdir(here))
    code, output = said(*arguments)
    assert (code, text in output) == (2, True), output
    assert sorted(os.listdir(here)) == before


@pytest.mark.parametrize("views", [1, 2])
def test_few_cameras_and_a_short_take_give_what_they_can(here: Path, views: int) -> None:
    keypoint_file(here / "short.npz", seconds=0.4, views=views)
    code, output = said("short.npz", "--no-overlay")
    assert code == 0, output
    assert "never solved" in output
    assert len(np.load("short-poses/poses.npz")["t_ns"]) == 12


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_stopped_take_says_so(here: Path) -> None:
    keypoint_file(here / "long.npz", seconds=20.0, views=3)
    code, output = stopped(["process", "long.npz"], Path("long-poses/session.mcap"), signal.SIGTERM, 60)
    assert code == 130, output
    assert "Stopped before the end. What was written is in long-poses; --force starts again." in output
    assert result_in(Path("long-poses")).state == "interrupted"
    assert "Traceback" not in output


def test_a_damaged_result_is_none(tmp_path: Path) -> None:
    assert read_result(tmp_path) is None
    (tmp_path / "quality.json").write_text("{")
    assert read_result(tmp_path) is None
    other = TakeResult(take="a", state="done", format="of another program")
    (tmp_path / "quality.json").write_bytes(msgspec.json.encode(other))
    assert read_result(tmp_path) is None
