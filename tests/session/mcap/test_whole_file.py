from pathlib import Path

import pytest

from pose_rig.errors import PoseRigError
from pose_rig.session.mcap.whole_file import whole_file


def write(path: Path, failure: Exception | None = None) -> None:
    """Writes a file, or fails halfway."""
    with whole_file(path) as partial:
        partial.write_text("new")
        if failure is not None:
            raise failure


def test_the_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "walk.bvh"
    path.write_text("old")
    with whole_file(path) as partial:
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


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    with pytest.raises(PoseRigError, match=r"walk.bvh: No space left on device. Make room, or choose another"):
        write(tmp_path / "walk.bvh", OSError(28, "No space left on device"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("folder", "reason"), [("absent", "No such file or directory"), ("file", "Not a directory")])
def test_a_folder_that_is_none_is_told(tmp_path: Path, folder: str, reason: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PoseRigError, match=f"walk.bvh: {reason}. Choose a folder that can be written to."):
        write(tmp_path / folder / "walk.bvh")
