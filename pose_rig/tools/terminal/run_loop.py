"""The main loop of a run: receive messages, restart failed workers, show the status, end."""

import time
from collections.abc import Callable
from typing import Protocol

from pose_rig.tools.arguments.camera_sources import ends_by_itself
from pose_rig.tools.terminal.live_control import LiveControl
from pose_rig.tools.terminal.markers import MarkerSender
from pose_rig.tools.terminal.status import RunStatus
from pose_rig.tools.terminal.telemetry import Telemetry
from pose_rig.tools.terminal.user_input import UserInput
from pose_rig.tools.workers.build_note import build_note
from pose_rig.tools.workers.plan import Plan
from pose_rig.tools.workers.supervisor import Supervisor
from pose_rig.wire.bus import Receiver
from pose_rig.wire.messages import Command
from pose_rig.wire.services import FUSION, GATEWAY, HANG_TIMEOUT_S, RECORDER, RUN_TOPICS

POLL_MS = 50
LOADING_NOTICE_S = 10.0  # fusion usually loads within one
CAMERA_START_TIMEOUT_S = 15.0  # opening a webcam can take ten seconds
FILE_START_TIMEOUT_S = 120.0  # first frames would be lost; the detector loads slowly on a busy machine
FUSION_END_TIMEOUT_S = 10.0  # after all cameras have ended
MAX_ERRORS = 64  # that are printed; some name a single message
_STARTED_STATES = ("ready", "running", "ended", "failed")


class Display(Protocol):
    """Where a run is shown."""

    def print(self, text: str) -> None:
        """Prints an event."""

    def update(self, status: RunStatus) -> None:
        """Shows the status; called in every iteration."""


class Run:
    """One run of a rig.

    Args:
        plan: Its workers.
        display: Where it is shown.
        debug: Let the workers write to the terminal.
        start_wait_s: Time after which live cameras that are not ready are no longer waited for.
        stop_when: Returns whether to end the run, called in every iteration; None = only the plan decides.

    Attributes:
        status: The status, also after the run.
    """

    def __init__(
        self,
        plan: Plan,
        display: Display,
        *,
        debug: bool = False,
        start_wait_s: float = CAMERA_START_TIMEOUT_S,
        stop_when: Callable[[RunStatus], bool] | None = None,
    ) -> None:
        self._start_wait_s, self._stop_when = start_wait_s, stop_when
        self._plan = plan
        self._display = display
        self._telemetry = Telemetry()
        self._supervisor = Supervisor(plan.workers, debug=debug)
        self._launch_ns = 0
        self._fusion_ready_ns = 0
        self._cameras_ended_ns = 0
        self._printed: dict[str, str] = {}  # the newest detail by worker
        self._errors: set[str] = set()
        self._printed_modes = 0
        self.status = RunStatus(plan.config, self._telemetry, self._supervisor.states)

    def run(self) -> None:
        """Runs the rig until it ends, its time is up or the user stops it; no process is left afterwards.

        Raises:
            PoseRigError: A worker failed and cannot be restarted.
        """
        user = UserInput(on_second_stop=self._supervisor.skip_wait)
        with (
            Receiver(self._plan.internal, keys=self._plan.keys, topics=RUN_TOPICS) as receiver,
            MarkerSender(self._plan.recording) as markers,
            LiveControl(self._plan, self._supervisor, markers, user.request_stop) as self._control,
            user.listening(),
        ):
            if self._plan.recording:
                receiver.connect(self._plan.recording.output)
            if self._plan.streams:
                receiver.connect(self._plan.streams)
            if self._plan.web:
                receiver.connect(self._plan.web.output)
            if self._plan.gateway:
                receiver.connect(self._plan.gateway.output)
            try:
                with self._supervisor:
                    self._launch_ns = time.monotonic_ns()
                    while not (self._is_over() or user.stop_requested):
                        self._iterate(receiver)
                        for _ in range(user.take_markers()):
                            self._display.print(self._control.mark(self._rig_clock_ns(), self.status.elapsed_s()))
                    self._telemetry.end_ns = time.monotonic_ns()
                    if not self._supervisor.states[FUSION].ended:
                        saving = " and saving the poses; Ctrl-C again does not save" if self._plan.config.save else ""
                        self._display.print(f"Stopping{saving}.")
            finally:
                self._receive(receiver, 0)

    def _iterate(self, receiver: Receiver) -> None:
        self._receive(receiver, POLL_MS)
        for worker_exit in self._supervisor.poll():
            restart = f"Restarting in {worker_exit.delay_s:g} s (restart {worker_exit.restarts})."
            self._display.print(f"{worker_exit.name}: {worker_exit.cause} {restart}")
        if self._telemetry.start_ns:
            self._kill_hanging()
        else:
            self._start_when_ready()
        self._print_events()
        self._display.update(self.status)

    def _receive(self, receiver: Receiver, timeout_ms: int) -> None:
        for message in receiver.receive(timeout_ms):
            if isinstance(message, Command):
                self._display.print(self._control.run(message, self._rig_clock_ns(), self.status.elapsed_s()))
            else:
                self._telemetry.update(message)

    def _start_when_ready(self) -> None:
        """Starts the clock of files once fusion and every camera are ready or have failed."""
        now_ns = time.monotonic_ns()
        if FUSION not in self._telemetry.workers:
            self._fusion_ready_ns = now_ns
            if now_ns - self._launch_ns > LOADING_NOTICE_S * 1e9:
                note = build_note((now_ns - self._launch_ns) / 1e9)
                self._print_if_new(FUSION, note or "Fusion is loading.")
        elif self._cameras_ready(now_ns - self._fusion_ready_ns):
            self._telemetry.start_ns = now_ns
            self._supervisor.start_clock(now_ns)

    def _cameras_ready(self, waited_ns: int) -> bool:
        """Returns whether the run can start; with pace ``all`` it can at once, since cameras wait for the start."""
        workers = self._telemetry.workers
        return self._plan.config.pace == "all" or all(
            self.status.process(camera.name).cause
            or (camera.name in workers and workers[camera.name].health.state in _STARTED_STATES)
            or waited_ns > (FILE_START_TIMEOUT_S if ends_by_itself(camera) else self._start_wait_s) * 1e9
            for camera in self._plan.config.camera
        )

    def _kill_hanging(self) -> None:
        """Kills live workers that run but send no reports; the supervisor restarts them."""
        if self._plan.config.pace != "realtime":
            return  # a lossless sender may block for any time
        now_ns, fusion_reports = time.monotonic_ns(), self._fusion_reports()
        for name, worker in self._telemetry.workers.items():
            process = self._supervisor.states.get(name)
            if process is None or process.running is None or worker.received_ns < process.running.started_ns:
                continue
            if name == RECORDER:  # a disk may be slow, and poses do not wait for it
                continue
            saving = name == FUSION and self._cameras_ended()
            timeout_s = max(HANG_TIMEOUT_S, process.spec.stop_timeout_s) if saving else HANG_TIMEOUT_S
            if now_ns - worker.received_ns > timeout_s * 1e9 and (fusion_reports or name == FUSION):
                self._supervisor.kill(name, f"No report for {timeout_s:.0f} s.")

    def _is_over(self) -> bool:
        duration_s, fusion = self._plan.config.duration_s, self._supervisor.states[FUSION]
        if fusion.ended or (duration_s is not None and self.status.elapsed_s() >= duration_s):
            return True
        if self._stop_when is not None and self._stop_when(self.status):
            return True
        if not self._fusion_may_wait_in_vain():
            self._cameras_ended_ns = 0
            return False
        self._cameras_ended_ns = self._cameras_ended_ns or time.monotonic_ns()
        return time.monotonic_ns() - self._cameras_ended_ns > FUSION_END_TIMEOUT_S * 1e9

    def _fusion_may_wait_in_vain(self) -> bool:
        """Whether all cameras have ended, and fusion, which still reports, may not have received that they have.

        Messages in real time are dropped where fusion is slow, and one that was restarted in between received none.
        """
        lossless = self._plan.config.pace != "realtime" and not self._supervisor.states[FUSION].restarts
        return not lossless and self._fusion_reports() and self._cameras_ended()

    def _fusion_reports(self) -> bool:
        fusion = self._telemetry.workers.get(FUSION)
        return fusion is not None and time.monotonic_ns() - fusion.received_ns < HANG_TIMEOUT_S / 2 * 1e9

    def _cameras_ended(self) -> bool:
        cameras = self.status.cameras()
        return bool(cameras) and all(camera.state == "ended" for camera in cameras)

    def _rig_clock_ns(self) -> int:
        """Returns the time of the rig clock: the machine's when live, otherwise that of the newest pose."""
        if self._plan.config.pace == "realtime":
            return time.monotonic_ns()
        return self._telemetry.pose.t_ns if self._telemetry.pose else 0

    def _print_events(self) -> None:
        """Prints new modes and details, and each error once; the supervisor reports why a worker exited."""
        reporting = {FUSION, GATEWAY, *(camera.name for camera in self._plan.config.camera)}
        for name, worker in self._telemetry.workers.items():
            health = worker.health
            if name != RECORDER and health.detail:
                self._print_if_new(name, f"{name}: {health.detail}")
            error = f"{name}: {health.error}"
            is_new = error not in self._errors and len(self._errors) < MAX_ERRORS
            if name in reporting and health.error and health.state != "failed" and is_new:
                self._errors.add(error)
                self._display.print(error)
        for mode, at_s in self._telemetry.modes[self._printed_modes :]:
            self._display.print(f"Mode {mode} after {at_s:.1f} s.")
        self._printed_modes = len(self._telemetry.modes)

    def _print_if_new(self, name: str, text: str) -> None:
        if text != self._printed.get(name):
            self._printed[name] = text
            self._display.print(text)
