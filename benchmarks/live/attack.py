"""What malformed messages do to a running rig: gaps between poses, memory, counters.

    python -m benchmarks.live.attack --messages 1000000 --json attack.json

A rig of four simulated cameras with every output records a session. Its sockets are found in the tables of the
system and attacked one after the other, with quiet times in between: malformed messages of every protocol, 500
connections that never finish their handshake, clients that read nothing. The exit code is 1 if a gap under attack is
longer than `MAX_GAP_MS` (and than what the machine did by itself in the quiet times), memory grew by more than
`MAX_GROWTH_MB`, a process was restarted, or the recording is damaged. On a busy machine, run it with a real-time
priority (`chrt -r 20`); the attacking processes take the lowest one.
"""

import socket
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.contract import Report, parser
from benchmarks.live import attackers
from benchmarks.live.attackers import Attack, Sent, in_process
from benchmarks.live.datagram_watch import DatagramWatch
from benchmarks.live.pose_watch import PoseWatch
from benchmarks.live.rig_under_test import Port, RigUnderTest
from pose_rig.session.reader import Session
from tests.ports import free_port

MAX_GAP_MS = 100.0
MAX_GROWTH_MB = 30.0
READERS = 8
TLS_SHARE = 10  # a handshake costs milliseconds
TABLE_WIDTH = 150
CAMS, PAGES = "sim:4,remote:hall", "--view --phones 1 --host 127.0.0.1"  # a phone and a remote camera may join
COLUMNS = (
    "port", "attack", "messages", "connections", "s", "gap ms", "published ms", "datagrams ms", "refused", "memory MB",
    "peak MB",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Phase:
    """One attack, or a quiet time.

    Attributes:
        port: Worker and port; empty in a quiet time.
        kind: What was done.
        sent: What was sent.
        seconds: How long it took.
        arrived_ms: Longest gap between poses at a subscriber.
        published_ms: The same where they are published.
        datagrams_ms: The same between new poses in datagrams.
        refused: What the rig has counted meanwhile.
        memory_mb: Of all processes, afterwards.
        peak_mb: The maximum of it meanwhile.
    """

    port: str
    kind: str
    sent: Sent
    seconds: float
    arrived_ms: float
    published_ms: float
    datagrams_ms: float
    refused: int
    memory_mb: float
    peak_mb: float

    @property
    def gap_ms(self) -> float:
        """The longest gap of a stream."""
        return max(self.arrived_ms, self.datagrams_ms)


@dataclass(slots=True)
class AttackedRig:
    """A rig under attack, and what was measured."""

    rig: RigUnderTest
    watch: PoseWatch
    datagrams: DatagramWatch
    phases: list[Phase] = field(default_factory=list)

    def quiet(self, seconds: float) -> None:
        """Measures without an attack."""
        end_s = time.monotonic() + seconds
        self._measure("", "quiet", lambda: time.monotonic() >= end_s, Sent)

    def attack(self, port: Port, kind: str, attack: Attack) -> None:
        """Measures while an attack runs."""
        self._measure(self._name(port), kind, lambda: attack.over, attack.finish)

    def paths(self, port: Port) -> list[str]:
        """Returns the paths that a port serves to browsers, without those that may control the run."""
        lines = [line for line in self.rig.printed if f":{port.number}/" in line and "buttons" not in line]
        return [f"/{line.split(f':{port.number}/')[1].split('/')[0]}/socket" for line in lines]

    def _measure(self, port: str, kind: str, over: Callable[[], bool], sent: Callable[[], Sent]) -> None:
        start_ns, refused, peak_mb = time.monotonic_ns(), self.watch.refused, 0.0
        while not over():
            time.sleep(0.1)
            peak_mb = max(peak_mb, self.rig.memory_mb())
        end_ns = time.monotonic_ns()
        time.sleep(1.2)  # for reports
        arrived_ms = self.watch.longest_gap_ms(start_ns, end_ns)
        published_ms = self.watch.longest_gap_ms(start_ns, end_ns, published=True)
        self.phases.append(
            Phase(
                port, kind, sent(), (end_ns - start_ns) / 1e9, arrived_ms, published_ms,
                self.datagrams.longest_gap_ms(start_ns, end_ns),
                self.watch.refused - refused, self.rig.memory_mb(), peak_mb,
            )
        )  # fmt: skip
        print(self.phases[-1], flush=True)

    def _name(self, port: Port) -> str:
        names = {pid: name for name, pid in self.rig.workers().items()}
        return f"{names.get(port.pid, 'supervisor')} {port.protocol} {port.number}"


def attack_all(attacked: AttackedRig, messages: int, quiet_s: float, seed: int, workers: Sequence[str] = ()) -> None:
    """Attacks every port in turn.

    Args:
        attacked: The rig.
        messages: Sent to all ports together.
        quiet_s: Between two attacks.
        seed: Of the messages.
        workers: Whose ports; empty = all.
    """
    pids = {pid for name, pid in attacked.rig.workers().items() if not workers or name in workers}
    ports = [port for port in attacked.rig.ports() if port.pid in pids]
    each = max(messages // len(ports), 1)
    for number, port in enumerate(ports):
        attacked.quiet(quiet_s)
        function = attackers.malformed_tcp if port.protocol == "tcp" else attackers.malformed_udp
        attacked.attack(port, "malformed", in_process(function, port.number, each, seed + number))
        if paths := attacked.paths(port):
            within = in_process(attackers.malformed_tls, port.number, each // TLS_SHARE, seed, paths)
            attacked.attack(port, "malformed, TLS", within)
        if port.protocol == "tcp":
            attacked.attack(port, "endless", in_process(attackers.endless_messages, port.number, seed))
            attacked.attack(port, "half open", in_process(attackers.half_open_connections, port.number, seed))
            for kind in ("zmtp", "websocket"):
                readers = in_process(attackers.slow_readers, port.number, kind, READERS)
                attacked.attack(port, f"slow {kind}", readers)
    attacked.quiet(quiet_s)


def faults(attacked: AttackedRig, growth_mb: float, session: Path) -> list[str]:
    """Returns what must not happen."""
    quiet_ms = max(phase.gap_ms for phase in attacked.phases if not phase.port)
    found = [
        f"{phase.port}, {phase.kind}: a gap of {phase.gap_ms:.0f} ms"
        for phase in attacked.phases
        if phase.port and phase.gap_ms > max(MAX_GAP_MS, quiet_ms)
    ]
    if growth_mb > MAX_GROWTH_MB:
        found.append(f"memory grew by {growth_mb:.0f} MB")
    found += [f"{one.worker} was restarted" for one in attacked.watch.health.values() if one.restarts]
    found += [line for line in attacked.rig.printed if "Restarting" in line]
    with Session(str(session)) as recorded:
        if recorded.damaged or not recorded.topics.get("pose"):
            found.append("the recording is damaged")
    return found


def main() -> int:
    """Prints a table; returns the exit code."""
    arguments = parser(__doc__)
    arguments.add_argument("--messages", type=int, default=1_000_000, help="to all ports together")
    arguments.add_argument("--quiet", type=float, default=4.0, metavar="S", help="between two attacks")
    arguments.add_argument("--warm-up", type=float, default=30.0, metavar="S", help="before the first")
    arguments.add_argument("--workers", default="", metavar="A,B", help="whose ports; default: all")
    arguments.add_argument("--seed", type=int, default=0)
    args = arguments.parse_args()
    if args.quick:
        args.messages, args.quiet, args.warm_up = 2000, 1.0, 3.0
    report = Report.begin(args)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        session = folder / "attacked.mcap"
        datagrams = stack.enter_context(DatagramWatch())
        others = [stack.enter_context(udp_receiver()).getsockname()[1] for _ in range(2)]
        rig = stack.enter_context(RigUnderTest(options(session, (*others, datagrams.port), CAMS, PAGES)))
        watch = stack.enter_context(PoseWatch(rig.poses))
        attacked = AttackedRig(rig, watch, datagrams)
        rig.wait_for(lambda: any("Mode solved" in line for line in rig.printed), 60.0, "solved")
        attacked.quiet(args.warm_up)
        before_mb = rig.memory_mb()
        attack_all(attacked, args.messages, args.quiet, args.seed, args.workers.split(",") if args.workers else ())
        growth_mb = rig.memory_mb() - before_mb
        code = rig.stop()
        found = faults(attacked, growth_mb, session)
        if code:
            found.append(f"the exit code of the rig was {code}")
    add_figures(report, attacked, growth_mb)
    Console(width=TABLE_WIDTH).print(table(attacked))
    report.finish(args.json)
    print("\n".join(found) or "Nothing but counters.")
    return int(bool(found))


def options(session: Path, receivers: Sequence[int], cams: str = "sim:4", pages: str = "--view") -> list[str]:
    """Returns the options of a rig with every output; datagrams go to three ports."""
    vmc, vrchat, json = (f"127.0.0.1:{number}" for number in receivers)
    text = (
        f"--cams {cams} --port {free_port()} --record {session} --websocket {free_port()} "
        f"--vmc {vmc} --vrchat {vrchat} --json {json} {pages} --web-port {free_port()}"
    )
    return text.split()


def udp_receiver() -> socket.socket:
    """Returns a port that receives and never reads."""
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    return receiver


def add_figures(report: Report, attacked: AttackedRig, growth_mb: float) -> None:
    """Adds the figures of a run."""
    for name, quiet in (("quiet", True), ("attacked", False)):
        phases = [phase for phase in attacked.phases if (not phase.port) == quiet]
        limit = "" if quiet else f"≤ {MAX_GAP_MS:g}"
        report.add(f"longest gap, {name}", "ms", [max(phase.arrived_ms for phase in phases)], limit)
        report.add(f"longest gap in datagrams, {name}", "ms", [max(phase.datagrams_ms for phase in phases)], limit)
        report.add(f"longest gaps, {name}", "ms", [phase.arrived_ms for phase in phases])
    sent = [phase.sent for phase in attacked.phases]
    report.add("messages sent", "", [sum(one.messages for one in sent)])
    report.add("connections made", "", [sum(one.connections for one in sent)])
    refused = [int(line.split()[1]) for line in attacked.rig.printed if line.startswith("Refused ")]
    report.add("refused, as counted by the rig", "", refused or [0])
    report.add("memory at the start", "MB", [attacked.phases[0].memory_mb])
    report.add("memory, maximum", "MB", [max(phase.peak_mb for phase in attacked.phases)])
    report.add("memory, growth", "MB", [growth_mb], f"≤ {MAX_GROWTH_MB:g}")


def table(attacked: AttackedRig) -> Table:
    """Returns the phases."""
    out = Table(title="Attacks")
    for column in COLUMNS:
        out.add_column(column, justify="left" if column in ("port", "attack") else "right")
    for row in attacked.phases:
        numbers = [row.sent.messages, row.sent.connections, row.seconds, row.arrived_ms, row.published_ms]
        numbers += [row.datagrams_ms, row.refused, row.memory_mb, row.peak_mb]
        out.add_row(
            row.port, row.kind, *(f"{number:.4g}" if isinstance(number, float) else str(number) for number in numbers)
        )
    return out


if __name__ == "__main__":
    sys.exit(main())
