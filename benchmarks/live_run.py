"""Runs a rig with its real processes and passes on its status."""

import time
from collections.abc import Callable

from pose_rig.assets.catalog import detector_model
from pose_rig.config import CameraConfig, Config
from pose_rig.tools.arguments.camera_sources import needs_detector
from pose_rig.tools.terminal.run_loop import Run
from pose_rig.tools.terminal.status import RunStatus
from pose_rig.tools.workers.plan import plan

OnStatus = Callable[[int, RunStatus], None]


class StatusDisplay:
    """Passes the status of a rig to a function instead of a terminal.

    Args:
        on_status: Called with the monotonic time in ns and the status, after every message, at least 20 times a second.
    """

    def __init__(self, on_status: OnStatus) -> None:
        self._on_status = on_status

    def print(self, text: str) -> None:
        """Prints a line."""
        print(f"  {text}", flush=True)

    def update(self, status: RunStatus) -> None:
        """Passes on the status of a running rig."""
        if status.telemetry.start_ns:
            self._on_status(time.monotonic_ns(), status)


def run_live(config: Config, on_status: OnStatus) -> RunStatus:
    """Runs a rig until its files or its duration end, and returns the last status.

    Raises:
        PoseRigError: The rig failed.
    """
    model = detector_model(config.detector.model, print) if any(map(needs_detector, config.camera)) else ""
    run = Run(plan(config, str(model)), StatusDisplay(on_status))
    run.run()
    return run.status


def simulated_cameras(count: int) -> tuple[CameraConfig, ...]:
    """Returns the simulated cameras of one rig."""
    return tuple(CameraConfig(source="sim", name=f"sim{i}", member=i, members=count) for i in range(count))
