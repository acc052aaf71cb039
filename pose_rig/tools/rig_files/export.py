"""Solved rigs as the calibration files of other programs (docs/rig.md has axes and units of each).

Our distortion is OpenCV's k1; the others of its terms are written as 0. The principal point is the image centre.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tomlkit

from pose_rig.arrays import Floats
from pose_rig.config import SolvedCamera
from pose_rig.errors import PoseRigError, UsageError
from pose_rig.geometry import camera_matrix
from pose_rig.tools.rig_files.rig_camera import RigCamera, rotation

Numbered = tuple[int, str, SolvedCamera]

# Pose2Sim turns its z-up results into y-up ones by (x, y, z) = (Y, Z, X): with these axes they come out in our frame.
RIG_FROM_POSE2SIM = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
# z up, x to the right of camera 0's view, y the way it looks.
RIG_FROM_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
MM_PER_M = 1000.0


def wished(wish: str) -> tuple[str, Path]:
    """Returns the format and the path of ``FORMAT:PATH``.

    Raises:
        UsageError: There is no such format.
    """
    kind, _, target = wish.partition(":")
    if kind not in FORMATS or not target:
        raise UsageError(f"{wish!r} is no export.", f"Give a format and a path, such as {' or '.join(EXAMPLES)}.")
    return kind, Path(target)


def export(places: Sequence[RigCamera], wish: str) -> Path:
    """Writes a solved rig in the format of another program; cameras that are not solved are left out.

    Args:
        places: The cameras.
        wish: ``FORMAT:PATH``.

    Returns:
        The path.

    Raises:
        UsageError: There is no such format.
        PoseRigError: The file cannot be written.
    """
    kind, path = wished(wish)
    solved = [(number, place.name, place.solved) for number, place in enumerate(places) if place.solved]
    try:
        path.write_text(FORMATS[kind](solved), "utf-8")
    except OSError as error:
        raise PoseRigError(f"Cannot write {path}: {error.strerror}.", "Check the folder of --export.") from error
    return path


def pose2sim(cameras: Sequence[Numbered]) -> str:
    """Returns a Pose2Sim calibration: TOML, m, z up, rotation vectors, OpenCV's first four distortion terms."""
    document = _titled("Pose2Sim: camera_from_world, m, z up. Cameras in the order of its pose folders.")
    for number, name, camera in cameras:
        document[f"cam_{number + 1:02d}"] = {
            "name": name,
            "size": [float(side) for side in camera.size_px],
            "matrix": camera_matrix(camera.focal_px, camera.size_px).tolist(),
            "distortions": _distortion(camera)[:4],
            "rotation": _vector(rotation(camera) @ RIG_FROM_POSE2SIM),
            "translation": list(camera.translation_m),
            "fisheye": False,
        }
    document["metadata"] = {"adjusted": False, "error": 0.0}
    return tomlkit.dumps(document)


def caliscope(cameras: Sequence[Numbered]) -> str:
    """Returns a Caliscope camera array: TOML, m, z up, cameras by number."""
    document = _titled("Caliscope: camera_from_world, m, z up. Numbers are places in the rig, from 0.")
    numbered = tomlkit.table(is_super_table=True)
    for number, name, camera in cameras:
        table = tomlkit.table()
        table.add(tomlkit.comment(name))
        table.update(
            {
                "cam_id": number,
                "size": list(camera.size_px),
                "rotation_count": 0,
                "matrix": camera_matrix(camera.focal_px, camera.size_px).tolist(),
                "distortions": _distortion(camera),
                "translation": list(camera.translation_m),
                "rotation": _vector(rotation(camera) @ RIG_FROM_Z_UP),
                "fisheye": False,
            }
        )
        numbered[str(number)] = table
    document["cameras"] = numbered
    return tomlkit.dumps(document)


def freemocap(cameras: Sequence[Numbered]) -> str:
    """Returns a FreeMoCap (anipose) calibration: TOML, mm, z up, rotation vectors."""
    document = _titled("FreeMoCap: camera_from_world, mm, z up.")
    for number, name, camera in cameras:
        world = rotation(camera) @ RIG_FROM_Z_UP
        translation_mm = MM_PER_M * np.array(camera.translation_m)
        document[f"cam_{number:02d}" if len(cameras) > 10 else f"cam_{number}"] = {  # readers sort them as text
            "name": name,
            "size": list(camera.size_px),
            "matrix": camera_matrix(camera.focal_px, camera.size_px).tolist(),
            "distortions": _distortion(camera),
            "rotation": _vector(world),
            "translation": translation_mm.tolist(),
            "world_orientation": world.T.tolist(),
            "world_position": (-world.T @ translation_mm).tolist(),
        }
    document["metadata"] = {"written_by": "pose-rig"}
    return tomlkit.dumps(document)


def opencv(cameras: Sequence[Numbered]) -> str:
    """Returns OpenCV FileStorage YAML: a sequence ``cameras``, m, our own frame (y up)."""
    storage = cv2.FileStorage(".yaml", cv2.FileStorage_WRITE | cv2.FileStorage_MEMORY)
    storage.writeComment("pose-rig: x_camera = R x_rig + T, m, y up")
    storage.startWriteStruct("cameras", cv2.FileNode_SEQ)
    for _, name, camera in cameras:
        storage.startWriteStruct("", cv2.FileNode_MAP)
        storage.write("name", name)
        storage.write("image_width", camera.size_px[0])
        storage.write("image_height", camera.size_px[1])
        storage.write("camera_matrix", camera_matrix(camera.focal_px, camera.size_px))
        storage.write("distortion_coefficients", np.array([_distortion(camera)]))
        storage.write("R", rotation(camera))
        storage.write("T", np.array(camera.translation_m)[:, None])
        storage.endWriteStruct()
    storage.endWriteStruct()
    return str(storage.releaseAndGetString())


FORMATS: dict[str, Callable[[Sequence[Numbered]], str]] = {
    "pose2sim": pose2sim,
    "caliscope": caliscope,
    "opencv": opencv,
    "freemocap": freemocap,
}
EXAMPLES = ("pose2sim:Calib.toml", "caliscope:camera_array.toml", "opencv:rig.yaml", "freemocap:calibration.toml")


def _titled(title: str) -> tomlkit.TOMLDocument:
    document = tomlkit.document()
    document.add(tomlkit.comment(f"Written by pose-rig for {title}"))
    document.add(tomlkit.nl())
    return document


def _distortion(camera: SolvedCamera) -> list[float]:
    return [camera.k1, 0.0, 0.0, 0.0, 0.0]


def _vector(matrix: Floats) -> list[Any]:
    """Returns the rotation vector (Rodrigues) of a rotation."""
    return list(cv2.Rodrigues(matrix)[0].ravel().tolist())
