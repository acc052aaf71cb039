"""Detections of the landmarks of COCO: no feet and hands, ears and eyes instead of the middle of the head.

Axes: V views, T frames, N people, P detections, J = 17 joints, K = 17 landmarks.
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.simulation.cameras import Cameras
from pose_rig.simulation.noise import random_events
from pose_rig.skeleton import INDEX, SCHEMAS

EAR_M = 0.075  # from the middle of the head
FAR_EAR_M = 0.05  # an ear that is farther than the other by this much is hidden
FAR_MISSED_SHARE, FAR_SCORE = 0.6, 0.5  # of hidden ears and eyes, and the factor of the score of the others
_NAMES = SCHEMAS["coco17"]
_UP = np.array([0.0, 1.0, 0.0])


def coco_landmarks(
    xy_px: Floats,
    score: Floats,
    person: NDArray[np.int64],
    joints: Floats,
    cameras: Cameras,
    fps: float,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Returns landmarks (V,T,P,K,2) px and scores (V,T,P,K) of detections.

    Args:
        xy_px: (V,T,P,J,2).
        score: (V,T,P,J).
        person: (V,T,P) which person they show, −1 for none: the ears are then one point.
        joints: (T,N,J,3) m, the people.
        cameras: (V,).
        fps: Frames per second.
        rng: Random generator.
    """
    out, found = np.zeros((*score.shape[:3], len(_NAMES), 2)), np.zeros((*score.shape[:3], len(_NAMES)))
    for k, name in enumerate(_NAMES):
        side, _, part = name.rpartition("_")
        joint = f"{side[:1]}_{part}" if side else part
        if joint in INDEX:
            out[..., k, :], found[..., k] = xy_px[..., INDEX[joint], :], score[..., INDEX[joint]]
    offset_px, hidden = _ears(joints, cameras)
    rows = np.maximum(person, 0)[..., None]
    hidden_missed = random_events(np.full(2, FAR_MISSED_SHARE), (*score.shape[:2], 2), fps, rng)
    for e, side in enumerate(("left", "right")):
        own = np.take_along_axis(offset_px[..., e, :], rows, 2) * (person >= 0)[..., None]
        far = np.take_along_axis(hidden[..., e], rows[..., 0], 2) & (person >= 0)
        missed = far & hidden_missed[:, :, None, e]
        ear, eye = _NAMES.index(f"{side}_ear"), _NAMES.index(f"{side}_eye")
        seen = score[..., INDEX["head"]] * np.where(far, FAR_SCORE, 1.0) * ~missed
        out[..., ear, :], found[..., ear] = xy_px[..., INDEX["head"], :] + own, seen
        nose = xy_px[..., INDEX["nose"], :]
        out[..., eye, :] = nose + 0.4 * (out[..., ear, :] - nose)
        found[..., eye] = np.minimum(seen, score[..., INDEX["nose"]])
    return np.where(found[..., None] > 0, out, 0.0), found


def _ears(joints: Floats, cameras: Cameras) -> tuple[Floats, NDArray[np.bool_]]:
    """Returns (V,T,N,2,2) px from the middle of the head to the ears, left first, and (V,T,N,2) which are hidden."""
    head = joints[:, :, INDEX["head"]]
    forward = (joints[:, :, INDEX["nose"]] - head) * [1.0, 0.0, 1.0]
    left = np.cross(_UP, forward)
    left = EAR_M * left / np.maximum(np.linalg.norm(left, axis=-1, keepdims=True), 1e-9)
    points = np.stack([head, head + left, head - left], 2)
    px, local = cameras.each(lambda values: values[:, None, None]).project(points[None])
    depth = local[..., 1:, 2]
    return px[..., 1:, :] - px[..., :1, :], depth - depth[..., ::-1] > FAR_EAR_M
