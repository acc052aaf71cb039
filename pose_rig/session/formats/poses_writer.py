"""Writing a poses file during a run.

Rows go to ``<file>.partial`` as they arrive: memory use stays constant, a restarted process continues the file, and
`recover_poses` makes a poses file of the rows of a run that crashed.

Axes: V views, K landmarks, J joints.
"""

import os
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import copy
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pose_rig.atomic_file import atomic_file, partial_path
from pose_rig.config import ASSUMED_HEIGHT_M
from pose_rig.errors import PoseRigError, SaveError
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.pose.smooth import OneEuro
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.synchronisation.camera_clocks import CameraClocks
from pose_rig.session.formats.poses_file import person_arrays, unsolved_cameras, write_arrays
from pose_rig.session.formats.row_file import RowFile, RowHeader, read_rows
from pose_rig.skeleton import JOINTS, Landmarks
from pose_rig.wire.jobs import FusionJob

MODES = ("cold", "settled", "solved")
NO_LANDMARKS = ("none",)  # of a run without any detection


def open_poses(job: FusionJob) -> "PosesFileWriter | None":
    """Returns the writer of the poses file that a job asks for; None if it asks for none.

    Raises:
        PoseRigError: The folder cannot be written to.
    """
    config = job.config
    if not config.save:
        return None
    cameras = [camera.name for camera in config.camera]
    height_m, assumed = config.height_m or ASSUMED_HEIGHT_M, config.height_m is None
    further = dict(enumerate(config.other_heights_m, 1))
    people = config.people > 1
    return PosesFileWriter(
        Path(config.save), cameras, height_m, assumed, job.restarts, people=people, further_heights_m=further
    )


class PosesFileWriter:
    """Writes one poses file.

    Args:
        path: Where; replaced when finished.
        cameras: Their names.
        height_m: Body height that sets the scale.
        height_assumed: Whether it is the default rather than given.
        restarts: How often the process was restarted; rows written before are kept.
        people: Whether there may be several people.
        further_heights_m: Body heights of further people by identity, as far as they were given.

    Raises:
        PoseRigError: The folder cannot be written to.
    """

    def __init__(
        self,
        path: Path,
        cameras: Sequence[str],
        height_m: float,
        height_assumed: bool,
        restarts: int = 0,
        *,
        people: bool = False,
        further_heights_m: Mapping[int, float] = MappingProxyType({}),
    ) -> None:
        self._path = path
        heights = dict(further_heights_m) if people else {}
        self._header = RowHeader(tuple(cameras), NO_LANDMARKS, JOINTS, height_m, height_assumed, people, heights)
        self._dtype = self._header.dtype
        self._begun = False
        self._columns: dict[str, NDArray[np.int64]] = {}  # of the landmarks of the file, by landmark set
        partial, previous = partial_path(path), None
        try:
            if restarts and partial.exists():
                os.replace(partial, previous := partial_path(path.with_name(f"{path.name}.{restarts}")))
            self._rows = RowFile(partial, previous)
        except OSError as error:
            raise PoseRigError(
                f"Cannot write {path}: {error.strerror}.", "Choose another place with --save."
            ) from error

    @property
    def rows(self) -> int:
        """Rows written so far."""
        return self._rows.count

    def set_height(self, height_m: float, person: int = 0) -> None:
        """Sets the body height of the poses to come of a person, which the user gave during the run."""
        if person:
            heights = self._header.further_heights_m | {person: height_m}
            self._header = msgspec.structs.replace(self._header, further_heights_m=heights)
        else:
            self._header = msgspec.structs.replace(self._header, height_m=height_m, height_assumed=False)

    def add(self, pose: PoseEstimate, samples: Sequence[Sample | None], landmarks: Sequence[Landmarks | None]) -> None:
        """Adds a pose and the detections of each view; those of further people follow with the same time."""
        if not self._begun:
            self._begun = True
            names = next((known.names for known in landmarks if known is not None), NO_LANDMARKS)
            self._header = msgspec.structs.replace(self._header, landmarks=names, joints=pose.joints)
            self._dtype = self._header.dtype
            self._rows.begin(self._header)
        row = np.zeros((), self._dtype)
        lost = 1.0 if pose.tracking else np.nan
        row["t_ns"], row["mode"] = pose.t_ns, MODES.index(pose.mode)
        row["xyz"], row["xyz_raw"] = pose.xyz * lost, pose.xyz_raw * lost
        row["score"], row["xy_refined"], row["covariance"] = pose.score, pose.refined_px, pose.covariance
        row["lifted"], row["rotation"] = pose.lifted, pose.camera_from_rig
        if self._header.people:
            row["person"] = pose.person
        row["xy"] = np.nan
        for v, (sample, known) in enumerate(zip(samples, landmarks, strict=True)):
            if sample is None or known is None or not len(sample.xy_px):
                continue
            person = int(pose.person_index[v])
            if person < 0 and self._header.people:  # the detections in this view are of others
                continue
            person = max(person, 0)  # a view that the fusion left out keeps its first person
            columns = self._columns_in(known)
            visible = (sample.score[person, columns] > 0) & (columns >= 0)
            row["xy"][v] = np.where(visible[:, None], sample.xy_px[person, columns], np.nan)
            row["xy_score"][v] = np.where(visible, sample.score[person, columns], 0.0)
        self._rows.add(row.tobytes())

    def _columns_in(self, known: Landmarks) -> NDArray[np.int64]:
        """Returns (K,) the columns of the landmarks of the file in a landmark set, −1 = not in it."""
        if known.name not in self._columns:
            column = {name: k for k, name in enumerate(known.names)}
            self._columns[known.name] = np.array([column.get(name, -1) for name in self._header.landmarks], np.int64)
        return self._columns[known.name]

    def close(
        self,
        cameras: Calibration | None = None,
        backwards: OneEuro | None = None,
        clocks: CameraClocks | None = None,
        *,
        exact: bool = True,
    ) -> Path:
        """Finishes the file and returns its path.

        Args:
            cameras: The solved cameras; None = not solved.
            backwards: A fresh filter that smooths the poses once more, from the last to the first; the mean of both
                directions has no lag. None = they stay as streamed.
            clocks: The clocks of the cameras; None = as given.
            exact: Whether every pose was computed after the one before it.

        Raises:
            SaveError: The disk is full or the folder was removed; the message names the place of the poses.
        """
        data = self._rows.read(self._header.dtype)
        if backwards is not None:
            _smooth_backwards(data, backwards)
        arrays = _arrays(self._header, data, cameras, clocks) | {"exact": np.array(exact)}
        try:
            _write(self._path, arrays)
        except OSError as error:
            raise self._saved_elsewhere(arrays, error) from error
        del arrays, data  # which map the file
        self._rows.remove()
        if self._rows.lost:
            raise SaveError(
                f"{self._path} lacks {self._rows.lost} of the {self.rows + self._rows.lost} poses: {self._rows.error}.",
                "Make room before the next run.",
            )
        return self._path

    def _saved_elsewhere(self, arrays: Mapping[str, NDArray[Any]], fault: OSError) -> SaveError:
        """Writes the poses to the folder for temporary files, and returns the error that names it."""
        cause, rows = f"Cannot write {self._path}: {fault.strerror}.", self._rows
        lost = f" {rows.lost} more were lost." if rows.lost else ""
        place = Path(tempfile.mkdtemp(prefix="pose-rig-")) / self._path.name
        try:
            _write(place, arrays)
        except OSError:
            with suppress(OSError):
                place.parent.rmdir()
            rows.close()
            remedy = f"{rows.count} poses are in {rows.path}: make room, then `pose-rig recover {rows.path}`."
            return SaveError(cause, remedy + lost)
        rows.remove()
        return SaveError(cause, f"The {rows.count} poses are in {place}: move them to where there is room.{lost}")


def recover_poses(partial: Path, out: Path) -> int:
    """Makes a poses file of the rows of an unfinished run, which are kept; returns their number.

    Raises:
        PoseRigError: The rows cannot be read, or the poses file cannot be written.
    """
    try:
        header, data = read_rows(partial)
    except (OSError, ValueError) as error:
        raise PoseRigError(f"{partial} holds no poses: {error}.", "The run ended before its first pose.") from error
    try:
        _write(out, _arrays(header, data, None, None))
    except OSError as error:
        raise PoseRigError(f"Cannot write {out}: {error.strerror}.", "Choose another place with --out.") from error
    return len(data)


def _write(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    with atomic_file(path) as partial:
        write_arrays(partial, arrays)


def _arrays(
    header: RowHeader, data: NDArray[Any], cameras: Calibration | None, clocks: CameraClocks | None
) -> dict[str, NDArray[Any]]:
    """Returns the arrays of the poses file."""
    return {
        **{key: data[key] for key in data.dtype.names or () if key != "person"},
        **(person_arrays(data["person"], _heights(header, data["person"])) if header.people else {}),
        "mode": np.array(MODES)[data["mode"]],
        "joints": np.array(header.joints),
        "cameras": np.array(header.cameras),
        "landmarks": np.array(header.landmarks),
        "height_m": np.array(header.height_m),
        "height_assumed": np.array(header.height_assumed),
        **camera_arrays(cameras, clocks, len(header.cameras)),
    }


def _heights(header: RowHeader, person: NDArray[np.integer]) -> dict[int, tuple[float, bool]]:
    """Returns the body height of each person of rows (T,), and whether it is assumed, then the first one's."""
    heights = dict.fromkeys(np.unique(person).tolist(), (header.height_m, True))
    heights |= {0: (header.height_m, header.height_assumed)} if 0 in heights else {}
    return heights | {one: (height_m, False) for one, height_m in header.further_heights_m.items()}


def _smooth_backwards(data: NDArray[Any], filter_: OneEuro) -> None:
    """Replaces ``xyz`` of all rows by the mean of the forward and the backward smoothing of their person."""
    several = "person" in (data.dtype.names or ())
    filters = defaultdict[int, OneEuro](lambda: copy(filter_))
    for row in data[::-1]:
        if not np.isfinite(row["xyz"]).all():
            continue
        smooth = filters[int(row["person"]) if several else 0]
        sd_m = np.sqrt(np.trace(row["covariance"].astype(float), axis1=1, axis2=2) / 3)
        back = smooth(-int(row["t_ns"]), row["xyz_raw"].astype(float), sd_m if np.isfinite(sd_m).all() else None)
        row["xyz"] = 0.5 * (row["xyz"] + back)


def camera_arrays(cameras: Calibration | None, clocks: CameraClocks | None, views: int) -> dict[str, NDArray[Any]]:
    """Returns the arrays of `CAMERA_KEYS`, NaN where not solved: ``x_camera = R x_rig + t``, dist as in OpenCV."""
    arrays = unsolved_cameras(views)
    if clocks is not None:
        arrays |= {"time_offset_s": clocks.known_offset_s, "time_offset_sd_s": clocks.sd_s}
        if (clocks.rates != 1.0).any():
            arrays["time_rate"] = clocks.rates
    if cameras is None:
        return arrays
    for v in np.flatnonzero(cameras.known).tolist():
        focal, intrinsics = cameras.focal_px[v], cameras.intrinsics
        arrays["K"][v], arrays["dist"][v] = intrinsics.matrices[v], intrinsics.dist[v]
        arrays["size_px"][v] = intrinsics.size_px[v]
        arrays["fisheye"][v], arrays["k1"][v] = intrinsics.fisheye[v], intrinsics.dist[v, 0]
        arrays["R"][v], arrays["t"][v] = cameras.rotation[v], cameras.translation[v]
        arrays["R_sd_deg"][v] = np.degrees(cameras.rotation_sd[v])
        arrays["t_sd_m"][v], arrays["focal_sd_px"][v] = cameras.translation_sd[v], cameras.focal_sd[v] * focal
    return arrays
