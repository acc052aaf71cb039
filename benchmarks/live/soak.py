"""Memory of every process of a rig, and gaps between its poses, over hours. Linux only.

    python -m benchmarks.live.soak --minutes 120 --csv soak.csv

The cameras are simulated; a session is recorded, a page is open, and the poses are received as datagrams too.
"""

import asyncio
import csv
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TextIO

import numpy as np

from benchmarks.contract import Report, parser, rss_mb
from benchmarks.live.datagram_watch import DatagramWatch
from benchmarks.live.pose_watch import PoseWatch
from benchmarks.live.rig_under_test import RigUnderTest
from benchmarks.live.web_load import Page
from tests.ports import free_port

WARM_UP_MINUTES = 10.0  # of the growth: from then on
SUPERVISOR = "supervisor"


class OpenPage:
    """A client that gets what a page gets, in a thread.

    Args:
        address: With its token.

    Attributes:
        page: What it has received.
    """

    def __init__(self, address: str) -> None:
        self.page = Page(address)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._task = self._loop.create_task(self.page.run())
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass  # closed
        finally:
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()


@dataclass(slots=True)
class Samples:
    """What was measured, once a minute or so.

    Attributes:
        minutes: Since the start, of each sample.
        memory_mb: By process; one per sample, NaN while it was not there.
        gap_ms: Longest time without a pose, by sample: as a subscriber received them.
        datagram_gap_ms: The same of the datagrams.
        page_gap_ms: The same of the page.
    """

    minutes: list[float] = field(default_factory=list)
    memory_mb: dict[str, list[float]] = field(default_factory=dict)
    gap_ms: list[float] = field(default_factory=list)
    datagram_gap_ms: list[float] = field(default_factory=list)
    page_gap_ms: list[float] = field(default_factory=list)

    def add_memory(self, memory_mb: Mapping[str, float]) -> None:
        """Adds the memory of the processes that are there."""
        for name in memory_mb:
            self.memory_mb.setdefault(name, [float("nan")] * (len(self.minutes) - 1))
        for name, values in self.memory_mb.items():
            values.append(memory_mb.get(name, float("nan")))

    def growth_mb_per_hour(self, name: str) -> float:
        """Returns the slope of the memory of a process after the warm-up; of all that there is, if it was shorter."""
        minutes, memory = np.array(self.minutes), np.array(self.memory_mb[name])
        warm = minutes >= min(WARM_UP_MINUTES, 0.25 * minutes[-1])
        used = warm & np.isfinite(memory)
        return float(np.polyfit(minutes[used] / 60, memory[used], 1)[0]) if used.sum() > 1 else 0.0


class Soak:
    """Measures a running rig at regular intervals.

    Args:
        rig: The rig.
        watch: Of its poses.
        datagrams: Of its streams.
        page: An open page.
        rows: Each sample is written there as a row of CSV; None = nowhere.

    Attributes:
        samples: So far.
    """

    def __init__(
        self, rig: RigUnderTest, watch: PoseWatch, datagrams: DatagramWatch, page: Page, rows: TextIO | None
    ) -> None:
        self._rig, self._watch, self._datagrams, self._page, self._rows = rig, watch, datagrams, page, rows
        self._start_ns = self._before_ns = time.monotonic_ns()
        self.samples = Samples()

    def sample(self) -> None:
        """Takes a sample of the time since the last."""
        now_ns, samples = time.monotonic_ns(), self.samples
        samples.minutes.append((now_ns - self._start_ns) / 60e9)
        samples.gap_ms.append(self._watch.longest_gap_ms(self._before_ns, now_ns))
        samples.datagram_gap_ms.append(self._datagrams.longest_gap_ms(self._before_ns, now_ns))
        samples.page_gap_ms.append(self._page_gap_ms(self._before_ns * 1e-9, now_ns * 1e-9))
        pids = {SUPERVISOR: self._rig.process.pid, **self._rig.workers()}
        samples.add_memory({name: rss_mb(pid) for name, pid in pids.items()})
        self._before_ns = now_ns
        if self._rows is not None:
            self._write(self._rows)

    def _page_gap_ms(self, from_s: float, to_s: float) -> float:
        times = [from_s, *(at_s for at_s in self._page.received_s if from_s <= at_s <= to_s), to_s]
        return float(np.diff(times).max()) * 1e3

    def _write(self, rows: TextIO) -> None:
        samples, writer = self.samples, csv.writer(rows)
        if len(samples.minutes) == 1:
            writer.writerow(["minutes", "gap_ms", "datagram_gap_ms", "page_gap_ms", *samples.memory_mb])
        gaps = samples.gap_ms[-1], samples.datagram_gap_ms[-1], samples.page_gap_ms[-1]
        memory = (values[-1] for values in samples.memory_mb.values())
        writer.writerow([f"{value:.2f}" for value in (samples.minutes[-1], *gaps, *memory)])
        rows.flush()


def add_figures(report: Report, samples: Samples) -> None:
    """Adds the figures of a run."""
    report.add("duration", "min", [samples.minutes[-1]])
    report.add("longest gap of the poses, each minute", "ms", samples.gap_ms)
    report.add("longest gap of the poses", "ms", [max(samples.gap_ms)])
    report.add("longest gap of the datagrams", "ms", [max(samples.datagram_gap_ms)])
    report.add("longest gap of the page", "ms", [max(samples.page_gap_ms)])
    for name, values in samples.memory_mb.items():
        report.add(f"memory of {name}, first sample", "MB", values[:1])
        report.add(f"memory of {name}, last sample", "MB", values[-1:])
        report.add(f"growth of {name} after the warm-up", "MB/h", [samples.growth_mb_per_hour(name)])


def main() -> int:
    """Prints a table; returns the exit code of the rig."""
    arguments = parser(__doc__)
    arguments.add_argument("--minutes", type=float, default=120.0)
    arguments.add_argument("--every", type=float, default=60.0, metavar="S", help="seconds between two samples")
    arguments.add_argument("--rate", type=int, default=15, help="poses per second")
    arguments.add_argument("--cams", default="sim:3")
    arguments.add_argument("--csv", type=Path, metavar="F", help="write every sample there at once")
    args = arguments.parse_args()
    if args.quick:
        args.minutes, args.every = 0.05, 1.0
    report = Report.begin(args)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        datagrams = stack.enter_context(DatagramWatch())
        web_port = free_port()
        options = (
            f"--cams {args.cams} --rate {args.rate} --port {free_port()} --record {folder / 'soak.mcap'} "
            f"--json 127.0.0.1:{datagrams.port} --view --web-port {web_port}"
        )
        rig = stack.enter_context(RigUnderTest(options.split()))
        watch = stack.enter_context(PoseWatch(rig.poses))
        rig.wait_for(lambda: any("Mode solved" in line for line in rig.printed), 120.0, "solved")
        address = next(line for line in rig.printed if f":{web_port}/" in line).split()[-1]
        page = stack.enter_context(OpenPage(address))
        rows = stack.enter_context(args.csv.open("w", newline="")) if args.csv else None
        soak = Soak(rig, watch, datagrams, page.page, rows)
        end_s = time.monotonic() + 60 * args.minutes
        while time.monotonic() < end_s and rig.process.poll() is None:
            time.sleep(args.every)
            soak.sample()
        code = rig.stop()
    add_figures(report, soak.samples)
    report.finish(args.json)
    return code


if __name__ == "__main__":
    sys.exit(main())
