"""The examples, copied from here and out of an installed wheel."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pose_rig.tools.cli.app import app
from pose_rig.tools.cli.examples import copy_examples

ROOT = Path(__file__).parents[3]
SOME = ("README.md", "blender/pose_rig_live.py", "unity/PoseRigReceiver.cs", "web/index.html", "web/three.min.js")
LARGEST_FILE = 6_000_000  # bytes; the lifter has 5.5 MB
LARGEST_WHEEL = 15_000_000


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_the_examples_are_copied(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["examples", str(tmp_path / "new" / "folder")])
    assert done.exit_code == 0, done.output
    assert files(tmp_path / "new" / "folder") == files(ROOT / "examples")
    assert set(SOME) <= set(files(tmp_path / "new" / "folder"))
    assert done.output.splitlines()[-1] == f"Start with {tmp_path / 'new' / 'folder' / 'README.md'}"


def test_nothing_is_replaced_without_force(tmp_path: Path) -> None:
    mine = tmp_path / "web" / "index.html"
    mine.parent.mkdir()
    mine.write_text("mine")
    done = CliRunner().invoke(app, ["examples", str(tmp_path)])
    assert done.exit_code == 2
    assert files(tmp_path) == {"web/index.html": b"mine"}
    assert f"Error: Already there: {mine}.\nChoose another folder, or replace them with --force.\n" in done.output
    assert CliRunner().invoke(app, ["examples", str(tmp_path), "--force"]).exit_code == 0
    assert files(tmp_path) == files(ROOT / "examples")
    done = CliRunner().invoke(app, ["examples", str(tmp_path)])
    assert "README.md, " in done.output
    assert " and " in done.output


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = CliRunner().invoke(app, ["examples", str(tmp_path / "file" / "folder")])
    assert done.exit_code == 1
    assert f"{tmp_path / 'file' / 'folder'} cannot be written: " in done.output


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="comes with pose-rig[dev]")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("pose_rig-*.whl"))


def test_the_wheel_holds_what_the_program_needs_and_nothing_large(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    shipped = [*ROOT.glob("pose_rig/**/*.py"), *ROOT.glob("pose_rig/lifting/weights/*"), *ROOT.glob("pose_rig/data/*")]
    assert {path.relative_to(ROOT).as_posix() for path in shipped if path.is_file()} <= set(sizes)
    assert {"pose_rig/lifting/weights/lifter.onnx", "pose_rig/data/sim_motion.npz"} <= set(sizes)
    assert {f"pose_rig/examples/{name}" for name in files(ROOT / "examples")} <= set(sizes)
    assert {name.split("/")[-1] for name in sizes if "/licenses/" in name} == {"LICENSE", "NOTICE"}
    assert [name for name in sizes if "__pycache__" in name or name.startswith("tests")] == []
    assert {name: size for name, size in sizes.items() if size > LARGEST_FILE} == {}
    assert wheel.stat().st_size < LARGEST_WHEEL


def test_an_installed_wheel_has_the_examples(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); from pose_rig.tools.cli.app import main; main()"
    )
    command = [sys.executable, "-P", "-c", code, "examples", str(tmp_path / "mine")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / "mine") == files(ROOT / "examples")


def test_copying_says_where_everything_is(tmp_path: Path) -> None:
    paths = copy_examples(tmp_path)
    assert all(path.is_file() for path in paths)
    assert tmp_path / "web" / "three.LICENSE" in paths
