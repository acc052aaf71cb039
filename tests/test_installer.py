"""Which tool made an environment, and what it calls its commands."""

from pathlib import Path

import pytest

from pose_rig.errors import PoseRigError
from pose_rig.installer import TORCH_NOTE, Installer, Tool, installer, requires_extra


@pytest.mark.parametrize(
    ("file", "text", "has_pip", "tool"),
    [
        ("uv-receipt.toml", "[tool]", False, "uv tool"),
        ("pipx_metadata.json", "{}", False, "pipx"),
        ("pyvenv.cfg", "home = /usr/bin\nuv = 0.9.1\n", False, "uv"),
        ("pyvenv.cfg", "home = /usr/bin/uv = 1\n", True, "pip"),
        ("pyvenv.cfg", "home = /usr/bin\n", False, "ensurepip"),
        ("nothing", "", True, "pip"),
    ],
)
def test_the_tool_that_made_an_environment(tmp_path: Path, file: str, text: str, has_pip: bool, tool: Tool) -> None:
    (tmp_path / file).write_text(text)
    assert installer(tmp_path, has_pip) == Installer(tool, tmp_path)


def test_this_environment_has_one() -> None:
    assert "pose-rig[view]" in installer().with_extra("view")


@pytest.mark.parametrize(
    ("tool", "extra", "packages", "again"),
    [
        ("pip", "pip install 'pose-rig[gpu]'", "pip install 'a<2' b", "pip install --force-reinstall pose-rig"),
        (
            "ensurepip",
            "python -m ensurepip; python -m pip install 'pose-rig[gpu]'",
            "python -m ensurepip; python -m pip install 'a<2' b",
            "python -m ensurepip; python -m pip install --force-reinstall pose-rig",
        ),
        ("uv", "uv pip install 'pose-rig[gpu]'", "uv pip install 'a<2' b", "uv pip install --reinstall pose-rig"),
        (
            "uv tool",
            "uv tool install --force 'pose-rig[gpu]'",
            "uv tool install --force --with 'a<2' --with b pose-rig",
            "uv tool install --reinstall pose-rig",
        ),
        (
            "pipx",
            "pipx install --force 'pose-rig[gpu]'",
            "pipx inject --force pose-rig 'a<2' b",
            "pipx reinstall pose-rig",
        ),
    ],
)
def test_its_commands(tool: Tool, extra: str, packages: str, again: str) -> None:
    found = Installer(tool, Path("/env"))
    assert (found.with_extra("gpu"), found.packages("a<2", "b"), found.reinstall()) == (extra, packages, again)


def test_a_missing_package_is_one_error_in_every_command() -> None:
    with pytest.raises(PoseRigError) as caught, requires_extra("Training", "train"):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")
    error = caught.value
    assert error.cause == "Training needs torch, which is not installed."
    assert error.remedy == f"Install it with {installer().with_extra('train')}. {TORCH_NOTE}."
    assert error.exit_code == 1
