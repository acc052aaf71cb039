"""What every argument takes, and what is said to whoever gives it something else."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pose_rig.atomic_file import partial_path
from pose_rig.config import MODELS, Config
from pose_rig.errors import UsageError
from pose_rig.tools.arguments import file_kinds as kinds
from pose_rig.tools.arguments.file_kinds import Kind, file_kind


@dataclass(frozen=True, slots=True)
class Input:
    """An argument or an option that takes files.

    Attributes:
        of: What takes them, as the user types it.
        kinds: Those that it takes.
        also: Those that it hands to a reader, which tells more of what is wrong with them.
        hints: What helps with another kind, where that is not the usual command for it.
    """

    of: str
    kinds: tuple[Kind, ...]
    also: tuple[Kind, ...] = ()
    hints: Mapping[Kind, str] = field(default_factory=dict)

    @property
    def wanted(self) -> str:
        """The kinds that it takes, in words."""
        *names, last = (kind.name for kind in self.kinds)
        return f"{', '.join(names)} or {last}" if names else last


IMPORT = {kinds.KEYPOINTS: "pose-rig import {}"}
REPLAY = {kinds.SESSION: "pose-rig replay {}", kinds.CUT_OFF: "pose-rig replay {}"}
CUT_OFF = (kinds.CUT_OFF,)  # a session that was cut off can be read

CAMS = Input(
    "--cams", (kinds.VIDEO, kinds.KEYPOINTS, kinds.RIG), (kinds.TOML, kinds.UNKNOWN, kinds.TEXT, kinds.DEVICE), REPLAY
)
REPLAYED = Input("`pose-rig replay`", (kinds.SESSION,), CUT_OFF, IMPORT)
CONVERTED = Input("`pose-rig convert`", (kinds.SESSION, kinds.POSES), CUT_OFF, IMPORT)
PLOTTED = Input("`pose-rig plot`", (kinds.SESSION, kinds.POSES), CUT_OFF, IMPORT)
VIEWED = Input("`pose-rig view`", (kinds.SESSION,), CUT_OFF, IMPORT)
RECOVERED = Input("`pose-rig recover`", (kinds.CUT_OFF,), (kinds.SESSION, kinds.UNKNOWN))
SHOWN = Input("`pose-rig rig`", (kinds.RIG, kinds.POSES), (kinds.TOML,))
IMPORTED = Input(
    "`pose-rig import`",
    (kinds.KEYPOINTS, kinds.FOLDER, kinds.JSON, kinds.CSV, kinds.ARRAY),
    (kinds.ARRAYS, kinds.HDF5, kinds.PICKLE, kinds.TRC, kinds.C3D, kinds.BVH),
    REPLAY,
)
EXPORTED = Input("`pose-rig export`", (kinds.CHECKPOINT, kinds.GRAPH))
TAUGHT = Input(
    "`pose-rig train`",
    (kinds.SESSION, kinds.KEYPOINTS),
    CUT_OFF,
    {
        kinds.MOTION: "pose-rig train --simulated {}",
        kinds.CHECKPOINT: "pose-rig train take.mcap --weights {}",
        kinds.GRAPH: "pose-rig train take.mcap --weights {}",
    },
)
SIMULATED = Input("--simulated", (kinds.MOTION,))
MEASURED = Input("--weights", (kinds.CHECKPOINT, kinds.GRAPH))
WEIGHTS = Input("--weights", (kinds.GRAPH,))
MODEL = Input("--model", (kinds.TASK,))
AVATAR = Input("--avatar", (kinds.VRM,), (kinds.GLB,))
RIG_FILE = Input("--rig", (kinds.RIG,), (kinds.TOML, kinds.EMPTY))


def check_input(path: Path, wanted: Input) -> Kind:
    """Returns what a file is, if it is something that is wanted there.

    Args:
        path: The file; a session that has not got its name yet is found as well.
        wanted: What takes it.

    Raises:
        UsageError: It is not there, cannot be read, is empty, or is something else; says what, and who takes that.
    """
    kind = file_kind(path)
    if kind is kinds.MISSING and kinds.CUT_OFF in (*wanted.kinds, *wanted.also):
        kind = file_kind(partial_path(path))
    if kind in wanted.kinds and kind.suffix not in ("", path.suffix.lower()):
        raise UsageError(f"{path} is {kind.name}, and its name does not end in {kind.suffix}.", "Rename it.")
    if kind in wanted.kinds or kind in wanted.also:
        return kind
    raise _refused(path, kind, wanted)


def check_files(config: Config) -> None:
    """Checks the files that a rig uses beside its cameras, as far as they are there.

    Raises:
        UsageError: One of them is something else.
    """
    model = "" if config.detector.model in MODELS else config.detector.model
    for text, wanted in (
        (config.fusion.weights, WEIGHTS), (model, MODEL), (config.stream.avatar, AVATAR), (config.rig, RIG_FILE),
    ):  # fmt: skip
        if text and file_kind(Path(text)) is not kinds.MISSING:
            check_input(Path(text), wanted)


def _refused(path: Path, kind: Kind, wanted: Input) -> UsageError:
    takes = f"{wanted.of} takes {wanted.wanted}."
    if kind is kinds.MISSING:
        return UsageError(f"There is no file {path}.", f"Check the path: {takes}")
    if kind is kinds.UNREADABLE:
        return UsageError(f"Cannot read {path}.", "Check the path, and who may read it.")
    if kind is kinds.EMPTY:
        return UsageError(f"{path} is empty.", f"Check the path: {takes}")
    hint = wanted.hints.get(kind, kind.use)
    remedy = f"Did you mean `{hint.format(shlex.quote(str(path)))}`?" if hint else "Give one of those."
    return UsageError(f"{path} is {kind.name}: {takes}", remedy)
