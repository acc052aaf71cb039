"""A simulated rig: a captured walk, projected into perspective cameras in a ring, without hardware or detector.

The motion is 5 s of the CMU Graphics Lab Motion Capture Database (NOTICE), forward and backward. All values depend on
the frame number only, so two runs are identical to the bit.

Axes: T frames, J joints. Frame ``rig``: m, y up, floor at y = 0.
"""

import numpy as np

from pose_rig.arrays import Floats, Image
from pose_rig.capture.recording import RecordedFrame
from pose_rig.capture.source import Detections, SourceInfo
from pose_rig.config import CameraConfig
from pose_rig.errors import UsageError
from pose_rig.geometry import camera_matrix
from pose_rig.simulation.cameras import look_at
from pose_rig.simulation.walk import captured_walk, walk_at
from pose_rig.skeleton import JOINT_SET

SIZE_PX = (1280, 720)
FPS = 30.0
FOCAL_PER_LARGER_SIDE = 0.85
AZIMUTH_STEP_DEG = 75.0  # spreads any number of cameras, without opposite pairs
DISTANCE_M = (3.2, 4.8)
CAMERA_HEIGHT_M = (1.0, 2.2)
ROLL_DEG = 6.0
TARGET_M = np.array([0.0, 0.9, 0.0])
NOISE_SD_PER_LARGER_SIDE = 0.0015  # about 2 px at 1280
NOISE_FREQUENCIES_HZ = (0.7, 1.9)
DETECTION_SCORE = 0.9


def pose(time_s: float) -> Floats:
    """Returns (J,3) joints in m, ``rig`` frame, at a time; the motion is repeated forward and backward."""
    return walk_at(time_s * captured_walk()[1])


def matrices(member: int, size_px: tuple[int, int] = SIZE_PX) -> tuple[Floats, Floats, Floats]:
    """Returns (3,3) intrinsics in px, (3,3) camera_from_rig rotation, (3,) translation in m of one camera."""
    golden = member * 0.618 % 1
    azimuth = np.radians(AZIMUTH_STEP_DEG * member)
    distance = DISTANCE_M[0] + (DISTANCE_M[1] - DISTANCE_M[0]) * golden
    height = CAMERA_HEIGHT_M[0] + (CAMERA_HEIGHT_M[1] - CAMERA_HEIGHT_M[0]) * (member * 0.382 % 1)
    centre = np.array([distance * np.sin(azimuth), height, distance * np.cos(azimuth)])
    roll = np.radians(ROLL_DEG) * (golden - 0.5)
    roll_matrix = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    rotation = roll_matrix @ look_at(centre, TARGET_M)
    focal = FOCAL_PER_LARGER_SIDE * max(size_px)
    return camera_matrix(focal, size_px), rotation, -rotation @ centre


class SimulatedCamera:
    """One camera of the simulated rig as a recording.

    Args:
        camera: ``member`` of ``members``; ``size_px`` and ``fps`` are used as given.
        endless: Repeat the motion for ever, as a live camera would; else once.

    Raises:
        UsageError: ``member`` is not one of ``members``.
    """

    fault = ""

    def __init__(self, camera: CameraConfig, *, endless: bool) -> None:
        if not 0 <= camera.member < camera.members:
            raise UsageError(
                f"The simulated rig of {camera.members} has no camera {camera.member}.", "Give it more members."
            )
        size, fps = camera.size_px or SIZE_PX, camera.fps or FPS
        frames, motion_fps = captured_walk()
        total_frames = None if endless else round(2 * (len(frames) - 1) / motion_fps * fps)
        detail = f"simulated, {size[0]}×{size[1]} at {fps:.4g}/s"
        self.info = SourceInfo(f"sim#{camera.member}", detail, size, fps, total_frames, JOINT_SET)
        self._K, self._R, self._t = matrices(camera.member, size)
        random = np.random.default_rng(camera.member)
        self._phase = random.uniform(0, 2 * np.pi, (len(NOISE_FREQUENCIES_HZ), *frames.shape[1:2], 2))
        self._index = -1

    def grab(self) -> RecordedFrame | None:
        """Moves to the next frame; None at the end."""
        self._index += 1
        if self.info.total_frames is not None and self._index >= self.info.total_frames:
            return None
        return RecordedFrame(self._index, round(self._index * 1e9 / self.info.fps))

    def seek(self, pts_ns: int) -> None:
        """Moves to the frame before ``pts_ns``."""
        self._index = max(0, int(pts_ns * 1e-9 * self.info.fps)) - 1

    def retrieve(self) -> tuple[Image | None, Detections | None]:
        """Returns the projected person; joints outside the image have score 0."""
        time_s = self._index / self.info.fps
        rays_J3 = (pose(time_s) @ self._R.T + self._t) @ self._K.T
        xy_J2 = rays_J3[:, :2] / rays_J3[:, 2:] + self._noise(time_s)
        inside = ((xy_J2 >= 0) & (xy_J2 < self.info.size_px)).all(-1)
        return None, Detections.from_arrays(xy_J2[None], np.where(inside, DETECTION_SCORE, 0.0)[None])

    def close(self) -> None:
        """Does nothing."""

    def _noise(self, time_s: float) -> Floats:
        """Returns (J,2) px of smooth noise: a sum of sine waves."""
        waves = np.sin(2 * np.pi * time_s * np.array(NOISE_FREQUENCIES_HZ)[:, None, None] + self._phase)
        return np.asarray(waves.sum(0) * NOISE_SD_PER_LARGER_SIDE * max(self.info.size_px))
