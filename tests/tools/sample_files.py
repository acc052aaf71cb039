"""One file of every kind, small."""

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from pose_rig.lifting.engine import DEFAULT_WEIGHTS
from pose_rig.tools.arguments import file_types
from pose_rig.tools.arguments.file_types import FileType
from tests.session.recorded import talk, write
from tests.tools.sessions import sample, write_session


def _arrays(path: Path, *names: str) -> None:
    np.savez(path, **dict.fromkeys(names, np.zeros(2)))  # type: ignore[arg-type]


def _zip(path: Path, *names: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"")


def _video(path: Path) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30.0, (64, 48))
    for _ in range(3):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()


def _glb(path: Path, document: dict[str, object]) -> None:
    text = json.dumps(document).encode()
    path.write_bytes(struct.pack("<4sIIII", b"glTF", 2, 20 + len(text), len(text), 0x4E4F534A) + text)


def _text(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text, "utf-8")


def _bytes(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


# name → (what it is, what makes it)
FILES: dict[str, tuple[FileType, Callable[[Path], object]]] = {
    "missing.file": (file_types.MISSING, lambda path: None),
    "loop.mp4": (file_types.UNREADABLE, lambda path: path.symlink_to(path.name)),
    "empty.mp4": (file_types.EMPTY, lambda path: path.touch()),
    "folder": (file_types.FOLDER, lambda path: path.mkdir()),
    "walk.mcap": (file_types.SESSION, lambda path: write_session(path, sample())),
    "fall.mcap.partial": (
        file_types.CUT_OFF,
        lambda path: write(path.with_name("fall.mcap"), talk(2), finished=False),
    ),
    "rig.toml": (file_types.RIG, _text('# mine\n[[camera]]\nsource = "0"\n')),
    "tall.toml": (file_types.RIG, _text("height_m = 1.82\n")),
    "Calib.toml": (file_types.TOML, _text('[cam_01]\nname = "a"\n')),
    "clip.mp4": (file_types.VIDEO, _video),
    "keypoints.npz": (file_types.KEYPOINTS, lambda path: _arrays(path, "xy", "score", "t_ns")),
    "poses.npz": (file_types.POSES, lambda path: _arrays(path, "xyz", "score", "joints")),
    "motion.npz": (file_types.MOTION, lambda path: _arrays(path, "joints17_rel", "clip_start", "fps")),
    "other.npz": (file_types.ARRAYS, lambda path: _arrays(path, "a")),
    "one.npy": (file_types.ARRAY, lambda path: np.save(path, np.zeros(3))),
    "my.weights": (file_types.GRAPH, lambda path: path.write_bytes(DEFAULT_WEIGHTS.read_bytes()[:4096])),
    "lifter.pt": (file_types.CHECKPOINT, lambda path: _zip(path, "lifter/data.pkl", "lifter/version")),
    "me.vrm": (file_types.VRM, lambda path: _glb(path, {"extensions": {"VRMC_vrm": {}}})),
    "old.vrm": (file_types.VRM, lambda path: _glb(path, {"extensions": {"VRM": {}}})),
    "chair.glb": (file_types.GLB, lambda path: _glb(path, {"asset": {"version": "2.0"}})),
    "pose.task": (file_types.TASK, lambda path: _zip(path, "pose_detector.tflite", "pose_landmarks_detector.tflite")),
    "pose.tflite": (file_types.TFLITE, _bytes(b"\x1c\0\0\0TFL3" + bytes(20))),
    "alphapose.json": (file_types.JSON, _text('[{"image_id": "0.jpg", "keypoints": [1, 2, 0.5]}]')),
    "openpose.json": (file_types.JSON, _text('{"version": 1.3, "people": []}')),
    "dlc.csv": (file_types.CSV, _text("scorer,DLC,DLC\nbodyparts,nose,nose\n")),
    "dlc.h5": (file_types.HDF5, _bytes(b"\x89HDF\r\n\x1a\n" + bytes(20))),
    "table.parquet": (file_types.PARQUET, _bytes(b"PAR1" + bytes(20))),
    "photo.jpg": (file_types.IMAGE, _bytes(b"\xff\xd8\xff\xe0" + bytes(20))),
    "photo.heic": (file_types.IMAGE, _bytes(b"\0\0\0\x18ftypheic" + bytes(20))),
    "take.bvh": (file_types.BVH, _text("HIERARCHY\nROOT Hips\n")),
    "take.trc": (file_types.TRC, _text("PathFileType\t4\t(X/Y/Z)\ttake.trc\n")),
    "take.c3d": (file_types.C3D, _bytes(b"\x02P" + bytes(510))),
    "take.rrd": (file_types.RERUN, _bytes(b"RRF2" + bytes(20))),
    "report.html": (file_types.HTML, _text("<!DOCTYPE html>\n<html></html>")),
    "body.pkl": (file_types.PICKLE, _bytes(b"\x80\x04\x95" + bytes(20))),
    "things.zip": (file_types.ZIP, lambda path: _zip(path, "readme.txt")),
    "damaged.npz": (file_types.BROKEN_ZIP, _bytes(b"PK\x03\x04" + bytes(20))),
    "notes.txt": (file_types.TEXT, _text("Hello\nthere\n")),
    "noise.bin": (file_types.UNKNOWN, _bytes(b"\xc3\x28\0\xfe" * 8)),
}


def make(folder: Path, name: str) -> Path:
    """Makes one of the files."""
    FILES[name][1](folder / name)
    return folder / name
