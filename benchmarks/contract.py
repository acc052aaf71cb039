"""Shared by all benchmarks: measuring, recording the machine, reporting."""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

PACKAGES = (
    "pose-rig", "numpy", "onnxruntime", "onnxruntime-gpu", "tensorrt", "torch", "mediapipe", "opencv-contrib-python",
)  # fmt: skip
ROOT = Path(__file__).parents[1]
MB = 1e6


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity.

    Attributes:
        name: Name of the quantity.
        unit: Unit of the values.
        median: Median of the values.
        low, high: Quartiles.
        repeats: Number of values.
        target: Target of the median, as text; empty without one.
    """

    name: str
    unit: str
    median: float
    low: float
    high: float
    repeats: int
    target: str = ""

    @classmethod
    def of(cls, name: str, unit: str, values: Sequence[float], target: str = "") -> "Figure":
        """Returns the figure of at least one measurement."""
        low, median, high = np.percentile(np.asarray(values, float), (25, 50, 75)).tolist()
        return cls(name, unit, median, low, high, len(values), target)


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine and the versions of a run.

    Attributes:
        processor: Model name.
        cores: Number of cores available to this process.
        memory_gb: Memory of the machine.
        system: Operating system and version.
        python: Version.
        packages: Versions of the measured packages.
        revision: Revision of this code, with a plus sign for uncommitted changes.
        load: Load average of the last minute at the start; other work distorts the figures.
    """

    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str
    packages: dict[str, str]
    revision: str
    load: float


@dataclass(slots=True)
class Report:
    """The figures of one run.

    Attributes:
        benchmark: Name.
        settings: Command line options.
        figures: Results.
        machine: The machine.
        started: Time, UTC.
    """

    benchmark: str
    settings: dict[str, str]
    figures: list[Figure] = field(default_factory=list)
    machine: Machine = field(default_factory=lambda: machine())
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @classmethod
    def begin(cls, args: argparse.Namespace) -> "Report":
        """Returns the empty report of a run with these arguments."""
        path = Path(sys.argv[0])
        name = path.parent.name if path.stem == "__main__" else path.stem
        return cls(name, {key: str(value) for key, value in vars(args).items() if key != "json"})

    def add(self, name: str, unit: str, values: Sequence[float], target: str = "") -> Figure:
        """Adds the figure of repeated measurements and returns it."""
        figure = Figure.of(name, unit, values, target)
        self.figures.append(figure)
        return figure

    def finish(self, path: Path | None) -> None:
        """Prints the table, and writes the JSON file if a path is given."""
        console = Console()
        console.print(self.table())
        here = self.machine
        console.print(
            f"{self.started}, {here.processor}, {here.cores} cores, {here.memory_gb:.0f} GB, {here.system}, "
            f"Python {here.python}, {', '.join(f'{name} {number}' for name, number in here.packages.items())}, "
            f"revision {here.revision}, load at the start {here.load:.1f}",
            soft_wrap=True,
        )
        if path:
            path.write_text(json.dumps(asdict(self), indent=1) + "\n", "utf-8")

    def table(self) -> Table:
        """Returns the figures as a table."""
        table = Table(title=self.benchmark)
        for column in ("", "median", "quartiles", "unit", "n", "target"):
            table.add_column(column, justify="left" if column in ("", "unit", "target") else "right")
        for row in self.figures:
            spread = f"{row.low:.3g} – {row.high:.3g}" if row.repeats > 1 else ""
            table.add_row(row.name, f"{row.median:.4g}", spread, row.unit, str(row.repeats), row.target)
        return table


def parser(description: str | None) -> argparse.ArgumentParser:
    """Returns a parser with the options of all benchmarks."""
    out = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("--json", type=Path, metavar="F", help="write the figures to this file too")
    out.add_argument("--quick", action="store_true", help="short run as a test; its figures are meaningless")
    return out


def time_ms(action: Callable[[], object], warm_up: int, repeats: int) -> list[float]:
    """Returns the duration of every repeat of an action, after the warm-up."""
    for _ in range(warm_up):
        action()
    times = []
    for _ in range(repeats):
        start_ns = time.perf_counter_ns()
        action()
        times.append((time.perf_counter_ns() - start_ns) / 1e6)
    return times


def rss_mb(pid: int) -> float:
    """Returns the resident set size of a process, MB; Linux and macOS."""
    status = Path(f"/proc/{pid}/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB
    answer = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)  # noqa: S607
    return int(answer.stdout) * 1024 / MB


def machine() -> Machine:
    """Returns the description of this machine."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_gb=_memory_gb(),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        packages=_versions(),
        revision=_revision(),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan"),
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = (line.partition(":") for line in info.read_text().splitlines())
        for key, _, name in lines:
            if key.strip() == "model name":
                return name.strip()
    return platform.processor() or platform.machine()


def _memory_gb() -> float:
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    return float("nan")


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _revision() -> str:
    answer = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"],  # noqa: S607
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return answer.stdout.strip() or "unknown"
