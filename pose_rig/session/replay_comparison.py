"""How far the poses of a replay are from those of the recording."""

from array import array
from collections.abc import Sequence
from statistics import median

import numpy as np

from pose_rig.skeleton import J
from pose_rig.wire.messages import Pose3D

FILTER_SETTLING_NS = 1_000_000_000  # a filter that starts over no longer depends on its start after this


class ReplayComparison:
    """Compares pose by pose."""

    def __init__(self) -> None:
        self._compared = self._same = self._other_mode = 0
        self._first_ns: int | None = None
        self._follows_from_ns: int | None = None
        self._distance_mm = array("d")  # largest of all joints, of poses that are not the same
        self._settled_mm = 0.0  # the largest of them once filters have settled

    def follows(self, t_ns: int) -> None:
        """Sets from when on the rig is the recorded one; the first call counts."""
        if self._follows_from_ns is None:
            self._follows_from_ns = t_ns

    def compare(self, recorded: Sequence[Pose3D], replayed: Sequence[Pose3D]) -> None:
        """Adds the poses of a time step, one for each person; none are replayed if none could be computed."""
        of_person = {pose.person: pose for pose in replayed}
        for pose in recorded:
            self._compare(pose, of_person.pop(pose.person, None))
        self._compared += len(of_person)
        self._other_mode += len(of_person)  # people who were not in the recording

    def _compare(self, recorded: Pose3D, pose: Pose3D | None) -> None:
        self._compared += 1
        self._first_ns = recorded.t_ns if self._first_ns is None else self._first_ns
        if pose is None or (pose.mode, pose.tracking) != (recorded.mode, recorded.tracking):
            self._other_mode += 1
        elif pose.xyz.tobytes() == recorded.xyz.tobytes():
            self._same += 1
        else:
            distance_mm = 1e3 * float(np.linalg.norm(pose.xyz[:J] - recorded.xyz[:J], axis=1).max())
            self._distance_mm.append(distance_mm)
            if recorded.t_ns - (self._follows_from_ns or 0) > FILTER_SETTLING_NS:
                self._settled_mm = max(self._settled_mm, distance_mm)

    def summary(self) -> list[str]:
        """Returns the result, for display."""
        lines, distance = [], self._distance_mm
        if self._follows_from_ns is not None and self._first_ns is not None:
            after_s = (self._follows_from_ns - self._first_ns) * 1e-9
            missing = f"messages are missing {after_s:.1f} s after the first pose"
            where = missing if after_s else "it begins in the middle of a run"
            lines.append(f"{where}: from there on the rig is the one that was recorded")
        if self._compared:
            lines.append(f"{self._same} of {self._compared} poses are those of the recording to the last bit")
        if distance:
            settled = f", {self._settled_mm:.2g} mm after the first second" if self._follows_from_ns is not None else ""
            lines.append(
                f"{len(distance)} differ by {median(distance):.2g} mm in the median, "
                f"{max(distance):.2g} mm at most{settled}"
            )
        if self._other_mode:
            lines.append(f"{self._other_mode} differ in mode or tracking")
        return lines
