"""How far the poses of a replay are from those of the recording."""

from array import array
from statistics import median

import numpy as np

from pose_rig.skeleton import J
from pose_rig.wire.messages import Pose3D

WARM_NS = 1_000_000_000  # filters that begin anew have forgotten so by then


class Likeness:
    """Compares pose by pose."""

    def __init__(self) -> None:
        self._compared = self._same = self._unlike = 0
        self._first_ns: int | None = None
        self._follows_ns: int | None = None
        self._apart_mm = array("d")  # largest distance of a joint in poses that are not the same
        self._warm_mm = 0.0  # the largest of them once filters are warm

    def follows(self, t_ns: int) -> None:
        """Takes note that from this instant on the rig is taken from the recording."""
        if self._follows_ns is None:
            self._follows_ns = t_ns

    def compare(self, before: Pose3D, pose: Pose3D | None) -> None:
        """Takes in a pose of the recording, and what became of it now."""
        self._compared += 1
        self._first_ns = before.t_ns if self._first_ns is None else self._first_ns
        if pose is None or (pose.mode, pose.tracking) != (before.mode, before.tracking):
            self._unlike += 1
        elif pose.xyz.tobytes() == before.xyz.tobytes():
            self._same += 1
        else:
            apart_mm = 1e3 * float(np.linalg.norm(pose.xyz[:J] - before.xyz[:J], axis=1).max())
            self._apart_mm.append(apart_mm)
            if before.t_ns - (self._follows_ns or 0) > WARM_NS:
                self._warm_mm = max(self._warm_mm, apart_mm)

    def verdict(self) -> list[str]:
        """Returns what there is to say of it."""
        said, apart = [], self._apart_mm
        if self._follows_ns is not None and self._first_ns is not None:
            at_s = (self._follows_ns - self._first_ns) * 1e-9
            missing = f"messages are missing {at_s:.1f} s after the first pose"
            where = missing if at_s else "it begins in the middle of a run"
            said.append(f"{where}: from there on the rig is the one that was recorded")
        if self._compared:
            said.append(f"{self._same} of {self._compared} poses are those of the recording to the last bit")
        if apart:
            warm = f", {self._warm_mm:.2g} mm after the first second" if self._follows_ns is not None else ""
            said.append(
                f"{len(apart)} differ by {median(apart):.2g} mm in the median, {max(apart):.2g} mm at most{warm}"
            )
        if self._unlike:
            said.append(f"{self._unlike} are in another mode, or with nobody")
        return said
