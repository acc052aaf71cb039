"""2D keypoints from DeepLabCut's CSV files, one for each camera.

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
from pose_rig.session.keypoints.keypoint_frames import Frames, checked_rate, frame_number, keypoints_of
from pose_rig.session.keypoints.pose2sim_project import frame_rate, views
from pose_rig.skeleton import landmarks, schema_name

HEADERS = ("scorer", "individuals", "bodyparts", "coords")
COORDS = ("x", "y", "likelihood")
MOST_BYTES = 1 << 28
REMEDY = "Write it again with deeplabcut.analyze_videos(…, save_as_csv=True)."
UNDERSTOOD = (
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
    """Returns whether a CSV file begins as DeepLabCut's do."""
    try:
        with path.open("rb") as file:
            return file.read(16).removeprefix(b"\xef\xbb\xbf").startswith(b"scorer,")
    except OSError:
        return False


def read_deeplabcut(
    source: Path,
    files: Sequence[Path],
    fps: float | None = None,
    sizes_px: Sequence[tuple[int, int]] = (),
    schema: str | None = None,
) -> Keypoints:
    """Returns the 2D keypoints of CSV files; arguments and errors as in `per_camera_json.read_per_camera`.

    Args:
        source: Folder or file that was given.
        files: The files, one for each camera.
        fps: Frames per second; None = ``frame_rate`` in a Config.toml.
        sizes_px: (width, height) of each camera, or once for all; empty = from Pose2Sim's calibration.
        schema: What the body parts are called here; None = as they are called there.

    Raises:
        ContentError: A file is damaged or of another form, or its keypoints are no pixels of images of that size.
        UsageError: The rate, the sizes or the body parts are not known.
    """
    names = [re.split(r"DLC_|DLC(?=[A-Z\d])", path.stem)[0].rstrip("_-. ") or path.stem for path in files]
    cameras = {name if names.count(name) == 1 else path.stem: path for name, path in zip(names, files, strict=True)}
    folder = source if source.is_dir() else source.parent
    rate = checked_rate(frame_rate(source) if fps is None else fps)
    known = views(folder, tuple(cameras), sizes_px)
    tables = {name: _read(path) for name, path in cameras.items()}
    if len({table.parts for table in tables.values()}) > 1:
        raise ContentError(f"{source}: the files have other body parts.", "Detect all cameras with the same model.")
    parts = next(iter(tables.values())).parts
    frames = {name: table.frames for name, table in tables.items()}
    return keypoints_of(source, frames, rate, known, schema or _schema(source, parts))


def _schema(source: Path, parts: tuple[str, ...]) -> str:
    schema = schema_name(",".join(parts))
    try:
        landmarks(schema)
    except UsageError as error:
        raise UsageError(
            f"{source}: hips and shoulders are not among the body parts {', '.join(parts)[:200]}.",
            f"Name all {len(parts)} in their order with --landmarks NAME,NAME,… Understood are {UNDERSTOOD}.",
        ) from error
    return schema


def _read(path: Path) -> _Table:
    if path.stat().st_size > MOST_BYTES:
        raise ContentError(f"{path} has more than {MOST_BYTES / 1e6:.0f} MB.", "Cut it into parts.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ContentError(f"{path} cannot be read as CSV: {error}.", REMEDY) from error
    count = next((i for i, row in enumerate(rows) if row[0] not in HEADERS), len(rows))
    header = {row[0]: row for row in rows[:count]}
    if not {"bodyparts", "coords"} <= header.keys() or len({len(row) for row in header.values()}) > 1:
        raise ContentError(f"{path} is not DeepLabCut's CSV: its first rows are no scorer, bodyparts, coords.", REMEDY)
    if count == len(rows):
        raise ContentError(f"{path} has no frames.", REMEDY)
    return _table(path, header, rows[count:])


def _table(path: Path, header: dict[str, list[str]], rows: list[list[str]]) -> _Table:
    """Returns the content below a header; columns before the first coordinate name the frame."""
    start = next((i for i, cell in enumerate(header["coords"]) if i and cell), len(header["coords"]))
    coords, parts_row = header["coords"][start:], header["bodyparts"][start:]
    owners = header.get("individuals", [""] * len(header["coords"]))[start:]
    wrong = [name for name in coords if name not in COORDS]
    if wrong or not coords or any("," in part or not part for part in parts_row):
        raise ContentError(f"{path} has columns {wrong[:3] or 'without names'}.", f"{', '.join(COORDS)} belong there.")
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
        if "likelihood" not in coords:  # marked by hand
            frame[..., 2] = 1.0
        frame[person, part, coord] = _numbers(path, row, start, len(coords))
        number = next((frame_number(cell) for cell in row[:start][::-1] if cell.strip()), None)
        if number is None:
            raise ContentError(f"{path}: the row {row[:start][:3]} has no number of a frame.", REMEDY)
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
        raise ContentError(
            f"{path}: the row {row[0][:40]!r} has something else than numbers: {error}.", REMEDY
        ) from error
