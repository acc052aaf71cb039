"""``pose-rig listen``: decodes VMC packets and checks them for what receivers do not support."""

import errno
import socket
import time
from contextlib import closing
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from pose_rig.errors import UsageError
from pose_rig.streaming.address import PORT_RANGE, Address
from pose_rig.streaming.inspect.vmc_receiver import VmcReceiver
from pose_rig.tools.arguments.options import Duration, Headless
from pose_rig.tools.rig_files.validation import check_duration
from pose_rig.tools.terminal.console import Console
from pose_rig.tools.terminal.decoded_stream import fault_lines, no_fault_text, rate_text, render_vmc, vmc_facts
from pose_rig.tools.terminal.screen import watch
from pose_rig.wire.services import LOOPBACK, VMC_PORT

MOST_BYTES = 65_535  # of a datagram


def listen(
    port: Annotated[int, typer.Option(metavar="N", help="Port to listen on; 0 = any free one.")] = VMC_PORT,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Address to listen on; 0.0.0.0 = from other machines too.")
    ] = LOOPBACK,
    all_bones: Annotated[bool, typer.Option("--all", help="Show every bone, not only the main ones.")] = False,
    duration: Duration = None,
    headless: Headless = False,
) -> None:
    """Decode VMC packets of any sender: frame rate, bones, and faults that break receivers.

    \b
    pose-rig listen                             instead of the engine: close that
    pose-rig listen --host 0.0.0.0              from other machines too
    pose-rig listen --port 39540 --all          another port, every bone
    pose-rig listen --duration 10 --headless    plain lines, and a summary

    Send with `pose-rig run --cams 0,1,2 --vmc 127.0.0.1` or any other program. The faults are those that Unity
    (EVMC4U), Unreal (VRM4U), Godot and others would have. Nothing is sent back, and no file that a sender names is
    opened. q or Ctrl-C stops.
    """  # noqa: D301  (\b keeps the lines of the paragraph in the help)
    check_duration(duration)
    console = Console()
    with closing(udp_socket(host, port)) as source:
        listener = Listener(source, all_bones=all_bones)
        console.print(f"Listening on {listener.address}.")
        watch(listener, console, duration_s=duration, headless=headless)
    for line in listener.summary():
        console.print(line)


class Listener:
    """Receives datagrams and displays them.

    Args:
        source: Bound UDP socket.
        all_bones: Whether every bone is shown.
    """

    def __init__(self, source: socket.socket, *, all_bones: bool = False) -> None:
        self.receiver = VmcReceiver()
        self.address = Address(*source.getsockname()[:2])
        self._source, self._all_bones = source, all_bones
        self._start_ns = time.monotonic_ns()
        self._reported: set[str] = set()

    def receive(self, timeout_s: float) -> None:
        """Receives datagrams for at most ``timeout_s``."""
        until_s = time.monotonic() + timeout_s
        while (left_s := until_s - time.monotonic()) > 0:
            self._source.settimeout(left_s)
            try:
                datagram, sender = self._source.recvfrom(MOST_BYTES)
            except TimeoutError:
                return
            self.receiver.add(datagram, time.monotonic_ns(), str(Address(*sender[:2])))

    def render(self) -> RenderableType:
        """Returns the decoded frame as a table."""
        if not self.receiver.datagrams:
            return Text(f"Nothing yet on {self.address}.   q stops", style="yellow")
        table = render_vmc(self.receiver, time.monotonic_ns(), all_bones=self._all_bones)
        return Group(table, Text("q stops", style="dim"))

    def lines(self) -> list[str]:
        """Returns the state as a line, followed by new faults."""
        received, now_ns = self.receiver, time.monotonic_ns()
        if not received.datagrams:
            return [f"{self._elapsed_s():.0f} s | nothing received yet on {self.address}"]
        new = [fault for fault in received.faults() if fault.name not in self._reported]
        self._reported.update(fault.name for fault in new)
        line = " | ".join([f"{self._elapsed_s():.0f} s", rate_text(received, now_ns), *vmc_facts(received)])
        return [line, *(f"{fault.name}: {fault.sentence}" for fault in new)]

    def summary(self) -> list[str]:
        """Returns the lines at the end."""
        received, elapsed_s = self.receiver, self._elapsed_s()
        if not received.datagrams:
            return [
                f"Nothing was received on {self.address} in {elapsed_s:.0f} s. Check that",
                f"- the sender runs and sends to this port: pose-rig run --cams 0,1,2 --vmc {self.address}",
                "- a sender on another machine sends to the address of this one, and --host 0.0.0.0 is given",
                f"- no firewall blocks UDP port {self.address.port}",
            ]
        senders = f" from {', '.join(received.senders)}" if received.senders else ""
        lines = [
            f"Received {received.frames} frames in {elapsed_s:.0f} s: {received.datagrams} datagrams of at most "
            f"{received.largest} bytes{senders}."
        ]
        if received.frames:
            lines.append(", ".join(vmc_facts(received)) + ".")
        if received.vrm:
            lines.append(f"The sender names a model, which is not opened: {received.vrm}")
        return lines + (fault_lines(received) or [no_fault_text(received)])

    def _elapsed_s(self) -> float:
        return (time.monotonic_ns() - self._start_ns) / 1e9


def udp_socket(host: str, port: int) -> socket.socket:
    """Returns a bound UDP socket.

    Args:
        host: Local address.
        port: Local port; 0 = any free one.

    Raises:
        UsageError: It cannot be bound.
    """
    if not 0 <= port <= PORT_RANGE[1]:
        raise UsageError(f"{port} is not a port number.", f"Ports go from {PORT_RANGE[0]} to {PORT_RANGE[1]}.")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    except (OSError, UnicodeError) as error:
        raise UsageError(f"Unknown host {host!r}.", "Remove --host to listen on this machine only.") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.bind(place)
    except OSError as error:
        listener.close()
        raise _bind_error(Address(host, port), error) from error
    return listener


def _bind_error(address: Address, error: OSError) -> UsageError:
    if error.errno == errno.EADDRINUSE:
        return UsageError(
            f"Another program is already listening on {address}.",
            f"Close it, or use --port {address.port % PORT_RANGE[1] + 1} and send there.",
        )
    return UsageError(
        f"Cannot listen on {address}: {error.strerror}.",
        "Use --host 0.0.0.0 for other machines, and a --port of 1024 or more.",
    )
