"""Synthetic poses: every number encodes its position."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.session.formats.message_arrays import CameraKeypoints
from pose_rig.session.formats.poses import Poses
from pose_rig.skeleton import JOINTS, extra_landmarks, landmarks

NAMES = (*JOINTS, *extra_landmarks(landmarks("mediapipe33")))
START_NS = 5_000_000_000


def made(count: int = 5, rate_hz: float = 60.0, **more: Any) -> Poses:
    """Returns poses whose x is t + 0.01·joint, y is 1, z is −joint / 8, of all joints that MediaPipe gives."""
    steps, joints = np.arange(count), np.arange(len(NAMES))
    xyz = np.ones((count, len(NAMES), 3), np.float32)
    xyz[..., 0] = steps[:, None] / rate_hz + 0.01 * joints
    xyz[..., 2] = -joints / 8
    shape = xyz.shape[:2]
    values: dict[str, Any] = {
        "t_ns": START_NS + np.round(steps * (1e9 / rate_hz)).astype(np.int64),
        "joints": NAMES,
        "xyz": xyz,
        "score": np.full(shape, 0.5, np.float32),
        "covariance_m2": np.broadcast_to(np.eye(3, dtype=np.float32) * 1e-4, (*shape, 3, 3)),
        "residual_px": np.full(shape, 2.5, np.float32),
        "mode": np.array(["cold"] + ["solved"] * (count - 1))[:count],
        "age_ns": np.full(count, 30_000_000),
        "height_m": 1.82,
        "height_assumed": False,
    }
    return Poses(**(values | more))


def with_gaps(count: int = 6) -> Poses:
    """Returns poses without a person in the second one, and with the last joint guessed in the third."""
    poses = made(count)
    poses.xyz[1], poses.score[1] = np.nan, 0.0
    poses.score[2, -1] = 0.0
    return poses


def keypoints_of(
    camera: str, t_ns: NDArray[np.int64], xy: NDArray[np.floating], score: NDArray[np.floating]
) -> CameraKeypoints:
    """Returns keypoints (T,P,K,2) of a camera."""
    names = tuple(f"landmark{k}" for k in range(xy.shape[2]))
    return CameraKeypoints(
        camera, t_ns, np.arange(len(t_ns)), (1280, 720), ",".join(names), names, xy.astype(np.float32),
        score.astype(np.float32), np.full(score.shape, np.nan, np.float32),
    )  # fmt: skip
