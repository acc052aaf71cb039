"""The format of a weights file, from its content; the suffix is free."""

import zipfile
from pathlib import Path
from typing import Literal

from pose_rig.errors import EngineError, UsageError

WeightsFormat = Literal["graph", "checkpoint", "other"]

ONNX_MAGIC = b"\x08"  # ONNX: a protobuf whose first field is the version of the format
PICKLE_MEMBER = "data.pkl"  # member of the zip file that torch writes


def weights_format(path: Path) -> WeightsFormat:
    """Returns whether a file is an exported graph, a training checkpoint, or neither.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        if file.read(1) == ONNX_MAGIC:
            return "graph"
    if not zipfile.is_zipfile(path):
        return "other"
    try:
        with zipfile.ZipFile(path) as archive:
            pickled = any(name.rpartition("/")[2] == PICKLE_MEMBER for name in archive.namelist())
    except zipfile.BadZipFile:
        return "other"
    return "checkpoint" if pickled else "other"


def check_is_graph(path: Path) -> None:
    """Checks that a file is an exported graph.

    Raises:
        UsageError: There is no such file.
        EngineError: It is a checkpoint, or in another format.
    """
    if not path.is_file():
        raise UsageError(f"There are no weights at {path}.", "Check --weights, or leave it out for the shipped ones.")
    try:
        kind = weights_format(path)
    except OSError as error:
        raise EngineError(f"Cannot read {path}: {error.strerror}.", "Check its permissions.") from error
    if kind == "checkpoint":
        raise EngineError(
            f"{path.name} is a training checkpoint, not an exported graph.", f"Export it with `pose-rig export {path}`."
        )
    if kind == "other":
        raise EngineError(
            f"{path.name} is not a pose-rig graph.", "Graphs come from `pose-rig train` and `pose-rig export`."
        )
