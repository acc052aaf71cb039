from pathlib import Path

import pytest

from pose_rig.errors import PoseRigError, UsageError
from pose_rig.training.datasets.load import KINDS, load, protocol_of
from pose_rig.training.datasets.mat import library
from pose_rig.training.datasets.protocol import SKIPOSE


def test_kinds() -> None:
    assert KINDS == ("human36m", "mpi-inf-3dhp", "skipose", "skipose-clean")
    assert protocol_of("skipose-clean") is SKIPOSE
    with pytest.raises(UsageError, match=r"Unknown benchmark 'coco'\. Use one of human36m, "):
        load("coco", Path(), "train")


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        load("human36m", tmp_path / "nothing", "train")
    with pytest.raises(UsageError, match="Unknown split 'all'"):
        load("human36m", tmp_path, "all")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        ("human36m", r"data_2d_h36m_….npz with data_3d_h36m.npz"),
        ("mpi-inf-3dhp", r"S1/Seq1/annot.mat"),
        ("skipose", r"train/labels.h5"),
    ],
)
def test_an_empty_folder_is_reported_with_the_supported_files(tmp_path: Path, kind: str, files: str) -> None:
    (tmp_path / "labels.h5").touch()
    with pytest.raises(UsageError, match=rf"file of {kind} for 'test'\. Supported are {files}.*, and one file"):
        load(kind, tmp_path, "test")


def test_a_missing_library_is_named() -> None:
    with pytest.raises(PoseRigError, match=r"needs no_such_library, .*pip install 'pose-rig\[datasets\]'"):
        library("no_such_library")
