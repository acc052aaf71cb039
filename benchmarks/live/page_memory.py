"""Memory and load of the live page in headless Chromium, with four cameras and 60 poses per second. Linux only.

    python -m benchmarks.live.page_memory
    python -m benchmarks.live.page_memory --images

A rig of four simulated cameras runs for a minute without a page, then with one: the longest time without a pose, as any
program receives them, and the memory of the web worker, of the page (JavaScript, after garbage collection) and of all
processes of the browser, which draws without a GPU. Simulated cameras have no images; with ``--images`` the page is
served by a stand-in for a rig, which sends images at the rate of a real one.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.contract import MB, Report, parser, rss_mb
from benchmarks.live.pose_watch import PoseWatch
from benchmarks.live.rig_under_test import RigUnderTest
from pose_rig.wire.services import WEB
from tests.ports import free_port
from tests.web.pages.chromium import Tab, chromium
from tests.web.pages.page_server import page_server

SIZE_PX = (900, 600)
INTERVAL_S = 15.0
ALONE_S = 60.0


class Meter:
    """Reads what is known of a page.

    Args:
        tab: With the page.
        profile: Folder of the browser's profile, which its processes are started with.

    Attributes:
        heap_mb: JavaScript heap, once per `read`.
        nodes: Nodes of the document, once per `read`.
        browser_mb: Memory of all processes of the browser (shared pages in shares), once per `read`.
    """

    def __init__(self, tab: Tab, profile: Path) -> None:
        self._tab, self._profile = tab, profile
        self.heap_mb: list[float] = []
        self.nodes: list[float] = []
        self.browser_mb: list[float] = []
        tab.call("Performance.enable")

    def read(self) -> float:
        """Reads the memory after garbage collection; returns how long its main thread was busy so far, s."""
        self._tab.call("HeapProfiler.collectGarbage")
        metrics = {one["name"]: one["value"] for one in self._tab.call("Performance.getMetrics")["metrics"]}
        self.heap_mb.append(metrics["JSHeapUsedSize"] / MB)
        self.nodes.append(metrics["Nodes"])
        self.browser_mb.append(browser_mb(self._profile))
        return float(metrics["TaskDuration"])


def browser_mb(profile: Path) -> float:
    """Returns the memory of the processes of a browser, MB: of the one with this profile, and of its descendants."""
    parents: dict[int, int] = {}
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if str(profile).encode() in (entry / "cmdline").read_bytes():
                    found.add(int(entry.name))
            except OSError:
                continue  # it has ended
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sum(_pss_mb(pid) for pid in found)


def _pss_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0  # it has ended
    return sum(int(line.split()[1]) * 1024 / MB for line in lines if line.startswith("Pss:"))


class Rig:
    """A rig that serves a page.

    Args:
        stack: Ends it.
    """

    def __init__(self, stack: ExitStack) -> None:
        port = free_port()
        options = f"--cams sim:4 --port {free_port()} --view --web-port {port}"
        self._rig = stack.enter_context(RigUnderTest(options.split()))
        self._watch = stack.enter_context(PoseWatch(self._rig.poses))
        self._rig.wait_for(lambda: any("Mode solved" in line for line in self._rig.printed), 120.0, "solved")
        self.address = next(line for line in self._rig.printed if "buttons" in line).split()[-1]

    def gap_ms(self, from_ns: int) -> float:
        """Returns the longest time without a pose from a time until now."""
        return self._watch.longest_gap_ms(from_ns, time.monotonic_ns())

    def memory_mb(self) -> float:
        """Returns the memory of the web worker."""
        return rss_mb(self._rig.workers()[WEB])


def thirds(report: Report, name: str, unit: str, values: Sequence[float]) -> None:
    """Adds the first and the last third of some values."""
    third = max(1, len(values) // 3)
    report.add(f"{name}, first third", unit, values[:third])
    report.add(f"{name}, last third", unit, values[-third:])


def main() -> None:
    """Prints a table."""
    arguments = parser(__doc__)
    arguments.add_argument("--minutes", type=float, default=10.0)
    arguments.add_argument("--images", action="store_true", help="served by a stand-in that sends images too")
    args: argparse.Namespace = arguments.parse_args()
    report = Report.begin(args)
    rounds = 2 if args.quick else max(2, round(args.minutes * 60 / INTERVAL_S))
    interval_s, alone_s = (1.0, 1.0) if args.quick else (INTERVAL_S, ALONE_S)
    gaps_ms: list[float] = []
    worker_mb: list[float] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        rig = None if args.images else Rig(stack)
        if rig is not None:
            alone_ns = time.monotonic_ns()
            time.sleep(alone_s)
            report.add("longest gap of the poses without a page", "ms", [rig.gap_ms(alone_ns)])
        address = rig.address if rig else stack.enter_context(page_server()).address("control")
        tab = stack.enter_context(chromium(folder))()
        tab.resize(*SIZE_PX)
        tab.open(address)
        tab.wait("document.body.dataset.connection === 'connected'")
        meter = Meter(tab, folder)
        busy_s, start_s = meter.read(), time.monotonic()
        for _ in range(rounds):
            from_ns = time.monotonic_ns()
            time.sleep(interval_s)
            if rig is not None:
                gaps_ms.append(rig.gap_ms(from_ns))
                worker_mb.append(rig.memory_mb())
            end_s = meter.read()
        share = 100 * (end_s - busy_s) / (time.monotonic() - start_s)
    if rig is not None:
        report.add("longest gap of the poses with a page", "ms", [max(gaps_ms)], "≤ 50")
        report.add(f"longest gap in each {interval_s:g} s", "ms", gaps_ms)
        thirds(report, "memory of the web worker", "MB", worker_mb)
    thirds(report, "JavaScript heap", "MB", meter.heap_mb)
    thirds(report, "memory of the browser", "MB", meter.browser_mb)
    report.add("nodes, last third", "", meter.nodes[-max(1, len(meter.nodes) // 3) :])
    report.add("main thread of the page is busy", "% of the time", [share])
    report.finish(args.json)


if __name__ == "__main__":
    main()
