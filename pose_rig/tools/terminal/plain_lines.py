"""What a run prints where there is no terminal to draw in, or with ``--headless``."""

import time
from types import TracebackType
from typing import Self

from pose_rig.tools.terminal.console import Console
from pose_rig.tools.terminal.status import CameraStatus, RunStatus
from pose_rig.wire.services import FUSION

SAY_EVERY_S = 5.0


class PlainLines:
    """Prints what happens, and how far the rig is every five seconds.

    Args:
        console: Where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def print(self, text: str) -> None:
        """Prints a line."""
        self._console.print(text)

    def update(self, status: RunStatus) -> None:
        """Prints the state if it is time to."""
        if time.monotonic() - self._said >= SAY_EVERY_S:
            self._said = time.monotonic()
            self.print(line(status))


def line(status: RunStatus) -> str:
    """Returns the state of the rig in one line."""
    if not status.telemetry.start_ns:
        fusion = status.telemetry.workers.get(FUSION)
        states = [f"{row.name} {row.state}" for row in status.cameras()]
        return "Starting: " + ", ".join([*states, f"fusion {fusion.health.state if fusion else 'starting'}"])
    pose = status.telemetry.pose
    done, total = status.progress()
    facts = [f"{status.elapsed_s():.0f} s", f"{status.telemetry.poses} poses"]
    if pose:
        facts.append(pose.mode if pose.tracking else f"{pose.mode}, nobody seen")
    if status.config.pace == "all" and total:
        facts.append(f"{done} of {total} frames")
    else:
        facts += [_camera(row) for row in status.cameras()]
    if recording := status.recording():
        facts.append(recording)
    if sending := status.sending():
        facts.append(sending)
    if advice := status.advice():
        facts.append(advice)
    return " | ".join(facts)


def _camera(row: CameraStatus) -> str:
    if row.state not in ("ready", "running"):
        return f"{row.name} {row.state}"
    return f"{row.name} {row.rate_hz:.0f} fps" if row.arrived else f"{row.name} no frames yet"
