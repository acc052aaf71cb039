"""``pose-rig monitor``: a running rig from outside, and what it sends to engines."""

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
from pose_rig.tools.terminal.console import Console
from pose_rig.tools.terminal.decoded_stream import decoded_frame
from pose_rig.tools.terminal.remote_rig import ALL_SENT, RemoteRig
from pose_rig.tools.terminal.screen import watch
from pose_rig.wire.bus import Receiver
from pose_rig.wire.messages import Health, Target
from pose_rig.wire.services import FUSION, LOOPBACK, REPORT_STALE_S, STATUS_TOPICS, STREAMS_PORT_OFFSET


def monitor(
    port: Annotated[int, typer.Option(metavar="N", help="The port of the rig, as its --port.")] = Config().port,
    duration: Duration = None,
    headless: Headless = False,
) -> None:
    """Watch a running rig: its cameras, and what is sent where, decoded; says why an avatar does not move.

    \b
    pose-rig monitor                              beside a `pose-rig run --vmc …` on this machine
    pose-rig monitor --port 5600                  where that one has --port 5600
    pose-rig monitor --duration 10 --headless     plain lines

    The rig says on the next higher port what it sends. The last line is the verdict: no rig, nobody seen, nothing
    sent, nobody listening there, or all sent; then the receiver itself is the place to look. Watching changes
    nothing. `pose-rig listen` hears what really comes out of the network. q or Ctrl-C stops.
    """  # noqa: D301  (\b tells the help to keep the lines as they are)
    check_duration(duration)
    if not PORT_RANGE[0] <= port < PORT_RANGE[1]:
        raise UsageError(f"There is no rig on port {port}.", f"Ports go from {PORT_RANGE[0]} to {PORT_RANGE[1] - 1}.")
    console = Console()
    with closing(Receiver(f"tcp://{LOOPBACK}:{port}", topics=STATUS_TOPICS)) as receiver:
        receiver.connect(f"tcp://{LOOPBACK}:{port + STREAMS_PORT_OFFSET}")
        watcher = Watcher(receiver, port)
        watch(watcher, console, duration_s=duration, headless=headless)
    for line in watcher.summary():
        console.print(line)


class Watcher:
    """Hears a rig and shows it.

    Args:
        receiver: Where it is heard.
        port: Where it publishes.
    """

    def __init__(self, receiver: Receiver, port: int) -> None:
        self._receiver = receiver
        self._began_s = time.monotonic()
        self._verdict: list[str] = []
        self.rig = RemoteRig(port, time.monotonic_ns())

    def receive(self, timeout_s: float) -> None:
        """Takes what comes, for so long at most."""
        until_s = time.monotonic() + timeout_s
        while (left_s := until_s - time.monotonic()) > 0:
            for message in self._receiver.receive(round(left_s * 1e3)):
                self.rig.update(message, time.monotonic_ns())

    def render(self) -> RenderableType:
        """Returns the cameras, fusion, the targets with their last frames, and the verdict."""
        now_ns = time.monotonic_ns()
        verdict = self.rig.diagnosis(now_ns)
        parts: list[RenderableType] = []
        if self.rig.workers:
            parts += [_cameras(self.rig, now_ns), Text(fusion_line(self.rig))]
        if self.rig.streams:
            parts += [Text(sent_line(self.rig)), _targets(self.rig.streams.targets)]
            for target in self.rig.streams.targets:
                parts += [
                    Text(f"{target.kind} {target.address}: {line}", style="dim") for line in decoded_frame(target)
                ]
        parts += [Text(text, style="green" if text == ALL_SENT else "yellow") for text in verdict]
        return Group(*parts, Text("q stops", style="dim"))

    def lines(self) -> list[str]:
        """Returns the same in lines, the verdict where it is a new one."""
        elapsed_s = time.monotonic() - self._began_s
        before, self._verdict = self._verdict, self.rig.diagnosis(time.monotonic_ns())
        new = self._verdict if self._verdict != before else []
        return [f"{elapsed_s:.0f} s | {line}" for line in self._facts()] + new

    def summary(self) -> list[str]:
        """Returns what there is to say in the end."""
        strange = [f"{self._receiver.bad} messages made no sense: {self._receiver.last_error}"]
        return self.rig.diagnosis(time.monotonic_ns()) + (strange if self._receiver.bad else [])

    def _facts(self) -> list[str]:
        if not self.rig.workers:
            return []
        now_ns = time.monotonic_ns()
        cells = [camera_cells(*said, now_ns) for said in self.rig.cameras()]
        lines = [
            " | ".join([*(f"{name} {state} {rate} fps" for name, state, rate, *_ in cells), fusion_line(self.rig)])
        ]
        for target in self.rig.streams.targets if self.rig.streams else ():
            lines.append(" | ".join([target_line(target), *decoded_frame(target)]))
        return lines


def camera_cells(health: Health, at_ns: int, now_ns: int) -> tuple[str, str, str, str, str]:
    """Returns name, state, frames per second, age (ms) and what is wrong, of a camera that said so at an instant."""
    silent = now_ns - at_ns > REPORT_STALE_S * 1e9
    state = f"silent for {(now_ns - at_ns) / 1e9:.0f} s" if silent else health.state
    return health.worker, state, f"{health.rate_hz:.0f}", f"{health.age_ms:.0f}", health.error


def fusion_line(rig: RemoteRig) -> str:
    """Returns how fusion does."""
    facts: list[str] = []
    if rig.pose:
        facts += [rig.pose.mode, "somebody seen" if rig.pose.tracking else "nobody seen"]
    if said := rig.workers.get(FUSION):
        health = said[0]
        facts += [health.state, f"{health.rate_hz:.0f} poses/s", f"age {health.age_ms:.0f} ms", health.error]
    if rig.rig:
        facts.append(rig.rig.note)
    return "fusion: " + "   ".join(fact for fact in facts if fact)


def sent_line(rig: RemoteRig) -> str:
    """Returns how far what is sent looks ahead."""
    lead_ms = rig.streams.lead_ms if rig.streams else 0.0
    return "sent to engines" + (f", {lead_ms:.0f} ms ahead of the picture:" if lead_ms else ":")


def target_line(target: Target) -> str:
    """Returns how a target does."""
    profile = f"/{target.profile}" if target.profile else ""
    clients = "" if target.clients is None else f", {target.clients} clients"
    failures = f", {target.failures} failures" if target.failures else ""
    sent = f"{target.rate_hz:.0f} frames/s, {target.datagrams} datagrams"
    return f"{target.kind} {target.address}{profile} {sent}{clients}{failures}"


def _cameras(rig: RemoteRig, now_ns: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for header in ("camera", "state", "fps", "age ms"):
        table.add_column(header, justify="right" if header in ("fps", "age ms") else "left", no_wrap=True)
    table.add_column("")
    for said in rig.cameras():
        table.add_row(*(Text(cell) for cell in camera_cells(*said, now_ns)))
    return table


def _targets(targets: tuple[Target, ...]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for header in ("to", "address", "profile"):
        table.add_column(header, no_wrap=True)
    for header in ("frames/s", "datagrams", "clients", "failures"):
        table.add_column(header, justify="right", no_wrap=True)
    for target in targets:
        clients = "–" if target.clients is None else str(target.clients)
        counts = (f"{target.rate_hz:.1f}", str(target.datagrams), clients, str(target.failures))
        table.add_row(*(Text(cell) for cell in (target.kind, target.address, target.profile, *counts)))
    return table
