from pathlib import Path

import pytest
from typer.testing import CliRunner

from pose_rig.remote.key import new_key, stored_key
from pose_rig.tools.cli.app import app

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def config_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "HOME", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path))


def test_the_key_is_made_shown_and_replaced() -> None:
    first = RUNNER.invoke(app, ["keys"]).stdout
    assert first.strip() == stored_key() != ""
    assert RUNNER.invoke(app, ["keys"]).stdout == first
    second = RUNNER.invoke(app, ["keys", "--new"]).stdout
    assert second != first
    assert second.strip() == stored_key()


def test_the_key_of_another_machine_is_entered_without_being_shown() -> None:
    key = new_key()
    done = RUNNER.invoke(app, ["keys", "--enter"], input=f"{key}\n")
    assert done.exit_code == 0
    assert stored_key() == key
    assert key not in done.output
    assert RUNNER.invoke(app, ["keys", "--enter"], input="wrong\n").exit_code == 2
    assert stored_key() == key


def test_new_and_enter_exclude_each_other() -> None:
    done = RUNNER.invoke(app, ["keys", "--new", "--enter"])
    assert done.exit_code == 2
    assert "exclude each other" in done.output
