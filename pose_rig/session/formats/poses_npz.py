"""Poses files: the npz that ``--save`` and ``convert --to npz`` write (docs/frames.md, "A poses file").

Axes: T instants, J joints.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.atomic_file import output_file
from pose_rig.errors import SourceError
from pose_rig.joint_name import JointError, joint_index
from pose_rig.names import is_label
from pose_rig.npz import read_arrays
from pose_rig.session.formats.poses import Poses
from pose_rig.skeleton import JOINTS

REMEDY = "docs/frames.md describes poses files."
# key → (kinds of dtype, shape)
REQUIRED: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "t_ns": ("iu", ("T",)),
    "joints": ("U", ("J",)),
    "xyz": ("f", ("T", "J", 3)),
    "score": ("f", ("T", "J")),
    "mode": ("U", ("T",)),
    "height_m": ("iuf", ()),
    "height_assumed": ("b", ()),
}
# files of `--save` have no residual and no age, those of others no covariance
OPTIONAL: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "covariance": ("f", ("T", "J", 3, 3)),
    "residual_px": ("f", ("T", "J")),
    "age_ns": ("iu", ("T",)),
}


def write_npz(path: Path, poses: Poses, further: Mapping[str, NDArray[Any]] | None = None) -> None:
    """Writes a poses file.

    Args:
        path: Replaced when finished.
        poses: Becomes ``t_ns``, ``joints``, ``xyz``, ``score``, ``mode``, ``covariance``, ``residual_px``, ``age_ns``,
            ``height_m`` and ``height_assumed``.
        further: Arrays under other names: 2D, cameras and so on.

    Raises:
        PoseRigError: The file cannot be written.
    """
    arrays: dict[str, Any] = {
        **(further or {}),
        "t_ns": poses.t_ns,
        "joints": np.array(poses.joints),
        "xyz": poses.xyz,
        "score": poses.score,
        "mode": poses.mode,
        "covariance": poses.covariance_m2,
        "residual_px": poses.residual_px,
        "age_ns": poses.age_ns,
        "height_m": np.array(poses.height_m),
        "height_assumed": np.array(poses.height_assumed),
    }
    with output_file(path) as beside, beside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_npz(path: Path | str) -> Poses:
    """Returns the poses in a poses file; what it does not hold is NaN, ages are 0.

    Joints may be spelled otherwise (`pose_rig.joint_name.joint_index`) and be in another order.

    Raises:
        SourceError: The file cannot be read, or a key is missing or has the wrong shape or values; names the key.
    """
    path = Path(path)
    arrays = read_arrays(path, REMEDY, REQUIRED | OPTIONAL)
    sizes: dict[str | int, int] = {}
    for key, (kinds, axes) in (REQUIRED | OPTIONAL).items():
        if key not in arrays:
            if key in REQUIRED:
                raise SourceError(f"{path}: key {key!r} is missing.", REMEDY)
            continue
        array = arrays[key]
        wanted = tuple(sizes.get(axis, axis) for axis in axes)
        fits = array.ndim == len(wanted) and all(
            isinstance(want, str) or want == got for want, got in zip(wanted, array.shape, strict=True)
        )
        if not fits or array.dtype.kind not in kinds:
            raise SourceError(f"{path}: key {key!r} is {array.dtype} {array.shape}, expected {wanted}.", REMEDY)
        sizes.update({axis: side for axis, side in zip(axes, array.shape, strict=True) if isinstance(axis, str)})
    if not all(is_label(str(name)) for name in arrays["joints"]):
        raise SourceError(f"{path}: key 'joints' has names that are none.", REMEDY)
    if (np.diff(arrays["t_ns"].astype(np.int64)) <= 0).any():
        raise SourceError(f"{path}: key 't_ns' must increase from row to row.", REMEDY)
    return _poses(path, arrays)


def _named(path: Path, names: tuple[str, ...]) -> tuple[tuple[str, ...], list[int]]:
    """Returns the joints in our spelling, the 17 first, and where each is among the names of a file.

    Raises:
        SourceError: One of the 17 is missing.
    """
    try:
        ours = [joint_index(joint, names) for joint in JOINTS]
    except JointError as error:
        raise SourceError(f"{path}: key 'joints' is not complete. {error.cause}", REMEDY) from error
    others = [j for j in range(len(names)) if j not in ours]
    return (*JOINTS, *(names[j] for j in others)), ours + others


def _poses(path: Path, arrays: Mapping[str, NDArray[Any]]) -> Poses:
    instants, joints = arrays["score"].shape
    covariance = arrays.get("covariance", np.full((instants, joints, 3, 3), np.nan))
    residual = arrays.get("residual_px", np.full((instants, joints), np.nan))
    names, order = _named(path, tuple(str(name) for name in arrays["joints"]))
    return Poses(
        t_ns=arrays["t_ns"].astype(np.int64),
        joints=names,
        xyz=arrays["xyz"][:, order].astype(np.float32),
        score=arrays["score"][:, order].astype(np.float32),
        covariance_m2=covariance[:, order].astype(np.float32),
        residual_px=residual[:, order].astype(np.float32),
        mode=arrays["mode"],
        age_ns=arrays.get("age_ns", np.zeros(instants)).astype(np.int64),
        height_m=float(arrays["height_m"]),
        height_assumed=bool(arrays["height_assumed"]),
    )
