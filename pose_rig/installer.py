"""Commands that install packages in this environment, for error messages: pip, uv or pipx."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pose_rig.errors import PoseRigError

CPU_INDEX = "https://download.pytorch.org/whl/cpu"  # has the CPU builds of torch; on Linux PyPI has those for CUDA
TORCH_NOTE = f"On Linux that is torch for CUDA, some 3 GB; for its CPU build add --extra-index-url {CPU_INDEX}"

Tool = Literal["pip", "ensurepip", "uv", "uv tool", "pipx"]


@dataclass(frozen=True, slots=True)
class Installer:
    """The commands of one tool.

    Attributes:
        tool: ``ensurepip``: pip, which must be installed first.
        prefix: The environment of this Python.
    """

    tool: Tool
    prefix: Path

    def with_extra(self, name: str) -> str:
        """Returns the command that installs an extra of pose-rig."""
        if self.tool == "uv tool":
            return f"uv tool install --force 'pose-rig[{name}]'"
        if self.tool == "pipx":
            return f"pipx install --force 'pose-rig[{name}]'"
        return self.packages(f"pose-rig[{name}]")

    def packages(self, *requirements: str) -> str:
        """Returns the command that installs packages in the environment of pose-rig."""
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

    def reinstall(self) -> str:
        """Returns the command that reinstalls pose-rig and its dependencies."""
        if self.tool == "uv tool":
            return "uv tool install --reinstall pose-rig"
        if self.tool == "pipx":
            return "pipx reinstall pose-rig"
        return self.packages("--reinstall" if self.tool == "uv" else "--force-reinstall", "pose-rig")


@contextmanager
def requires_extra(what: str, extra: str) -> Iterator[None]:
    """Context of imports of optional packages.

    Args:
        what: Subject of the sentence: what needs them.
        extra: The extra of pose-rig that includes them.

    Raises:
        PoseRigError: A package is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        remedy = f"Install it with {installer().with_extra(extra)}."
        if error.name == "torch":
            remedy += f" {TORCH_NOTE}."
        raise PoseRigError(f"{what} needs {error.name}, which is not installed.", remedy) from error


def installer(prefix: Path | None = None, has_pip: bool | None = None) -> Installer:
    """Returns the installer of an environment.

    Args:
        prefix: The environment; default: that of this Python.
        has_pip: Whether pip can be imported; default: checked.
    """
    prefix = Path(sys.prefix) if prefix is None else prefix
    has_pip = importlib.util.find_spec("pip") is not None if has_pip is None else has_pip
    return Installer(_tool(prefix, has_pip), prefix)


def _tool(prefix: Path, has_pip: bool) -> Tool:
    if (prefix / "uv-receipt.toml").is_file():
        return "uv tool"
    if (prefix / "pipx_metadata.json").is_file():
        return "pipx"
    if _made_by_uv(prefix / "pyvenv.cfg"):
        return "uv"
    return "pip" if has_pip else "ensurepip"


def _made_by_uv(settings: Path) -> bool:
    """Returns whether the pyvenv.cfg of a virtual environment names uv as its creator."""
    try:
        lines = settings.read_text("utf-8").splitlines()
    except OSError:
        return False  # not a virtual environment
    return any(line.partition("=")[0].strip() == "uv" for line in lines)
