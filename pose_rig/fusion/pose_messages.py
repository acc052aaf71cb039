"""A pose as messages.

Axes: V views, J skeleton joints.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.skeleton import joint_set
from pose_rig.wire.messages import MAX_COORDINATE_M, MAX_COORDINATE_PX, Pose3D, Refined2D
from pose_rig.wire.precision import SCORE_STEP, XY_STEP_PX, quantize, truncate_mantissa

MAX_FLOAT32 = float(np.finfo(np.float32).max) / 2  # rounding up must not make it infinite


def is_publishable(pose: PoseEstimate) -> bool:
    """Returns whether a pose is finite and within the bounds of its message."""
    numbers = [pose.score, pose.residual_px]
    if _has_covariance(pose):
        numbers.append(pose.covariance)
    return bool((np.abs(pose.xyz) <= MAX_COORDINATE_M).all() and all((np.abs(n) <= MAX_FLOAT32).all() for n in numbers))


def pose_message(pose: PoseEstimate, index: int, age_ns: int, height_m: float, height_assumed: bool) -> Pose3D:
    """Returns the message of a pose.

    Args:
        pose: What was computed.
        index: Its number.
        age_ns: From capture to publication.
        height_m: Body height, which sets the scale.
        height_assumed: Whether the user did not give it.
    """
    return Pose3D(
        index=index,
        t_ns=pose.t_ns,
        age_ns=age_ns,
        person=pose.person,
        joints=joint_set(pose.joints),
        xyz=pose.xyz.astype(np.float32),
        score=quantize(pose.score, SCORE_STEP),
        residual_px=quantize(pose.residual_px, XY_STEP_PX),
        mode=pose.mode,
        tracking=int(pose.tracking),
        height_m=height_m,
        height_assumed=height_assumed,
        covariance_m2=truncate_mantissa(pose.covariance) if _has_covariance(pose) else np.zeros(0, np.float32),
    )


def refined_messages(pose: PoseEstimate, index: int, cameras: Sequence[str]) -> Iterator[Refined2D]:
    """Yields the 2D pose in each camera (V) that detects the person, within the bounds of the message."""
    for view, camera in enumerate(cameras):
        if pose.person_index[view] >= 0 and (np.abs(pose.refined_px[view]) <= MAX_COORDINATE_PX).all():
            yield Refined2D(
                camera=camera,
                index=index,
                t_ns=pose.t_ns,
                xy=quantize(pose.refined_px[view], XY_STEP_PX),
                inlier=quantize(pose.inlier[view], SCORE_STEP),
                person=pose.person,
            )


def _has_covariance(pose: PoseEstimate) -> bool:
    return pose.mode == "solved" and pose.tracking
