"""MPI-INF-3DHP as it is downloaded: ``S1/Seq1/annot.mat`` of 14 cameras, ``TS1/annot_data.mat`` of one.

The test files are of MATLAB 7.3, the training files older.

Axes: N instants, V cameras, K = 28 or 17 joints of the file, J = 17 joints.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import UsageError
from pose_rig.training.datasets.layout import (
    MPI_INF_3DHP_17,
    MPI_INF_3DHP_28,
    assumed_focal_px,
    joints_of,
    metres,
    seen,
)
from pose_rig.training.datasets.mat import read_cells, read_h5
from pose_rig.training.datasets.protocol import MPI_INF_3DHP, Split
from pose_rig.training.footage.footage import Footage, GroundTruth

SEQUENCE = "Seq1"
_CAMERAS, _K = 14, 28
# the first four tests were filmed as the training was, the last two outdoors
_STUDIO, _OUTDOORS = (2048, 2048), (1920, 1080)
_TEST_SIZE_PX = {
    "TS1": _STUDIO, "TS2": _STUDIO, "TS3": _STUDIO, "TS4": _STUDIO, "TS5": _OUTDOORS, "TS6": _OUTDOORS,
}  # fmt: skip


def find(folder: Path, split: Split) -> dict[str, Path]:
    """Returns the file of each subject of a split whom a folder, or a folder in it, has."""
    inner = ("annot_data.mat",) if split == "test" else (SEQUENCE, "annot.mat")
    places = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    found = {}
    for name in MPI_INF_3DHP.subjects(split):
        path = next((path for place in places if (path := place.joinpath(name, *inner)).is_file()), None)
        if path is not None:
            found[name] = path
    return found


def load(files: dict[str, Path], split: Split) -> list[Footage]:
    """Returns one footage per subject; the 2D poses are the labels, as no detections come with the data.

    Args:
        files: As `find` returns them.
        split: Whether they are training or test files.

    Raises:
        UsageError: One is of another form, or damaged.
    """
    if split == "test":
        return [_test(name, path) for name, path in files.items()]
    return [_train(name, path, split) for name, path in files.items()]


def _train(name: str, path: Path, split: Split) -> Footage:
    """Returns the chosen cameras of one training sequence."""
    stride = MPI_INF_3DHP.stride(split)
    xy_px = np.stack([view[::stride] for view in _chosen(path, "annot2", 2)], 1)
    local = np.stack([view[::stride] for view in _chosen(path, "annot3", 3)], 1)
    return _footage(
        name,
        joints_of(xy_px, MPI_INF_3DHP_28),
        metres(joints_of(local, MPI_INF_3DHP_28), str(path)),
        MPI_INF_3DHP.size_px,
    )


def _chosen(path: Path, key: str, axes: int) -> list[NDArray[np.float64]]:
    """Returns (N,K,axes) of each camera of the protocol."""
    cells = read_cells(path, key)
    width = _K * axes
    if len(cells) != _CAMERAS or any(cell.shape != (len(cells[0]), width) for cell in cells):
        raise UsageError(
            f"{path}: {key} has the shapes {[cell.shape for cell in cells][:3]} ….",
            f"{_CAMERAS} cells of N × {width} belong there; take annot.mat as it comes.",
        )
    return [cells[int(camera)].reshape(-1, _K, axes) for camera in MPI_INF_3DHP.cameras]


def _test(name: str, path: Path) -> Footage:
    """Returns the valid instants of one test sequence, its truth scaled to the common skeleton, as it is scored."""
    content = read_h5(path)
    wanted = {"annot2": 2, "univ_annot3": 3}
    count = len(content.get("annot2", ()))
    stride = MPI_INF_3DHP.stride("test")
    shapes = {key: np.shape(content.get(key, ())) for key in wanted}
    if any(shapes[key] != (count, 1, len(MPI_INF_3DHP_17), axes) for key, axes in wanted.items()):
        raise UsageError(f"{path} has {shapes}.", "Take annot_data.mat as it comes in the test set, MATLAB 7.3.")
    valid = np.asarray(content.get("valid_frame", np.ones(count))).ravel() > 0
    if len(valid) != count:
        raise UsageError(f"{path} has {len(valid)} valid_frame for {count} instants.", "Download it again.")
    xy_px, truth = (joints_of(content[key][valid][::stride], MPI_INF_3DHP_17) for key in wanted)
    return _footage(name, xy_px, metres(truth, str(path)), (_TEST_SIZE_PX[name],))


def _footage(
    name: str, xy_px: NDArray[np.float64], joints: NDArray[np.float64], size_px: tuple[tuple[int, int], ...]
) -> Footage:
    xy, score = seen(xy_px, np.ones(xy_px.shape[:-1]))
    return Footage(
        f"{MPI_INF_3DHP.kind} {name}",
        name,
        xy,
        score,
        np.array(size_px, np.float32),
        assumed_focal_px(size_px),
        truth=GroundTruth(np.nan_to_num(joints).astype(np.float32), xy),
    )
