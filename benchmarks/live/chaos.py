"""Whether a rig continues while its processes are killed and frozen at random and a camera is cut.

    python -m benchmarks.live.chaos --minutes 30 --json chaos.json

A rig of four simulated cameras and a network camera streams and records. Every 5 to 10 s a random worker is killed,
or frozen for 3 s, or the network camera is cut for 3 s. Measured: the longest gap between poses while the fusion was
left alone, the time until what was disturbed works again, what the recordings lack, processes that are left at the end;
then the same after the supervisor itself was killed, with one worker frozen. The exit code is 1 if something must not
be. On a busy machine, run it with a real-time priority (`chrt -r 20`).
"""

import argparse
import os
import random
import signal
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.contract import Report, parser
from benchmarks.live.attack import TABLE_WIDTH, options, udp_receiver
from benchmarks.live.network_camera import NetworkCamera
from benchmarks.live.pose_watch import PoseWatch
from benchmarks.live.recorded import Damage, missing_poses
from benchmarks.live.rig_under_test import RigUnderTest
from pose_rig.wire.services import FUSION, LOOPBACK, RECORDER, WEB

PAUSE_S = (5.0, 10.0)
FROZEN_S = CUT_S = 3.0
MAX_RECOVERY_S = 5.0
MAX_WAIT_S = 30.0  # for a recovery
MAX_GAP_MS = 500.0  # while the fusion runs; a camera that ends is waited for
CAMERAS = 4
PAGE_LINE = "Live page, with buttons: https://"
NETWORK_CAMERA = LOOPBACK  # its name is its host
WARM_UP_S = 5.0


@dataclass(frozen=True, slots=True)
class Event:
    """One disturbance.

    Attributes:
        kind: ``killed``, ``frozen`` or ``cut``.
        worker: Which.
        at_ns: When.
        over_ns: When it was over: the process runs again, the camera answers again. A kill is over at once.
        recovered_s: From then until the worker works again; inf if it did not in time.
        gap_ms: Longest gap between poses, from the event until the recovery.
    """

    kind: str
    worker: str
    at_ns: int
    over_ns: int
    recovered_s: float
    gap_ms: float


@dataclass(slots=True)
class DisturbedRig:
    """A rig, and what was done to it."""

    rig: RigUnderTest
    watch: PoseWatch
    camera: NetworkCamera
    session: Path
    events: list[Event] = field(default_factory=list)

    def disturb_at_random(self, draw: random.Random) -> None:
        """Does something at random, and waits until it is overcome."""
        workers = self.rig.workers()
        kind = draw.choice(("killed", "killed", "frozen", "cut"))
        self.disturb(kind, NETWORK_CAMERA if kind == "cut" else draw.choice(sorted(workers)))

    def disturb(self, kind: str, worker: str) -> None:
        """Kills or freezes a worker, or cuts the network camera, and waits until it is overcome."""
        workers = self.rig.workers()
        at_ns = time.monotonic_ns()
        if kind == "killed":
            os.kill(workers[worker], signal.SIGKILL)
        elif kind == "frozen":
            self._freeze(workers[worker])
        else:
            self.camera.cut()
            time.sleep(CUT_S)
            self.camera.restore()
        over_ns = time.monotonic_ns()
        recovered_s = self._recovery_s(worker, over_ns)
        gap_ms = self.watch.longest_gap_ms(at_ns, time.monotonic_ns())
        self.events.append(Event(kind, worker, at_ns, over_ns, recovered_s, gap_ms))
        print(f"{worker} {kind}: back after {recovered_s:.1f} s, longest gap {gap_ms:.0f} ms", flush=True)

    def _freeze(self, pid: int) -> None:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(FROZEN_S)
        os.kill(pid, signal.SIGCONT)

    def _recovery_s(self, worker: str, over_ns: int) -> float:
        """Returns the time until a worker works again."""
        works = self._recorder_works() if worker == RECORDER else lambda: self._works(worker, over_ns)
        end_s = time.monotonic() + MAX_WAIT_S
        while not works():
            if time.monotonic() > end_s:
                return float("inf")
            time.sleep(0.02)
        return (time.monotonic_ns() - over_ns) / 1e9

    def _works(self, worker: str, since_ns: int) -> bool:
        """Returns whether a worker has reported since a time that it runs, and the fusion has published a pose."""
        if worker == WEB:
            return self._page_works()
        if worker == FUSION:
            return bool(self.watch.arrivals) and self.watch.arrivals[-1].published_ns > since_ns
        health = self.watch.health.get(worker)
        return health is not None and health.t_ns > since_ns and health.state == "running" and health.rate_hz > 0

    def _page_works(self) -> bool:
        """Returns whether the server of the pages finishes a handshake."""
        line = next(line for line in self.rig.printed if PAGE_LINE in line)
        port = int(line.split(PAGE_LINE)[1].split(":")[1].split("/")[0])
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with socket.create_connection((LOOPBACK, port), timeout=0.5) as connection:
                context.wrap_socket(connection).close()
        except OSError:
            return False
        return True

    def _recorder_works(self) -> Callable[[], bool]:
        """Returns a function that returns whether a recording has grown since this call."""
        folder = self.session.parent
        before = {path: path.stat().st_size for path in folder.iterdir()}
        return lambda: any(path.stat().st_size > before.get(path, 0) for path in folder.iterdir())


def chaos(args: argparse.Namespace, folder: Path) -> tuple[DisturbedRig, list[str]]:
    """Returns a rig that was disturbed for some minutes, and what must not be."""
    draw = random.Random(args.seed)  # noqa: S311
    with ExitStack() as stack:
        disturbed = start(stack, folder)
        end_s = time.monotonic() + 60 * args.minutes
        while time.monotonic() < end_s:
            disturbed.disturb_at_random(draw)
            time.sleep(draw.uniform(*(PAUSE_S if not args.quick else (0.5, 1.0))))
        code = disturbed.rig.stop()
        found = [f"exit code {code}"] * bool(code)
        found += [f"{pid} is left" for pid in left(disturbed.rig)]
    return disturbed, found


def kill_supervisor(folder: Path) -> tuple[DisturbedRig, list[str]]:
    """Returns a rig whose supervisor was killed while a worker was frozen, and what must not be."""
    with ExitStack() as stack:
        disturbed = start(stack, folder)
        os.kill(disturbed.rig.workers()["sim0"], signal.SIGSTOP)
        now_ns = time.monotonic_ns()
        os.kill(disturbed.rig.process.pid, signal.SIGKILL)
        disturbed.rig.process.wait()
        disturbed.events.append(Event("killed", "supervisor", now_ns, now_ns, 0.0, 0.0))
        return disturbed, [f"{pid} is left after the supervisor was killed" for pid in left(disturbed.rig)]


def start(stack: ExitStack, folder: Path, cams: str = "", warm_up_s: float = WARM_UP_S) -> DisturbedRig:
    """Returns a rig that runs and records into a folder, with a network camera unless others are given."""
    camera = stack.enter_context(closing(NetworkCamera()))
    receivers = [stack.enter_context(udp_receiver()) for _ in range(3)]
    ports = [receiver.getsockname()[1] for receiver in receivers]
    session = folder / "take.mcap"
    rig = stack.enter_context(RigUnderTest(options(session, ports, cams or f"sim:{CAMERAS},{camera.url}")))
    watch = stack.enter_context(PoseWatch(rig.poses))
    rig.wait_for(lambda: len(watch.arrivals) > 1, 60.0, "poses")
    time.sleep(warm_up_s)
    return DisturbedRig(rig, watch, camera, session)


def left(rig: RigUnderTest) -> list[int]:
    """Returns the processes that a rig that has ended leaves behind."""
    end_s = time.monotonic() + MAX_RECOVERY_S
    while rig.pids() and time.monotonic() < end_s:
        time.sleep(0.05)
    return rig.pids()


def faults(disturbed: DisturbedRig) -> list[str]:
    """Returns which events had effects that must not be."""
    found = []
    for event in disturbed.events:
        if event.recovered_s > MAX_RECOVERY_S:
            found.append(f"{event.worker} {event.kind}: back after {event.recovered_s:.1f} s")
        if event.worker != FUSION and event.gap_ms > MAX_GAP_MS:
            found.append(f"{event.worker} {event.kind}: no pose for {event.gap_ms:.0f} ms")
    return found


def damages(events: Sequence[Event]) -> list[Damage]:
    """Returns the times in which the recording or the poses may lack something."""
    return [
        Damage(event.at_ns, event.over_ns + round(min(event.recovered_s, MAX_WAIT_S) * 1e9))
        for event in events
        if event.worker in (RECORDER, FUSION, "supervisor")
    ]


def main() -> int:
    """Prints a table; returns the exit code."""
    arguments = parser(__doc__)
    arguments.add_argument("--minutes", type=float, default=30.0)
    arguments.add_argument("--seed", type=int, default=0)
    args = arguments.parse_args()
    if args.quick:
        args.minutes = 0.3
    report = Report.begin(args)
    found, lost = [], []
    with tempfile.TemporaryDirectory() as name:
        for part, run in (("chaos", lambda folder: chaos(args, folder)), ("supervisor", kill_supervisor)):
            folder = Path(name) / part
            folder.mkdir()
            disturbed, wrong = run(folder)
            lost.append(missing_poses(folder, disturbed.watch.arrivals, damages(disturbed.events)))
            found += [*wrong, *faults(disturbed), *lost[-1].faults]
            if part == "chaos":
                Console(width=TABLE_WIDTH).print(table(disturbed.events))
                add_figures(report, disturbed)
    report.add("poses received", "", [sum(one.received for one in lost)])
    report.add("poses that the recordings lack", "", [sum(one.missing for one in lost)], "0")
    report.finish(args.json)
    print("\n".join(found) or "Everything came back.")
    return int(bool(found))


def add_figures(report: Report, disturbed: DisturbedRig) -> None:
    """Adds the figures of a disturbed rig."""
    for kind in sorted({event.kind for event in disturbed.events}):
        events = [event for event in disturbed.events if event.kind == kind]
        report.add(f"{kind}: until it works again", "s", [event.recovered_s for event in events])
        report.add(f"{kind}: maximum", "s", [max(event.recovered_s for event in events)], f"≤ {MAX_RECOVERY_S:g}")
    for name, fusion in (("others disturbed", False), ("fusion disturbed", True)):
        gaps_ms = [event.gap_ms for event in disturbed.events if (event.worker == FUSION) == fusion]
        if gaps_ms:
            report.add(f"longest gap, {name}", "ms", [max(gaps_ms)], "" if fusion else f"≤ {MAX_GAP_MS:g}")


def table(events: Sequence[Event]) -> Table:
    """Returns the events by worker and kind."""
    out = Table(title="Chaos")
    for column in ("worker", "was", "times", "back after s: median", "maximum", "longest gap between poses ms"):
        out.add_column(column, justify="left" if column in ("worker", "was") else "right")
    for worker, kind in sorted({(event.worker, event.kind) for event in events}):
        rows = [event for event in events if (event.worker, event.kind) == (worker, kind)]
        times = sorted(event.recovered_s for event in rows)
        gap_ms = max(event.gap_ms for event in rows)
        numbers = f"{times[len(times) // 2]:.1f}", f"{times[-1]:.1f}", f"{gap_ms:.0f}"
        out.add_row(worker, kind, str(len(rows)), *numbers)
    return out


if __name__ == "__main__":
    sys.exit(main())
