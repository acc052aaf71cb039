"""A few messages to draw: a person raising an arm between two calibrated cameras."""

import numpy as np
from numpy.typing import NDArray

from pose_rig.skeleton import JOINTS, J, extra_landmarks, joint_set, landmarks
from pose_rig.wire.messages import CameraState, Keypoints2D, Pose3D, Refined2D, RigState

SIZE_PX = (1280, 720)
FOCAL_PX = 1000.0
NAMES = (*JOINTS, *extra_landmarks(landmarks("mediapipe33")))
BODY = np.array(
    [
        [0, 0.95, 0], [-0.13, 0.93, 0], [-0.14, 0.5, 0.02], [-0.15, 0.08, -0.03], [0.13, 0.93, 0], [0.14, 0.5, 0.02],
        [0.15, 0.08, -0.03], [0, 1.2, 0], [0, 1.45, 0], [0, 1.6, -0.12], [0, 1.65, 0], [0.2, 1.42, 0], [0.3, 1.15, 0],
        [0.32, 0.9, -0.1], [-0.2, 1.42, 0], [-0.5, 1.45, 0], [-0.8, 1.5, 0],
    ],
    np.float32,
)  # fmt: skip
# a camera 4 m before the person, at 1 m, that looks at them; one to the person's left
POSITION_M = np.array([[0.0, 1.0, 4.0], [4.0, 1.0, 0.0]])
ROTATION = np.array([[[1.0, 0, 0], [0, -1, 0], [0, 0, -1]], [[0, 0, -1], [0, -1, 0], [-1, 0, 0]]])


def pose(t_ns: int, tracking: int = 1, **more: object) -> Pose3D:
    xyz = np.zeros((len(NAMES), 3), np.float32)
    xyz[:J], xyz[J:] = BODY, BODY[10]
    score = np.array([0.9] * 15 + [0.0] * 2 + [0.8] * (len(NAMES) - J), np.float32)
    values: dict[str, object] = {
        "index": 0,
        "t_ns": t_ns,
        "age_ns": 1,
        "person": 0,
        "joints": joint_set(NAMES),
        "xyz": xyz,
        "score": score,
        "residual_px": np.zeros(len(NAMES), np.float32),
        "mode": "solved",
        "tracking": tracking,
        "height_m": 1.7,
        "height_assumed": True,
    }
    return Pose3D(**(values | more))  # type: ignore[arg-type]


def seen(camera: int) -> NDArray[np.float32]:
    """Returns (17,2) px: where the body lies in a camera."""
    inside = (BODY - POSITION_M[camera]) @ ROTATION[camera].T
    return np.asarray(FOCAL_PX * inside[:, :2] / inside[:, 2:] + np.array(SIZE_PX) / 2, np.float32)


def keypoints(t_ns: int, camera: int = 0, people: int = 1) -> Keypoints2D:
    score = np.ones((people, J), np.float32)
    score[:, 16] = 0.0
    xy = np.where(score[..., None] > 0, seen(camera), 0.0).astype(np.float32)
    return Keypoints2D(
        camera=f"cam{camera}", index=0, t_ns=t_ns, size_px=SIZE_PX, landmarks="rig17", xy=xy, score=score
    )


def refined(t_ns: int, camera: int = 0) -> Refined2D:
    return Refined2D(camera=f"cam{camera}", index=0, t_ns=t_ns, xy=seen(camera), inlier=np.ones(J, np.float32))


def rig(t_ns: int, solved: int = 2, focal_px: float = FOCAL_PX) -> RigState:
    cameras = []
    for camera in range(2):
        x, y, z = (-ROTATION[camera] @ POSITION_M[camera]).tolist()
        cameras.append(
            CameraState(
                name=f"cam{camera}",
                rotation=tuple(ROTATION[camera].ravel().tolist()),
                translation_m=(x, y, z) if camera < solved else None,
                focal_px=focal_px,
                k1=-0.1,
                size_px=SIZE_PX,
                health=0.9,
            )
        )
    return RigState(t_ns=t_ns, mode="solved" if solved else "settled", cameras=tuple(cameras))
