"""Runs a rig with its real processes and looks on."""

import time
from collections.abc import Callable

from pose_rig.assets.catalog import detector_model
from pose_rig.config import Config
from pose_rig.tools.arguments.camera_sources import needs_detector
from pose_rig.tools.terminal.run_loop import Run
from pose_rig.tools.terminal.status import RunStatus
from pose_rig.tools.workers.plan import plan

LookOn = Callable[[int, RunStatus], None]


class Watcher:
    """Shows a rig to a function instead of to a terminal.

    Args:
        look_on: Is called whenever the rig has said something, 20 times a second at least, with the monotonic clock in
            ns and the rig as it is.
    """

    def __init__(self, look_on: LookOn) -> None:
        self._look_on = look_on

    def print(self, text: str) -> None:
        """Prints what happened."""
        print(f"  {text}", flush=True)

    def update(self, status: RunStatus) -> None:
        """Passes on the rig once it runs."""
        if status.telemetry.start_ns:
            self._look_on(time.monotonic_ns(), status)


def watch(config: Config, look_on: LookOn) -> RunStatus:
    """Runs a rig until its files or its time end, and returns it as it was.

    Raises:
        PoseRigError: It cannot run, or failed.
    """
    model = detector_model(config.detector.model, print) if any(map(needs_detector, config.camera)) else ""
    run = Run(plan(config, str(model)), Watcher(look_on))
    run.run()
    return run.status
