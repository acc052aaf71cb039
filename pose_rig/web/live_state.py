"""What is known of a run: the newest reports of its workers and of its rig, and what has just happened."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pose_rig.config import ASSUMED_HEIGHT_M, PHONE, Config
from pose_rig.web.page_json import rig_message, text, worker_fields
from pose_rig.wire.messages import NO_PERSON, STEP_BACK, CameraState, Health, Message, Mode, Pose3D, RigState
from pose_rig.wire.services import RECORDER, REPORT_STALE_S

MAX_EVENTS = 32  # that wait to be sent
SOLVED_TEXT = "The cameras are found: move freely."
STARTING_TEXT = "The rig is starting."
SCAN_TEXT = "Scan the code in the terminal with a phone: it becomes a camera."
STEP_BACK_TEXT = "Step back until your whole body is seen."
NO_PERSON_TEXT = "No camera detects a person: step into the images."
SOLVING_TEXT = "The rig is being solved: walk about and turn around."
# of files and replays: advice would come too late
RECORDED_TEXTS = {
    SOLVED_TEXT: "The cameras are found.",
    SOLVING_TEXT: "The cameras are being found from the movement in the recording.",
    NO_PERSON_TEXT: "No camera detects a person at this time.",
}


@dataclass(frozen=True, slots=True)
class Report:
    """The newest report of a worker and when it was received, s."""

    health: Health
    received_s: float


class LiveState:
    """Collects reports.

    Args:
        config: The rig.
        live: Whether this is a live run: a worker that does not report is named.
        recorded: As in `pose_rig.wire.jobs.WebJob`.

    Attributes:
        rig: Its newest state; None before the first.
        workers: The newest report of each worker.
    """

    def __init__(self, config: Config, *, live: bool = True, recorded: bool = False) -> None:
        self.rig: RigState | None = None
        self.workers: dict[str, Report] = {}
        self._config, self._live, self._recorded = config, live, recorded
        self._events: list[str] = []
        self._errors: dict[str, str] = {}
        self._mode: Mode | None = None
        self._recording_since_s: float | None = None
        self._height = (config.height_m or ASSUMED_HEIGHT_M, config.height_m is None)  # and whether it is assumed

    def add(self, message: Message) -> None:
        """Adds a received message; messages of other kinds are ignored."""
        if isinstance(message, Pose3D):
            if message.person:
                return
            self._height = (message.height_m, message.height_assumed)  # the user may have changed it
        elif isinstance(message, RigState):
            self.rig = message
            if message.mode != self._mode:
                self._mode = message.mode
                self.add_event(f"Mode {message.mode}.")
        elif isinstance(message, Health):
            self.workers[message.worker] = Report(message, time.monotonic())
            self._note_error(message)
            if message.worker == RECORDER:
                self._follow_recording(message)

    def add_event(self, line: str) -> None:
        """Adds a line for the log of the page."""
        if len(self._events) < MAX_EVENTS:
            self._events.append(line)

    def take_events(self) -> list[str]:
        """Returns the lines that were added since the last call."""
        events, self._events = self._events, []
        return events

    def camera(self, name: str) -> CameraState | None:
        """Returns the state of a camera in the rig, None if it is unknown."""
        return next((camera for camera in self.rig.cameras if camera.name == name), None) if self.rig else None

    def mode(self) -> Mode:
        """Returns the mode of the rig."""
        return self.rig.mode if self.rig else "cold"

    def detects(self, name: str) -> bool:
        """Returns whether a camera detects a person at present."""
        camera = self.camera(name)
        return camera is not None and camera.size_px is not None and camera.note != NO_PERSON

    def sentence(self) -> str:
        """Returns the one sentence that helps most: a fault, what to do next, or the state."""
        said = self._sentence()
        return RECORDED_TEXTS.get(said, said) if self._recorded else said

    def _sentence(self) -> str:
        if self.rig is None:
            return STARTING_TEXT
        cameras = self.rig.cameras
        if faults := [f"{name}: {error}" for name, error in self._errors.items() if error]:
            return faults[0]
        if not any(camera.size_px for camera in cameras):
            phones = any(camera.source == PHONE for camera in self._config.camera)
            return SCAN_TEXT if phones else "No camera has delivered an image yet."
        if self.rig.mode != "solved" and not self._recorded and self._cut(cameras):
            return STEP_BACK_TEXT
        if self.rig.note:
            return self.rig.note
        if not any(self.detects(camera.name) for camera in cameras):
            return NO_PERSON_TEXT
        return SOLVED_TEXT if self.rig.mode == "solved" else SOLVING_TEXT

    def _cut(self, cameras: Sequence[CameraState]) -> bool:
        """Returns whether the body is cut off in half of the images that show a person."""
        cut = sum(STEP_BACK in camera.note for camera in cameras)
        return 2 * cut >= max(1, sum(self.detects(camera.name) for camera in cameras))

    def rig_text(self) -> str:
        """Returns the state of the rig for the page, empty before the first."""
        if self.rig is None:
            return ""
        height_m, assumed = self._height
        return rig_message(self.rig, height_m=height_m, height_assumed=assumed)

    def status_text(self, phones: Mapping[str, Mapping[str, Any]]) -> str:
        """Returns the reports of all workers, the recording, the phones and the sentence for the page."""
        now_s = time.monotonic()
        workers = [
            worker_fields(
                report.health,
                silent=self._live and report.health.state != "ended" and now_s - report.received_s > REPORT_STALE_S,
            )
            for report in self.workers.values()
        ]
        status: Mapping[str, Any] = {
            "type": "status", "workers": workers, "recording": self._recording(now_s), "sentence": self.sentence(),
            "phones": phones,
        }  # fmt: skip
        return text(status)

    def _note_error(self, health: Health) -> None:
        """Keeps the error of a camera, and adds an event where it is new or over."""
        if health.worker not in {camera.name for camera in self._config.camera}:
            return
        before, now = self._errors.get(health.worker, ""), health.error
        self._errors[health.worker] = now
        if now and now != before:
            self.add_event(f"{health.worker}: {now}")
        elif before and not now:
            self.add_event(f"{health.worker} works again.")

    def _follow_recording(self, health: Health) -> None:
        if health.state != "running":
            self._recording_since_s = None
        elif self._recording_since_s is None:
            self._recording_since_s = time.monotonic()

    def _recording(self, now_s: float) -> dict[str, Any] | None:
        report = self.workers.get(RECORDER)
        if report is None:
            return None
        since_s = self._recording_since_s
        seconds = 0.0 if since_s is None else round(now_s - since_s, 1)
        return {"on": since_s is not None, "path": report.health.detail.partition(",")[0], "seconds": seconds}
