"""Body segments: lengths of an average person, and how they follow from the joints.

Axes: P points (joints that detectors measure directly), S segments, L segment lengths, J = 17 joints.
"""

from statistics import median

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.skeleton import INDEX, LIMBS, J

POINTS = (*LIMBS, INDEX["nose"], INDEX["head"])
# length: (share of body height, relative sd between people, sd in m while a person moves, segments);
# shares after Drillis and Contini (1966), moved to where detectors place hips and heads; segments from → to, thorax =
# middle of the shoulders. Detected hips move within the body, and a trunk bends.
_LENGTHS = (
    (0.112, 0.16, 0.015, ("l_hip r_hip",)),
    (0.238, 0.08, 0.020, ("l_hip l_knee", "r_hip r_knee")),
    (0.226, 0.08, 0.015, ("l_knee l_ankle", "r_knee r_ankle")),
    (0.206, 0.11, 0.020, ("l_shoulder r_shoulder",)),
    (0.168, 0.08, 0.015, ("l_shoulder l_elbow", "r_shoulder r_elbow")),
    (0.148, 0.08, 0.015, ("l_elbow l_wrist", "r_elbow r_wrist")),
    (0.304, 0.08, 0.040, ("l_hip l_shoulder", "r_hip r_shoulder")),
    (0.118, 0.14, 0.030, ("thorax head",)),
    (0.060, 0.35, 0.015, ("head nose",)),
)
LENGTH_PER_HEIGHT = np.array([share for share, *_ in _LENGTHS])
RELATIVE_LENGTH_SD = np.array([sd for _, sd, *_ in _LENGTHS])
L = len(_LENGTHS)
# (L,) of the lengths, what adds up to the height of the ears above the ankles of a person who stands straight: thigh,
# shank, trunk (which slants from the hips to the wider shoulders) and neck.
STANDING = np.array([0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.988, 1.0, 0.0])
LENGTH_INDEX = np.array([i for i, (*_, segments) in enumerate(_LENGTHS) for _ in segments])
SEGMENT_SD_M = np.array([sd for _, _, sd, segments in _LENGTHS for _ in segments])
MAX_STRETCH = 2.0  # of a lifted segment, in addition to the size of the body
ROBUST_SCALE_SD = 4.0  # Geman–McClure scale: a joint that two views detect alike at a wrong place


def _segment(text: str) -> Floats:
    row = np.zeros(len(POINTS))
    for sign, name in zip((-1.0, 1.0), text.split(), strict=True):
        parts = ("l_shoulder", "r_shoulder") if name == "thorax" else (name,)
        for part in parts:
            row[POINTS.index(INDEX[part])] += sign / len(parts)
    return row


def _joints_from_points() -> Floats:
    """Returns (J,P): pelvis, thorax and spine are midpoints."""
    out = np.zeros((J, len(POINTS)))
    out[list(POINTS), np.arange(len(POINTS))] = 1.0
    for middle, side in (("pelvis", "hip"), ("thorax", "shoulder")):
        out[INDEX[middle]] = 0.5 * (out[INDEX[f"l_{side}"]] + out[INDEX[f"r_{side}"]])
    out[INDEX["spine"]] = 0.5 * (out[INDEX["pelvis"]] + out[INDEX["thorax"]])
    return out


SEGMENTS = np.stack([_segment(text) for *_, segments in _LENGTHS for text in segments])  # (S,P)
POINTS_FROM_SEGMENTS = np.linalg.pinv(SEGMENTS)  # (P,S) least squares, about the middle of the points
JACOBIAN_BY_LENGTH = np.zeros((len(SEGMENTS), L))  # of the residuals of `segment_residuals`
JACOBIAN_BY_LENGTH[np.arange(len(SEGMENTS)), LENGTH_INDEX] = -1 / SEGMENT_SD_M
JOINTS_FROM_POINTS = _joints_from_points()


def joints_from_points(points: Floats) -> Floats:
    """Returns (N,J,3) poses from their points (N,P,3)."""
    return np.asarray(JOINTS_FROM_POINTS @ points)


def with_segment_lengths(points: Floats, length: Floats) -> Floats:
    """Returns (P,3) m about their middle the points (P,3), of any size, with their segments of the lengths (L,) m.

    Segments keep their directions; between the sides of the trunk, which cannot both, the error is least squares. None
    is stretched or shortened by more than `MAX_STRETCH`, for one that points at the camera may have almost no length.
    """
    vector = SEGMENTS @ points
    ratio = length[LENGTH_INDEX] / np.maximum(np.linalg.norm(vector, axis=-1), 1e-6)
    size = median(ratio.tolist())
    ratio = np.clip(ratio, size / MAX_STRETCH, size * MAX_STRETCH)
    return np.asarray(POINTS_FROM_SEGMENTS @ (vector * ratio[:, None]))


def segment_lengths(points: Floats) -> Floats:
    """Returns (L,) m the median segment lengths of one person's points (N,P,3), the mean of both sides."""
    segments = np.median(np.linalg.norm(SEGMENTS @ points, axis=-1), axis=0)
    return np.array([segments[i == LENGTH_INDEX].mean() for i in range(L)])


def body_height(length: Floats) -> float:
    """Returns the body height, m, that segment lengths (L,) imply."""
    return float(median((length / LENGTH_PER_HEIGHT).tolist()))


def segment_residuals(points: Floats, length: Floats) -> tuple[Floats, Floats, Floats]:
    """Returns Jacobian (N,S,P·3), residuals in sd (N,S) and robust weights (N,S) of points (N,P,3), lengths (…,L)."""
    vector = SEGMENTS @ points
    norm = np.maximum(np.linalg.norm(vector, axis=-1), 1e-6)
    direction = vector / (norm * SEGMENT_SD_M)[..., None]  # (N,S,3)
    jacobian = (SEGMENTS[None, :, :, None] * direction[:, :, None]).reshape(len(vector), len(SEGMENTS), -1)
    residual = (length[..., LENGTH_INDEX] - norm) / SEGMENT_SD_M
    return jacobian, residual, (ROBUST_SCALE_SD**2 / (ROBUST_SCALE_SD**2 + residual**2)) ** 2


def segment_cost(points: Floats, length: Floats) -> float:
    """Returns the sum of squared residuals of `segment_residuals` in sd under the Geman–McClure loss."""
    return float(segment_costs(points, length).sum())


def segment_costs(points: Floats, length: Floats) -> Floats:
    """Returns (N,S) squared residuals of `segment_residuals` in sd under the Geman–McClure loss."""
    norm = np.linalg.norm(SEGMENTS @ points, axis=-1)
    square = ((norm - length[..., LENGTH_INDEX]) / SEGMENT_SD_M) ** 2
    return np.asarray(ROBUST_SCALE_SD**2 * square / (ROBUST_SCALE_SD**2 + square))
