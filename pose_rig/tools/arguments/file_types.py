"""The type of a file, detected from its content, whatever its suffix.

Only the head of a file is read and no large library imported, so every command can check its inputs first.
"""

import re
import stat
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

from pose_rig.lifting.weights_file import ONNX_MAGIC, PICKLE_MEMBER

HEAD_BYTES = 1 << 16
MAX_JSON_BYTES = 1 << 26  # of an avatar: real ones have a few hundred kB
MCAP = b"\x89MCAP0\r\n"


@dataclass(frozen=True, slots=True)
class FileType:
    """A type of file.

    Attributes:
        name: Its name in a sentence.
        use: The command that takes it, ``{}`` = its path; empty = none.
        suffix: The suffix that its readers require; empty = any.
    """

    name: str
    use: str = ""
    suffix: str = ""


MISSING = FileType("not there")
UNREADABLE = FileType("a file that cannot be read")
EMPTY = FileType("an empty file")
FOLDER = FileType("a folder")
DEVICE = FileType("a device")
SESSION = FileType("a session", "pose-rig view {}")
CUT_OFF = FileType("a session that was cut off", "pose-rig recover {}")
RIG = FileType("a rig.toml", "pose-rig rig {}", ".toml")
TOML = FileType("a TOML file but not a rig.toml")
VIDEO = FileType("a video", "pose-rig run --cams {}")
KEYPOINTS = FileType("a file of 2D keypoints", "pose-rig run --cams {}", ".npz")
POSES = FileType("a poses file", "pose-rig plot {}", ".npz")
MOTION = FileType("a motion file", "pose-rig eval --simulated {}")
ARRAYS = FileType("an npz of other arrays")
ARRAY = FileType("a single array (.npy)")
GRAPH = FileType("a graph of weights", "pose-rig run --cams 0,1 --weights {}")
CHECKPOINT = FileType("a checkpoint of training", "pose-rig export {}")
VRM = FileType("an avatar (VRM)", "pose-rig run --cams 0,1 --vmc 127.0.0.1 --avatar {}")
GLB = FileType("a glTF file but not a VRM")
TASK = FileType("a detector (.task)", "pose-rig run --cams 0,1 --model {}")
TFLITE = FileType("a bare TFLite model")
JSON = FileType("a JSON file", "pose-rig import {}")
CSV = FileType("a table (CSV)", "pose-rig import {}")
HDF5 = FileType("an HDF5 file")
PARQUET = FileType("a Parquet table")
IMAGE = FileType("an image")
BVH, TRC, C3D = FileType("a BVH file"), FileType("a TRC file"), FileType("a C3D file")
RERUN = FileType("a recording of Rerun", "rerun {}")
HTML = FileType("a web page")
PICKLE = FileType("a pickle, which pose-rig never opens")
ZIP = FileType("a zip archive of other files")
BROKEN_ZIP = FileType("a zip archive (an npz, a checkpoint or a detector) that is damaged or cut off")
TEXT = FileType("a text file")
UNKNOWN = FileType("of an unknown type")

# (offset, bytes, type)
MAGIC: tuple[tuple[int, bytes, FileType], ...] = (
    (0, b"\x93NUMPY", ARRAY),
    (0, b"\x89HDF\r\n\x1a\n", HDF5),
    (0, b"PAR1", PARQUET),
    (0, b"RRF", RERUN),
    (4, b"TFL3", TFLITE),
    (0, b"\x89PNG\r\n", IMAGE), (0, b"\xff\xd8\xff", IMAGE), (0, b"GIF8", IMAGE), (0, b"II*\0", IMAGE),
    (0, b"MM\0*", IMAGE), (8, b"WEBP", IMAGE),
    (4, b"ftyphei", IMAGE), (4, b"ftypmif1", IMAGE), (4, b"ftypavif", IMAGE),
    (4, b"ftyp", VIDEO), (4, b"moov", VIDEO), (4, b"mdat", VIDEO), (4, b"wide", VIDEO), (4, b"free", VIDEO),
    (0, b"\x1aE\xdf\xa3", VIDEO),  # Matroska, WebM
    (8, b"AVI ", VIDEO), (0, b"FLV\x01", VIDEO), (0, b"OggS", VIDEO), (0, b"0&\xb2u", VIDEO),  # ASF, WMV
    (0, b"\0\0\x01\xba", VIDEO), (0, b"\0\0\x01\xb3", VIDEO), (0, b"\x06\x0e+4", VIDEO),  # MPEG, MXF
    (0, b"\x80\x02", PICKLE), (0, b"\x80\x03", PICKLE), (0, b"\x80\x04", PICKLE), (0, b"\x80\x05", PICKLE),
    (0, ONNX_MAGIC, GRAPH),
)  # fmt: skip
# (pattern of the beginning of a text file, type)
TEXTS: tuple[tuple[str, FileType], ...] = (
    (r"HIERARCHY\b", BVH),
    (r"PathFileType\b", TRC),
    (r"(?i)<(!doctype html|html)", HTML),
    (r"(#.*\n|\s)*(\[{1,2}\s*[A-Za-z_][\w.\- ]*\]{1,2}\s*(#.*)?$|[\w.\-]+[ \t]*=)", TOML),
    (r"[{\[]", JSON),
    (r"[^\n]*[,;\t]", CSV),
)
RIG_KEYS = re.compile(r"^\s*(\[{1,2}\s*(camera|detector|fusion|stream)\b|height_m\s*=)", re.MULTILINE)
TS_PACKET_BYTES = 188


def file_type(path: Path) -> FileType:
    """Returns the type of a file."""
    try:
        mode, size = (status := path.stat()).st_mode, status.st_size
        if stat.S_ISDIR(mode):
            return FOLDER
        if not stat.S_ISREG(mode):
            return DEVICE
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            file.seek(max(size - len(MCAP), 0))
            tail = file.read(len(MCAP))
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last: not a valid file name
        return MISSING
    except OSError:
        return UNREADABLE
    return _kind(path, head, tail) if head else EMPTY


def _kind(path: Path, head: bytes, tail: bytes) -> FileType:
    if head.startswith(MCAP):
        return SESSION if tail == MCAP and len(head) > len(MCAP) else CUT_OFF
    if head.startswith(b"PK"):
        return _archive(path)
    if head.startswith(b"glTF"):
        return VRM if re.search(rb'"VRM(C_vrm)?"\s*:', _gltf_json(path)) else GLB
    for offset, magic, kind in MAGIC:
        if head.startswith(magic, offset):
            return kind
    if head[::TS_PACKET_BYTES][:3] == b"GGG":  # an MPEG transport stream
        return VIDEO
    text = _text(head)
    if text is None:
        return C3D if head[1:2] == b"P" else UNKNOWN
    kind = next((kind for pattern, kind in TEXTS if re.match(pattern, text, re.MULTILINE)), TEXT)
    return RIG if kind is TOML and RIG_KEYS.search(text) else kind


def _archive(path: Path) -> FileType:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name.rpartition("/")[2] for name in archive.namelist()]
    except (
        zipfile.BadZipFile,
        OSError,
        NotImplementedError,
        ValueError,
        struct.error,
    ):  # also for names that are not UTF-8
        return BROKEN_ZIP
    arrays = {name.removesuffix(".npy") for name in members if name.endswith(".npy")}
    if PICKLE_MEMBER in members:
        return CHECKPOINT
    if any(name.endswith(".tflite") for name in members):
        return TASK
    if "joints17_rel" in arrays:
        return MOTION
    if "xyz" in arrays or {"K", "R", "t"} <= arrays:
        return POSES
    if "xy" in arrays:
        return KEYPOINTS
    return ARRAYS if arrays else ZIP


def _gltf_json(path: Path) -> bytes:
    """Returns the first chunk of a binary glTF, which is its JSON."""
    with path.open("rb") as file:
        head = file.read(20)
        return file.read(min(struct.unpack_from("<I", head, 12)[0], MAX_JSON_BYTES)) if len(head) == 20 else b""


def _text(head: bytes) -> str | None:
    """Returns the beginning of a text file; None for a binary file."""
    if b"\0" in head:
        return None
    for cut in range(4):  # the head may end within a character
        try:
            return head[: len(head) - cut].decode("utf-8-sig").lstrip()
        except UnicodeDecodeError:
            continue
    return None
