"""record, import, recover, replay and convert as a user meets them when something is wrong, or small."""

import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pose_rig.config import CameraConfig, Config
from pose_rig.session.reader import Session
from pose_rig.session.recorder import Recorder
from pose_rig.tools.arguments.camera_list import named_cameras
from pose_rig.tools.workers.plan import plan
from pose_rig.wire.encoding import encode
from tests.capture.keypoints import write_keypoints
from tests.session.recorded import frame, rig_of, talk, write
from tests.tools.cli.test_app import pose_rig
from tests.tools.sessions import MISSING, imported, sample, write_session


def said(*arguments: object) -> tuple[int, str]:
    """Returns exit code and output in one line."""
    code, output = pose_rig(*map(str, arguments))
    assert "Traceback" not in output
    return code, " ".join(output.split())


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["record"], "No camera is given. Add --cams 0,1,2 or --phones 3"),
        (["record", "--cams", "sim", "--out", "take.bag"], "Sessions are saved as .mcap; got take.bag."),
        (["record", "--cams", "sim", "--out", "no/take.mcap"], "Cannot write no/take.mcap. Make sure that the folder"),
        (["record", "--cams", "sim", "--out", "there.mcap"], "there.mcap exists already. Choose another name"),
        (["record", "--cams", "sim", "--out", "left.mcap"], "left.mcap.partial is left from a recording that was not"),
        (["run", "--cams", "sim", "--record", "there.mcap"], "there.mcap exists already. Choose another name"),
        (["run", "--cams", "sim", "--video"], "--video needs a recording. Add --record"),
        (["import", "missing.npz"], "missing.npz"),
        (["import", "kp.npz", "--out", "there.mcap"], "there.mcap exists already."),
        (["import", "kp.npz", "--out", "kp.zip"], "Sessions are saved as .mcap; got kp.zip."),
        (["import", "kp.npz", "--out", "new.mcap", "--height", "17"], "A height of 17 m is out of range."),
        (["import", ".", "--size", "big"], "--size must be width,height; got 'big'."),
        (["recover"], "Missing argument 'S.mcap'"),
        (["recover", "missing.mcap"], "There is no file missing.mcap. Check the path: `pose-rig recover` takes a"),
        (["recover", "junk.mcap"], "junk.mcap is a text file: `pose-rig recover` takes a session that was cut off."),
        (["replay", "missing.mcap"], "There is no file missing.mcap."),
        (["replay", "there.mcap", "--start", "9"], "empty or outside. The recording has 2.0 s"),
        (["replay", "there.mcap", "--start", "1", "--end", "1"], "from 1.0 s to 1.0 s is empty or outside."),
        (["replay", "there.mcap", "--record", "kp.mcap"], "kp.mcap exists already."),
        (["replay", "there.mcap", "--save", "p.csv"], "Poses are saved as .npz; got p.csv."),
        (["replay", "there.mcap", "--weights", "w.onnx"], "There are no weights at w.onnx."),
        (["replay", "there.mcap", "--passes", "3"], "Invalid value for '--passes'"),
        (["convert", "there.mcap"], "Missing option '--to'"),
        (["convert", "there.mcap", "--to", "fbx"], "Unknown format 'fbx' in --to. Choose from bvh, gltf, trc"),
        (["convert", "there.mcap", "--to", "csv,"], "Unknown format '' in --to."),
        (["convert", "there.mcap", "--to", "csv", "--rate", "0"], "The rate must be between 0 and 1000 Hz; got 0."),
        (["convert", "there.mcap", "--to", "csv", "--start", "9"], "empty or outside. The recording has 2.0 s"),
        (["convert", "there.mcap", "--to", "csv", "--start", "-1"], "from -1.0 s to 2.0 s is empty or outside."),
        (["convert", "there.mcap", "--to", "json", "--end", "0"], "from 0.0 s to 0.0 s is empty or outside."),
        (["convert", "missing.mcap", "--to", "csv"], "There is no file missing.mcap."),
        (["convert", "kp.mcap", "--to", "csv"], "The session has no poses in this part. `pose-rig replay` makes them"),
        (["convert", "there.mcap", "--to", "csv", "--out", "there.mcap/a"], "Cannot make the folder there.mcap/a"),
    ],
)  # fmt: skip
def test_wrong_use_ends_in_one_sentence_before_anything_starts(here: Path, arguments: list[str], text: str) -> None:
    write_session(here / "there.mcap", sample())
    write_session(here / "kp.mcap", imported(), "import")
    write(here / "left.mcap", talk(2), finished=False)
    write_keypoints(here / "kp.npz")
    (here / "junk.mcap").write_bytes(b"junk")
    before = {name: (here / name).stat().st_mtime_ns for name in os.listdir(here)}
    code, output = said(*arguments)
    assert text in output
    assert "Starting" not in output
    assert code == (1 if "no poses" in text else 2)
    assert {name: (here / name).stat().st_mtime_ns for name in os.listdir(here)} == before


def test_recover_says_what_became_of_it(here: Path) -> None:
    write(here / "take.mcap", talk(5), finished=False)
    assert said("recover", "take.mcap") == (0, "Recovered: take.recovered.mcap, 15 messages.")
    assert said("recover", "take.mcap.partial") == (0, "Recovered before: take.recovered.mcap, 15 messages.")
    text = "take.recovered.mcap is complete: nothing to recover."
    assert said("recover", "take.recovered.mcap") == (0, text)
    assert said("recover", "take.mcap", "--out", "b.mcap") == (0, "Recovered: b.mcap, 15 messages.")


def test_import_makes_a_session_called_like_its_source(here: Path) -> None:
    write_keypoints(here / "jump.npz")
    assert said("import", "jump.npz", "--height", "1.8") == (0, "Imported: jump.mcap, 24 frames of jump0, jump1.")
    with Session("jump.mcap") as session:
        assert session.info.config.height_m == 1.8
        assert session.cameras == ("jump0", "jump1")


def test_a_folder_of_json_becomes_a_session_and_back(here: Path) -> None:
    write_session(here / "take.mcap", sample())
    code, output = said("convert", "take.mcap", "--to", "json")
    assert code == 0, output
    code, output = said("import", "take_2d", "--fps", "30", "--size", "1280,720", "--landmarks", "rig17")
    assert (code, output) == (0, "Imported: take_2d.mcap, 120 frames of cam0, cam1.")
    with Session("take.mcap") as first, Session("take_2d.mcap") as second:
        ours, theirs = first.keypoints("cam0"), second.keypoints("cam0")
        np.testing.assert_allclose(theirs.xy[:, 0], ours.xy[:, 0], atol=0.05)
        somebody = (second.keypoints("cam1").score > 0).any((1, 2)).tolist()
        assert somebody == [i not in MISSING for i in range(60)]


def test_convert_says_what_it_wrote_and_what_files_cannot_say(here: Path) -> None:
    write_session(here / "take.mcap", sample())
    code, output = said("convert", "take.mcap", "--to", "bvh,csv", "--out", "out")
    assert code == 0
    assert "out/take.bvh" in output
    assert "out/take.csv" in output
    assert "The bvh is in centimetres" in output
    assert "A height of 1.70 m was assumed" in output


def test_a_session_of_cameras_that_are_gone_is_replayed(here: Path) -> None:
    """Webcams of another day, and a detector from another machine: nobody opens them."""
    cameras = tuple(CameraConfig(source=str(i), name=f"cam{i}") for i in range(2))
    config = msgspec.structs.replace(
        rig_of(), camera=cameras, detector=msgspec.structs.replace(Config().detector, model="/gone/pose.task")
    )
    write(here / "take.mcap", talk(10), config)
    for passes in (1, 2):
        code, output = said(
            "replay", "take.mcap", "--save", f"p{passes}.npz", "--port", 0, "--headless", "--passes", passes
        )
        assert code == 0, output
        assert f"Poses saved to p{passes}.npz." in output
        with np.load(f"p{passes}.npz") as poses:
            assert len(poses["t_ns"]) == 10


def test_passwords_are_never_recorded(tmp_path: Path) -> None:
    url = "rtsp://admin:hunter2@192.0.2.7/live"
    cameras = named_cameras((CameraConfig(source=url), CameraConfig(source="0", name="cam1")))
    config = Config(camera=cameras, port=0, record=str(tmp_path / "take.mcap"))
    ready = plan(config, "model.task")
    (job,) = (worker.job for worker in ready.workers if worker.name == "recorder")
    recorder = Recorder(job)  # type: ignore[arg-type]
    message = frame(0, cameras[0].name)
    recorder.add([(message, encode(message))])
    recorder.finish()
    content = (tmp_path / "take.mcap").read_bytes()
    assert b"192.0.2.7" in content
    assert b"hunter2" not in content
    assert b"admin" not in content
    with Session(tmp_path / "take.mcap") as session:
        assert session.info.config.camera[0].source == "rtsp://192.0.2.7/live"


def test_help_teaches_by_example() -> None:
    for command, examples in {
        "record": ("--cams 0,1,2 --out jump.mcap --video", "m sets a marker"),
        "import": ("keypoints.npz --out take.mcap", "--fps 60 --size 1920,1080"),
        "recover": ("A second call changes nothing",),
        "replay": ("--passes 2 --save better.npz", "--start 10 --end 25"),
        "convert": ("--to bvh", "--bvh-names mixamo"),
    }.items():
        code, output = said(command, "--help")
        assert code == 0
        for example in examples:
            assert example in output


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"xy": np.random.default_rng(0).uniform(0, 1, (2, 12, 17, 2))}, "kp.npz: keypoints are not in pixels."),
        ({"xy": np.zeros((2, 0, 17, 2)), "score": np.zeros((2, 0, 17)), "t_ns": np.zeros((2, 0), int)}, "no frames."),
        ({"xy": np.full((2, 12, 17, 2), np.nan)}, "kp.npz has no visible keypoint in any frame."),
        ({"score": None}, "kp.npz: key 'score' is missing."),
    ],
)
@pytest.mark.parametrize("command", [["import"], ["run", "--pace", "all", "--headless", "--save", "p.npz", "--cams"]])
def test_keypoints_that_no_pose_can_come_from_are_wrong_usage(
    here: Path, changes: dict[str, object], text: str, command: list[str]
) -> None:
    write_keypoints(here / "kp.npz", **changes)
    code, output = said(*command, "kp.npz")
    assert (code, text in output) == (2, True), output
    assert sorted(os.listdir(here)) == ["kp.npz"]


def test_import_takes_a_file_of_alphapose(here: Path) -> None:
    people = [{"image_id": f"{n}.jpg", "keypoints": [500, 600, 0.9] * 26, "score": 2.0} for n in range(4)]
    (here / "left.json").write_bytes(msgspec.json.encode(people))
    said_of_it = said("import", "left.json", "--fps", "30", "--size", "1280,720")
    assert said_of_it == (0, "Imported: left.mcap, 4 frames of left.")
    with Session("left.mcap") as session:
        assert session.keypoints("left").schema == "halpe26"


def test_import_takes_a_name_with_a_comma(here: Path) -> None:
    write_keypoints(here / "jump, twice.npz", cameras=np.array(["../a", ""]))
    code, output = said("import", "jump, twice.npz")
    assert (code, output) == (0, "Imported: jump, twice.mcap, 24 frames of .._a, jump_twice1.")
    with Session("jump, twice.mcap") as session:
        assert [(camera.member, camera.members) for camera in session.info.config.camera] == [(0, 2), (1, 2)]
