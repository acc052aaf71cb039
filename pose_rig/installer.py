"""How packages are installed here, for remedies: with pip, uv or pipx, whichever made this environment."""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pose_rig.errors import PoseRigError

Tool = Literal["pip", "ensurepip", "uv", "uv tool", "pipx"]


@dataclass(frozen=True, slots=True)
class Installer:
    """The commands of one tool.

    Attributes:
        tool: ``ensurepip``: pip, which has to be put there first.
        prefix: The environment that this Python runs in.
    """

    tool: Tool
    prefix: Path

    def with_extra(self, name: str) -> str:
        """Returns the command that adds an optional part of pose-rig."""
        if self.tool == "uv tool":
            return f"uv tool install --force 'pose-rig[{name}]'"
        if self.tool == "pipx":
            return f"pipx install --force 'pose-rig[{name}]'"
        return self.packages(f"pose-rig[{name}]")

    def packages(self, *requirements: str) -> str:
        """Returns the command that installs packages beside pose-rig."""
        wanted = [f"'{item}'" if set(item) & set("[]<>=") else item for item in requirements]
        if self.tool == "uv tool":
            return f"uv tool install --force {' '.join(f'--with {item}' for item in wanted)} pose-rig"
        begin = {
            "pip": "pip install",
            "ensurepip": "python -m ensurepip; python -m pip install",
            "uv": "uv pip install",
            "pipx": "pipx inject --force pose-rig",
        }[self.tool]
        return f"{begin} {' '.join(wanted)}"

    def without(self, *names: str) -> str:
        """Returns the command that removes packages."""
        begin = {
            "pip": "pip uninstall -y",
            "ensurepip": "python -m ensurepip; python -m pip uninstall -y",
            "uv": "uv pip uninstall",
            "uv tool": f"uv pip uninstall --python '{self.prefix}'",
            "pipx": "pipx runpip pose-rig uninstall -y",
        }[self.tool]
        return f"{begin} {' '.join(names)}"

    def again(self) -> str:
        """Returns the command that installs pose-rig and what it needs anew."""
        if self.tool == "uv tool":
            return "uv tool install --reinstall pose-rig"
        if self.tool == "pipx":
            return "pipx reinstall pose-rig"
        return self.packages("--reinstall" if self.tool == "uv" else "--force-reinstall", "pose-rig")


def missing(what: str, package: str, extra: str) -> PoseRigError:
    """Returns the error of a package that is not there.

    Args:
        what: What needs it, as a sentence begins.
        package: Its name.
        extra: The optional part of pose-rig that brings it.
    """
    return PoseRigError(
        f"{what} needs {package}, which is not installed.", f"Install it with {installer().with_extra(extra)}."
    )


def installer(prefix: Path | None = None, has_pip: bool | None = None) -> Installer:
    """Returns what packages are installed with here.

    Args:
        prefix: The environment; by default the one that this Python runs in.
        has_pip: Whether pip can be imported; by default it is looked for.
    """
    prefix = Path(sys.prefix) if prefix is None else prefix
    has_pip = importlib.util.find_spec("pip") is not None if has_pip is None else has_pip
    return Installer(_tool(prefix, has_pip), prefix)


def _tool(prefix: Path, has_pip: bool) -> Tool:
    if (prefix / "uv-receipt.toml").is_file():
        return "uv tool"
    if (prefix / "pipx_metadata.json").is_file():
        return "pipx"
    if _is_of_uv(prefix / "pyvenv.cfg"):
        return "uv"
    return "pip" if has_pip else "ensurepip"


def _is_of_uv(settings: Path) -> bool:
    """Whether the settings of a virtual environment say that uv made it."""
    try:
        lines = settings.read_text("utf-8").splitlines()
    except OSError:
        return False  # no virtual environment
    return any(line.partition("=")[0].strip() == "uv" for line in lines)
