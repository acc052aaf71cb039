"""Rows of messages → arrays.

Axes: T samples, P people, K landmarks, J joints.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import SessionError
from pose_rig.session.formats.poses import Poses, span
from pose_rig.skeleton import J, joint_names, landmarks
from pose_rig.wire.messages import Keypoints2D, Pose3D, Refined2D

MOST_EMPTY = 64  # times as many places as there are values, should one frame have far more of them than the others
FEW = 1 << 22  # values, however empty they are


@dataclass(frozen=True, slots=True, eq=False)
class CameraKeypoints:
    """What the detector of one camera saw.

    Attributes:
        camera: Its name.
        t_ns: (T,) int64, capture instants, rig clock.
        index: (T,) int64, frame numbers; gaps are dropped frames.
        size_px: Image (width, height).
        schema: Landmark set as it travelled: ``mediapipe33``, or names joined by commas.
        landmarks: (K) names.
        xy: (T,P,K,2) float32 px, x right, y down; NaN = not seen. P = most people seen at once.
        score: (T,P,K) float32 0–1, 0 = not seen.
    """

    camera: str
    t_ns: NDArray[np.int64]
    index: NDArray[np.int64]
    size_px: tuple[int, int]
    schema: str
    landmarks: tuple[str, ...]
    xy: NDArray[np.float32]
    score: NDArray[np.float32]

    def __repr__(self) -> str:
        width, height = self.size_px
        people = self.xy.shape[1]
        seen = f"{len(self.landmarks)} landmarks, at most {people} {'person' if people == 1 else 'people'} at once"
        return f"CameraKeypoints({self.camera!r}: {span(self.t_ns, 'frames')}, {width}×{height} px, {seen})"


@dataclass(frozen=True, slots=True, eq=False)
class CameraRefined:
    """One camera's 2D pose after the other views have had their say.

    Attributes:
        t_ns: (T,) int64, instants, rig clock.
        xy: (T,17,2) float32 px.
        inlier: (T,17) float32 0–1, probability that the detector was right.
    """

    t_ns: NDArray[np.int64]
    xy: NDArray[np.float32]
    inlier: NDArray[np.float32]

    def __repr__(self) -> str:
        return f"CameraRefined({span(self.t_ns)}, {J} joints)"


def keypoint_arrays(camera: str, messages: Iterable[Keypoints2D]) -> CameraKeypoints:
    """Returns the keypoints of a camera; frames of another landmark set or size than the first ones are left out.

    Raises:
        SessionError: There are none.
    """
    rows = list(messages)
    if not rows:
        raise SessionError(f"Camera {camera!r} saw no frame in this part of the session.", "Choose another part.")
    first = rows[0]
    rows = [row for row in rows if (row.landmarks, row.size_px) == (first.landmarks, first.size_px)]
    names = landmarks(first.landmarks).names
    people = max(len(row.xy) for row in rows)
    _check_filled(f"frames of {camera!r}", len(rows) * people, [len(row.xy) for row in rows])
    xy = np.full((len(rows), people, len(names), 2), np.nan, np.float32)
    score = np.zeros((len(rows), people, len(names)), np.float32)
    for t, row in enumerate(rows):
        count = len(row.xy)
        xy[t, :count] = np.where(row.score[..., None] > 0, row.xy, np.nan)
        score[t, :count] = row.score
    return CameraKeypoints(
        camera=camera,
        t_ns=np.array([row.t_ns for row in rows], np.int64),
        index=np.array([row.index for row in rows], np.int64),
        size_px=first.size_px,
        schema=first.landmarks,
        landmarks=names,
        xy=xy,
        score=score,
    )


def _check_filled(what: str, places: int, counts: Sequence[int]) -> None:
    """Raises `SessionError` if arrays would be empty almost everywhere, and so larger than the session by far."""
    if places > FEW and places > MOST_EMPTY * sum(counts):
        raise SessionError(
            f"One of the {what} holds {max(counts)} entries, and most hold hardly any.",
            "Read this part message by message, or choose another.",
        )


def refined_arrays(messages: Iterable[Refined2D]) -> CameraRefined:
    """Returns the refined 2D poses of a camera."""
    rows = list(messages)
    return CameraRefined(
        t_ns=np.array([row.t_ns for row in rows], np.int64),
        xy=np.array([row.xy for row in rows], np.float32).reshape(-1, J, 2),
        inlier=np.array([row.inlier for row in rows], np.float32).reshape(-1, J),
    )


def neighbours(t_ns: NDArray[np.int64], wanted_ns: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns (W,) the rows before and at or after wanted instants; the first or last row beyond the ends.

    Args:
        t_ns: (T,) increasing, T ≥ 1.
        wanted_ns: (W,).
    """
    after = np.clip(np.searchsorted(t_ns, wanted_ns), 0, len(t_ns) - 1)
    return np.maximum(after - 1, 0), after


def pose_arrays(messages: Iterable[Pose3D]) -> Poses:
    """Returns the poses; joints that only some of them have are NaN in the others.

    Raises:
        SessionError: There are none.
    """
    rows = list(messages)
    if not rows:
        raise SessionError(
            "The session has no poses in this part.", "`pose-rig replay` makes them, and --record keeps them."
        )
    largest = max(rows, key=lambda row: len(row.xyz))
    joints = joint_names(largest.joints)
    _check_filled("poses", len(rows) * len(joints), [len(row.xyz) for row in rows])
    poses = Poses(
        t_ns=np.array([row.t_ns for row in rows], np.int64),
        joints=joints,
        xyz=np.full((len(rows), len(joints), 3), np.nan, np.float32),
        score=np.zeros((len(rows), len(joints)), np.float32),
        covariance_m2=np.full((len(rows), len(joints), 3, 3), np.nan, np.float32),
        residual_px=np.zeros((len(rows), len(joints)), np.float32),
        mode=np.array([row.mode for row in rows]),
        age_ns=np.array([row.age_ns for row in rows], np.int64),
        height_m=largest.height_m,
        height_assumed=largest.height_assumed,
    )
    for t, row in enumerate(rows):
        count = len(row.xyz)
        if row.tracking:
            poses.xyz[t, :count] = row.xyz
            poses.score[t, :count] = row.score
        poses.residual_px[t, :count] = row.residual_px
        if row.covariance_m2.size:
            poses.covariance_m2[t, :count] = row.covariance_m2
    return poses
