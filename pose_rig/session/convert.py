"""A session or a poses file → files that other programs read."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pose_rig.atomic_file import PARTIAL
from pose_rig.errors import SessionError, UsageError
from pose_rig.humanoid.bones import Motion
from pose_rig.session.formats.bone_names import BoneNaming
from pose_rig.session.formats.markers import MarkerNaming
from pose_rig.session.formats.poses import Poses, check_part, even_count
from pose_rig.session.reader import Session
from pose_rig.wire.messages import Keypoints2D

Format = Literal["bvh", "gltf", "trc", "c3d", "csv", "parquet", "angles", "mot", "npz", "json"]
FORMATS: tuple[str, ...] = get_args(Format)


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """How files are to be written.

    Attributes:
        rate_hz: Instants per second; None = those of the source. glTF, csv, parquet, angles and npz keep instants as
            they are unless it is given.
        from_s: Seconds from the start; None = from the start.
        to_s: The same for the end.
        bone_names: Whose, for BVH and glTF.
        bvh_scale: Units of a BVH per metre.
        markers: Whose, for TRC and C3D.
    """

    rate_hz: float | None = None
    from_s: float | None = None
    to_s: float | None = None
    bone_names: BoneNaming = "vrm"
    bvh_scale: float = 100.0
    markers: MarkerNaming = "opensim"


class ConvertSource:
    """What there is to convert: read, and turned into joint rotations, when it is first asked for.

    Args:
        path: A session, or a poses file (npz).
        options: Which part of it, at what rate.

    Attributes:
        notes: What users should know of what was written.
    """

    def __init__(self, path: Path, options: ConvertOptions) -> None:
        self.path, self.options = path, options
        self._session = None if path.suffix.lower() == ".npz" else Session(path)
        self.notes: list[str] = []
        self._poses: Poses | None = None
        self._motions: dict[bool, Motion] = {}

    @property
    def session(self) -> Session:
        """The session.

        Raises:
            SessionError: It is a poses file.
        """
        if self._session is None:
            raise SessionError(f"{self.path} holds poses only.", "2D keypoints come from a session (.mcap).")
        return self._session

    @property
    def poses(self) -> Poses:
        """The poses of the part that is wanted.

        Raises:
            PoseRigError: There are none, or nobody is seen in any.
        """
        if self._poses is None:
            self._poses = poses = self._read()
            if not len(poses) or not poses.tracked.any():
                raise SessionError(f"Nobody is seen in this part of {self.path}.", "Choose another part.")
        return self._poses

    def check_part(self) -> None:
        """Checks that the part that is wanted is one of the session.

        Raises:
            UsageError: It is not.
        """
        if self._session is not None:
            check_part(self.options.from_s, self.options.to_s, self._session.duration_s)

    @property
    def warnings(self) -> list[str]:
        """What users should know of a session: what of it is missing, and whether it is part of another."""
        return [] if self._session is None else self._session.warnings

    @property
    def even_poses(self) -> Poses:
        """The poses at even distances."""
        return self.poses.even(self.options.rate_hz)

    def motion(self, *, even: bool) -> Motion:
        """Returns the movement as joint rotations.

        Args:
            even: At even distances, or at the instants of the poses unless another rate is wanted.
        """
        if even not in self._motions:
            from pose_rig.humanoid.retarget import retarget

            poses = self.even_poses if even or self.options.rate_hz else self.poses
            self._motions[even] = retarget(poses.joints, poses.t_ns, poses.xyz, poses.score, height_m=poses.height_m)
        return self._motions[even]

    def close(self) -> None:
        """Closes the session."""
        if self._session is not None:
            self._session.close()

    def _read(self) -> Poses:
        part = self.options.from_s, self.options.to_s
        if self._session is not None:
            return self._session.poses(*part)
        from pose_rig.session.formats.poses_file import read_poses

        poses = read_poses(self.path)
        check_part(*part, float(poses.t_s[-1]) if len(poses) else 0.0)
        return poses.between(*part)


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was written.

    Attributes:
        paths: Files and folders.
        notes: What the files themselves cannot say: units, and what the scale rests on.
    """

    paths: Sequence[Path]
    notes: Sequence[str]


def convert(path: Path, formats: Sequence[Format], folder: Path, options: ConvertOptions) -> Conversion:
    """Writes files.

    Args:
        path: A session, or a poses file (npz).
        formats: Which files.
        folder: Where to; made if it is not there. Files are called like the source.
        options: How.

    Raises:
        UsageError: A file would replace its own source.
        PoseRigError: The source cannot be read, has no poses, or a file cannot be written.
    """
    written: list[Path] = []
    with closing(ConvertSource(path, options)) as source:
        source.check_part()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SessionError(
                f"Cannot make the folder {folder}: {error.strerror}.", "Choose another --out."
            ) from error
        for name, target in zip(formats, targets(path, formats, folder), strict=True):
            if target.resolve() == path.resolve():
                raise UsageError(f"{target} is the source itself.", "Choose another folder with --out.")
            written += WRITERS[name](target, source)
        return Conversion(written, [*source.warnings, *_notes(formats, source)])


def targets(path: Path, formats: Sequence[Format], folder: Path) -> list[Path]:
    """Returns what `convert` writes, one of each format; of ``json`` it is a folder."""
    stem = path.name.removesuffix(PARTIAL).removesuffix(path.suffix).removesuffix(".mcap")
    return [folder / f"{stem}{ENDINGS[name]}" for name in formats]


def _notes(formats: Sequence[Format], source: ConvertSource) -> list[str]:
    notes = source.notes
    if "bvh" in formats:
        scale = source.options.bvh_scale
        unit = {100.0: "centimetres", 1.0: "metres", 1000.0: "millimetres"}.get(scale, f"1/{scale:g} m")
        notes.append(f"The bvh is in {unit}; the format cannot say so.")
    if not set(formats) <= {"json", "angles", "mot"}:  # in which there are no lengths
        poses = source.poses
        assumed = " was assumed: lengths are those of such a person" if poses.height_assumed else " was given"
        notes.append(f"A height of {poses.height_m:.2f} m{assumed}.")
    return notes


def _bvh(path: Path, source: ConvertSource) -> list[Path]:
    from pose_rig.session.formats.bvh import write_bvh

    options, rate_hz = source.options, source.options.rate_hz or source.poses.rate_hz
    write_bvh(path, source.motion(even=True), rate_hz=rate_hz, names=options.bone_names, scale=options.bvh_scale)
    return [path]


def _gltf(path: Path, source: ConvertSource) -> list[Path]:
    from pose_rig.session.formats.gltf import write_gltf

    poses = source.poses
    write_gltf(
        path,
        source.motion(even=False),
        height_m=poses.height_m,
        height_assumed=poses.height_assumed,
        names=source.options.bone_names,
        title=path.stem,
    )
    return [path]


def _trc(path: Path, source: ConvertSource) -> list[Path]:
    from pose_rig.session.formats.trc import write_trc

    markers = write_trc(path, source.poses, source.options.rate_hz, source.options.markers)
    if len(markers.parts_s) > 1:
        parts = ", ".join(f"{from_s:.2f}–{to_s:.2f} s" for from_s, to_s in markers.parts_s)
        source.notes.append(f"Somebody is seen at {parts} only; OpenSim's inverse kinematics wants one part at a time.")
    return [path]


def _c3d(path: Path, source: ConvertSource) -> list[Path]:
    from pose_rig.session.formats.c3d import write_c3d

    write_c3d(path, source.poses, source.options.rate_hz, source.options.markers)
    return [path]


def _csv(path: Path, source: ConvertSource) -> list[Path]:
    from pose_rig.session.formats.table import write_csv

    write_csv(path, source.poses, source.options.rate_hz)
    return [path]


def _parquet(path: Path, source: ConvertSource) -> list[Path]:
    from pose_rig.session.formats.table import write_parquet

    write_parquet(path, source.poses, source.options.rate_hz)
    return [path]


def _angles(path: Path, source: ConvertSource) -> list[Path]:
    from pose_rig.session.formats.table import write_angles_csv

    write_angles_csv(path, source.poses, source.options.rate_hz)
    return [path]


def _mot(path: Path, source: ConvertSource) -> list[Path]:
    from pose_rig.session.formats.mot import write_mot

    source.notes += write_mot(path, source.poses, source.options.rate_hz)
    return [path]


def _npz(path: Path, source: ConvertSource) -> list[Path]:
    from pose_rig.session.formats.poses_file import write_poses

    poses = source.poses if source.options.rate_hz is None else source.even_poses
    further: Mapping[str, NDArray[Any]] = {}
    if source.path.suffix.lower() != ".npz":
        from pose_rig.session.camera_arrays import view_arrays

        further = view_arrays(source.session, poses)
    write_poses(path, poses, further)
    return [path]


def _json(path: Path, source: ConvertSource) -> list[Path]:
    from pose_rig.session.formats.detections_json import Detections, write_keypoints_json

    session, options = source.session, source.options
    cameras = [camera for camera in session.cameras if session.topics.get(Keypoints2D.TOPIC + camera)]
    seen = [session.keypoints(camera, options.from_s, options.to_s) for camera in cameras]
    rates_hz = [1e9 / float(np.median(np.diff(one.t_ns))) for one in seen if len(one.t_ns) > 1]
    if not (options.rate_hz or rates_hz):
        raise SessionError(f"{session.path} has too few frames to know their rate.", "Give it with --rate.")
    rate_hz = options.rate_hz or max(rates_hz)
    even_count(max(float(one.t_ns[-1] - one.t_ns[0]) for one in seen) * 1e-9, rate_hz)
    detections = [Detections(one.camera, one.t_ns, one.xy, one.score) for one in seen]
    return write_keypoints_json(path, detections, rate_hz)


ENDINGS: dict[Format, str] = {
    "bvh": ".bvh", "gltf": ".glb", "trc": ".trc", "c3d": ".c3d", "csv": ".csv", "parquet": ".parquet",
    "angles": "_angles.csv", "mot": ".mot", "npz": ".npz", "json": "_2d",
}  # fmt: skip
WRITERS: dict[Format, Callable[[Path, ConvertSource], list[Path]]] = {
    "bvh": _bvh, "gltf": _gltf, "trc": _trc, "c3d": _c3d, "csv": _csv, "parquet": _parquet, "angles": _angles,
    "mot": _mot, "npz": _npz, "json": _json,
}  # fmt: skip
