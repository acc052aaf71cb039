"""The clocks of live cameras, followed: what a comparison in the background has found is used for samples and rig.

Axes: V views.
"""

from collections.abc import Sequence

import numpy as np

from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.live_clocks import LiveClocks
from pose_rig.fusion.rig.camera_properties import CameraProperties
from pose_rig.fusion.rig.rig import Rig
from pose_rig.fusion.synchronisation.camera_clocks import CameraClocks
from pose_rig.fusion.synchronisation.live_comparison import Comparison

LATE = "arrives {:.0f} ms too late for the pose: only the calibration uses it (a larger --max-delay waits for it)"


class FollowedClocks:
    """Follows the clocks of the cameras of one rig.

    Args:
        rig: Learns from the samples.
        live: Compares the clocks.
        views: How many cameras there are.
    """

    def __init__(self, rig: Rig, live: LiveClocks, views: int) -> None:
        self._rig, self._live = rig, live
        self._late_age_ns: Sequence[float] = [0.0] * views

    def follow(
        self, t_ns: int, cameras: CameraInputs, properties: CameraProperties, clocks: CameraClocks
    ) -> tuple[CameraClocks, bool]:
        """Returns the clocks from a time step on, and whether the rig is to learn from the samples so far again.

        Args:
            t_ns: The time step.
            cameras: Get the clocks, for the samples so far, too.
            properties: Of the cameras.
            clocks: Those until now.
        """
        self._late_age_ns, learns_again = cameras.late_age_ns, False
        if self._rig.poses.recorded is None:
            self._live.collect(cameras.buffers)
            found = self._live.take(self._rig.calibrator.changes)
            if found is not None:
                clocks, learns_again = self._used(found, cameras, clocks)
            self._compare(t_ns, properties, clocks)
        for view, clock in enumerate(clocks.by_camera):
            if cameras.clocks[view] != clock:
                cameras.set_clock(view, clock)
        return clocks, learns_again

    def note(self, view: int) -> str:
        """Returns that a camera is late, for display; empty if it is not."""
        age_ns = self._late_age_ns[view]
        return LATE.format(round(age_ns * 1e-6, -1)) if age_ns else ""

    def _used(self, found: Comparison, cameras: CameraInputs, before: CameraClocks) -> tuple[CameraClocks, bool]:
        """Returns the clocks after a comparison, and whether the rig is to learn again."""
        changed, sd_s = found.offset_s != before.offset_s, self._live.sd_s
        own = (np.arange(len(sd_s)) == 0) & (found.offset_s == 0)  # the first camera has the clock of the rig
        clocks = CameraClocks(found.offset_s, np.where(own, 0.0, sd_s))
        if not changed.any():
            return clocks, False
        if found.step is not None:
            view = found.step.view
            cameras.set_clock(view, clocks.by_camera[view], found.step.from_ns)
        return clocks, self._rig.use_clocks(found, changed)

    def _compare(self, t_ns: int, properties: CameraProperties, clocks: CameraClocks) -> None:
        """Starts the next comparison if one is due; cameras whose clock is to be checked do not count as moved."""
        rig, inconsistent_s = self._rig, self._rig.inconsistent_s
        rig.moved.unchecked = self._live.unchecked(t_ns, inconsistent_s)
        if not self._live.busy:
            task = rig.solve_task() if rig.poses.mode == "solved" else None
            self._live.start(t_ns, clocks.offset_s, inconsistent_s, properties, task, rig.calibrator.changes)
