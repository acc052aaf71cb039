"""Who is in the views whose camera pose is unknown in a solved rig: cameras that were moved, or joined later.

Every detection in such a view and every person of known pose imply a camera pose. Those of right pairs agree over time
(as in `arrangement`); with the most frequent one, detections are assigned to people.

Axes: V views, C candidates, N people, K votes, J = 17 joints.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.keyframes import KEYFRAME_INTERVAL_NS
from pose_rig.fusion.people.arrangement import DEG_PER_HEIGHT, MAX_GROUP_DEG
from pose_rig.fusion.people.assignment import cheapest
from pose_rig.fusion.people.camera_votes import agreement, mean_pose
from pose_rig.fusion.people.single_views import SingleViews
from pose_rig.fusion.pose.hypothesis import UNASSIGNED
from pose_rig.geometry import angle_deg, nearest_rotation

MAX_VOTES = 150
MIN_STEPS = 8  # with a vote


@dataclass(frozen=True, slots=True)
class _Vote:
    step: int
    rotation: Floats  # (3,3) camera_from_rig
    translation: Floats  # (3,) body heights


class UnplacedViews:
    """Collects the votes of every view."""

    def __init__(self, views: int) -> None:
        self._votes: list[deque[_Vote]] = [deque(maxlen=MAX_VOTES) for _ in range(views)]
        self._pose: list[tuple[Floats, Floats] | None] = [None] * views
        self._steps = 0
        self._last_ns = -KEYFRAME_INTERVAL_NS

    def forget(self, placed: NDArray[np.bool_]) -> None:
        """Forgets the votes of views (V,) whose camera pose is known."""
        for view in np.flatnonzero(placed).tolist():
            self._votes[view].clear()
            self._pose[view] = None

    def assign(
        self, seen: SingleViews, free: NDArray[np.bool_], joints: Sequence[Floats], height_m: Sequence[float]
    ) -> NDArray[np.int64]:
        """Returns (N,V) the candidates of people, `UNASSIGNED` for none.

        Args:
            seen: The candidates.
            free: (C,) those in views whose camera pose is unknown.
            joints: (N) poses (J,3) m of the people, rig frame.
            height_m: (N) body heights.
        """
        found = np.full((len(joints), len(self._votes)), UNASSIGNED)
        learn = not 0 <= seen.t_ns - self._last_ns < KEYFRAME_INTERVAL_NS
        if learn:
            self._last_ns, self._steps = seen.t_ns, self._steps + 1
        for view in np.unique(seen.view[free]).tolist():
            rows = np.flatnonzero(free & (seen.view == view))
            rotation = np.array([[_rotation(person, seen.lifted[row]) for row in rows] for person in joints])
            place = np.array([person[0] / height for person, height in zip(joints, height_m, strict=True)])
            pelvis = seen.pelvis[rows]
            if learn:
                translation = pelvis[None] - np.einsum("ncij,nj->nci", rotation, place)
                pairs = zip(rotation.reshape(-1, 3, 3), translation.reshape(-1, 3), strict=True)
                self._votes[view].extend(_Vote(self._steps, *pair) for pair in pairs)
                self._pose[view] = _mode(self._votes[view])
            pose = self._pose[view]
            if pose is None:
                continue
            away = np.linalg.norm(pelvis[None] - (place @ pose[0].T + pose[1])[:, None], axis=-1)
            cost = angle_deg(rotation, pose[0]) + DEG_PER_HEIGHT * away
            chosen = cheapest(cost, np.full(len(joints), MAX_GROUP_DEG))
            found[:, view] = np.where(chosen == UNASSIGNED, UNASSIGNED, rows[chosen])
        return found


def _rotation(joints: Floats, lifted: Floats) -> Floats:
    """Returns camera_from_rig (3,3), which turns a pose (J,3) into a lift (J,3) in camera axes."""
    return nearest_rotation((lifted - lifted.mean(0)).T @ (joints - joints.mean(0)))


def _mode(votes: Sequence[_Vote]) -> tuple[Floats, Floats] | None:
    """Returns the most frequent camera pose, None with too few votes."""
    if len({vote.step for vote in votes}) < MIN_STEPS:
        return None
    rotation = np.array([vote.rotation for vote in votes])
    translation = np.array([vote.translation for vote in votes])
    near = agreement(rotation[:, None], translation[:, None], rotation, translation)
    return mean_pose(rotation, translation, near[int(np.argmax(near.sum(1)))])
