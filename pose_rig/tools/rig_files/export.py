"""Solved rigs as the calibration files of other programs (docs/rig.md lists axes and units of each).

Our distortion is OpenCV's k1; its other terms are written as 0. The principal point is the image centre.
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
from pose_rig.tools.rig_files.rig_camera import RigCamera, SolvedCameras, camera_from_rig, solved_cameras

# Pose2Sim turns its z-up results into y-up ones by (x, y, z) = (Y, Z, X): with these axes they come out in our frame.
RIG_FROM_POSE2SIM = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
# z up, x to the right of camera 0's view, y in its viewing direction.
RIG_FROM_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
MM_PER_M = 1000.0


def parse_export(text: str) -> tuple[str, Path]:
    """Returns the format and the path of ``FORMAT:PATH``.

    Raises:
        UsageError: The format is unknown, or the path is missing.
    """
    kind, _, target = text.partition(":")
    if kind not in FORMATS or not target:
        raise UsageError(f"Unknown export {text!r}.", f"Give a format and a path, such as {' or '.join(EXAMPLES)}.")
    return kind, Path(target)


def export_rig(cameras: Sequence[RigCamera], text: str) -> Path:
    """Writes the solved cameras of a rig to ``FORMAT:PATH``, and returns the path.

    Raises:
        UsageError: The format is unknown.
        PoseRigError: The file cannot be written.
    """
    kind, path = parse_export(text)
    try:
        path.write_text(FORMATS[kind](solved_cameras(cameras)), "utf-8")
    except OSError as error:
        raise PoseRigError(f"Cannot write {path}: {error.strerror}.", "Check the folder of --export.") from error
    return path


def pose2sim(cameras: SolvedCameras) -> str:
    """Returns a Pose2Sim calibration: TOML, m, z up, rotation vectors, OpenCV's first four distortion terms."""
    document = _document("Pose2Sim: camera_from_world, m, z up. Cameras in the order of its pose folders.")
    for index, name, camera in cameras:
        values = _values(camera, RIG_FROM_POSE2SIM)
        values |= {"size": [float(side) for side in camera.size_px], "distortions": values["distortions"][:4]}
        document[f"cam_{index + 1:02d}"] = {"name": name, **values, "fisheye": False}
    document["metadata"] = {"adjusted": False, "error": 0.0}
    return tomlkit.dumps(document)


def caliscope(cameras: SolvedCameras) -> str:
    """Returns a Caliscope camera array: TOML, m, z up, cameras by number."""
    document = _document("Caliscope: camera_from_world, m, z up. Numbers are indices in the rig, from 0.")
    tables = tomlkit.table(is_super_table=True)
    for index, name, camera in cameras:
        table = tomlkit.table()
        table.add(tomlkit.comment(name))
        table.update({"cam_id": index, **_values(camera, RIG_FROM_Z_UP), "rotation_count": 0, "fisheye": False})
        tables[str(index)] = table
    document["cameras"] = tables
    return tomlkit.dumps(document)


def freemocap(cameras: SolvedCameras) -> str:
    """Returns a FreeMoCap (anipose) calibration: TOML, mm, z up, rotation vectors."""
    document = _document("FreeMoCap: camera_from_world, mm, z up.")
    for index, name, camera in cameras:
        camera_from_world = camera_from_rig(camera) @ RIG_FROM_Z_UP
        translation_mm = MM_PER_M * np.array(camera.translation_m)
        document[f"cam_{index:02d}" if len(cameras) > 10 else f"cam_{index}"] = {  # readers sort them as text
            "name": name,
            **_values(camera, RIG_FROM_Z_UP),
            "translation": translation_mm.tolist(),
            "world_orientation": camera_from_world.T.tolist(),
            "world_position": (-camera_from_world.T @ translation_mm).tolist(),
        }
    document["metadata"] = {"written_by": "pose-rig"}
    return tomlkit.dumps(document)


def opencv(cameras: SolvedCameras) -> str:
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
        storage.write("R", camera_from_rig(camera))
        storage.write("T", np.array(camera.translation_m)[:, None])
        storage.endWriteStruct()
    storage.endWriteStruct()
    return str(storage.releaseAndGetString())


FORMATS: dict[str, Callable[[SolvedCameras], str]] = {
    "pose2sim": pose2sim,
    "caliscope": caliscope,
    "opencv": opencv,
    "freemocap": freemocap,
}
EXAMPLES = ("pose2sim:Calib.toml", "caliscope:camera_array.toml", "opencv:rig.yaml", "freemocap:calibration.toml")


def _document(title: str) -> tomlkit.TOMLDocument:
    document = tomlkit.document()
    document.add(tomlkit.comment(f"Written by pose-rig for {title}"))
    document.add(tomlkit.nl())
    return document


def _values(camera: SolvedCamera, rig_from_world: Floats) -> dict[str, Any]:
    """Returns what the TOML formats have in common: pixels, m, OpenCV's conventions."""
    return {
        "size": list(camera.size_px),
        "matrix": camera_matrix(camera.focal_px, camera.size_px).tolist(),
        "distortions": _distortion(camera),
        "rotation": cv2.Rodrigues(camera_from_rig(camera) @ rig_from_world)[0].ravel().tolist(),
        "translation": list(camera.translation_m),
    }


def _distortion(camera: SolvedCamera) -> list[float]:
    return [camera.k1, 0.0, 0.0, 0.0, 0.0]
