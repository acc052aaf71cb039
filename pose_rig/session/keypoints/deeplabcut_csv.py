"""2D keypoints from the CSV files of DeepLabCut, one per camera.

Axes: T frames, P people, K landmarks.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose_rig.capture.keypoints import Keypoints
from pose_rig.errors import ContentError, UsageError
from pose_rig.session.keypoints.keypoint_frames import Frames, ImportOptions, assembled_keypoints, frame_number
from pose_rig.skeleton import landmarks, schema_name

HEADERS = ("scorer", "individuals", "bodyparts", "coords")
COORDS = ("x", "y", "likelihood")
MAX_BYTES = 1 << 28
REMEDY = "Write it again with deeplabcut.analyze_videos(…, save_as_csv=True)."
KNOWN_PARTS = (
    "nose, and left_ or right_ with ear, shoulder, elbow, wrist, hip, knee, ankle, heel, foot_index; LHip, hip_left "
    "and leftHip are the same"
)


@dataclass(frozen=True, slots=True)
class _Table:
    """One file.

    Attributes:
        parts: (K) names of the body parts.
        frames: Its frames.
    """

    parts: tuple[str, ...]
    frames: Frames


def is_deeplabcut(path: Path) -> bool:
    """Returns whether a CSV file begins as those of DeepLabCut."""
    try:
        with path.open("rb") as file:
            return file.read(16).removeprefix(b"\xef\xbb\xbf").startswith(b"scorer,")
    except OSError:
        return False


def read_deeplabcut(source: Path, files: Sequence[Path], options: ImportOptions) -> Keypoints:
    """Returns the 2D keypoints of CSV files.

    Raises:
        ContentError: A file is damaged or has another format, or coordinates are not pixels of images of that size.
        UsageError: The rate, the sizes or the body parts are unknown.
    """
    names = [re.split(r"DLC_|DLC(?=[A-Z\d])", path.stem)[0].rstrip("_-. ") or path.stem for path in files]
    cameras = {name if names.count(name) == 1 else path.stem: path for name, path in zip(names, files, strict=True)}
    folder = source if source.is_dir() else source.parent
    fps, views = options.rate_hz(source), options.views(folder, tuple(cameras))
    tables = {name: _read(path) for name, path in cameras.items()}
    if len({table.parts for table in tables.values()}) > 1:
        raise ContentError(f"{source}: the files have different body parts.", "Detect all cameras with the same model.")
    parts = next(iter(tables.values())).parts
    frames = {name: table.frames for name, table in tables.items()}
    return assembled_keypoints(source, frames, fps, views, options.schema or _schema(source, parts))


def _schema(source: Path, parts: tuple[str, ...]) -> str:
    schema = schema_name(",".join(parts))
    try:
        landmarks(schema)
    except UsageError as error:
        raise UsageError(
            f"{source}: hips and shoulders are not among the body parts {', '.join(parts)[:200]}.",
            f"Name all {len(parts)} in order with --landmarks NAME,NAME,… Known are {KNOWN_PARTS}.",
        ) from error
    return schema


def _read(path: Path) -> _Table:
    if path.stat().st_size > MAX_BYTES:
        raise ContentError(f"{path} has more than {MAX_BYTES / 1e6:.0f} MB.", "Cut it into parts.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ContentError(f"{path} cannot be read as CSV: {error}.", REMEDY) from error
    count = next((i for i, row in enumerate(rows) if row[0] not in HEADERS), len(rows))
    header = {row[0]: row for row in rows[:count]}
    if not {"bodyparts", "coords"} <= header.keys() or len({len(row) for row in header.values()}) > 1:
        raise ContentError(f"{path} is not DeepLabCut's CSV: it does not begin with scorer, bodyparts, coords.", REMEDY)
    if count == len(rows):
        raise ContentError(f"{path} has no frames.", REMEDY)
    return _table(path, header, rows[count:])


def _table(path: Path, header: dict[str, list[str]], rows: list[list[str]]) -> _Table:
    """Returns the rows below a header; the columns before the first coordinate contain the frame number."""
    start = next((i for i, cell in enumerate(header["coords"]) if i and cell), len(header["coords"]))
    coords, parts_row = header["coords"][start:], header["bodyparts"][start:]
    owners = header.get("individuals", [""] * len(header["coords"]))[start:]
    wrong = [name for name in coords if name not in COORDS]
    if wrong or not coords or any("," in part or not part for part in parts_row):
        raise ContentError(f"{path} has columns {wrong[:3] or 'without names'}.", f"Use {', '.join(COORDS)}.")
    parts, people = tuple(dict.fromkeys(parts_row)), tuple(dict.fromkeys(owners))
    place = [
        (people.index(owner), parts.index(part), COORDS.index(coord))
        for owner, part, coord in zip(owners, parts_row, coords, strict=True)
    ]
    if len(set(place)) < len(place):
        raise ContentError(f"{path} has a column twice.", REMEDY)
    person, part, coord = np.array(place).T
    frames: Frames = {}
    for row in rows:
        frame = np.full((len(people), len(parts), 3), np.nan, np.float32)
        if "likelihood" not in coords:  # labelled by hand
            frame[..., 2] = 1.0
        frame[person, part, coord] = _numbers(path, row, start, len(coords))
        number = next((frame_number(cell) for cell in row[:start][::-1] if cell.strip()), None)
        if number is None:
            raise ContentError(f"{path}: the row {row[:start][:3]} has no frame number.", REMEDY)
        if number in frames:
            raise ContentError(f"{path} has the frame {number} twice.", REMEDY)
        frames[number] = frame
    return _Table(parts, dict(sorted(frames.items())))


def _numbers(path: Path, row: list[str], start: int, count: int) -> list[float]:
    cells = row[start:]
    if len(cells) != count:
        raise ContentError(f"{path}: the row {row[0][:40]!r} has {len(cells)} numbers, not {count}.", REMEDY)
    try:
        return [float(cell) if cell.strip() else np.nan for cell in cells]
    except ValueError as error:
        raise ContentError(f"{path}: the row {row[0][:40]!r} has an invalid number: {error}.", REMEDY) from error
