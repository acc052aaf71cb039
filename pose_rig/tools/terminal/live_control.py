"""What the user asks of a live run, by keys or on the live page: recordings, markers, changes of the rig, its end."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Self

from pose_rig.tools.terminal.markers import MarkerSender
from pose_rig.tools.workers.plan import Plan, recorder_worker
from pose_rig.tools.workers.supervisor import Supervisor
from pose_rig.wire.bus import Sender
from pose_rig.wire.messages import Command, CommandName
from pose_rig.wire.services import RECORDER

LINGER_MS = 500
NOT_LIVE = "That needs a live run: recordings are computed as they were made."
NO_RECORDING = "Nothing is recorded: markers need --record take.mcap, or a recording begun on the live page."
DONE: dict[CommandName, str] = {
    "floor": "The origin is set on the floor below the person.",
    "height": "The body height is set to {} m.",
    "re-solve": "The cameras are estimated from scratch.",
    "stop": "Stopped on the live page.",
}
HEIGHT_OF = "The body height of person {} is set to {} m."


class LiveControl:
    """Carries out commands, one after the other.

    Args:
        plan: The run.
        supervisor: Runs its workers.
        markers: Sends markers to the recorder.
        stop: Ends the run.
    """

    def __init__(self, plan: Plan, supervisor: Supervisor, markers: MarkerSender, stop: Callable[[], None]) -> None:
        self._plan, self._supervisor, self._markers, self._stop = plan, supervisor, markers, stop
        self._fusion = Sender(plan.commands, keys=plan.keys) if plan.commands else None

    @property
    def recording(self) -> bool:
        """Whether the run is being recorded."""
        state = self._supervisor.states.get(RECORDER)
        return state is not None and not state.ended

    def run(self, command: Command, t_ns: int, elapsed_s: float) -> str:
        """Carries out a command; returns a message for the user.

        Args:
            command: From the live page.
            t_ns: Time of the rig clock.
            elapsed_s: Time since the start of the run.
        """
        if command.name == "marker":
            return self.mark(t_ns, elapsed_s)
        if command.name == "stop":
            self._stop()
        elif self._fusion is None:
            return NOT_LIVE
        elif command.name == "record":
            return self._record(command, self._fusion)
        elif command.name == "stop-recording":
            return self._stop_recording(command, self._fusion)
        else:
            self._fusion.send(command)
        if command.name == "height" and self._plan.config.people > 1:
            return HEIGHT_OF.format(command.person + 1, command.value[:8])
        return DONE[command.name].format(command.value[:8])

    def mark(self, t_ns: int, elapsed_s: float) -> str:
        """Sets a marker in the recording; returns a message for the user."""
        return self._markers.send(t_ns, elapsed_s) if self.recording else NO_RECORDING

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._fusion is not None:
            self._fusion.close(linger_ms=LINGER_MS)

    def _record(self, command: Command, fusion: Sender) -> str:
        job = self._plan.recording
        if job is None or self.recording:
            return "A recording is running already." if job else NOT_LIVE
        folder = Path(self._plan.config.record).parent
        path = str(folder / f"take-{datetime.now():%Y-%m-%d-%H%M%S}.mcap")
        job = replace(job, path=path, from_ns=time.monotonic_ns())
        self._supervisor.add(recorder_worker(self._plan.config, job))
        fusion.send(command)
        return f"Recording to {path}."

    def _stop_recording(self, command: Command, fusion: Sender) -> str:
        if not self.recording:
            return "Nothing is recorded."
        fusion.send(command)
        return "The recording ends."
