"""Human3.6M as prepared by VideoPose3D: ``data_3d_h36m.npz`` in the room, ``data_2d_h36m_….npz`` of each camera.

The 3D file has no cameras. They are resected from the 2D and 3D labels: ground truth needs ``data_2d_h36m_gt.npz`` too.

Axes: T frames, V = 4 cameras, K = 32 or 17 joints of the file, J = 17 joints, N points.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import UsageError
from pose_rig.skeleton import J, landmarks
from pose_rig.training.datasets.layout import HUMAN36M_17, HUMAN36M_32, benchmark_footage, joints_of, metres
from pose_rig.training.datasets.protocol import HUMAN36M, Split
from pose_rig.training.datasets.resection import Camera, resect
from pose_rig.training.datasets.restricted_pickle import read_npz
from pose_rig.training.footage.footage import Footage, GroundTruth, Single

TRUE_3D, TRUE_2D, DETECTED = "data_3d_h36m.npz", "data_2d_h36m_gt.npz", "data_2d_h36m_*.npz"
Points = NDArray[np.float64]


def find(folder: Path) -> Path | None:
    """Returns the file of 2D poses: the first one of a detector by name, else the labels."""
    files = sorted(folder.glob(DETECTED), key=lambda path: (path.name == TRUE_2D, path.name))
    return files[0] if files else None


def load(path: Path, split: Split) -> list[Footage]:
    """Returns one footage per action of each subject of the split, at the stride of the protocol.

    Args:
        path: The 2D poses; without both files of the ground truth in the same folder there is none.
        split: The subjects.

    Raises:
        UsageError: A file has another format or is damaged, or the 2D and 3D poses do not match.
    """
    poses = _actions(path, "positions_2d")
    layout = _layout(path)
    room_file, label_file = path.with_name(TRUE_3D), path.with_name(TRUE_2D)
    has_truth = room_file.is_file() and label_file.is_file()
    rooms = _actions(room_file, "positions_3d") if has_truth else {}
    labels = _actions(label_file, "positions_2d") if has_truth else {}
    out = []
    for subject in HUMAN36M.subjects(split):
        known = {name: _joints(room, str(room_file)) for name, room in rooms.get(subject, {}).items()}
        labels_2d = {name: _views(label_file, views, "h36m") for name, views in labels.get(subject, {}).items()}
        cameras = _cameras(subject, known, labels_2d)
        for action, found in poses.get(subject, {}).items():
            truth = (
                _truth(known[action], labels_2d[action], cameras) if action in known and action in labels_2d else None
            )
            out.append(_footage(subject, action, _views(path, found, layout), truth, HUMAN36M.stride(split)))
    return out


def _footage(subject: str, action: str, xy_px: Points, truth: GroundTruth | None, stride: int) -> Footage:
    """Returns an action; frames after the end of the ground truth are left out."""
    last = len(xy_px) if truth is None else min(len(xy_px), len(truth.joints))
    joints, true_px = (None, None) if truth is None else (truth.joints[:last:stride], truth.xy_px[:last:stride])
    return benchmark_footage(
        HUMAN36M, f"{subject} {action}", subject, xy_px[:last:stride], joints=joints, true_px=true_px
    )


def _truth(room: Points, xy_px: Points, cameras: list[Camera | None]) -> GroundTruth | None:
    """Returns the ground truth of an action, or None if a camera is unknown."""
    if any(camera is None for camera in cameras):
        return None
    found = [camera for camera in cameras if camera is not None]
    joints = np.stack([camera.local(room) for camera in found], 1).astype(np.float32)
    drawn: Single = np.stack([camera.project(room) for camera in found], 1).astype(np.float32)
    count = min(len(room), len(xy_px))
    labelled = np.isfinite(xy_px[:count])
    return GroundTruth(joints[:count], np.where(labelled, xy_px[:count], drawn[:count]).astype(np.float32))


def _cameras(subject: str, known: dict[str, Points], labels_2d: dict[str, Points]) -> list[Camera | None]:
    """Returns the cameras of a subject; empty if its 3D poses are not known."""
    both = [name for name in known if name in labels_2d]
    if not both:
        return []
    counts = {name: min(len(known[name]), len(labels_2d[name])) for name in both}
    room = np.concatenate([known[name][: counts[name]] for name in both])
    xy_px = np.concatenate([labels_2d[name][: counts[name]] for name in both])
    return [
        resect(room, xy_px[:, view], size_px, f"{subject}, camera {HUMAN36M.cameras[view]}")
        for view, size_px in enumerate(HUMAN36M.size_px)
    ]


def _joints(room: Any, name: str) -> Points:
    """Returns (T,J,3) m of (T,32,3) or (T,17,3)."""
    values = np.asarray(room, np.float64)
    places = {32: HUMAN36M_32, 17: HUMAN36M_17}.get(values.shape[1] if values.ndim == 3 else 0)
    if places is None or values.shape[2] != 3:
        raise UsageError(f"{name}: 3D poses have the shape {values.shape}.", "(T, 32, 3) or (T, 17, 3) is required.")
    return metres(joints_of(values, places), name)


def _views(path: Path, found: Any, layout: str) -> Points:
    """Returns (T,V,J,2) px, NaN where a camera is missing or has ended."""
    views = [np.asarray(view, np.float64) for view in found][: len(HUMAN36M.cameras)]
    out = np.full((max((len(view) for view in views), default=0), len(HUMAN36M.cameras), J, 2), np.nan)
    for number, view in enumerate(views):
        if not view.size:
            continue
        if view.ndim != 3 or view.shape[1] not in (17, 32) or view.shape[2] < 2:
            raise UsageError(f"{path}: 2D poses have the shape {view.shape}.", "(T, 17, 2) is required.")
        if layout == "coco":
            out[: len(view), number] = landmarks("coco17").to_joints(view[..., :2], np.ones(view.shape[:2]))[0]
        else:
            places = HUMAN36M_17 if view.shape[1] == J else HUMAN36M_32
            out[: len(view), number] = joints_of(view[..., :2], places)
    return out


def _layout(path: Path) -> str:
    """Returns the joints of a file of 2D poses: ``coco`` or ``h36m``."""
    metadata = read_npz(path).get("metadata", {})
    return str(metadata.get("layout_name", "h36m")) if isinstance(metadata, dict) else "h36m"


def _actions(path: Path, key: str) -> dict[str, dict[str, Any]]:
    """Returns the actions of each subject.

    Raises:
        UsageError: The file has no actions.
    """
    found = read_npz(path).get(key)
    if not isinstance(found, dict) or not all(isinstance(actions, dict) for actions in found.values()):
        raise UsageError(f"{path} has no {key} of subjects and actions.", "Create it with the scripts of VideoPose3D.")
    return found
