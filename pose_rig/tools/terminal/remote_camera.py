"""Running a camera of this machine for a rig on another one: its worker, and the connection to the rig."""

import time

from msgspec import structs
from rich.console import RenderableType
from rich.text import Text

from pose_rig.config import Config
from pose_rig.remote.link import RigLink
from pose_rig.tools.arguments.camera_sources import ends_by_itself, needs_detector
from pose_rig.tools.terminal.console import Console
from pose_rig.tools.terminal.runner import detector_path
from pose_rig.tools.terminal.screen import Screen
from pose_rig.tools.terminal.user_input import UserInput
from pose_rig.tools.workers.mains import run_camera
from pose_rig.tools.workers.supervisor import Supervisor, Worker
from pose_rig.wire.authentication import Keys
from pose_rig.wire.jobs import SYSTEM_CLOCK, CameraJob, WallClock
from pose_rig.wire.messages import Health
from pose_rig.wire.services import HANG_TIMEOUT_S

STEP_MS = 50
STATUS_INTERVAL_S = 5.0
STATES = {
    "no reply": "No reply from the rig at {rig}: waiting for it. Is it running, with --host?",
    "wrong key": "The rig at {rig} refuses the key: give the one that `pose-rig keys` shows on its machine.",
    "refused": "The rig at {rig} does not take this camera.",
    "joined": "Joined the rig at {rig}.",
}


def send_camera(
    config: Config, rig: str, keys: Keys, *, headless: bool, debug: bool, clock: WallClock = SYSTEM_CLOCK
) -> None:
    """Sends the keypoints of a camera to a rig until the user stops it, or until its file has ended.

    Args:
        config: A rig of this one camera.
        rig: Endpoint of the other machine, ``tcp://HOST:PORT``.
        keys: Of that machine.
        headless: Print plain lines even in a terminal.
        debug: Let the worker write to the terminal.
        clock: The clock of this machine.

    Raises:
        PoseRigError: The camera cannot be opened and never will be.
    """
    console = Console()
    model = detector_path(config, console)
    user = UserInput(on_second_stop=lambda: None)
    run = RemoteCameraRun(config, model, RigLink(config.camera[0].name, rig, keys, clock), rig, clock, debug=debug)
    screen = Screen[RemoteCameraRun](
        console, _drawn, lambda one: [one.status()], STATUS_INTERVAL_S, headless=headless or debug
    )
    with screen, user.listening():
        run.run(screen, user)


class RemoteCameraRun:
    """The worker of a camera, whose messages go to a rig on another machine.

    The worker starts as soon as the rig replies, and again when the rig wants video or appearances, or no longer.

    Args:
        config: A rig of this one camera.
        model: Path of the detector model; empty if none is needed.
        link: The connection.
        rig: Where the rig is, for display.
        clock: The clock of this machine.
        debug: Let the worker write to the terminal.
    """

    def __init__(self, config: Config, model: str, link: RigLink, rig: str, clock: WallClock, *, debug: bool) -> None:
        self._config, self._camera, self._model = config, config.camera[0], model
        self._link, self._rig, self._clock, self._debug = link, rig, clock, debug
        self._printed = ""
        self._ended = False

    def run(self, screen: "Screen[RemoteCameraRun]", user: UserInput) -> None:
        """Runs until the camera ends or the user stops it."""
        try:
            while not (self._ended or user.stop_requested):
                if self._link.video is None:
                    self._step(screen)
                else:
                    self._run_worker(screen, user, video=self._link.video)
        finally:
            self._link.close()

    def status(self) -> str:
        """Returns the state in one line."""
        health, estimate = self._link.health, self._link.estimate
        facts = [self._camera.name, self._link.state]
        if health is not None:
            facts += [health.state, f"{health.rate_hz:.1f} fps", f"{health.age_ms:.0f} ms", health.error]
        if estimate is not None:
            now_ns = self._clock.monotonic_ns()
            offset_s = (estimate.other_ns(now_ns) - now_ns) * 1e-9
            facts.append(f"clock of the rig {offset_s:+.4f} s ±{1e3 * estimate.uncertainty_s:.1f} ms")
        return " | ".join(fact for fact in facts if fact)

    def _run_worker(self, screen: "Screen[RemoteCameraRun]", user: UserInput, *, video: bool) -> None:
        appearance = self._link.appearance
        wanted = video, appearance
        with Supervisor([self._worker(video=video, appearance=appearance)], debug=self._debug) as supervisor:
            state = supervisor.states[self._camera.name]
            started_ns = 0
            while not (state.ended or user.stop_requested or (self._link.video, self._link.appearance) != wanted):
                if self._link.start_ns != started_ns:
                    started_ns = self._link.start_ns
                    supervisor.start_clock(started_ns)
                self._step(screen)
                for worker_exit in supervisor.poll():
                    screen.print(f"{worker_exit.name}: {worker_exit.cause} Restarting in {worker_exit.delay_s:g} s.")
                    self._link.send(self._failed(worker_exit.cause, worker_exit.restarts))
                if state.running and self._hangs(state.running.started_ns):
                    supervisor.kill(self._camera.name, f"No report for {HANG_TIMEOUT_S:.0f} s.")
            self._step(screen)  # the last messages
            self._ended = state.ended

    def _worker(self, *, video: bool, appearance: bool) -> Worker:
        detects = needs_detector(self._camera)
        job = CameraJob(
            camera=self._camera,
            detector=structs.replace(self._config.detector, model=self._model if detects else ""),
            pace="realtime",
            endpoint=self._link.endpoint,
            video=self._link.image_endpoint if video and detects else "",
            thumbnails=self._link.thumbnail_endpoint,
            clock=self._clock,
            keys=self._link.keys,
            appearance=appearance,
        )
        return Worker(self._camera.name, run_camera, job, fail_on_error=ends_by_itself(self._camera))

    def _step(self, screen: "Screen[RemoteCameraRun]") -> None:
        self._link.step(STEP_MS)
        text = f"{STATES[self._link.state].format(rig=self._rig)} {self._link.refusal}".rstrip()
        if text != self._printed:
            self._printed = text
            screen.print(text)
        screen.update(self)

    def _hangs(self, started_ns: int) -> bool:
        """Returns whether a worker that has reported since its start is silent; loading and ending may take long."""
        reported_s, health = self._link.reported_s, self._link.health
        if health is not None and health.state == "ended":
            return False
        return reported_s > started_ns * 1e-9 and time.monotonic() - reported_s > HANG_TIMEOUT_S

    def _failed(self, cause: str, restarts: int) -> Health:
        health = self._link.health or Health(worker=self._camera.name, t_ns=0, state="failed")
        return structs.replace(health, state="failed", error=cause, restarts=restarts, rate_hz=0.0)


def _drawn(run: RemoteCameraRun) -> RenderableType:
    return Text(f"{run.status()}   q stops", style="dim")
