"""The main loop of a run: listen to the rig, mend what dies, show it, end it."""

import time
from collections.abc import Callable
from typing import Protocol

from pose_rig.tools.arguments.camera_list import ends_by_itself
from pose_rig.tools.terminal.markers import MarkerSender
from pose_rig.tools.terminal.status import RunStatus
from pose_rig.tools.terminal.telemetry import Telemetry
from pose_rig.tools.terminal.user_input import UserInput
from pose_rig.tools.workers.plan import Plan
from pose_rig.tools.workers.supervisor import Supervisor, WorkerExit
from pose_rig.wire.bus import Receiver
from pose_rig.wire.messages import Health
from pose_rig.wire.services import FUSION, HANG_TIMEOUT_S, RECORDER, STATUS_TOPICS

TICK_MS = 50
LOADING_S = 10.0  # fusion usually takes one
START_WAIT_S = 15.0  # for cameras to announce themselves; a webcam can take ten seconds to open
FILES_WAIT_S = 120.0  # for files, whose first frames would be lost; on a busy machine the detector takes long to load
MOST_FAULTS = 64  # that are told; some name what was wrong with a single message
ENDING_S = 10.0  # for fusion to end once all cameras have
_ANNOUNCED = ("ready", "running", "ended", "failed")


class Display(Protocol):
    """Where a run is shown."""

    def print(self, text: str) -> None:
        """Tells something that happened."""

    def update(self, status: RunStatus) -> None:
        """Shows the rig as it is; called at every tick."""


class Run:
    """One run of a rig.

    Args:
        plan: Its workers.
        display: Where it is shown.
        debug: Let the workers write to the terminal.
        start_wait_s: How long live cameras may take to announce themselves before it begins without them.
        stop_when: Whether to end now, asked at every tick; None = only the plan says when.

    Attributes:
        status: The rig as it is, and after the run as it was.
    """

    def __init__(
        self,
        plan: Plan,
        display: Display,
        *,
        debug: bool = False,
        start_wait_s: float = START_WAIT_S,
        stop_when: Callable[[RunStatus], bool] | None = None,
    ) -> None:
        self._start_wait_s, self._stop_when = start_wait_s, stop_when
        self._plan = plan
        self._display = display
        self._telemetry = Telemetry()
        self._supervisor = Supervisor(plan.workers, debug=debug)
        self._cameras = {camera.name for camera in plan.config.camera}
        self._began_ns = 0
        self._waiting_since_ns = 0
        self._cameras_ended_ns = 0
        self._modes_told = 0
        self._details_told: dict[str, str] = {}
        self._faults_told: set[tuple[str, str]] = set()
        self.status = RunStatus(plan.config, self._telemetry, self._supervisor.states)

    def run(self) -> None:
        """Runs the rig until it ends, its time is up or the user stops it; no process is left afterwards.

        Raises:
            PoseRigError: A worker failed for good.
        """
        request = UserInput(self._supervisor.skip_wait)
        with (
            Receiver(self._plan.inside, keys=self._plan.keys, topics=STATUS_TOPICS) as receiver,
            MarkerSender(self._plan.recording) as marking,
            request.listening(),
        ):
            if self._plan.recording:
                receiver.connect(self._plan.recording.output)
            if self._plan.streams:
                receiver.connect(self._plan.streams)
            try:
                with self._supervisor:
                    self._began_ns = time.monotonic_ns()
                    while not (self._over() or request.asked):
                        self._tick(receiver)
                        for _ in range(request.marks()):
                            self._display.print(marking.mark(self._rig_now_ns(), self.status.elapsed_s()))
                    self._telemetry.end_ns = time.monotonic_ns()
                    if not self._fusion_ended():
                        saving = " and saving the poses; Ctrl-C gives up" if self._plan.config.save else ""
                        self._display.print(f"Stopping{saving}.")
            finally:
                self._listen(receiver, 0)

    def _tick(self, receiver: Receiver) -> None:
        self._listen(receiver, TICK_MS)
        for worker_exit in self._supervisor.poll():
            self._display.print(_sentence(worker_exit))
        if self._telemetry.start_ns:
            self._kill_hanging()
        else:
            self._start_when_ready()
        self._tell()
        self._display.update(self.status)

    def _listen(self, receiver: Receiver, timeout_ms: int) -> None:
        for message in receiver.receive(timeout_ms):
            self._telemetry.take(message)

    def _start_when_ready(self) -> None:
        """Starts the clock of files once fusion is there and every camera has announced itself, or failed to."""
        now = time.monotonic_ns()
        if FUSION not in self._telemetry.workers:
            self._waiting_since_ns = now
            if now - self._began_ns > LOADING_S * 1e9 and "loading" not in self._details_told:
                self._details_told["loading"] = "said"
                self._display.print("Fusion is loading. With TensorRT the first time takes minutes.")
        elif self._cameras_announced(now - self._waiting_since_ns):
            self._telemetry.start_ns = now
            self._supervisor.start_clock(now)

    def _cameras_announced(self, waited_ns: int) -> bool:
        """Returns whether there is nothing to wait for any more; with pace ``all`` the cameras wait for us."""
        heard, states = self._telemetry.workers, self._supervisor.states
        return self._plan.config.pace == "all" or all(
            states[camera.name].cause
            or (camera.name in heard and heard[camera.name].health.state in _ANNOUNCED)
            or waited_ns > (FILES_WAIT_S if ends_by_itself(camera) else self._start_wait_s) * 1e9
            for camera in self._plan.config.camera
        )

    def _kill_hanging(self) -> None:
        """Kills live workers that run but say nothing; `poll` starts them again."""
        if self._plan.config.pace != "realtime":
            return  # a lossless sender may wait for as long as it takes
        now = time.monotonic_ns()
        states = self._supervisor.states
        saves = all(states[camera.name].ended for camera in self._plan.config.camera)
        fusion = self._telemetry.workers.get(FUSION)
        fusion_speaks = fusion is not None and now - fusion.at_ns < HANG_TIMEOUT_S / 2 * 1e9
        for name, heard in self._telemetry.workers.items():
            worker = states.get(name)
            if worker is None or worker.running is None or heard.at_ns < worker.running.started_ns:
                continue
            if name == RECORDER:  # a disk may take its time, and poses do not wait for it
                continue
            limit_s = max(HANG_TIMEOUT_S, worker.spec.stop_timeout_s) if name == FUSION and saves else HANG_TIMEOUT_S
            if now - heard.at_ns > limit_s * 1e9 and (fusion_speaks or name == FUSION):
                self._supervisor.kill(name, f"No report for {limit_s:.0f} s.")

    def _over(self) -> bool:
        duration_s = self._plan.config.duration_s
        if self._fusion_ended() or (duration_s is not None and self.status.elapsed_s() >= duration_s):
            return True
        if self._stop_when is not None and self._stop_when(self.status):
            return True
        # A fusion that was restarted meanwhile may never hear that the cameras have ended.
        states = self._supervisor.states
        if not states[FUSION].restarts or not all(states[camera.name].ended for camera in self._plan.config.camera):
            return False
        self._cameras_ended_ns = self._cameras_ended_ns or time.monotonic_ns()
        return time.monotonic_ns() - self._cameras_ended_ns > ENDING_S * 1e9

    def _rig_now_ns(self) -> int:
        """Returns what the rig clock shows: that of the machine when live, that of the files otherwise."""
        if self._plan.config.pace == "realtime":
            return time.monotonic_ns()
        return self._telemetry.pose.t_ns if self._telemetry.pose else 0

    def _tell_fault(self, name: str, health: Health) -> None:
        """Says once what is wrong with a camera's frames, or at fusion; why a worker died is said when it has."""
        known, many = (name, health.error), len(self._faults_told) >= MOST_FAULTS
        meant = name in (FUSION, *self._cameras) and health.state != "failed"
        if health.error and meant and not many and known not in self._faults_told:
            self._faults_told.add(known)
            self._display.print(f"{name}: {health.error}")

    def _fusion_ended(self) -> bool:
        return self._supervisor.states[FUSION].ended

    def _tell(self) -> None:
        for name, heard in self._telemetry.workers.items():
            if name == RECORDER:
                continue
            if (detail := heard.health.detail) and detail != self._details_told.get(name):
                self._details_told[name] = detail
                self._display.print(f"{name}: {detail}")
            self._tell_fault(name, heard.health)
        for mode, at_s in self._telemetry.modes[self._modes_told :]:
            self._display.print(f"Mode {mode} after {at_s:.1f} s.")
        self._modes_told = len(self._telemetry.modes)


def _sentence(worker: WorkerExit) -> str:
    return f"{worker.name}: {worker.cause} Restarting in {worker.delay_s:g} s (restart {worker.restarts})."
