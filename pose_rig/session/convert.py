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
from pose_rig.session.formats.gltf import write_gltf
from pose_rig.session.formats.mot import write_mot
from pose_rig.session.formats.poses import resampled_count
from pose_rig.session.formats.poses_file import write_poses
from pose_rig.session.formats.table import write_angles_csv, write_csv, write_parquet
from pose_rig.session.formats.trc import write_trc
from pose_rig.wire.messages import Keypoints2D

Format = Literal["bvh", "gltf", "trc", "c3d", "csv", "parquet", "angles", "mot", "npz", "json"]
FORMATS: tuple[str, ...] = get_args(Format)
ENDINGS: dict[Format, str] = {
    "bvh": ".bvh", "gltf": ".glb", "trc": ".trc", "c3d": ".c3d", "csv": ".csv", "parquet": ".parquet",
    "angles": "_angles.csv", "mot": ".mot", "npz": ".npz", "json": "_2d",
}  # fmt: skip
BVH_UNITS = {100.0: "centimetres", 1.0: "metres", 1000.0: "millimetres"}  # by units per metre


@dataclass(frozen=True, slots=True)
class Conversion:
    """The result of a conversion.

    Attributes:
        paths: Files and folders that were written.
        notes: What the files cannot contain: units, and the scale.
    """

    paths: Sequence[Path]
    notes: Sequence[str]


def convert(path: Path, formats: Sequence[Format], folder: Path, options: ConvertOptions) -> Conversion:
    """Writes files.

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
        for name, target in zip(formats, targets(path, formats, folder), strict=True):
            if target.resolve() == path.resolve():
                raise UsageError(f"{target} is the source itself.", "Choose another folder with --out.")
            written += WRITERS[name](target, source) or [target]
        return Conversion(written, [*source.warnings, *_notes(formats, source)])


def targets(path: Path, formats: Sequence[Format], folder: Path) -> list[Path]:
    """Returns the paths that `convert` writes, one per format; a folder for ``json``."""
    stem = path.name.removesuffix(PARTIAL).removesuffix(path.suffix).removesuffix(".mcap")
    return [folder / f"{stem}{ENDINGS[name]}" for name in formats]


def _notes(formats: Sequence[Format], source: ConvertSource) -> list[str]:
    notes = source.notes
    if "bvh" in formats:
        scale = source.options.bvh_scale
        notes.append(f"The bvh is in {BVH_UNITS.get(scale, f'1/{scale:g} m')}; the format cannot say so.")
    if not set(formats) <= {"json", "angles", "mot"}:  # they contain no lengths
        poses = source.poses
        assumed = " was assumed: lengths are those of such a person" if poses.height_assumed else " was given"
        notes.append(f"A height of {poses.height_m:.2f} m{assumed}.")
    return notes


def _write_bvh(path: Path, source: ConvertSource) -> None:
    options, rate_hz = source.options, source.options.rate_hz or source.poses.rate_hz
    motion = source.motion(constant_rate=True)
    write_bvh(path, motion, rate_hz=rate_hz, names=options.bone_names, scale=options.bvh_scale)


def _write_gltf(path: Path, source: ConvertSource) -> None:
    poses = source.poses
    write_gltf(
        path,
        source.motion(constant_rate=False),
        height_m=poses.height_m,
        height_assumed=poses.height_assumed,
        names=source.options.bone_names,
        title=path.stem,
    )


def _write_trc(path: Path, source: ConvertSource) -> None:
    markers = write_trc(path, source.poses, source.options.rate_hz, source.options.markers)
    if len(markers.parts_s) > 1:
        parts = ", ".join(f"{from_s:.2f}–{to_s:.2f} s" for from_s, to_s in markers.parts_s)
        source.notes.append(f"A person is tracked at {parts} only; OpenSim's inverse kinematics takes one part.")


def _write_c3d(path: Path, source: ConvertSource) -> None:
    write_c3d(path, source.poses, source.options.rate_hz, source.options.markers)


def _write_mot(path: Path, source: ConvertSource) -> None:
    source.notes += write_mot(path, source.poses, source.options.rate_hz)


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
    return write_keypoints_json(path, detections, rate_hz)


# each returns the paths that it has written, if they are others than the one it was given
WRITERS: dict[Format, Callable[[Path, ConvertSource], list[Path] | None]] = {
    "bvh": _write_bvh,
    "gltf": _write_gltf,
    "trc": _write_trc,
    "c3d": _write_c3d,
    "csv": lambda path, source: write_csv(path, source.poses, source.options.rate_hz),
    "parquet": lambda path, source: write_parquet(path, source.poses, source.options.rate_hz),
    "angles": lambda path, source: write_angles_csv(path, source.poses, source.options.rate_hz),
    "mot": _write_mot,
    "npz": _write_npz,
    "json": _write_json,
}
