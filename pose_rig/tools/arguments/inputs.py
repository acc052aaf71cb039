"""Which types of files every argument accepts, and the errors for other types."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pose_rig.atomic_file import partial_path
from pose_rig.config import MODELS, Config
from pose_rig.errors import UsageError
from pose_rig.tools.arguments import file_types as types
from pose_rig.tools.arguments.file_types import FileType, file_type


@dataclass(frozen=True, slots=True)
class FileInput:
    """An argument or an option that takes files.

    Attributes:
        of: The argument, as the user types it.
        types: Accepted types.
        also: Types that are passed on to the reader, whose errors are more precise.
        hints: Commands to suggest for other types, where they differ from the usual one.
    """

    of: str
    types: tuple[FileType, ...]
    also: tuple[FileType, ...] = ()
    hints: Mapping[FileType, str] = field(default_factory=dict)

    @property
    def accepted(self) -> str:
        """The accepted types in words."""
        *names, last = (one.name for one in self.types)
        return f"{', '.join(names)} or {last}" if names else last


IMPORT_HINT = {types.KEYPOINTS: "pose-rig import {}"}
REPLAY_HINT = {types.SESSION: "pose-rig replay {}", types.CUT_OFF: "pose-rig replay {}"}
CUT_OFF = (types.CUT_OFF,)  # a session that was cut off can be read

CAMS = FileInput(
    "--cams",
    (types.VIDEO, types.KEYPOINTS, types.RIG),
    (types.TOML, types.UNKNOWN, types.TEXT, types.DEVICE),
    REPLAY_HINT,
)
REPLAY_INPUT = FileInput("`pose-rig replay`", (types.SESSION,), CUT_OFF, IMPORT_HINT)
CONVERT_INPUT = FileInput("`pose-rig convert`", (types.SESSION, types.POSES), CUT_OFF, IMPORT_HINT)
PLOT_INPUT = FileInput("`pose-rig plot`", (types.SESSION, types.POSES), CUT_OFF, IMPORT_HINT)
VIEW_INPUT = FileInput("`pose-rig view`", (types.SESSION,), CUT_OFF, IMPORT_HINT)
RECOVER_INPUT = FileInput("`pose-rig recover`", (types.CUT_OFF,), (types.SESSION, types.UNKNOWN))
RIG_INPUT = FileInput("`pose-rig rig`", (types.RIG, types.POSES), (types.TOML,))
IMPORT_INPUT = FileInput(
    "`pose-rig import`",
    (types.KEYPOINTS, types.FOLDER, types.JSON, types.CSV, types.ARRAY),
    (types.ARRAYS, types.HDF5, types.PICKLE, types.TRC, types.C3D, types.BVH),
    REPLAY_HINT,
)
EXPORT_INPUT = FileInput("`pose-rig export`", (types.CHECKPOINT, types.GRAPH))
TRAIN_INPUT = FileInput(
    "`pose-rig train`",
    (types.SESSION, types.KEYPOINTS),
    CUT_OFF,
    {
        types.MOTION: "pose-rig train --simulated {}",
        types.CHECKPOINT: "pose-rig train take.mcap --weights {}",
        types.GRAPH: "pose-rig train take.mcap --weights {}",
    },
)
MOTION_INPUT = FileInput("--simulated", (types.MOTION,))
LIFTER_WEIGHTS = FileInput("--weights", (types.CHECKPOINT, types.GRAPH))
RIG_WEIGHTS = FileInput("--weights", (types.GRAPH,))
MODEL = FileInput("--model", (types.TASK,))
AVATAR = FileInput("--avatar", (types.VRM,), (types.GLB,))
RIG_FILE = FileInput("--rig", (types.RIG,), (types.TOML, types.EMPTY))


def check_input(path: Path, wanted: FileInput) -> FileType:
    """Returns the type of a file, if the argument accepts it.

    Args:
        path: The file; an unfinished session is found as well.
        wanted: The argument.

    Raises:
        UsageError: It does not exist, cannot be read, is empty, or is of another type; suggests a command for that.
    """
    kind = file_type(path)
    if kind is types.MISSING and types.CUT_OFF in (*wanted.types, *wanted.also):
        kind = file_type(partial_path(path))
    if kind in wanted.types and kind.suffix not in ("", path.suffix.lower()):
        raise UsageError(f"{path} is {kind.name}, but its name does not end in {kind.suffix}.", "Rename it.")
    if kind in wanted.types or kind in wanted.also:
        return kind
    raise _refused(path, kind, wanted)


def check_files(config: Config) -> None:
    """Checks the types of the files that a rig uses apart from its cameras, as far as they exist.

    Raises:
        UsageError: One is of another type.
    """
    model = "" if config.detector.model in MODELS else config.detector.model
    for text, wanted in (
        (config.fusion.weights, RIG_WEIGHTS), (model, MODEL), (config.stream.avatar, AVATAR), (config.rig, RIG_FILE),
    ):  # fmt: skip
        if text and file_type(Path(text)) is not types.MISSING:
            check_input(Path(text), wanted)


def _refused(path: Path, kind: FileType, wanted: FileInput) -> UsageError:
    takes = f"{wanted.of} takes {wanted.accepted}."
    if kind is types.MISSING:
        return UsageError(f"There is no file {path}.", f"Check the path: {takes}")
    if kind is types.UNREADABLE:
        return UsageError(f"Cannot read {path}.", "Check the path and its permissions.")
    if kind is types.EMPTY:
        return UsageError(f"{path} is empty.", f"Check the path: {takes}")
    hint = wanted.hints.get(kind, kind.use)
    remedy = f"Did you mean `{hint.format(shlex.quote(str(path)))}`?" if hint else "Give one of these."
    return UsageError(f"{path} is {kind.name}: {takes}", remedy)
