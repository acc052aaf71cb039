"""Reading a solved rig from where it is kept: a rig.toml, or a poses file."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.config import SolvedCamera, load
from pose_rig.errors import UsageError
from pose_rig.npz import load_npz
from pose_rig.tools.arguments.camera_list import derived_name
from pose_rig.tools.rig_files.rig_camera import RigCamera
from pose_rig.tools.rig_files.rig_toml import check_solved

_SHAPES = {"K": (3, 3), "R": (3, 3), "t": (3,), "cameras": ()}
_SDS = {"R_sd_deg": "rotation_sd_deg", "t_sd_m": "translation_sd_m", "focal_sd_px": "focal_sd_px"}


def load_rig(path: Path) -> tuple[RigCamera, ...]:
    """Returns the cameras of a rig.toml or of a poses file (.npz), at least one of them solved.

    Raises:
        UsageError: The file cannot be read, makes no sense, or has no solved camera.
    """
    if not path.is_file():
        raise UsageError(f"There is no file {path}.", "Give a rig.toml or a poses file: pose-rig rig FILE.")
    places = _from_poses(path) if path.suffix.lower() == ".npz" else _from_toml(path)
    if not any(place.solved for place in places):
        raise UsageError(
            f"{path} has no solved camera.",
            "Let `pose-rig run` solve the rig: cameras stand still, somebody moves and turns in view of all.",
        )
    for place in places:
        if place.solved:
            check_solved(place.name, place.solved)
    return places


def _from_toml(path: Path) -> tuple[RigCamera, ...]:
    cameras = load(path).camera
    return tuple(RigCamera(camera.name or derived_name(camera.source), camera.solved) for camera in cameras)


def _from_poses(path: Path) -> tuple[RigCamera, ...]:
    try:
        arrays = load_npz(path, (*_SHAPES, *_SDS, "k1"))
    except ValueError as error:
        raise UsageError(f"{path} cannot be read: {error}.", "Give a poses file that pose-rig wrote.") from error
    views = arrays["cameras"].shape[:1] if "cameras" in arrays else (0,)
    for name, shape in _SHAPES.items():
        kinds = "U" if name == "cameras" else "iuf"
        if name not in arrays or arrays[name].shape != (*views, *shape) or arrays[name].dtype.kind not in kinds:
            raise UsageError(f"{path} is no poses file: {name} is missing or has another shape.", "Give one of ours.")
    return tuple(RigCamera(str(name), _solved(arrays, view)) for view, name in enumerate(arrays["cameras"]))


def _solved(arrays: dict[str, NDArray[Any]], view: int) -> SolvedCamera | None:
    """Returns one camera; None if the file says that it is not solved. Its principal point is the image centre."""
    matrix, r, (x, y, z) = arrays["K"][view], arrays["R"][view].tolist(), arrays["t"][view].tolist()
    if np.isnan(arrays["R"][view]).any() or np.isnan(matrix).any() or np.isnan([x, y, z]).any():
        return None
    sds = {field: _finite(arrays, name, view) for name, field in _SDS.items()}
    return SolvedCamera(
        size_px=(round(2 * float(matrix[0, 2])), round(2 * float(matrix[1, 2]))),
        rotation=((r[0][0], r[0][1], r[0][2]), (r[1][0], r[1][1], r[1][2]), (r[2][0], r[2][1], r[2][2])),
        translation_m=(x, y, z),
        focal_px=float(matrix[0, 0]),
        k1=_finite(arrays, "k1", view),
        **sds,
    )


def _finite(arrays: dict[str, NDArray[Any]], name: str, view: int) -> float:
    """Returns an optional number of a camera, 0 where it is not known."""
    return float(np.nan_to_num(arrays[name][view])) if name in arrays else 0.0
