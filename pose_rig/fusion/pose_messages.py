"""A fused instant as the messages that tell of it.

Axes: V views, J skeleton joints.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from pose_rig.fusion.pose_estimate import PoseEstimate
from pose_rig.skeleton import joint_set
from pose_rig.wire.messages import MAX_COORDINATE_M, MAX_COORDINATE_PX, Pose3D, Refined2D
from pose_rig.wire.precision import SCORE_STEP, XY_STEP_PX, quantize, truncate_mantissa

LARGEST = float(np.finfo(np.float32).max) / 2  # of what travels as float32; rounding up must not make it infinite


def is_publishable(instant: PoseEstimate) -> bool:
    """Returns whether all of a pose is finite and within the bounds of its message."""
    numbers = [instant.score, instant.residual_px]
    if _has_covariance(instant):
        numbers.append(instant.covariance)
    return bool((np.abs(instant.xyz) <= MAX_COORDINATE_M).all() and all((np.abs(n) <= LARGEST).all() for n in numbers))


def pose_message(instant: PoseEstimate, index: int, age_ns: int, height_m: float, height_assumed: bool) -> Pose3D:
    """Returns the message of a pose.

    Args:
        instant: The pose.
        index: Its number.
        age_ns: From capture to publication.
        height_m: Stature that its scale rests on.
        height_assumed: Whether nobody gave that.
    """
    return Pose3D(
        index=index,
        t_ns=instant.t_ns,
        age_ns=age_ns,
        person=0,
        joints=joint_set(instant.joints),
        xyz=instant.xyz.astype(np.float32),
        score=quantize(instant.score, SCORE_STEP),
        residual_px=quantize(instant.residual_px, XY_STEP_PX),
        mode=instant.mode,
        tracking=int(instant.tracking),
        height_m=height_m,
        height_assumed=height_assumed,
        covariance_m2=truncate_mantissa(instant.covariance) if _has_covariance(instant) else np.zeros(0, np.float32),
    )


def refined_messages(instant: PoseEstimate, index: int, cameras: Sequence[str]) -> Iterator[Refined2D]:
    """Yields what each camera sees of a pose, of those (V) that see it within all bounds."""
    for view, camera in enumerate(cameras):
        if instant.followed[view] >= 0 and (np.abs(instant.refined_px[view]) <= MAX_COORDINATE_PX).all():
            yield Refined2D(
                camera=camera,
                index=index,
                t_ns=instant.t_ns,
                xy=quantize(instant.refined_px[view], XY_STEP_PX),
                inlier=quantize(instant.inlier[view], SCORE_STEP),
            )


def _has_covariance(instant: PoseEstimate) -> bool:
    return instant.mode == "solved" and instant.tracking
