"""The 2D joints of the tracked person in every view, with left and right as the fusion decided.

Axes: V views, J = 17 joints.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.pose.sync import Sample
from pose_rig.skeleton import MIRROR, J, Landmarks

MIN_INLIER = 0.5  # probability above which a detection counts as an inlier
MIN_INLIER_SHARE = 0.2  # of the visible joints
MAX_MIRRORED_DISTANCE_RATIO = 0.7  # of the mirrored joints, for left and right to be exchanged
_MIRROR = list(MIRROR)


def tracked_keypoints(
    pose: PoseEstimate, samples: Sequence[Sample | None], landmarks: Sequence[Landmarks | None]
) -> tuple[Floats, Floats, Floats]:
    """Returns the tracked person in every view: (V,J,2) px, scores (V,J), 0 = not detected, and depths (V,J) px.

    The depths are those of the detector, NaN = unknown.
    """
    views = len(samples)
    xy_px, score, depth_px = np.zeros((views, J, 2)), np.zeros((views, J)), np.full((views, J), np.nan)
    for v, (sample, names) in enumerate(zip(samples, landmarks, strict=True)):
        person = int(pose.person_index[v])
        if sample is None or names is None or person < 0:
            continue
        xy_px[v], score[v] = names.to_joints(sample.xy_px[person], sample.score[person])
        if sample.depth_px.size:
            depth_px[v] = names.depths(sample.depth_px[person], sample.score[person])
        if pose.mode == "solved" and not _has_inliers(score[v] > 0, pose.inlier[v]):
            score[v] = 0.0
        if _is_mirrored(xy_px[v], score[v], pose.refined_px[v]):
            xy_px[v], score[v], depth_px[v] = xy_px[v, _MIRROR], score[v, _MIRROR], depth_px[v, _MIRROR]
    return xy_px, score, depth_px


def _has_inliers(visible: NDArray[np.bool_], inlier: Floats) -> bool:
    """Whether enough detections (J,) fit a solved rig: else this is another person, or the camera was just moved."""
    return not np.isfinite(inlier).all() or bool((inlier[visible] > MIN_INLIER).mean() >= MIN_INLIER_SHARE)


def _is_mirrored(xy_px: Floats, score: Floats, refined_px: Floats) -> bool:
    """Whether left and right were exchanged in detections (J,2), by the refined 2D pose (J,2); NaN = there is none."""
    both = (score > 0) & (score[_MIRROR] > 0)
    if not both.any() or not np.isfinite(refined_px).all():
        return False
    straight, exchanged = (np.linalg.norm(xy - refined_px, axis=-1)[both].mean() for xy in (xy_px, xy_px[_MIRROR]))
    return bool(exchanged < MAX_MIRRORED_DISTANCE_RATIO * straight)
