from pathlib import Path

import pytest

from pose_rig.atomic_file import atomic_file, output_file
from pose_rig.errors import PoseRigError


def write(path: Path, failure: Exception | None = None) -> None:
    """Writes a file, or fails halfway."""
    with output_file(path) as partial:
        partial.write_text("new")
        if failure is not None:
            raise failure


def test_the_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "walk.bvh"
    path.write_text("old")
    with output_file(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "walk.bvh"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError):
        write(path, ZeroDivisionError())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    with pytest.raises(PoseRigError, match=r"walk.bvh: No space left on device. Make room, or choose another"):
        write(tmp_path / "walk.bvh", OSError(28, "No space left on device"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("folder", "reason"), [("absent", "No such file or directory"), ("file", "Not a directory")])
def test_a_folder_that_is_invalid_is_reported(tmp_path: Path, folder: str, reason: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PoseRigError, match=f"walk.bvh: {reason}. Choose a folder that can be written to."):
        write(tmp_path / folder / "walk.bvh")


def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "rig.toml"
    path.touch(0o600)
    with atomic_file(path) as partial:
        partial.write_text("new")
        assert partial.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_goes_wrong_with_an_atomic_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "absent" / "rig.toml") as partial:
        partial.write_text("new")
