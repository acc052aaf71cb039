"""Files of CanonPose and its successors: one dict of all frames, with an array per camera.

``poses_2d_pred`` and ``confidences`` are detections, ``p2d_gt`` or ``poses_2d_annot`` the 2D ground truth, ``p3d_gt``,
``poses_3d_annot`` or ``poses_3d`` the 3D ground truth in the axes of each camera, ``subjects`` one number per frame.

Axes: N frames, V cameras, K = 16 joints of the file, J = 17 joints.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import UsageError
from pose_rig.training.datasets.layout import (
    CANONPOSE_16,
    CANONPOSE_LEFT_16,
    PAPER_16,
    benchmark_footage,
    joints_of,
    metres,
    scores_of,
)
from pose_rig.training.datasets.mat import read_h5
from pose_rig.training.datasets.protocol import HUMAN36M, MPI_INF_3DHP, SKIPOSE, Protocol, Split
from pose_rig.training.datasets.restricted_pickle import read_npy, read_pickle
from pose_rig.training.footage.footage import Footage

SUFFIXES = (".pickle", ".pkl", ".npy", ".h5", ".hdf5")
_K = 16
_TRUE_2D = ("p2d_gt", "poses_2d_annot")
_TRUE_3D = ("p3d_gt", "poses_3d_annot", "poses_3d")


@dataclass(frozen=True, slots=True)
class _Form:
    """Format of the files of one benchmark.

    Attributes:
        cameras: Keys of the cameras, in the order of the protocol.
        row: Joint order of (N, 2K) and (N, 3K) arrays; (N,K,2) and (N,K,3) arrays have that of the paper.
        planar: Whether a row has all x, then all y, instead of joint after joint.
        subject: Prefix of the names of subjects.
        test_subject: The same in test files.
    """

    cameras: tuple[str, ...]
    row: dict[str, int]
    planar: bool
    subject: str = "S"
    test_subject: str = "S"


_FORMS = {
    HUMAN36M.kind: _Form(HUMAN36M.cameras, CANONPOSE_16, planar=True),
    MPI_INF_3DHP.kind: _Form(("cam0", "cam2", "cam7", "cam8"), CANONPOSE_LEFT_16, planar=True, test_subject="TS"),
    SKIPOSE.kind: _Form(tuple(f"cam_0{i}" for i in range(6)), PAPER_16, planar=False),
}


def find(folder: Path, split: Split) -> Path | None:
    """Returns the file for a split: one with the split in its name, or with no split in it."""
    other = "train" if split == "test" else "test"
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and other not in path.name)
    files = [path for path in files if path.name != "labels.h5"]
    return min(files, key=lambda path: split not in path.name, default=None)


def load(path: Path, protocol: Protocol, split: Split) -> list[Footage]:
    """Returns one footage per subject of the split.

    Args:
        path: The file; it is subsampled already, so all of its frames are kept.
        protocol: Protocol of the benchmark.
        split: The subjects.

    Raises:
        UsageError: The file has another format, or is damaged.
    """
    data = _read(path)
    form = _FORMS[protocol.kind]
    numbers = _numbers(path, data)
    prefix = form.test_subject if split == "test" else form.subject
    wanted = protocol.subjects(split) or tuple(f"{prefix}{number}" for number in np.unique(numbers))
    out = []
    for name in wanted:
        rows = numbers == int(name.lstrip("TS"))
        if rows.any():
            out.append(_footage(path, data, protocol, form, name, rows))
    return out


def _numbers(path: Path, data: Mapping[str, Any]) -> NDArray[np.int64]:
    """Returns (N,) the number of the subject of each frame."""
    entries = np.asarray(_part(path, data, "subjects")).ravel()
    try:
        return np.array([int(str(entry).lstrip("TS")) for entry in entries], np.int64)
    except ValueError as error:
        raise UsageError(f"{path}: subjects are not numbers: {error}.", "One number per frame is required.") from error


def _footage(
    path: Path, data: Mapping[str, Any], protocol: Protocol, form: _Form, name: str, rows: NDArray[np.bool_]
) -> Footage:
    """Returns the frames of one subject."""
    xy_px = _views(path, data, "poses_2d_pred", form, 2, rows)
    score = _scores(path, data, form, rows) if "confidences" in data else None
    true_2d = next((key for key in _TRUE_2D if key in data), None)
    true_3d = next((key for key in _TRUE_3D if key in data), None)
    joints = true_px = None
    if true_3d is not None:
        joints = metres(_views(path, data, true_3d, form, 3, rows), path.name)
        true_px = None if true_2d is None else _views(path, data, true_2d, form, 2, rows)
    return benchmark_footage(protocol, f"{protocol.kind} {name}", name, xy_px, score, joints=joints, true_px=true_px)


def _views(
    path: Path, data: Mapping[str, Any], key: str, form: _Form, axes: int, rows: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Returns (T,V,J,axes) rows of one entry; NaN where a camera is missing."""
    part = _part(path, data, key)
    out = []
    for camera in form.cameras:
        values: NDArray[np.float64] = np.asarray(part.get(camera, np.full((len(rows), _K, axes), np.nan)), np.float64)
        places = PAPER_16
        if values.shape == (len(rows), _K * axes):
            places = form.row
            planar = values.reshape(-1, axes, _K).swapaxes(1, 2)  # all x, then all y
            values = planar if form.planar else values.reshape(-1, _K, axes)
        if np.shape(values) != (len(rows), _K, axes):
            raise UsageError(
                f"{path}: {key} of camera {camera} has the shape {values.shape}.",
                f"({len(rows)}, {_K}, {axes}) or ({len(rows)}, {_K * axes}) is required for {len(rows)} subjects.",
            )
        out.append(joints_of(values[rows], places))
    if not any(camera in part for camera in form.cameras):
        raise UsageError(f"{path}: {key} has none of the cameras.", f"The keys are {', '.join(form.cameras)}.")
    return np.stack(out, 1)


def _scores(path: Path, data: Mapping[str, Any], form: _Form, rows: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Returns (T,V,J) confidences; their joint order is that of the 2D poses."""
    part, poses = _part(path, data, "confidences"), _part(path, data, "poses_2d_pred")
    out = []
    for camera in form.cameras:
        values = np.asarray(part[camera], np.float64) if camera in part else np.zeros((len(rows), _K))
        if values.size != len(rows) * _K:
            raise UsageError(
                f"{path}: confidences of camera {camera} have the shape {values.shape}.",
                f"({len(rows)}, {_K}) is required for {len(rows)} subjects.",
            )
        is_row = camera in poses and np.ndim(poses[camera]) == 2
        out.append(scores_of(values.reshape(-1, _K)[rows], form.row if is_row else PAPER_16))
    return np.stack(out, 1)


def _part(path: Path, data: Mapping[str, Any], key: str) -> Any:
    """Returns an entry of the file.

    Raises:
        UsageError: It is missing.
    """
    if not isinstance(data, Mapping) or key not in data:
        raise UsageError(
            f"{path} has no entry {key!r}.", "Files of CanonPose's format have poses_2d_pred and subjects."
        )
    if key != "subjects" and not isinstance(data[key], Mapping):
        raise UsageError(
            f"{path}: {key} is not a dict of cameras.", "Files of CanonPose's format have an array per camera."
        )
    return data[key]


def _read(path: Path) -> Mapping[str, Any]:
    """Returns the content of a file as nested dicts of arrays."""
    if path.suffix.lower() in (".h5", ".hdf5"):
        return read_h5(path)
    data: Mapping[str, Any] = read_npy(path) if path.suffix.lower() == ".npy" else read_pickle(path)
    return data
