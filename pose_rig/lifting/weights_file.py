"""What a file of weights holds, told by its content: its name may end as it likes."""

import zipfile
from pathlib import Path
from typing import Literal

from pose_rig.errors import EngineError, UsageError

WeightsFormat = Literal["graph", "checkpoint", "other"]

GRAPH_BEGINS = b"\x08"  # ONNX: a protobuf whose first field is the version of the format
PICKLED = "data.pkl"  # torch keeps a zip with this file in its folder


def weights_format(path: Path) -> WeightsFormat:
    """Returns what a file is: a graph that runs, a checkpoint of training, or neither.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        if file.read(1) == GRAPH_BEGINS:
            return "graph"
    if not zipfile.is_zipfile(path):
        return "other"
    try:
        with zipfile.ZipFile(path) as archive:
            pickled = any(name.rpartition("/")[2] == PICKLED for name in archive.namelist())
    except zipfile.BadZipFile:
        return "other"
    return "checkpoint" if pickled else "other"


def check_is_graph(path: Path) -> None:
    """Checks that a file may be the graph that a rig runs.

    Raises:
        UsageError: There is no such file.
        EngineError: It is a checkpoint, or nothing of ours.
    """
    if not path.is_file():
        raise UsageError(f"There are no weights at {path}.", "Check --weights, or leave it out for the shipped ones.")
    try:
        kind = weights_format(path)
    except OSError as error:
        raise EngineError(f"Cannot read {path}: {error.strerror}.", "Check who may read it.") from error
    if kind == "checkpoint":
        raise EngineError(
            f"{path.name} is a checkpoint of training, which no rig runs.",
            f"Make a graph of it with `pose-rig export {path}`.",
        )
    if kind == "other":
        raise EngineError(
            f"{path.name} is not a pose-rig graph.", "Graphs come from `pose-rig train` and `pose-rig export`."
        )
