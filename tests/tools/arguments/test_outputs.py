"""Nothing that is there already is replaced unless the user says so."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from pose_rig.config import Config
from pose_rig.errors import UsageError
from pose_rig.session.reader import Session
from pose_rig.tools.arguments.outputs import check_folder, check_output, check_outputs
from pose_rig.tools.cli.demo import POSES
from tests.capture.keypoints import write_keypoints
from tests.session.recorded import talk, write
from tests.tools.cli.test_app import pose_rig
from tests.tools.cli.test_rig import rig_file
from tests.tools.sessions import sample, write_session

Words = tuple[str, ...]
RUN = ("run", "--cams", "sim:2", "--headless", "--port", "0", "--duration", "0.2")
# what writes → (the file that it writes, whether it may be run to the end here)
WRITERS: dict[Words, tuple[str, bool]] = {
    (*RUN, "--save", "p.npz"): ("p.npz", False),
    (*RUN, "--record", "t.mcap"): ("t.mcap", False),
    ("record", *RUN[1:], "--out", "t.mcap"): ("t.mcap", False),
    ("record", *RUN[1:], "--save", "p.npz"): ("p.npz", False),
    ("demo", "--save", "p.npz"): ("p.npz", False),
    ("demo", "--record", "t.mcap"): ("t.mcap", False),
    ("replay", "S.mcap", "--save", "p.npz"): ("p.npz", False),
    ("replay", "S.mcap", "--record", "t.mcap"): ("t.mcap", False),
    ("convert", "S.mcap", "--to", "npz"): ("S.npz", True),
    ("convert", "S.mcap", "--to", "bvh,csv", "--out", "out"): ("out/S.csv", True),
    ("plot", "S.mcap", "--joints", "head"): ("S.html", False),
    ("plot", "S.mcap", "--out", "r.png"): ("r.png", False),
    ("view", "S.mcap", "--save", "v.rrd"): ("v.rrd", False),
    ("import", "kp.npz"): ("kp.mcap", True),
    ("rig", "rig.toml", "--picture", "r.png"): ("r.png", False),
    ("rig", "rig.toml", "--export", "opencv:a.yaml,pose2sim:b.toml"): ("b.toml", True),
    ("recover", "cut.mcap", "--out", "t.mcap"): ("t.mcap", True),
    ("export", "lifter.onnx", "--out", "my.weights"): ("my.weights", False),
    ("train", "kp.npz", "--out", "my.weights"): ("my.weights", False),
    ("eval", "--json", "f.json"): ("f.json", True),
}


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What commands read."""
    folder = tmp_path_factory.mktemp("material")
    write_session(folder / "S.mcap", sample())
    write(folder / "cut.mcap", talk(5), finished=False)
    write_keypoints(folder / "kp.npz")
    rig_file(folder / "rig.toml", 2)
    (folder / "lifter.onnx").write_bytes(b"\x08\x07")
    np.savez(folder / "motion.npz", joints17_rel=np.zeros(1))
    (folder / "out").mkdir()
    return folder


@pytest.fixture
def here(material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with it, in which we are."""
    folder = tmp_path / "here"
    shutil.copytree(material, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("POSE_RIG_CACHE", str(tmp_path / "nothing is fetched"))
    return folder


@pytest.mark.parametrize("words", WRITERS, ids=" ".join)
def test_no_command_replaces_a_file_without_force(here: Path, words: Words) -> None:
    name, quick = WRITERS[words]
    Path(name).write_bytes(b"precious")
    before = sorted(here.rglob("*"))
    code, output = pose_rig(*words)
    assert code == 2, output
    assert output.endswith(f"Error: {name} exists already.\nChoose another name, or add --force to replace it.\n")
    assert "Starting" not in output
    assert Path(name).read_bytes() == b"precious"
    assert sorted(here.rglob("*")) == before
    if quick:
        code, output = pose_rig(*words, "--force")
        assert code == 0, output
        assert Path(name).read_bytes() != b"precious"


def test_with_force_a_run_replaces_poses_and_session(here: Path) -> None:
    for name in ("p.npz", "t.mcap"):
        Path(name).write_bytes(b"precious")
    code, output = pose_rig(*RUN, "--save", "p.npz", "--record", "t.mcap", "--force")
    assert code == 0, output
    with Session("t.mcap") as session, np.load("p.npz") as poses:
        assert session.info.origin == "live"
        assert "xyz" in poses


def test_recover_replaces_what_comes_from_elsewhere_only_if_asked(here: Path) -> None:
    before = Path("S.mcap").read_bytes()
    code, output = pose_rig("recover", "cut.mcap", "--out", "S.mcap")
    assert "S.mcap exists already and comes from another recording." in output
    assert "or add --force to replace it.\n" in output
    assert (code, Path("S.mcap").read_bytes()) == (1, before)
    assert pose_rig("recover", "cut.mcap", "--out", "S.mcap", "--force") == (0, "Recovered: S.mcap, 15 messages.\n")


def test_the_demo_replaces_its_own_file_and_no_other(here: Path) -> None:
    Path(POSES).touch()
    check_outputs(Config(save=POSES), force=False, own=POSES)
    with pytest.raises(UsageError, match=r"demo_poses\.npz exists already\."):
        check_outputs(Config(save=POSES), force=False)
    code, output = pose_rig("demo", "--save", POSES)
    assert (code, f"{POSES} exists already." in output) == (2, True)


def test_force_keeps_what_was_not_finished(here: Path) -> None:
    code, output = pose_rig(*RUN, "--record", "cut.mcap", "--force")
    assert "cut.mcap.partial is left from a recording that was not finished." in output
    assert code == 2


def test_convert_keeps_what_save_made(here: Path) -> None:
    Path("S.npz").write_bytes(b"of --save, with more in it")
    code, output = pose_rig("convert", "S.mcap", "--to", "bvh", "--to", "npz")
    assert (code, "S.npz exists already." in output) == (2, True)
    assert not Path("S.bvh").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("convert", "S.mcap", "--to", "bvh,csv"),
        ("convert", "S.mcap", "--to", "bvh", "--to", "csv"),
        ("convert", "S.mcap", "--to", "BVH, csv", "--to", "bvh"),
    ],
    ids=" ".join,
)
def test_lists_of_formats_are_all_written(here: Path, words: Words) -> None:
    code, output = pose_rig(*words)
    assert code == 0, output
    assert output.count("Written:") == 2
    assert {path.suffix for path in here.glob("S.*")} == {".mcap", ".bvh", ".csv"}


@pytest.mark.parametrize(
    "words",
    [
        (*RUN, "--save", "{}/p.npz"),
        (*RUN, "--record", "{}/t.mcap"),
        ("record", *RUN[1:], "--out", "{}/t.mcap"),
        ("replay", "S.mcap", "--save", "{}/p.npz"),
        ("replay", "S.mcap", "--record", "{}/t.mcap"),
        ("plot", "S.mcap", "--out", "{}/r.html"),
        ("view", "S.mcap", "--save", "{}/v.rrd"),
        ("import", "kp.npz", "--out", "{}/t.mcap"),
        ("rig", "rig.toml", "--picture", "{}/r.png"),
        ("rig", "rig.toml", "--export", "opencv:{}/r.yaml"),
        ("recover", "cut.mcap", "--out", "{}/t.mcap"),
        ("export", "lifter.onnx", "--out", "{}/my.weights"),
        ("train", "kp.npz", "--out", "{}/my.weights"),
        ("eval", "--json", "{}/f.json"),
    ],
    ids=" ".join,
)
def test_a_folder_that_is_missing_or_a_file_is_named(here: Path, words: Words) -> None:
    for folder in ("no/such", "kp.npz"):
        code, output = pose_rig(*(word.format(folder) for word in words))
        assert f"Error: Cannot write {folder}/" in output
        assert f"Make sure that the folder {here / folder} exists and is writable.\n" in output
        assert "Starting" not in output
        assert code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("plot", "S.html", "--out", "S.html"),
        ("run", "--cams", "kp.npz", "--pace", "all", "--save", "kp.npz"),
        ("replay", "S.mcap", "--record", "./S.mcap"),
        ("replay", "cut.mcap", "--record", "./cut.mcap"),
        ("eval", "--simulated", "motion.npz", "--json", "motion.npz"),
        ("view", "S.mcap", "--save", "./S.mcap"),
        ("recover", "S.mcap", "--out", "S.mcap"),
        ("recover", "cut.mcap", "--out", "cut.mcap.partial"),
        ("export", "lifter.onnx"),
        ("rig", "rig.toml", "--export", "opencv:rig.toml"),
    ],
    ids=" ".join,
)
def test_no_input_is_overwritten(here: Path, words: Words) -> None:
    if words[0] == "plot":
        os.symlink("S.mcap", "S.html")
    for force in ((), ("--force",)):
        code, output = pose_rig(*words, *force)
        assert "is both input and output. Choose another name for the output." in " ".join(output.split())
        assert code == 2


def test_a_folder_is_not_replaced_by_a_file(here: Path) -> None:
    code, output = pose_rig("plot", "S.mcap", "--out", "out")
    assert (code, "A report is .html or .png" in output or "out is a folder." in output) == (2, True)


def test_folders_are_made_where_that_is_possible(here: Path) -> None:
    check_folder(here / "a" / "b")
    with pytest.raises(UsageError, match=r"Cannot make the folder .*kp\.npz/a: .*kp\.npz is a file\."):
        check_folder(here / "kp.npz" / "a")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden here")
def test_a_folder_without_write_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(UsageError, match="Cannot write"):
        check_output(tmp_path / "a", force=True)
    with pytest.raises(UsageError, match="Cannot write"):
        check_folder(tmp_path / "a")
    tmp_path.chmod(0o755)
