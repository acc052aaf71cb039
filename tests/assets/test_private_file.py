import os
import stat
from pathlib import Path

import pytest

from pose_rig.assets.private_file import config_folder, read_private, write_private
from pose_rig.errors import PoseRigError


def test_it_is_written_as_a_whole_and_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"
    assert read_private(path) is None
    for content in (b"first", b"second"):
        write_private(path, content)
        assert read_private(path) == content
    assert [one.name for one in path.parent.iterdir()] == ["secret"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_no_other_user_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"
    before = os.umask(0)
    try:
        write_private(path, b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    for mode in (0o640, 0o604):
        path.chmod(mode)
        with pytest.raises(PoseRigError, match="Other users may read"):
            read_private(path)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PoseRigError, match="Cannot write"):
        write_private(tmp_path / "file" / "secret", b"x")
    with pytest.raises(PoseRigError, match="Cannot read"):
        read_private(tmp_path)


def test_the_folder_is_in_the_configuration_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "HOME", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    assert config_folder().name == "pose-rig"
    if os.name == "posix":
        assert config_folder().is_relative_to(tmp_path)
