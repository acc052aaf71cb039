"""Messages as arrays.

Axes: T samples, P people, K landmarks, J joints.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import SessionError
from pose_rig.session.formats.people import of_each
from pose_rig.session.formats.poses import Poses, span
from pose_rig.skeleton import J, joint_names, landmarks
from pose_rig.wire.messages import Keypoints2D, Pose3D, Refined2D

MAX_PADDING = 64  # size of an array per value in it, if one frame has far more people or joints than the others
MAX_UNCHECKED = 1 << 22  # values; smaller arrays may have any padding


@dataclass(frozen=True, slots=True, eq=False)
class CameraKeypoints:
    """The detections of one camera.

    Attributes:
        camera: Its name.
        t_ns: (T,) int64, capture timestamps, rig clock.
        index: (T,) int64, frame numbers; gaps are dropped frames.
        size_px: Image (width, height).
        schema: Landmark set as in the messages: ``mediapipe33``, or names joined by commas.
        landmarks: (K) names.
        xy: (T,P,K,2) float32 px, x right, y down; NaN = not visible. P = largest number of people in a frame.
        score: (T,P,K) float32 0–1, 0 = not visible.
        depth: (T,P,K) float32 px as in `pose_rig.wire.messages.Keypoints2D`; NaN = unknown.
    """

    camera: str
    t_ns: NDArray[np.int64]
    index: NDArray[np.int64]
    size_px: tuple[int, int]
    schema: str
    landmarks: tuple[str, ...]
    xy: NDArray[np.float32]
    score: NDArray[np.float32]
    depth: NDArray[np.float32]

    def __repr__(self) -> str:
        width, height = self.size_px
        people = self.xy.shape[1]
        content = f"{len(self.landmarks)} landmarks, at most {people} {'person' if people == 1 else 'people'} at once"
        return f"CameraKeypoints({self.camera!r}: {span(self.t_ns, 'frames')}, {width}×{height} px, {content})"


@dataclass(frozen=True, slots=True, eq=False)
class CameraRefined:
    """The 2D poses of one person in one camera after fusion with the other views.

    Attributes:
        t_ns: (T,) int64, rig clock.
        xy: (T,17,2) float32 px.
        inlier: (T,17) float32 0–1, probability that the detection is an inlier.
        person: Identity, 0 for the first person of a run.
    """

    t_ns: NDArray[np.int64]
    xy: NDArray[np.float32]
    inlier: NDArray[np.float32]
    person: int = 0

    def __repr__(self) -> str:
        whose = f"person {self.person}: " if self.person else ""
        return f"CameraRefined({whose}{span(self.t_ns)}, {J} joints)"


def keypoint_arrays(camera: str, messages: Iterable[Keypoints2D]) -> CameraKeypoints:
    """Returns the keypoints of a camera; frames with another landmark set or size than the first are left out.

    Raises:
        SessionError: There are none.
    """
    rows = list(messages)
    if not rows:
        raise SessionError(f"Camera {camera!r} has no frame in this part of the session.", "Choose another part.")
    first = rows[0]
    rows = [row for row in rows if (row.landmarks, row.size_px) == (first.landmarks, first.size_px)]
    names = landmarks(first.landmarks).names
    people = max(len(row.xy) for row in rows)
    _check_padding(f"frames of {camera!r}", len(rows) * people, [len(row.xy) for row in rows])
    xy = np.full((len(rows), people, len(names), 2), np.nan, np.float32)
    score = np.zeros((len(rows), people, len(names)), np.float32)
    depth = np.full_like(score, np.nan)
    for t, row in enumerate(rows):
        count = len(row.xy)
        xy[t, :count] = np.where(row.score[..., None] > 0, row.xy, np.nan)
        score[t, :count] = row.score
        if row.depth.size:
            depth[t, :count] = np.where(row.score > 0, row.depth, np.nan)
    return CameraKeypoints(
        camera=camera,
        t_ns=np.array([row.t_ns for row in rows], np.int64),
        index=np.array([row.index for row in rows], np.int64),
        size_px=first.size_px,
        schema=first.landmarks,
        landmarks=names,
        xy=xy,
        score=score,
        depth=depth,
    )


def _check_padding(what: str, size: int, counts: Sequence[int]) -> None:
    """Raises `SessionError` if an array would be padding almost everywhere, and far larger than the session."""
    if size > MAX_UNCHECKED and size > MAX_PADDING * sum(counts):
        raise SessionError(
            f"One of the {what} has {max(counts)} entries, and most have hardly any.",
            "Read this part message by message, or choose another.",
        )


def refined_arrays(messages: Iterable[Refined2D]) -> list[CameraRefined]:
    """Returns the refined 2D poses of each person in a camera, in ascending order of identity."""
    rows_of = defaultdict[int, list[Refined2D]](list)
    for message in messages:
        rows_of[message.person].append(message)
    return [refined_of(person, rows_of[person]) for person in sorted(rows_of)]


def refined_of(person: int, rows: Sequence[Refined2D] = ()) -> CameraRefined:
    """Returns the refined 2D poses of a person in a camera, by default none."""
    return CameraRefined(
        t_ns=np.array([row.t_ns for row in rows], np.int64),
        xy=np.array([row.xy for row in rows], np.float32).reshape(-1, J, 2),
        inlier=np.array([row.inlier for row in rows], np.float32).reshape(-1, J),
        person=person,
    )


def neighbours(t_ns: NDArray[np.int64], query_ns: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns (W,) the rows of ``t_ns`` (T,) before, and (W,) at or after ``query_ns`` (W,); T ≥ 1, increasing.

    Beyond the ends it is the first or last row.
    """
    after = np.clip(np.searchsorted(t_ns, query_ns), 0, len(t_ns) - 1)
    return np.maximum(after - 1, 0), after


def pose_arrays(messages: Iterable[Pose3D]) -> list[Poses]:
    """Returns the poses of each person, in ascending order of identity; joints that a message lacks are NaN.

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
    _check_padding("poses", len(rows) * len(joints), [len(row.xyz) for row in rows])
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
    heights: dict[int, Pose3D] = {}  # by person, of their first message with the most joints
    for row in rows:
        if row.person not in heights or len(row.xyz) > len(heights[row.person].xyz):
            heights[row.person] = row
    return [
        replace(one, height_m=heights[one.person].height_m, height_assumed=heights[one.person].height_assumed)
        for one in of_each(poses, np.array([row.person for row in rows]))
    ]
