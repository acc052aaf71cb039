"""MPI-INF-3DHP as downloaded: ``S1/Seq1/annot.mat`` (14 cameras), ``TS1/annot_data.mat`` (one, MATLAB 7.3).

Axes: N frames, V cameras, K = 28 or 17 joints of the file, J = 17 joints.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import UsageError
from pose_rig.training.datasets.layout import MPI_INF_3DHP_17, MPI_INF_3DHP_28, benchmark_footage, joints_of, metres
from pose_rig.training.datasets.mat import read_cells, read_h5
from pose_rig.training.datasets.protocol import MPI_INF_3DHP, Split
from pose_rig.training.footage.footage import Footage

SEQUENCE = "Seq1"
_CAMERAS, _K = 14, 28
# the first four test sequences are of the studio of the training, the last two outdoors
_STUDIO, _OUTDOORS = (2048, 2048), (1920, 1080)
_TEST_SIZE_PX = {
    "TS1": _STUDIO, "TS2": _STUDIO, "TS3": _STUDIO, "TS4": _STUDIO, "TS5": _OUTDOORS, "TS6": _OUTDOORS,
}  # fmt: skip


def find(folder: Path, split: Split) -> dict[str, Path]:
    """Returns the file of each subject of a split, in a folder or one of its subfolders."""
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

    Raises:
        UsageError: A file has another format, or is damaged.
    """
    if split == "test":
        return [_test(name, path) for name, path in files.items()]
    return [_train(name, path, split) for name, path in files.items()]


def _train(name: str, path: Path, split: Split) -> Footage:
    """Returns one training sequence."""
    stride = MPI_INF_3DHP.stride(split)
    xy_px = np.stack([view[::stride] for view in _chosen(path, "annot2", 2)], 1)
    local = np.stack([view[::stride] for view in _chosen(path, "annot3", 3)], 1)
    joints = metres(joints_of(local, MPI_INF_3DHP_28), str(path))
    return benchmark_footage(
        MPI_INF_3DHP, f"{MPI_INF_3DHP.kind} {name}", name, joints_of(xy_px, MPI_INF_3DHP_28), joints=joints
    )


def _chosen(path: Path, key: str, axes: int) -> list[NDArray[np.float64]]:
    """Returns (N,K,axes) of each camera of the protocol."""
    cells = read_cells(path, key)
    width = _K * axes
    if len(cells) != _CAMERAS or any(cell.shape != (len(cells[0]), width) for cell in cells):
        raise UsageError(
            f"{path}: {key} has the shapes {[cell.shape for cell in cells][:3]} ….",
            f"{_CAMERAS} cells of N × {width} are required; use annot.mat of the download.",
        )
    return [cells[int(camera)].reshape(-1, _K, axes) for camera in MPI_INF_3DHP.cameras]


def _test(name: str, path: Path) -> Footage:
    """Returns the valid frames of one test sequence, with the normalised ground truth of its protocol."""
    content = read_h5(path)
    wanted = {"annot2": 2, "univ_annot3": 3}
    count = len(content.get("annot2", ()))
    stride = MPI_INF_3DHP.stride("test")
    shapes = {key: np.shape(content.get(key, ())) for key in wanted}
    if any(shapes[key] != (count, 1, len(MPI_INF_3DHP_17), axes) for key, axes in wanted.items()):
        raise UsageError(f"{path} has {shapes}.", "Use annot_data.mat of the test set, MATLAB 7.3.")
    valid = np.asarray(content.get("valid_frame", np.ones(count))).ravel() > 0
    if len(valid) != count:
        raise UsageError(f"{path} has {len(valid)} valid_frame for {count} frames.", "Download it again.")
    xy_px, truth = (joints_of(content[key][valid][::stride], MPI_INF_3DHP_17) for key in wanted)
    return benchmark_footage(
        MPI_INF_3DHP, f"{MPI_INF_3DHP.kind} {name}", name, xy_px, joints=metres(truth, str(path)),
        size_px=(_TEST_SIZE_PX[name],),
    )  # fmt: skip
