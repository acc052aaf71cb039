"""What the terminal shows of a rig, as plain values: the live table, the plain lines and the summary draw from here."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from pose_rig.config import ASSUMED_HEIGHT_M, Config
from pose_rig.tools.terminal.telemetry import Telemetry
from pose_rig.tools.workers.supervisor import WorkerState
from pose_rig.wire.messages import CameraState, Target
from pose_rig.wire.services import FUSION, RECORDER, REPORT_STALE_S, STREAMS

UNNOTICED = 2  # frames that may go out before the system says that nobody listens


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """One camera, for people.

    Attributes:
        name: Name of the camera.
        state: Where it is in its life cycle.
        rate_hz: Frames per second of late.
        age_ms: From grab to sending, median of late.
        arrived: Whether any frame of it has arrived.
        frames: Frames done, as far as it has told.
        total_frames: Frames there will be, None when nobody knows.
        dropped: Frames lost.
        focal: Focal length, px, and its ± once that is known.
        place: How well it is known where it is: ± of rotation and position; empty until known.
        agreement: 0–1 with the other cameras, None until known.
        mean_agreement: The same over all of the run in which it saw somebody, None if it never did.
        restarts: How often it was restarted.
        error: What is wrong with its frames, or why it has none, empty when all is well.
        note: That, or else why the rig does not trust it.
    """

    name: str
    state: str
    rate_hz: float
    age_ms: float
    arrived: bool
    frames: int
    total_frames: int | None
    dropped: int
    focal: str
    place: str
    agreement: float | None
    mean_agreement: float | None
    restarts: int
    error: str
    note: str


@dataclass(frozen=True, slots=True)
class RunStatus:
    """A running rig: what was asked, what it says, how its processes do."""

    config: Config
    telemetry: Telemetry
    states: Mapping[str, WorkerState]

    def cameras(self) -> list[CameraStatus]:
        """Returns the cameras in their order."""
        return [self._camera(camera.name) for camera in self.config.camera]

    def elapsed_s(self) -> float:
        """Returns seconds from the start of the run until now or its end, 0 before it."""
        start_ns, end_ns = self.telemetry.start_ns, self.telemetry.end_ns or time.monotonic_ns()
        return (end_ns - start_ns) / 1e9 if start_ns else 0.0

    def progress(self) -> tuple[int, int]:
        """Returns frames done and frames there will be over all cameras and passes; 0 of 0 while nobody knows."""
        rows = self.cameras()
        fusion = self.telemetry.workers.get(FUSION)
        if not rows and fusion is not None:  # a replay
            return fusion.health.frames, fusion.health.total_frames or 0
        if any(row.total_frames is None for row in rows):
            return 0, 0
        done = sum(min(row.frames, row.total_frames or 0) for row in rows)  # who is restarted begins anew
        total = sum(row.total_frames or 0 for row in rows)
        if self.config.passes == 2 and fusion is not None:  # the second pass is fusion's alone
            return done + min(fusion.health.frames * len(rows), total), 2 * total
        return done, total

    def height(self) -> str:
        """Returns what the scale rests on."""
        if self.config.height_m is None:
            return f"height {ASSUMED_HEIGHT_M:.2f} m assumed (give --height for true metres)"
        return f"height {self.config.height_m:.2f} m"

    def stages(self) -> str:
        """Returns where fusion spends its time, empty until known."""
        fusion = self.telemetry.workers.get(FUSION)
        return ", ".join(f"{name} {ms:.1f} ms" for name, ms in fusion.health.stages_ms.items()) if fusion else ""

    def provider(self) -> str:
        """Returns what fusion says it runs on, empty until known."""
        fusion = self.telemetry.workers.get(FUSION)
        return fusion.health.detail if fusion else ""

    def recording(self) -> str:
        """Returns how the recording is doing, empty if there is none."""
        heard = self.telemetry.workers.get(RECORDER)
        if heard is None:
            return ""
        lost = f", {heard.health.dropped} messages lost" if heard.health.dropped else ""
        return f"recording: {heard.health.detail}{lost}. {heard.health.error}".rstrip()

    def lost(self) -> str:
        """Returns why the recording is not whole, empty if it is or if there is none."""
        heard = self.telemetry.workers.get(RECORDER)
        return heard.health.error if heard and heard.health.state == "failed" else ""

    def sending(self) -> str:
        """Returns what engines get, empty if there are none."""
        heard = self.telemetry.workers.get(STREAMS)
        if heard is None:
            return ""
        health = heard.health
        return f"sending: {health.detail}, {health.rate_hz:.0f} Hz, {health.age_ms:.0f} ms old. {health.error}".rstrip()

    def sent(self) -> list[str]:
        """Returns what engines got, as far as anybody knows."""
        return [_sent(target) for target in self.telemetry.streams.targets] if self.telemetry.streams else []

    def advice(self) -> str:
        """Returns why the rig is not solved yet and what would help, empty when all is well."""
        return self.telemetry.rig.note if self.telemetry.rig else ""

    def _camera(self, name: str) -> CameraStatus:
        worker, heard = self.states[name], self.telemetry.workers.get(name)
        frames = heard.frames.total if heard else 0
        known = self.telemetry.camera(name)
        arrived = frames > 0 or (known is not None and (known.size_px is not None or heard is None))
        known = known if arrived else None  # before that the rig assumes all of it
        state = self._state(name)
        running = state == "running"
        error = (heard.health.error if heard else "") or (worker.cause if worker.running is None else "")
        note = error or (known.note if known else "")
        if not arrived and not note and self.telemetry.start_ns:
            note = "no frames yet"
        return CameraStatus(
            name=name,
            state=state,
            rate_hz=heard.health.rate_hz if heard and running else 0.0,
            age_ms=heard.health.age_ms if heard and running else 0.0,
            arrived=arrived,
            frames=frames,
            total_frames=heard.health.total_frames if heard else None,
            dropped=heard.dropped.total if heard else 0,
            focal=_focal(known) if known else "",
            place=_place(known) if known else "",
            agreement=known.health if known else None,
            mean_agreement=(known.agreement or known.health or None) if known else None,
            restarts=worker.restarts,
            error=error,
            note=note,
        )

    def _state(self, name: str) -> str:
        worker, heard = self.states[name], self.telemetry.workers.get(name)
        now = time.monotonic_ns()
        if worker.ended:
            return "ended"
        if worker.restart_at_ns is not None:
            return f"restarts in {max(0, worker.restart_at_ns - now) / 1e9:.1f} s"
        if heard is None or (worker.running and heard.at_ns < worker.running.started_ns):
            return "starting"
        if self.config.pace == "realtime" and now - heard.at_ns > REPORT_STALE_S * 1e9 and worker.running:
            return f"silent for {(now - heard.at_ns) / 1e9:.0f} s"
        return heard.health.state


def _sent(target: Target) -> str:
    """Returns what one target got."""
    place = f"{target.kind} {target.address}"
    if target.clients_ever is not None:
        if not target.clients_ever:
            return f"Nobody connected to {place}."
        clients = f"clients: {target.clients_ever} ever, {target.clients or 0} now"
        return f"Sent {target.frames} frames to {place} ({clients})."
    if target.unheard >= max(target.frames - UNNOTICED, 1):
        return f"Nobody listened at {place}: {target.frames} frames went nowhere. Is the receiver running there?"
    some = f", at {target.unheard} of them nobody listened" if target.unheard else ""
    return f"Sent {target.frames} frames to {place} (UDP: nobody confirms them{some})."


def _focal(known: CameraState) -> str:
    return f"{known.focal_px:.0f}" + ("" if known.focal_sd_px is None else f" ±{known.focal_sd_px:.0f}")


def _place(known: CameraState) -> str:
    if known.moving:
        return "moving"
    facts = []
    if known.rotation_sd_deg is not None:
        facts.append(f"±{known.rotation_sd_deg:.1f}°")
    if known.translation_sd_m is not None:
        facts.append(f"±{known.translation_sd_m * 100:.0f} cm")
    return " ".join(facts)
