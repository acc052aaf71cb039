"""The poses file (architecture: "Poses out"): every fused instant of a run, as one npz.

Rows go to ``<file>.partial`` as they come, so memory stays flat over hours and a crash loses nothing that was fused.

Axes: T instants, V views, K landmarks, J = 17 joints; ``xyz`` has further ones where the detector knows more.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import PoseRigError
from pose_rig.fusion.calibration import Calibration
from pose_rig.fusion.fusion import FusedInstant
from pose_rig.fusion.smooth import OneEuro
from pose_rig.fusion.sync import Sample
from pose_rig.geometry import camera_matrix
from pose_rig.skeleton import JOINTS, J, Landmarks

MODES = ("cold", "settled", "solved")


class PosesFile:
    """Writes one poses file.

    Args:
        path: Where; replaced when finished.
        cameras: Their names.

    Raises:
        PoseRigError: The folder cannot be written to.
    """

    def __init__(self, path: Path, cameras: Sequence[str], height_m: float, height_assumed: bool) -> None:
        self._path, self._cameras = path, tuple(cameras)
        self._height = (height_m, height_assumed)
        self._partial = path.with_name(path.name + ".partial")
        self._joints: tuple[str, ...] = JOINTS
        self._landmarks: tuple[str, ...] = ()
        self._dtype: np.dtype[Any] | None = None
        self.rows = 0
        try:
            self._file = self._partial.open("wb")
        except OSError as error:
            raise PoseRigError(
                f"Cannot write {path}: {error.strerror}.", "Choose another place with --save."
            ) from error

    def add(
        self, instant: FusedInstant, samples: Sequence[Sample | None], landmarks: Sequence[Landmarks | None]
    ) -> None:
        """Adds an instant and what each view saw then."""
        views = len(self._cameras)
        if self._dtype is None:
            first = next((marks for marks in landmarks if marks is not None), None)
            self._landmarks = first.names if first else ("none",)
            self._joints = instant.joints
            self._dtype = _row(views, len(self._landmarks), len(self._joints))
        row = np.zeros((), self._dtype)
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
            columns = [marks.names.index(name) if name in marks.names else -1 for name in self._landmarks]
            seen = (sample.score[person, columns] > 0) & (np.array(columns) >= 0)
            row["xy"][v] = np.where(seen[:, None], sample.xy_px[person, columns], np.nan)
            row["xy_score"][v] = np.where(seen, sample.score[person, columns], 0.0)
        self._file.write(row.tobytes())
        self.rows += 1

    def close(self, cameras: Calibration | None = None, backwards: OneEuro | None = None) -> Path:
        """Finishes the file and returns where it is.

        Args:
            cameras: As they were solved; None = they were not.
            backwards: A fresh filter that smooths the poses once more from the last to the first; the mean of both
                ways lags behind nothing. None = they stay as streamed.

        Raises:
            PoseRigError: The disk is full; the rows stay in the partial file.
        """
        self._file.close()
        dtype = self._dtype or _row(len(self._cameras), 1, J)
        data = np.fromfile(self._partial, dtype) if self.rows < 1 else np.memmap(self._partial, dtype, "r+")
        if backwards is not None:
            _smooth_backwards(data, backwards)
        arrays: dict[str, NDArray[Any]] = {
            "joints": np.array(self._joints),
            "mode": np.array(MODES)[data["mode"]],
            "cameras": np.array(self._cameras),
            "landmarks": np.array(self._landmarks or ("none",)),
            **_solved(cameras, len(self._cameras)),
            "height_m": np.array(self._height[0]),
            "height_assumed": np.array(self._height[1]),
        }
        arrays |= {name: data[name] for name in dtype.names or () if name != "mode"}
        finished = self._path.with_name(self._path.name + ".finished")
        try:
            with finished.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
            os.replace(finished, self._path)
        except OSError as error:
            raise PoseRigError(
                f"Cannot write {self._path}: {error.strerror}.",
                f"The rows are in {self._partial}; make room and run again.",
            ) from error
        del arrays, data
        self._partial.unlink()
        return self._path


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


def _row(views: int, count: int, joints: int) -> np.dtype[Any]:
    return np.dtype(
        [
            ("t_ns", "<i8"),
            ("mode", "i1"),
            ("xyz", "<f4", (joints, 3)),
            ("xyz_raw", "<f4", (joints, 3)),
            ("covariance", "<f4", (joints, 3, 3)),
            ("score", "<f4", (joints,)),
            ("xy", "<f4", (views, count, 2)),
            ("xy_score", "<f4", (views, count)),
            ("xy_refined", "<f4", (views, J, 2)),
            ("lifted", "<f4", (views, J, 3)),
            ("rotation", "<f4", (views, 3, 3)),
        ]
    )
