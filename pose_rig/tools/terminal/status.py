"""The status of a run as plain values, from which the live table, the status line and the summary are made."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import structs

from pose_rig.config import ASSUMED_HEIGHT_M, Config
from pose_rig.tools.terminal.telemetry import Telemetry
from pose_rig.tools.workers.supervisor import WorkerState
from pose_rig.wire.messages import CameraState, Health, Target
from pose_rig.wire.services import FUSION, GATEWAY, RECORDER, REPORT_STALE_S, STREAMS
from pose_rig.wire.tracked_people import FIRST, people_count

UNREPORTED_FRAMES = 2  # sent before the system reports that a port is closed


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """One camera of a run.

    Attributes:
        name: Name of the camera.
        state: State of its worker.
        health: The newest report of its worker, without rate and age unless it runs.
        calibration: Its state in the rig; None before its first frame, when the rig only has assumptions.
        has_frames: Whether it has delivered a frame.
        frames: Frames processed.
        dropped: Frames dropped.
        restarts: How often its worker was restarted.
        error: What is wrong with its frames, or why there are none; empty otherwise.
        note: The error, or else why the rig ignores the camera.
    """

    name: str
    state: str
    health: Health
    calibration: CameraState | None
    has_frames: bool
    frames: int
    dropped: int
    restarts: int
    error: str
    note: str


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The status of a run.

    Attributes:
        config: Its configuration.
        telemetry: What was received from its workers.
        states: The states of its processes, by name.
    """

    config: Config
    telemetry: Telemetry
    states: Mapping[str, WorkerState]

    def cameras(self) -> list[CameraStatus]:
        """Returns the cameras in their order."""
        return [self._camera(camera.name) for camera in self.config.camera]

    def process(self, camera: str) -> WorkerState:
        """Returns the process of a camera; of a remote one, that of the worker that receives from it."""
        return self.states[camera] if camera in self.states else self.states[GATEWAY]

    def health(self, worker: str) -> Health | None:
        """Returns the newest report of a worker, None if there is none."""
        reported = self.telemetry.workers.get(worker)
        return reported.health if reported else None

    def elapsed_s(self) -> float:
        """Returns the time from the start of the run until now or its end, 0 before the start."""
        start_ns, end_ns = self.telemetry.start_ns, self.telemetry.end_ns or time.monotonic_ns()
        return (end_ns - start_ns) / 1e9 if start_ns else 0.0

    def progress(self) -> tuple[int, int]:
        """Returns frames done and frames in total over all cameras and passes; 0 of 0 if the total is unknown."""
        cameras, fusion = self.cameras(), self.health(FUSION)
        if not cameras and fusion is not None:  # a replay
            total = fusion.total_frames or 0
            return min(fusion.frames, total), total  # corrected clocks may take more time steps
        if any(camera.health.total_frames is None for camera in cameras):
            return 0, 0
        totals = [camera.health.total_frames or 0 for camera in cameras]
        done = sum(map(min, totals, (camera.frames for camera in cameras)))  # a restart repeats frames
        total = sum(totals)
        if self.config.passes == 2 and fusion is not None:  # fusion alone does the second pass
            return done + min(fusion.frames * len(cameras), total), 2 * total
        return done, total

    def mode(self) -> str:
        """Returns the mode of the newest pose, and how many of several people it has; empty before the first pose."""
        pose, count = self.telemetry.pose, self.telemetry.people.count
        if pose is None:
            return ""
        if not count:
            return f"{pose.mode}, no person detected"
        return f"{pose.mode}, {people_count(count)}" if self.config.people > 1 else pose.mode

    def people(self) -> list[str]:
        """Returns one line for each of several people; empty if one is tracked."""
        return self.telemetry.people.lines() if self.config.people > 1 else []

    @property
    def height_m(self) -> float | None:
        """Height of the first person that the user gave, at the start or during the run; None = none was given."""
        pose = self.telemetry.people.newest(FIRST)
        if pose is None:
            return self.config.height_m
        return None if pose.height_assumed else pose.height_m

    @property
    def other_heights_m(self) -> tuple[float, ...]:
        """Heights of further people that the user gave, up to the first whose height is not given."""
        given: list[float] = []
        for person in range(1, self.config.people):
            pose = self.telemetry.people.newest(person)
            height_m = dict(enumerate(self.config.other_heights_m, 1)).get(person)
            if pose is not None and not pose.height_assumed:
                height_m = pose.height_m
            if height_m is None:
                break
            given.append(height_m)
        return tuple(given)

    def height(self) -> str:
        """Returns the body height that sets the scale."""
        if self.height_m is None:
            return f"height {ASSUMED_HEIGHT_M:.2f} m assumed (give --height for true metres)"
        others = "".join(f", {height_m:.2f}" for height_m in self.other_heights_m)
        return f"height{'s' if others else ''} {self.height_m:.2f}{others} m"

    def provider(self) -> str:
        """Returns the execution provider of fusion, empty until known."""
        fusion = self.health(FUSION)
        return fusion.detail if fusion else ""

    def recording(self) -> str:
        """Returns the state of the recording, empty if there is none."""
        health = self.health(RECORDER)
        if health is None:
            return ""
        dropped = f", {health.dropped} messages dropped" if health.dropped else ""
        return f"recording: {health.detail}{dropped}. {health.error}".rstrip()

    def recording_error(self) -> str:
        """Returns why the recording is incomplete, empty if it is complete or if there is none."""
        health = self.health(RECORDER)
        return health.error if health and health.state == "failed" else ""

    def streaming(self) -> str:
        """Returns the state of the streams to engines, empty if there are none."""
        health = self.health(STREAMS)
        if health is None:
            return ""
        return f"sending: {health.detail}, {health.rate_hz:.0f} Hz, {health.age_ms:.0f} ms old. {health.error}".rstrip()

    def stream_totals(self) -> list[str]:
        """Returns one sentence per target: how many frames were sent to it."""
        return [_stream_total(target) for target in self.telemetry.streams.targets] if self.telemetry.streams else []

    def remote_clocks(self) -> list[str]:
        """Returns one sentence per remote camera whose clock is known."""
        clocks = ((camera.name, camera.health, clock_text(camera.health)) for camera in self.cameras())
        return [f"{name}: on {health.host}, whose {text}." for name, health, text in clocks if text]

    def advice(self) -> str:
        """Returns why the rig is not solved yet and what would help, empty if nothing is needed."""
        return self.telemetry.rig.note if self.telemetry.rig else ""

    def _camera(self, name: str) -> CameraStatus:
        process, worker = self.process(name), self.telemetry.workers.get(name)
        health = worker.health if worker else Health(worker=name, t_ns=0, state="starting")
        frames = worker.frames.total if worker else 0
        calibration = self.telemetry.camera(name)
        has_frames = frames > 0 or (calibration is not None and (calibration.size_px is not None or worker is None))
        calibration = calibration if has_frames else None
        state = self._state(name)
        error = health.error or (process.cause if process.running is None else "")
        waiting = "no frames yet" if self.telemetry.start_ns and not has_frames else ""
        return CameraStatus(
            name=name,
            state=state,
            health=health if state == "running" else structs.replace(health, rate_hz=0.0, age_ms=0.0),
            calibration=calibration,
            has_frames=has_frames,
            frames=frames,
            dropped=worker.dropped.total if worker else 0,
            restarts=process.restarts if name in self.states else health.restarts,
            error=error,
            note=error or (calibration.note if calibration else "") or waiting,
        )

    def _state(self, name: str) -> str:
        process, worker = self.process(name), self.telemetry.workers.get(name)
        now_ns = time.monotonic_ns()
        if process.ended:
            return "ended"
        if process.restart_at_ns is not None:
            return f"restarts in {max(0, process.restart_at_ns - now_ns) / 1e9:.1f} s"
        if worker is None or (process.running and worker.received_ns < process.running.started_ns):
            return "starting"
        age_ns = now_ns - worker.received_ns
        if self.config.pace == "realtime" and age_ns > REPORT_STALE_S * 1e9 and process.running:
            return f"no report for {age_ns / 1e9:.0f} s"
        if name not in self.states and worker.health.state == "starting":
            return "waiting"  # for a remote camera
        return worker.health.state


def clock_text(health: Health) -> str:
    """Returns how the clock of a remote camera's machine differs from that of the rig; empty if there is nothing."""
    if health.clock_offset_s is None or health.clock_uncertainty_s is None:
        return ""
    offset_s, drift_ppm = -health.clock_offset_s, -1e6 * health.clock_drift
    direction = "ahead" if offset_s >= 0 else "behind"
    return (
        f"clock is {abs(offset_s):.4f} s {direction} ±{1e3 * health.clock_uncertainty_s:.1f} ms, {drift_ppm:+.0f} ppm"
    )


def _stream_total(target: Target) -> str:
    place = f"{target.kind} {target.address}"
    if target.clients_ever is not None:
        if not target.clients_ever:
            return f"No client connected to {place}."
        clients = f"clients: {target.clients_ever} ever, {target.clients or 0} now"
        return f"Sent {target.frames} frames to {place} ({clients})."
    if target.unheard >= max(target.frames - UNREPORTED_FRAMES, 1):
        return f"No receiver at {place}: all {target.frames} frames were lost. Is the receiver running there?"
    closed = f", {target.unheard} of them while the port was closed" if target.unheard else ""
    return f"Sent {target.frames} frames to {place} (UDP: receipt is not confirmed{closed})."
