"""``quality.json``: what became of a take, and how good it is."""

from pathlib import Path
from typing import Any, Literal

import msgspec

from pose_rig.atomic_file import output_file
from pose_rig.tools.report.quality import Quality
from pose_rig.tools.takes.fingerprint import Fingerprint
from pose_rig.tools.takes.take import RESULT_FILE

FORMAT = "pose-rig take 1"

State = Literal["done", "failed", "interrupted", "waiting"]


class TakeResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of processing a take.

    Attributes:
        format: Tells our files from others of this name.
        take: Name of the take.
        state: ``done``: every file was written. ``waiting``: it was not begun.
        source: What the take was made of, as given.
        inputs: Fingerprint of its files.
        options: Those given, by name.
        version: Of pose-rig.
        started: Local time with its offset from UTC, ISO 8601.
        seconds: How long it took.
        files: Names of the files written.
        notes: What is to know of them, one sentence each.
        error: Why it failed; else empty.
        remedy: What to do about it; else empty.
        quality: How good it is; None if there is no result.
    """

    format: str = FORMAT
    take: str
    state: State
    source: tuple[str, ...] = ()
    inputs: Fingerprint = msgspec.field(default_factory=Fingerprint)
    options: dict[str, Any] = {}
    version: str = ""
    started: str = ""
    seconds: float = 0.0
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    error: str = ""
    remedy: str = ""
    quality: Quality | None = None

    def is_of(self, inputs: Fingerprint, options: dict[str, Any]) -> bool:
        """Returns whether it is complete, and of these inputs and options."""
        return self.state == "done" and self.inputs.sha256 == inputs.sha256 and self.options == options


def write_result(folder: Path, result: TakeResult) -> None:
    """Writes the result of a take into its folder.

    Raises:
        PoseRigError: The file cannot be written.
    """
    with output_file(folder / RESULT_FILE) as partial:
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")


def read_result(folder: Path) -> TakeResult | None:
    """Returns the result of a take that is in a folder; None if there is none."""
    try:
        result = msgspec.json.decode((folder / RESULT_FILE).read_bytes(), type=TakeResult)
    except (OSError, msgspec.DecodeError):
        return None
    return result if result.format == FORMAT else None
