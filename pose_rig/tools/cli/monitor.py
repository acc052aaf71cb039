"""``pose-rig monitor``: the state of a running rig, and what it sends to engines."""

import time
from contextlib import closing
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pose_rig.config import Config
from pose_rig.errors import UsageError
from pose_rig.streaming.address import PORT_RANGE
from pose_rig.tools.arguments.options import Duration, Headless
from pose_rig.tools.rig_files.validation import check_duration
from pose_rig.tools.terminal.console import Console, plain_table
from pose_rig.tools.terminal.decoded_stream import decoded_frame
from pose_rig.tools.terminal.remote_rig import ALL_SENT, RemoteRig
from pose_rig.tools.terminal.screen import watch
from pose_rig.wire.bus import Receiver
from pose_rig.wire.messages import Health, Target
from pose_rig.wire.services import FUSION, LOOPBACK, REPORT_STALE_S, STATUS_TOPICS, STREAMS_PORT_OFFSET


def monitor(
    port: Annotated[int, typer.Option(metavar="N", help="Port of the rig, as in its --port.")] = Config().port,
    duration: Duration = None,
    headless: Headless = False,
) -> None:
    """Show the cameras and streams of a running rig, and diagnose why an avatar does not move.

    \b
    pose-rig monitor                            a `pose-rig run --vmc …` here
    pose-rig monitor --port 5600                a run with --port 5600
    pose-rig monitor --duration 10 --headless   plain lines

    The rig publishes what it sends on the next higher port. The last line is the diagnosis: no rig, no person, nothing
    sent, no receiver, or everything sent; then check the receiver. The run is not affected. `pose-rig listen` shows
    the packets that arrive. q or Ctrl-C stops.
    """  # noqa: D301  (\b keeps the lines of the paragraph in the help)
    check_duration(duration)
    if not PORT_RANGE[0] <= port < PORT_RANGE[1]:
        raise UsageError(f"There is no rig on port {port}.", f"Ports go from {PORT_RANGE[0]} to {PORT_RANGE[1] - 1}.")
    console = Console()
    with closing(Receiver(f"tcp://{LOOPBACK}:{port}", topics=STATUS_TOPICS)) as receiver:
        receiver.connect(f"tcp://{LOOPBACK}:{port + STREAMS_PORT_OFFSET}")
        rig_monitor = RigMonitor(receiver, port)
        watch(rig_monitor, console, duration_s=duration, headless=headless)
    for line in rig_monitor.summary():
        console.print(line)


class RigMonitor:
    """Displays the messages of a rig.

    Args:
        receiver: Connected to its ports.
        port: The port of its poses.
    """

    def __init__(self, receiver: Receiver, port: int) -> None:
        self._receiver = receiver
        self._began_s = time.monotonic()
        self._diagnosis: list[str] = []
        self.rig = RemoteRig(port, time.monotonic_ns())

    def receive(self, timeout_s: float) -> None:
        """Receives messages for at most ``timeout_s``."""
        until_s = time.monotonic() + timeout_s
        while (left_s := until_s - time.monotonic()) > 0:
            for message in self._receiver.receive(round(left_s * 1e3)):
                self.rig.update(message, time.monotonic_ns())

    def render(self) -> RenderableType:
        """Returns the cameras, the fusion, the targets with their last frames, and the diagnosis."""
        now_ns = time.monotonic_ns()
        diagnosis = self.rig.diagnosis(now_ns)
        parts: list[RenderableType] = []
        if self.rig.workers:
            parts += [_cameras(self.rig, now_ns), Text(fusion_line(self.rig))]
            parts += [Text(text) for text in people_lines(self.rig)]
        if self.rig.streams:
            parts += [Text(sent_line(self.rig)), _targets(self.rig.streams.targets)]
            for target in self.rig.streams.targets:
                parts += [
                    Text(f"{target.kind} {target.address}: {line}", style="dim") for line in decoded_frame(target)
                ]
        parts += [Text(text, style="green" if text == ALL_SENT else "yellow") for text in diagnosis]
        return Group(*parts, Text("q stops", style="dim"))

    def lines(self) -> list[str]:
        """Returns the same as lines, the diagnosis only if it has changed."""
        elapsed_s = time.monotonic() - self._began_s
        previous, self._diagnosis = self._diagnosis, self.rig.diagnosis(time.monotonic_ns())
        new = self._diagnosis if self._diagnosis != previous else []
        return [f"{elapsed_s:.0f} s | {line}" for line in self._facts()] + new

    def summary(self) -> list[str]:
        """Returns the lines at the end."""
        invalid = [f"{self._receiver.bad} messages were invalid: {self._receiver.last_error}"]
        return self.rig.diagnosis(time.monotonic_ns()) + (invalid if self._receiver.bad else [])

    def _facts(self) -> list[str]:
        if not self.rig.workers:
            return []
        now_ns = time.monotonic_ns()
        cells = [camera_cells(*report, now_ns) for report in self.rig.cameras()]
        lines = [
            " | ".join([*(f"{name} {state} {rate} fps" for name, state, rate, *_ in cells), fusion_line(self.rig)])
        ]
        lines += people_lines(self.rig)
        for target in self.rig.streams.targets if self.rig.streams else ():
            lines.append(" | ".join([target_line(target), *decoded_frame(target)]))
        return lines


def camera_cells(health: Health, at_ns: int, now_ns: int) -> tuple[str, str, str, str, str]:
    """Returns name, state, frames per second, age (ms) and error of a camera from its report of ``at_ns``."""
    stale = now_ns - at_ns > REPORT_STALE_S * 1e9
    state = f"no report for {(now_ns - at_ns) / 1e9:.0f} s" if stale else health.state
    return health.worker, state, f"{health.rate_hz:.0f}", f"{health.age_ms:.0f}", health.error


def fusion_line(rig: RemoteRig) -> str:
    """Returns the state of the fusion."""
    facts: list[str] = []
    if rig.pose:
        several = f"tracking {rig.people.count} people"
        facts += [rig.pose.mode, "no person" if not rig.people.count else several if _several(rig) else "tracking"]
    if report := rig.workers.get(FUSION):
        health = report[0]
        facts += [health.state, f"{health.rate_hz:.0f} poses/s", f"age {health.age_ms:.0f} ms", health.error]
    if rig.rig:
        facts.append(rig.rig.note)
    return "fusion: " + "   ".join(fact for fact in facts if fact)


def people_lines(rig: RemoteRig) -> list[str]:
    """Returns one line for each of several people; empty if there is one."""
    return rig.people.lines() if _several(rig) else []


def _several(rig: RemoteRig) -> bool:
    return len(rig.people.present) > 1 or rig.people.most > 1


def sent_line(rig: RemoteRig) -> str:
    """Returns the heading of the targets, with the prediction horizon."""
    lead_ms = rig.streams.lead_ms if rig.streams else 0.0
    return "sent to engines" + (f", predicted {lead_ms:.0f} ms ahead:" if lead_ms else ":")


def target_line(target: Target) -> str:
    """Returns the state of a target."""
    slash = "/" if target.profile and not target.profile.startswith("@") else ""
    profile = f"{slash}{target.profile}"
    clients = "" if target.clients is None else f", {target.clients} clients"
    failures = f", {target.failures} failures" if target.failures else ""
    sent = f"{target.rate_hz:.0f} frames/s, {target.datagrams} datagrams"
    return f"{target.kind} {target.address}{profile} {sent}{clients}{failures}"


def _cameras(rig: RemoteRig, now_ns: int) -> Table:
    table = plain_table(("camera", "state"), ("fps", "age ms"))
    table.add_column("")  # error
    for report in rig.cameras():
        table.add_row(*(Text(cell) for cell in camera_cells(*report, now_ns)))
    return table


def _targets(targets: tuple[Target, ...]) -> Table:
    table = plain_table(("to", "address", "profile"), ("frames/s", "datagrams", "clients", "failures"))
    for target in targets:
        clients = "–" if target.clients is None else str(target.clients)
        counts = (f"{target.rate_hz:.1f}", str(target.datagrams), clients, str(target.failures))
        table.add_row(*(Text(cell) for cell in (target.kind, target.address, target.profile, *counts)))
    return table
