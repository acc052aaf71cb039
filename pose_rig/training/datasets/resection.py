"""A camera from joints whose labels are known both in the room and in its picture.

Detections would not do: a few pixels of their error turn a camera whose optical centre is not known by degrees.

Axes: T instants, J = 17 joints, N points.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from pose_rig.arrays import Floats
from pose_rig.config import FOCAL_PER_LARGER_SIDE
from pose_rig.errors import UsageError
from pose_rig.geometry import camera_matrix

_POINTS = 4000  # more make it no better, only slower
_FEWEST = 60  # some four poses
_WORST_PX = 2.0  # labels are projections and fit to a fraction of a pixel


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """A calibrated camera.

    Attributes:
        matrix: (3,3) px.
        distortion: As OpenCV has it.
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
        flat = np.ascontiguousarray(room.reshape(-1, 1, 3))
        turn = cv2.Rodrigues(self.rotation)[0]
        xy_px = cv2.projectPoints(flat, turn, self.translation, self.matrix, self.distortion)[0]
        return np.asarray(xy_px, np.float64).reshape(*room.shape[:-1], 2)


def resect(room: Floats, xy_px: Floats, size_px: tuple[int, int], name: str) -> Camera | None:
    """Returns the camera that shows joints where they are seen, or None if too few are.

    Args:
        room: (T,J,3) m.
        xy_px: (T,J,2) NaN where not seen.
        size_px: Width and height of the picture.
        name: Of the camera, for messages.

    Raises:
        UsageError: No camera shows these joints there.
    """
    usable = np.isfinite(xy_px).all(-1) & np.isfinite(room).all(-1)
    points, marks = room[usable], xy_px[usable]
    if len(points) < _FEWEST:
        return None
    some = np.linspace(0, len(points) - 1, min(len(points), _POINTS)).astype(int)
    points, marks = points[some], marks[some]
    camera = _fit(points, marks, size_px)
    off_px = float(np.median(np.linalg.norm(camera.project(points) - marks, axis=-1)))
    if not off_px < _WORST_PX:
        raise UsageError(
            f"{name}: no camera shows the 3D poses where the 2D labels are, {off_px:.0f} px apart at best.",
            "They are not of the same take; get both files from one source.",
        )
    return camera


def _fit(points: Floats, marks: Floats, size_px: tuple[int, int]) -> Camera:
    """Returns the camera of least squares."""
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
