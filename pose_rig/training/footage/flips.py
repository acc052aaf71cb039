"""Footage as a mirror would show it: left and right exchanged, which doubles what there is to learn from."""

from dataclasses import replace

import numpy as np

from pose_rig.skeleton import MIRROR
from pose_rig.training.footage.footage import Footage, GroundTruth, Single

_JOINTS = list(MIRROR)
_SIGN = np.array([-1, 1, 1], np.float32)


def flip(footage: Footage) -> Footage:
    """Returns the footage mirrored at the vertical line through the middle of each picture.

    With F = diag(−1, 1, 1), a joint x in the axes of a camera becomes F x and changes sides, and a rotation R =
    camera_from_rig becomes F R F, which is a rotation again: that of a rig mirrored in its own x.
    """
    truth = footage.truth
    if truth is not None:
        truth = GroundTruth(truth.joints[..., _JOINTS, :] * _SIGN, _flipped(truth.xy_px, footage.size_px))
    return replace(
        footage,
        xy_px=_flipped(footage.xy_px, footage.size_px),
        score=footage.score[..., _JOINTS],
        rotation=None if footage.rotation is None else footage.rotation * (_SIGN[:, None] * _SIGN),
        truth=truth,
    )


def _flipped(xy_px: Single, size_px: Single) -> Single:
    """Returns (T,V,J,2) px with x counted from the right edge, left and right joints exchanged."""
    out = xy_px[..., _JOINTS, :].copy()
    out[..., 0] = size_px[:, None, 0] - out[..., 0]
    return out
