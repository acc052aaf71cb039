"""Whom a rig follows, in the pictures: the 2D joints of one person at one instant as the fusion reads them.

Axes: V views, J = 17 joints.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.pose_estimate import PoseEstimate
from pose_rig.skeleton import MIRROR, J, Landmarks

BELIEVED, FEWEST_BELIEVED = 0.5, 0.2  # of a detection; share of the joints seen
MIRRORED_BY = 0.7  # the mirror image must lie so much nearer to what the rig made of a body


def followed(
    instant: PoseEstimate, samples: Sequence[Sample | None], marks: Sequence[Landmarks | None]
) -> tuple[Floats, Floats]:
    """Returns the person followed in every view, (V,J,2) px and scores (V,J), as the rig reads left and right."""
    views = len(samples)
    xy_px, score = np.zeros((views, J, 2)), np.zeros((views, J))
    for v, (sample, names) in enumerate(zip(samples, marks, strict=True)):
        person = int(instant.person_index[v])
        if sample is None or names is None or person < 0:
            continue
        xy_px[v], score[v] = names.to_joints(sample.xy_px[person], sample.score[person])
        if instant.mode == "solved" and not _borne_out(score[v] > 0, instant.inlier[v]):
            score[v] = 0.0
        if _mirrored(xy_px[v], score[v], instant.refined_px[v]):
            xy_px[v], score[v] = xy_px[v, list(MIRROR)], score[v, list(MIRROR)]
    return xy_px, score


def _borne_out(seen: NDArray[np.bool_], inlier: Floats) -> bool:
    """Whether a solved rig believes some of what a view detected (J,): else it saw another, or was bumped just now."""
    return not np.isfinite(inlier).all() or bool((inlier[seen] > BELIEVED).mean() >= FEWEST_BELIEVED)


def _mirrored(xy_px: Floats, score: Floats, refined_px: Floats) -> bool:
    """Whether left and right were exchanged in a detection (J,2), by what the rig made of it (J,2); NaN = nothing."""
    order = list(MIRROR)
    both = (score > 0) & (score[order] > 0)
    if not both.any() or not np.isfinite(refined_px).all():
        return False
    straight, exchanged = (np.linalg.norm(xy - refined_px, axis=-1)[both].mean() for xy in (xy_px, xy_px[order]))
    return bool(exchanged < MIRRORED_BY * straight)
