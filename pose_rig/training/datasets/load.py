"""Benchmarks by name, in any of the supported file formats."""

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
    """Returns the protocol of a benchmark.

    Raises:
        UsageError: It is unknown.
    """
    if kind not in KINDS:
        raise UsageError(f"Unknown benchmark {kind!r}.", f"Use one of {', '.join(KINDS)}.")
    return SKIPOSE if kind == CLEAN else PROTOCOLS[kind]


def load(kind: str, folder: Path, split: Split) -> list[Footage]:
    """Returns the footage of one split of a benchmark.

    Args:
        kind: One of `KINDS`.
        folder: Folder of its files, as downloaded or as prepared by CanonPose or VideoPose3D.
        split: ``train``, ``test``, or ``morphing`` for the subjects of the skeleton morphing.

    Raises:
        UsageError: The folder has no supported file, no subject of the split, or a file of another format.
    """
    protocol, footage = protocol_of(kind), found(kind, folder, split)
    if footage is None:
        raise UsageError(
            f"{folder} has no supported file of {protocol.kind} for {split!r}.",
            f"Supported are {_EXPECTED[protocol.kind]}, and one file of CanonPose's format "
            f"({', '.join(canonpose.SUFFIXES)}).",
        )
    if not footage:
        subjects = ", ".join(protocol.subjects(split)) or "any subject"
        raise UsageError(f"The files in {folder} have no subject of {split!r}.", f"Add {subjects}.")
    return footage


def found(kind: str, folder: Path, split: Split) -> list[Footage] | None:
    """Returns the footage of a folder for one split; None = it has no supported file.

    Raises:
        UsageError: Benchmark, split or folder do not exist, or a file has another format.
    """
    protocol = protocol_of(kind)
    protocol.subjects(split)
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder.", f"Name the folder with the files of {protocol.kind}.")
    return _by_format(protocol, folder, split, clean=kind == CLEAN)


def _by_format(protocol: Protocol, folder: Path, split: Split, *, clean: bool) -> list[Footage] | None:
    """Returns the footage of the first file format that is found, or None."""
    if protocol is HUMAN36M and (npz := videopose3d.find(folder)):
        return videopose3d.load(npz, split)
    if protocol is MPI_INF_3DHP and (files := mpi_inf_3dhp.find(folder, split)):
        return mpi_inf_3dhp.load(files, split)
    if protocol is SKIPOSE and (labels := skipose.find(folder, split)):
        return skipose.load(labels, clean=clean)
    if not clean and (single := canonpose.find(folder, split)):
        return canonpose.load(single, protocol, split)
    return None
