"""Reading a solved rig from a rig.toml or a poses file."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pose_rig.config import SolvedCamera, load
from pose_rig.errors import UsageError
from pose_rig.npz import load_npz
from pose_rig.tools.arguments.camera_list import derived_name
from pose_rig.tools.rig_files.rig_camera import RigCamera
from pose_rig.tools.rig_files.rig_toml import check_solved

_SHAPES = {"K": (3, 3), "R": (3, 3), "t": (3,), "cameras": ()}
_LENS = {"k1": (), "dist": (5,), "fisheye": (), "size_px": (2,)}  # if there
_OPTIONAL = {
    "R_sd_deg": "rotation_sd_deg",
    "t_sd_m": "translation_sd_m",
    "focal_sd_px": "focal_sd_px",
    "time_offset_s": "time_offset_s",
    "time_offset_sd_s": "time_offset_sd_s",
    "time_rate": "time_rate",
}


def load_rig(path: Path) -> tuple[RigCamera, ...]:
    """Returns the cameras of a rig.toml or of a poses file (.npz), at least one of them solved.

    Raises:
        UsageError: The file cannot be read, has invalid values, or has no solved camera.
    """
    if not path.is_file():
        raise UsageError(f"There is no file {path}.", "Give a rig.toml or a poses file: pose-rig rig FILE.")
    cameras = _from_poses(path) if path.suffix.lower() == ".npz" else _from_toml(path)
    if not any(camera.solved for camera in cameras):
        raise UsageError(
            f"{path} has no solved camera.",
            "Solve the rig with `pose-rig run`: static cameras, and a person who moves and turns in view of all.",
        )
    for camera in cameras:
        if camera.solved:
            check_solved(camera.name, camera.solved)
    return cameras


def _from_toml(path: Path) -> tuple[RigCamera, ...]:
    return tuple(RigCamera(one.name or derived_name(one.source), one.solved) for one in load(path).camera)


def _from_poses(path: Path) -> tuple[RigCamera, ...]:
    remedy = "Give a poses file written by pose-rig."
    try:
        arrays = load_npz(path, (*_SHAPES, *_OPTIONAL, *_LENS))
    except ValueError as error:
        raise UsageError(f"{path} cannot be read: {error}.", remedy) from error
    views = arrays["cameras"].shape[:1] if "cameras" in arrays else (0,)
    for name, shape in _SHAPES.items():
        kinds = "U" if name == "cameras" else "iuf"
        if name not in arrays or arrays[name].shape != (*views, *shape) or arrays[name].dtype.kind not in kinds:
            raise UsageError(f"{path} is not a poses file: {name} is missing or has a wrong shape.", remedy)
    for name, shape in _LENS.items():
        if name in arrays and arrays[name].shape != (*views, *shape):
            raise UsageError(f"{path} is not a poses file: {name} has a wrong shape.", remedy)
    return tuple(RigCamera(str(name), _solved(arrays, view)) for view, name in enumerate(arrays["cameras"]))


def _solved(arrays: dict[str, NDArray[Any]], view: int) -> SolvedCamera | None:
    """Returns one camera; None if it is not solved.

    Files of earlier versions have one coefficient of distortion, k1, no image size, and principal points in the centre.
    """
    matrix, rotation, translation_m = (arrays[name][view] for name in ("K", "R", "t"))
    if np.isnan(rotation).any() or np.isnan(matrix).any() or np.isnan(translation_m).any():
        return None
    size_px = arrays["size_px"][view] if "size_px" in arrays else 2 * matrix[:2, 2]
    fisheye = bool(arrays["fisheye"][view]) if "fisheye" in arrays else False
    values = {
        "size_px": [round(float(side)) for side in size_px],
        "rotation": rotation.tolist(),
        "translation_m": translation_m.tolist(),
        "focal_px": float(matrix[0, 0]),
        "principal_point_px": matrix[:2, 2].tolist(),
        "distortion": _distortion(arrays, view)[: 4 if fisheye else 5],
        "fisheye": fisheye,
    }
    optional = {field: float(np.nan_to_num(arrays[name][view])) for name, field in _OPTIONAL.items() if name in arrays}
    return msgspec.convert(values | optional, SolvedCamera)


def _distortion(arrays: dict[str, NDArray[Any]], view: int) -> list[float]:
    if "dist" in arrays:
        return list(np.nan_to_num(arrays["dist"][view]).tolist())
    return [float(np.nan_to_num(arrays["k1"][view])) if "k1" in arrays else 0.0]
