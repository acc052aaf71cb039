"""Memory and load of the live page in headless Chromium, with four cameras and 60 poses per second.

    python -m benchmarks.live.page_memory

The rig is simulated: poses, images and 2D poses of four cameras come at the rates of a real one, and the page draws all
of them. The heap is that of JavaScript, after garbage collection; Chromium draws without a GPU, in another process.
"""

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.contract import MB, Report, parser
from tests.web.pages.chromium import Tab, chromium
from tests.web.pages.page_server import page_server

SIZE_PX = (900, 600)
INTERVAL_S = 15.0


class Meter:
    """Reads what Chromium knows of a page.

    Attributes:
        heap_mb: JavaScript heap, once per `read`.
        nodes: Nodes of the document, once per `read`.
    """

    def __init__(self, tab: Tab) -> None:
        self._tab = tab
        self.heap_mb: list[float] = []
        self.nodes: list[float] = []
        tab.call("Performance.enable")

    def read(self) -> float:
        """Reads the memory after garbage collection; returns how long its main thread was busy so far, s."""
        self._tab.call("HeapProfiler.collectGarbage")
        metrics = {one["name"]: one["value"] for one in self._tab.call("Performance.getMetrics")["metrics"]}
        self.heap_mb.append(metrics["JSHeapUsedSize"] / MB)
        self.nodes.append(metrics["Nodes"])
        return float(metrics["TaskDuration"])


def main() -> None:
    """Prints a table."""
    arguments = parser(__doc__)
    arguments.add_argument("--minutes", type=float, default=10.0)
    args: argparse.Namespace = arguments.parse_args()
    report = Report.begin(args)
    rounds = 2 if args.quick else max(2, round(args.minutes * 60 / INTERVAL_S))
    with (
        page_server() as rig,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        chromium(Path(folder)) as new_tab,
    ):
        tab = new_tab()
        tab.resize(*SIZE_PX)
        tab.open(rig.address("control"))
        tab.wait("document.body.dataset.connection === 'connected'")
        meter = Meter(tab)
        busy_s, start_s = meter.read(), time.monotonic()
        for _ in range(rounds):
            time.sleep(INTERVAL_S)
            end_s = meter.read()
    share = 100 * (end_s - busy_s) / (time.monotonic() - start_s)
    third = max(1, len(meter.heap_mb) // 3)
    report.add("heap, first third", "MB", meter.heap_mb[:third])
    report.add("heap, last third", "MB", meter.heap_mb[-third:])
    report.add("nodes, last third", "", meter.nodes[-third:])
    report.add("main thread of the page is busy", "% of the time", [share])
    report.finish(args.json)


if __name__ == "__main__":
    main()
