"""The poses file (architecture: "Poses out"): every fused instant of a run, as one npz.

Rows go to ``<file>.partial`` as they come, so memory stays flat over hours and a crash loses nothing that was fused:
a fusion that is started again goes on with them, and `recover_poses` makes the poses file of what was left.

Axes: T instants, V views, K landmarks, J = 17 joints; ``xyz`` has further ones where the detector knows more.
"""

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pose_rig.atomic_file import atomic_file, partial_path
from pose_rig.config import ASSUMED_HEIGHT_M
from pose_rig.errors import PoseRigError, SaveError
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.pose.smooth import OneEuro
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.pose_estimate import PoseEstimate
from pose_rig.geometry import camera_matrix
from pose_rig.session.formats.poses_rows import Head, Rows, read_rows
from pose_rig.skeleton import JOINTS, Landmarks
from pose_rig.wire.jobs import FusionJob

MODES = ("cold", "settled", "solved")
NONE = ("none",)  # the landmarks of a run in which no detector said anything


def open_poses(job: FusionJob) -> "PosesFile | None":
    """Returns the poses file that a job asks for; None if it asks for none.

    Raises:
        PoseRigError: The folder cannot be written to.
    """
    config = job.config
    if not config.save:
        return None
    cameras = [camera.name for camera in config.camera]
    height_m, assumed = config.height_m or ASSUMED_HEIGHT_M, config.height_m is None
    return PosesFile(Path(config.save), cameras, height_m, assumed, job.restarts)


class PosesFile:
    """Writes one poses file.

    Args:
        path: Where; replaced when finished.
        cameras: Their names.
        height_m: Stature the scale rests on.
        height_assumed: Whether nobody gave it.
        restarts: How often the fusion was restarted; what the one before has written is gone on with.

    Raises:
        PoseRigError: The folder cannot be written to.
    """

    def __init__(
        self, path: Path, cameras: Sequence[str], height_m: float, height_assumed: bool, restarts: int = 0
    ) -> None:
        self._path = path
        self._head = Head(tuple(cameras), NONE, JOINTS, height_m, height_assumed)
        self._begun = False
        partial, before = partial_path(path), None
        try:
            if restarts and partial.exists():
                os.replace(partial, before := partial_path(path.with_name(f"{path.name}.{restarts}")))
            self._rows = Rows(partial, before)
        except OSError as error:
            raise PoseRigError(
                f"Cannot write {path}: {error.strerror}.", "Choose another place with --save."
            ) from error

    @property
    def rows(self) -> int:
        """Instants written so far."""
        return self._rows.count

    def add(
        self, instant: PoseEstimate, samples: Sequence[Sample | None], landmarks: Sequence[Landmarks | None]
    ) -> None:
        """Adds an instant and what each view saw then."""
        if not self._begun:
            self._begun = True
            names = next((marks.names for marks in landmarks if marks is not None), NONE)
            self._head = msgspec.structs.replace(self._head, landmarks=names, joints=instant.joints)
            self._rows.begin(self._head)
        row = np.zeros((), self._head.row)
        lost = 1.0 if instant.tracking else np.nan
        row["t_ns"], row["mode"] = instant.t_ns, MODES.index(instant.mode)
        row["xyz"], row["xyz_raw"] = instant.xyz * lost, instant.xyz_raw * lost
        row["score"], row["xy_refined"], row["covariance"] = instant.score, instant.refined_px, instant.covariance
        row["lifted"], row["rotation"] = instant.lifted, instant.rotation
        row["xy"] = np.nan
        for v, (sample, marks) in enumerate(zip(samples, landmarks, strict=True)):
            if sample is None or marks is None or not len(sample.xy_px):
                continue
            person = max(int(instant.followed[v]), 0)  # of a view left out, what it saw is kept: nothing is hidden
            columns = [marks.names.index(name) if name in marks.names else -1 for name in self._head.landmarks]
            seen = (sample.score[person, columns] > 0) & (np.array(columns) >= 0)
            row["xy"][v] = np.where(seen[:, None], sample.xy_px[person, columns], np.nan)
            row["xy_score"][v] = np.where(seen, sample.score[person, columns], 0.0)
        self._rows.add(row.tobytes())

    def close(self, cameras: Calibration | None = None, backwards: OneEuro | None = None) -> Path:
        """Finishes the file and returns where it is.

        Args:
            cameras: As they were solved; None = they were not.
            backwards: A fresh filter that smooths the poses once more from the last to the first; the mean of both
                ways lags behind nothing. None = they stay as streamed.

        Raises:
            SaveError: The disk is full or the folder is gone: says where the poses are instead.
        """
        data = self._rows.written(self._head.row)
        if backwards is not None:
            _smooth_backwards(data, backwards)
        arrays = _arrays(self._head, data, cameras)
        try:
            _write(self._path, arrays)
        except OSError as error:
            raise self._elsewhere(arrays, error) from error
        del arrays, data  # which hold the file
        self._rows.remove()
        if self._rows.lost:
            raise SaveError(
                f"{self._path} lacks {self._rows.lost} of the {self.rows + self._rows.lost} poses: {self._rows.fault}.",
                "Make room before the next run.",
            )
        return self._path

    def _elsewhere(self, arrays: dict[str, NDArray[Any]], fault: OSError) -> SaveError:
        """Writes the poses to the folder for temporary files, and returns what is to be said."""
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
    """Makes a poses file of the rows that a run has left, and returns how many they are; the rows stay.

    Args:
        partial: What was left.
        out: Where the poses file goes; what is there is replaced.

    Raises:
        PoseRigError: The rows cannot be read, or the poses file cannot be written.
    """
    try:
        head, data = read_rows(partial)
    except (OSError, ValueError) as error:
        raise PoseRigError(f"{partial} holds no poses: {error}.", "It was cut off as it began.") from error
    try:
        _write(out, _arrays(head, data, None))
    except OSError as error:
        raise PoseRigError(f"Cannot write {out}: {error.strerror}.", "Choose another place with --out.") from error
    return len(data)


def _write(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Writes an npz, whole or not at all."""
    with atomic_file(path) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def _arrays(head: Head, data: NDArray[Any], cameras: Calibration | None) -> dict[str, NDArray[Any]]:
    """Returns what a poses file holds."""
    arrays: dict[str, NDArray[Any]] = {
        "joints": np.array(head.joints),
        "mode": np.array(MODES)[data["mode"]],
        "cameras": np.array(head.cameras),
        "landmarks": np.array(head.landmarks),
        **_solved(cameras, len(head.cameras)),
        "height_m": np.array(head.height_m),
        "height_assumed": np.array(head.height_assumed),
    }
    return arrays | {name: data[name] for name in data.dtype.names or () if name != "mode"}


def _smooth_backwards(data: NDArray[Any], smooth: OneEuro) -> None:
    """Replaces ``xyz`` of all rows by the mean of what was smoothed forwards and the same backwards."""
    for row in data[::-1]:
        if not np.isfinite(row["xyz"]).all():
            continue
        sd_m = np.sqrt(np.trace(row["covariance"].astype(float), axis1=1, axis2=2) / 3)
        back = smooth(-int(row["t_ns"]), row["xyz_raw"].astype(float), sd_m if np.isfinite(sd_m).all() else None)
        row["xyz"] = 0.5 * (row["xyz"] + back)


def _solved(cameras: Calibration | None, views: int) -> dict[str, NDArray[Any]]:
    """Returns the solved cameras, NaN where they are not: ``x_camera = R x_rig + t``, k1 as OpenCV's."""
    shapes = {"K": (3, 3), "R": (3, 3), "t": (3,), "k1": (), "R_sd_deg": (), "t_sd_m": (), "focal_sd_px": ()}
    arrays = {key: np.full((views, *shape), np.nan) for key, shape in shapes.items()}
    if cameras is None:
        return arrays
    for v in np.flatnonzero(cameras.known).tolist():
        focal = cameras.focal_px[v]
        arrays["K"][v] = camera_matrix(focal, cameras.size_px[v])
        arrays["R"][v], arrays["t"][v], arrays["k1"][v] = cameras.rotation[v], cameras.translation[v], cameras.k1[v]
        arrays["R_sd_deg"][v] = np.degrees(cameras.rotation_sd[v])
        arrays["t_sd_m"][v], arrays["focal_sd_px"][v] = cameras.translation_sd[v], cameras.focal_sd[v] * focal
    return arrays
