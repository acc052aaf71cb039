"""Solved rigs as the calibration files of other programs (docs/rig.md lists axes and units of each).

Lenses have OpenCV's five coefficients, or the four of its fisheye model where a program knows that.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tomlkit
from msgspec import structs

from pose_rig.arrays import Floats
from pose_rig.config import SolvedCamera
from pose_rig.errors import PoseRigError, UsageError
from pose_rig.tools.rig_files.rig_camera import (
    RigCamera,
    SolvedCameras,
    camera_from_rig,
    intrinsics_of,
    solved_cameras,
)

# Pose2Sim turns its z-up results into y-up ones by (x, y, z) = (Y, Z, X): with these axes they come out in our frame.
RIG_FROM_POSE2SIM = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
# z up, x to the right of camera 0's view, y in its viewing direction.
RIG_FROM_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
MM_PER_M = 1000.0
GRID = 41  # points along each side of the image
MAX_PERSPECTIVE_ERROR_PX = 3.0  # anywhere in the image; detectors are off as far


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
        UsageError: The format is unknown, or has no model for one of the lenses.
        PoseRigError: The file cannot be written.
    """
    kind, path = parse_export(text)
    try:
        path.write_text(FORMATS[kind](solved_cameras(cameras)), "utf-8")
    except OSError as error:
        raise PoseRigError(f"Cannot write {path}: {error.strerror}.", "Check the folder of --export.") from error
    return path


def pose2sim(cameras: SolvedCameras) -> str:
    """Returns a Pose2Sim calibration: TOML, m, z up, rotation vectors, OpenCV's four distortion terms, or five.

    Pose2Sim has no fisheye model, whatever its key says.

    Raises:
        UsageError: A lens is too wide for a perspective model.
    """
    document = _document("Pose2Sim: camera_from_world, m, z up. Cameras in the order of its pose folders.")
    for index, name, camera in cameras:
        perspective, error_px = as_perspective(name, camera)
        values = _values(perspective, RIG_FROM_POSE2SIM)
        distortion = values["distortions"]
        values |= {"size": [float(side) for side in camera.size_px]}
        values |= {"distortions": distortion if distortion[4] else distortion[:4]}
        table = tomlkit.table()
        if error_px:
            table.add(tomlkit.comment(f"A fisheye lens, written as a perspective one: {error_px:.1f} px off at most."))
        table.update({"name": name, **values, "fisheye": False})
        document[f"cam_{index + 1:02d}"] = table
    document["metadata"] = {"adjusted": False, "error": 0.0}
    return tomlkit.dumps(document)


def caliscope(cameras: SolvedCameras) -> str:
    """Returns a Caliscope camera array: TOML, m, z up, cameras by number."""
    document = _document("Caliscope: camera_from_world, m, z up. Numbers are indices in the rig, from 0.")
    tables = tomlkit.table(is_super_table=True)
    for index, name, camera in cameras:
        table = tomlkit.table()
        table.add(tomlkit.comment(name))
        values = _values(camera, RIG_FROM_Z_UP)
        table.update({"cam_id": index, **values, "rotation_count": 0, "fisheye": camera.fisheye})
        tables[str(index)] = table
    document["cameras"] = tables
    return tomlkit.dumps(document)


def freemocap(cameras: SolvedCameras) -> str:
    """Returns a FreeMoCap (anipose) calibration: TOML, mm, z up, rotation vectors."""
    document = _document("FreeMoCap: camera_from_world, mm, z up.")
    for index, name, camera in cameras:
        camera_from_world = camera_from_rig(camera) @ RIG_FROM_Z_UP
        translation_mm = MM_PER_M * np.array(camera.translation_m)
        fisheye = {"fisheye": True} if camera.fisheye else {}
        document[f"cam_{index:02d}" if len(cameras) > 10 else f"cam_{index}"] = {  # readers sort them as text
            "name": name,
            **_values(camera, RIG_FROM_Z_UP),
            "translation": translation_mm.tolist(),
            "world_orientation": camera_from_world.T.tolist(),
            "world_position": (-camera_from_world.T @ translation_mm).tolist(),
            **fisheye,
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
        storage.write("camera_matrix", intrinsics_of(camera).matrices[0])
        storage.write("distortion_coefficients", np.array([_distortion(camera)]))
        storage.write("fisheye", int(camera.fisheye))
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
        "matrix": intrinsics_of(camera).matrices[0].tolist(),
        "distortions": _distortion(camera),
        "rotation": cv2.Rodrigues(camera_from_rig(camera) @ rig_from_world)[0].ravel().tolist(),
        "translation": list(camera.translation_m),
    }


def _distortion(camera: SolvedCamera) -> list[float]:
    return list(camera.lens[: 4 if camera.fisheye else 5])


def as_perspective(name: str, camera: SolvedCamera) -> tuple[SolvedCamera, float]:
    """Returns a camera with the nearest perspective lens, and how far that is off in the image, px.

    Raises:
        UsageError: It is off by more than `MAX_PERSPECTIVE_ERROR_PX`.
    """
    if not camera.fisheye:
        return camera, 0.0
    lens = intrinsics_of(camera)
    seen_px = np.stack(np.meshgrid(*(np.linspace(0, side, GRID) for side in camera.size_px)), -1).reshape(1, -1, 2)
    ideal_xy = lens.ideal_xy(seen_px)
    radius = np.linalg.norm(ideal_xy[0], axis=-1)
    powers = np.stack([radius ** (2 * i + 1) for i in range(4)], -1)  # f r + f k1 r³ + f k2 r⁵ + f k3 r⁷
    radius_px = np.linalg.norm(seen_px[0] - lens.principal_point_px, axis=-1)
    focal_px, *moved = np.linalg.lstsq(powers, radius_px, rcond=None)[0].tolist()
    k1, k2, k3 = (term / focal_px for term in moved)
    nearest = structs.replace(camera, focal_px=focal_px, distortion=(k1, k2, 0.0, 0.0, k3), fisheye=False)
    error_px = float(np.linalg.norm(intrinsics_of(nearest).pixels(ideal_xy) - seen_px, axis=-1).max())
    if error_px > MAX_PERSPECTIVE_ERROR_PX:
        raise UsageError(
            f"Pose2Sim has no fisheye model, and that of {name} as a perspective lens would be {error_px:.0f} px off.",
            "Export to caliscope, freemocap or opencv, which have one.",
        )
    return nearest, error_px
