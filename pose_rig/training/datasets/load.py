"""Benchmark data by name, in whichever of the known layouts a folder has."""

from pathlib import Path

from pose_rig.errors import UsageError
from pose_rig.training.datasets import canonpose, mpi_inf_3dhp, skipose, videopose3d
from pose_rig.training.datasets.protocol import HUMAN36M, MPI_INF_3DHP, PROTOCOLS, SKIPOSE, Protocol, Split
from pose_rig.training.footage.footage import Footage

CLEAN = "skipose-clean"
KINDS = (*PROTOCOLS, CLEAN)
_EXPECTED = {
    HUMAN36M.kind: "data_2d_h36m_….npz with data_3d_h36m.npz (VideoPose3D)",
    MPI_INF_3DHP.kind: "S1/Seq1/annot.mat … S8 and TS1/annot_data.mat … TS6",
    SKIPOSE.kind: "train/labels.h5 and test/labels.h5",
}


def protocol_of(kind: str) -> Protocol:
    """Returns the rules of a benchmark.

    Raises:
        UsageError: It is unknown.
    """
    if kind not in KINDS:
        raise UsageError(f"There is no benchmark {kind!r}.", f"Use one of {', '.join(KINDS)}.")
    return SKIPOSE if kind == CLEAN else PROTOCOLS[kind]


def load(kind: str, folder: Path, split: Split) -> list[Footage]:
    """Returns the footage of one split of a benchmark.

    Args:
        kind: One of `KINDS`.
        folder: Where its files are, as they were downloaded or as CanonPose or VideoPose3D prepared them.
        split: ``train``, ``test``, or ``morphing`` for the subjects that teach the skeleton morphing.

    Raises:
        UsageError: The folder has none of the layouts, nobody of the split, or a file of the wrong form.
    """
    protocol, footage = protocol_of(kind), found(kind, folder, split)
    if footage is None:
        raise UsageError(
            f"{folder} has no files of {protocol.kind} for {split!r} that are known here.",
            f"It needs {_EXPECTED[protocol.kind]}, or one file like CanonPose's ({', '.join(canonpose.SUFFIXES)}).",
        )
    if not footage:
        people = ", ".join(protocol.subjects(split)) or "anybody"
        raise UsageError(f"The files in {folder} have nobody of {split!r}.", f"They need {people}.")
    return footage


def found(kind: str, folder: Path, split: Split) -> list[Footage] | None:
    """Returns what a folder has of one split of a benchmark; None = no file that is known here.

    Raises:
        UsageError: Benchmark or split are unknown, there is no such folder, or a file is of the wrong form.
    """
    protocol = protocol_of(kind)
    protocol.subjects(split)
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder.", f"Give the one with the files of {protocol.kind}.")
    return _by_layout(protocol, folder, split, clean=kind == CLEAN)


def _by_layout(protocol: Protocol, folder: Path, split: Split, *, clean: bool) -> list[Footage] | None:
    """Returns what the first layout that fits has, or None if none does."""
    if protocol is HUMAN36M and (npz := videopose3d.find(folder)):
        return videopose3d.load(npz, split)
    if protocol is MPI_INF_3DHP and (files := mpi_inf_3dhp.find(folder, split)):
        return mpi_inf_3dhp.load(files, split)
    if protocol is SKIPOSE and (labels := skipose.find(folder, split)):
        return skipose.load(labels, clean=clean)
    if not clean and (single := canonpose.find(folder, split)):
        return canonpose.load(single, protocol, split)
    return None
