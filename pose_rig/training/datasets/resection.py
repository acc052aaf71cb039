"""Resection of a camera from 2D and 3D joint labels.

Detections are not accurate enough: errors of a few pixels rotate a camera with unknown principal point by degrees.

Axes: T frames, J = 17 joints, N points.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from pose_rig.arrays import Floats
from pose_rig.config import FOCAL_PER_LARGER_SIDE
from pose_rig.errors import UsageError
from pose_rig.geometry import camera_matrix

_MAX_POINTS = 4000  # more are slower, not more accurate
_MIN_POINTS = 60  # some four poses
_MAX_MEDIAN_ERROR_PX = 2.0  # labels are projections, with errors of a fraction of a pixel


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """A calibrated camera.

    Attributes:
        matrix: (3,3) px.
        distortion: (5,) OpenCV's.
        rotation: (3,3) camera_from_room.
        translation: (3,) m.
    """

    matrix: Floats
    distortion: Floats
    rotation: Floats
    translation: Floats

    def local(self, room: Floats) -> Floats:
        """Returns (...,3) m in the axes of the camera of (...,3) m in the room."""
        return room @ self.rotation.T + self.translation

    def project(self, room: Floats) -> Floats:
        """Returns (...,2) px of (...,3) m in the room."""
        points = np.ascontiguousarray(room.reshape(-1, 1, 3))
        vector = cv2.Rodrigues(self.rotation)[0]
        xy_px = cv2.projectPoints(points, vector, self.translation, self.matrix, self.distortion)[0]
        return np.asarray(xy_px, np.float64).reshape(*room.shape[:-1], 2)


def resect(room: Floats, xy_px: Floats, size_px: tuple[int, int], name: str) -> Camera | None:
    """Returns the camera of least reprojection error, or None if too few joints are labelled.

    Args:
        room: (T,J,3) m.
        xy_px: (T,J,2); NaN = not visible.
        size_px: Image width and height.
        name: Name of the camera, for messages.

    Raises:
        UsageError: The reprojection error is too large.
    """
    usable = np.isfinite(xy_px).all(-1) & np.isfinite(room).all(-1)
    points, marks = room[usable], xy_px[usable]
    if len(points) < _MIN_POINTS:
        return None
    some = np.linspace(0, len(points) - 1, min(len(points), _MAX_POINTS)).astype(int)
    points, marks = points[some], marks[some]
    camera = _fit(points, marks, size_px)
    error_px = float(np.median(np.linalg.norm(camera.project(points) - marks, axis=-1)))
    if not error_px < _MAX_MEDIAN_ERROR_PX:
        raise UsageError(
            f"{name}: 3D poses and 2D labels do not match; the reprojection error is {error_px:.0f} px.",
            "Use both files of the same source.",
        )
    return camera


def _fit(points: Floats, marks: Floats, size_px: tuple[int, int]) -> Camera:
    """Returns the camera of least squares by OpenCV."""
    _, matrix, distortion, turns, shifts = cv2.calibrateCamera(
        [points.astype(np.float32)],
        [marks.astype(np.float32)],
        size_px,
        camera_matrix(FOCAL_PER_LARGER_SIDE * max(size_px), size_px),
        np.zeros(5),
        flags=cv2.CALIB_USE_INTRINSIC_GUESS | cv2.CALIB_FIX_K3,
    )
    return Camera(
        np.asarray(matrix, np.float64),
        np.asarray(distortion, np.float64),
        np.asarray(cv2.Rodrigues(turns[0])[0], np.float64),
        np.asarray(shifts[0], np.float64).ravel(),
    )
