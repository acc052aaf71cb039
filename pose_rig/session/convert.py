"""Converts a session or a poses file to files that other programs read."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from pose_rig.atomic_file import PARTIAL
from pose_rig.errors import SessionError, UsageError
from pose_rig.session.camera_arrays import view_arrays
from pose_rig.session.convert_source import ConvertOptions, ConvertSource
from pose_rig.session.formats.bvh import write_bvh
from pose_rig.session.formats.c3d import write_c3d
from pose_rig.session.formats.detections_json import write_keypoints_json
from pose_rig.session.formats.gltf import MovingPerson, write_people_gltf
from pose_rig.session.formats.markers import prefix
from pose_rig.session.formats.mot import write_mot
from pose_rig.session.formats.people import at_common_times
from pose_rig.session.formats.poses import Poses, resampled_count
from pose_rig.session.formats.poses_file import write_poses
from pose_rig.session.formats.table import write_angles_csv, write_csv, write_parquet
from pose_rig.session.formats.trc import write_trc
from pose_rig.session.keypoints.keypoint_frames import SET_BY_COUNT
from pose_rig.wire.messages import Keypoints2D

Format = Literal["bvh", "gltf", "trc", "c3d", "csv", "parquet", "angles", "mot", "npz", "json"]
FORMATS: tuple[str, ...] = get_args(Format)
ENDINGS: dict[Format, str] = {
    "bvh": ".bvh", "gltf": ".glb", "trc": ".trc", "c3d": ".c3d", "csv": ".csv", "parquet": ".parquet",
    "angles": "_angles.csv", "mot": ".mot", "npz": ".npz", "json": "_2d",
}  # fmt: skip
OF_ONE_PERSON: tuple[Format, ...] = ("bvh", "angles", "mot")  # each further person has a file of their own
BVH_UNITS = {100.0: "centimetres", 1.0: "metres", 1000.0: "millimetres"}  # by units per metre


Writer = Callable[[Sequence[Path], ConvertSource], list[Path]]  # returns the paths that it has written


@dataclass(frozen=True, slots=True)
class Conversion:
    """The result of a conversion.

    Attributes:
        paths: Files and folders that were written.
        notes: What the files cannot contain: units, and the scale.
    """

    paths: Sequence[Path]
    notes: Sequence[str]


def convert(
    path: Path,
    formats: Sequence[Format],
    folder: Path,
    options: ConvertOptions,
    check: Callable[[Path], None] = lambda target: None,
) -> Conversion:
    """Writes files.

    Args:
        path: A session or a poses file.
        formats: What to write.
        folder: Where; it is made if it does not exist.
        options: How.
        check: Is given every path before the first of its format is written, and raises if it must not be.

    Raises:
        UsageError: A file would replace its own source.
        PoseRigError: The source cannot be read, has no poses, or a file cannot be written.
    """
    written: list[Path] = []
    with closing(ConvertSource(path, options)) as source:
        source.check_range()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SessionError(
                f"Cannot make the folder {folder}: {error.strerror}.", "Choose another --out."
            ) from error
        for name, target in zip(formats, targets(path, formats, folder, options.person), strict=True):
            several = name in OF_ONE_PERSON
            places = [_of_person(target, name, one, source) for one in source.people] if several else [target]
            for place in places:
                if place.resolve() == path.resolve():
                    raise UsageError(f"{place} is the source itself.", "Choose another folder with --out.")
                check(place)
            written += WRITERS[name](places, source)
        return Conversion(written, [*source.warnings, *_notes(formats, source)])


def targets(path: Path, formats: Sequence[Format], folder: Path, person: int | None = None) -> list[Path]:
    """Returns the paths that `convert` writes, one per format; a folder for ``json``.

    They have the number of a further ``person`` who is converted alone. Of several people, each but the first has a
    file of their own in `OF_ONE_PERSON`, with their number.
    """
    stem = path.name.removesuffix(PARTIAL).removesuffix(path.suffix).removesuffix(".mcap")
    return [folder / f"{stem}{_number(person or 0)}{ENDINGS[name]}" for name in formats]


def _number(person: int) -> str:
    """Returns the part of a file's name that says whose it is: nothing for the first person, then ``.person2``."""
    return f".person{person + 1}" if person else ""


def _of_person(target: Path, name: Format, poses: Poses, source: ConvertSource) -> Path:
    """Returns the path of one person's file; that of the first is ``target``."""
    if poses is source.people[0]:
        return target
    return target.with_name(target.name.removesuffix(ENDINGS[name]) + _number(poses.person) + ENDINGS[name])


def _notes(formats: Sequence[Format], source: ConvertSource) -> list[str]:
    notes = source.notes
    if "bvh" in formats:
        scale = source.options.bvh_scale
        notes.append(f"The bvh is in {BVH_UNITS.get(scale, f'1/{scale:g} m')}; the format cannot say so.")
    if not set(formats) <= {"json", "angles", "mot"}:  # they contain no lengths
        for poses in source.people:
            assumed = " was assumed: lengths are those of such a person" if poses.height_assumed else " was given"
            whose = f" of person {poses.person + 1}" if len(source.people) > 1 else ""
            notes.append(f"A height{whose} of {poses.height_m:.2f} m{assumed}.")
    return notes


def _write_bvh(paths: Sequence[Path], source: ConvertSource) -> None:
    options = source.options
    for path, motion in zip(paths, source.motions(constant_rate=True), strict=True):
        write_bvh(path, motion, rate_hz=source.rate_hz, names=options.bone_names, scale=options.bvh_scale)


def _write_gltf(path: Path, source: ConvertSource) -> None:
    people = source.people
    names = [prefix(one.person).rstrip("_") for one in people] if len(people) > 1 else [""]
    figures = [
        MovingPerson(motion, one.height_m, one.height_assumed, name)
        for motion, one, name in zip(source.motions(constant_rate=False), people, names, strict=True)
    ]
    write_people_gltf(path, figures, names=source.options.bone_names, title=path.stem)


def _write_trc(path: Path, source: ConvertSource) -> None:
    people = source.people
    markers = write_trc(path, people, source.options.rate_hz, source.options.markers)
    for one in people:
        several = len(people) > 1
        parts_s = markers.of(one.person).parts_s if several else markers.parts_s
        if len(parts_s) > 1:
            who = f"Person {one.person + 1}" if several else "A person"
            parts = ", ".join(f"{from_s:.2f}–{to_s:.2f} s" for from_s, to_s in parts_s)
            source.notes.append(f"{who} is tracked at {parts} only; OpenSim's inverse kinematics takes one part.")


def _write_c3d(path: Path, source: ConvertSource) -> None:
    write_c3d(path, source.people, source.options.rate_hz, source.options.markers)


def _write_angles(paths: Sequence[Path], source: ConvertSource) -> None:
    for path, one in zip(paths, source.people, strict=True):
        write_angles_csv(path, one, source.options.rate_hz, source.start_ns)


def _write_mot(paths: Sequence[Path], source: ConvertSource) -> list[Path]:
    """Writes a file for each person whose angles have no long gaps, and returns those written."""
    rate_hz, people = source.options.rate_hz, source.people
    if len(people) == 1:
        source.notes += write_mot(paths[0], people[0], rate_hz)
        return list(paths)
    written, errors = list[Path](), list[SessionError]()
    for path, one in zip(paths, at_common_times([one.without_guesses() for one in people], rate_hz), strict=True):
        try:
            notes = write_mot(path, one, source.rate_hz)
        except SessionError as error:
            errors.append(error)
            notes = [f"There is no mot. {error}"]
        else:
            written.append(path)
        source.notes += [f"Person {one.person + 1}: {note}" for note in notes]
    if not written:
        raise errors[0]
    return written


def _write_npz(path: Path, source: ConvertSource) -> None:
    is_session = source.path.suffix.lower() != ".npz"
    write_poses(path, source.rows, view_arrays(source.session, source.rows) if is_session else None)


def _write_json(path: Path, source: ConvertSource) -> list[Path]:
    session, options = source.session, source.options
    cameras = [camera for camera in session.cameras if session.topics.get(Keypoints2D.TOPIC + camera)]
    detections = [session.keypoints(camera, options.from_s, options.to_s) for camera in cameras]
    rates_hz = [1e9 / float(np.median(np.diff(one.t_ns))) for one in detections if len(one.t_ns) > 1]
    if not (options.rate_hz or rates_hz):
        raise SessionError(f"The frame rate of {session.path} is unknown: too few frames.", "Give it with --rate.")
    rate_hz = options.rate_hz or max(rates_hz)
    resampled_count(max(float(one.t_ns[-1] - one.t_ns[0]) for one in detections) * 1e-9, rate_hz)
    schemas = sorted({one.schema for one in detections if SET_BY_COUNT.get(len(one.landmarks)) != one.schema})
    source.notes += [f"The json cannot name its landmarks: import it with --landmarks {schema}." for schema in schemas]
    return write_keypoints_json(path, detections, rate_hz)


def _to_one(write: Callable[[Path, ConvertSource], list[Path] | None]) -> Writer:
    """Returns the writer of a format with one file, from a function that returns what it wrote if it was another."""
    return lambda paths, source: write(paths[0], source) or [paths[0]]


def _to_each(write: Callable[[Sequence[Path], ConvertSource], None]) -> Writer:
    """Returns the writer of a format with a file for each person."""

    def written(paths: Sequence[Path], source: ConvertSource) -> list[Path]:
        write(paths, source)
        return list(paths)

    return written


WRITERS: dict[Format, Writer] = {
    "bvh": _to_each(_write_bvh),
    "gltf": _to_one(_write_gltf),
    "trc": _to_one(_write_trc),
    "c3d": _to_one(_write_c3d),
    "csv": _to_one(lambda path, source: write_csv(path, source.people, source.options.rate_hz)),
    "parquet": _to_one(lambda path, source: write_parquet(path, source.people, source.options.rate_hz)),
    "angles": _to_each(_write_angles),
    "mot": _write_mot,
    "npz": _to_one(_write_npz),
    "json": _to_one(_write_json),
}
