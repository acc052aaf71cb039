"""Streaming to engines: gaps between frames, CPU, memory, and latency by stage.

    python -m benchmarks.engines.streaming --minutes 10 --json streaming.json
    python -m benchmarks.engines.streaming --videos 3 --minutes 1

A whole rig with its real processes; cameras are simulated, or the demo clip played as 30 fps cameras. Four targets: VMC
for two receivers, VRChat trackers, JSON over UDP, and with --dead two more without a receiver. Arrival times are the
timestamps of the network stack.
"""

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.clips import looped_clips
from benchmarks.contract import Report, parser, rss_mb
from benchmarks.engines.stream_receiver import Arrivals, Receivers
from benchmarks.live_run import run_live, simulated_cameras
from pose_rig.config import CameraConfig, Config, StreamConfig
from pose_rig.tools.terminal.status import RunStatus

TARGETS = ("unity", "vseeface", "vrchat", "json")
DEAD = ("127.0.0.1:1/unreal", "192.0.2.254:39539/godot")  # port closed; host unreachable
START_S = 12.0  # until the rig is solved
FPS = 30.0


@dataclass(slots=True)
class Log:
    """Telemetry of the rig during the measurement.

    Attributes:
        begin_ns: Start of the measurement.
        cpu: (time ns, CPU seconds) of the streaming process.
        rss: Its memory, MB.
        ages: Age of each pose at publication, ms, by index.
        stages: Recent medians of all processes, ms, by stage.
    """

    begin_ns: int = 0
    cpu: list[tuple[int, float]] = field(default_factory=list)
    rss: list[float] = field(default_factory=list)
    ages: dict[int, float] = field(default_factory=dict)
    stages: dict[str, list[float]] = field(default_factory=dict)
    _sampled_ns: int = 0

    def __call__(self, now_ns: int, status: RunStatus) -> None:
        """Adds the status of a running rig."""
        if now_ns - status.telemetry.start_ns < START_S * 1e9:
            return
        self.begin_ns = self.begin_ns or now_ns
        if status.telemetry.pose:
            self.ages[status.telemetry.pose.index] = status.telemetry.pose.age_ns * 1e-6
        running = status.states["streams"].running
        if now_ns - self._sampled_ns < 1e9 or running is None or running.process.pid is None:
            return
        self._sampled_ns = now_ns
        self.cpu.append((now_ns, cpu_s(running.process.pid)))
        self.rss.append(rss_mb(running.process.pid))
        for name, worker in status.telemetry.workers.items():
            kind = name if name in ("fusion", "streams") else "camera"
            for stage, ms in worker.health.stages_ms.items():
                self.stages.setdefault(f"{kind}: {stage}", []).append(ms)


def cpu_s(pid: int) -> float:
    """Returns the CPU time of a process (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def play(cameras: tuple[CameraConfig, ...], seconds: float, *, dead: bool) -> tuple[Log, list[Arrivals]]:
    """Returns the telemetry of a rig, and the arrivals at its targets."""
    receivers = Receivers(len(TARGETS))
    unity, vseeface, vrchat, json_port = receivers.ports
    vmc = (f"127.0.0.1:{unity}/unity", f"127.0.0.1:{vseeface}/vseeface", *(DEAD if dead else ()))
    stream = StreamConfig(vmc=vmc, vrchat=(f"127.0.0.1:{vrchat}",), json=(f"127.0.0.1:{json_port}/unity",))
    log = Log()
    try:
        run_live(Config(camera=cameras, port=0, duration_s=START_S + seconds, stream=stream), log)
    finally:
        arrivals = receivers.finish()
    return log, arrivals


def add_figures(report: Report, log: Log, arrivals: list[Arrivals]) -> None:
    """Adds the figures of one run."""
    end_ns = log.cpu[-1][0]
    for name, arrived in zip(TARGETS, arrivals, strict=True):
        at_ns = np.array([at for at in arrived.at_ns if log.begin_ns <= at <= end_ns])
        gaps_ms = np.diff(at_ns) * 1e-6
        report.add(f"{name}: frames per second", "Hz", [len(gaps_ms) / (at_ns[-1] - at_ns[0]) * 1e9], "60")
        report.add(f"{name}: gap, 99th percentile", "ms", [float(np.percentile(gaps_ms, 99))])
        report.add(f"{name}: gap, longest", "ms", [float(gaps_ms.max())], "< 50")
    (first_ns, first_s), (last_ns, last_s) = log.cpu[0], log.cpu[-1]
    report.add("CPU", "% of a core", [100 * (last_s - first_s) / (last_ns - first_ns) * 1e9], "< 5")
    report.add("memory: first, last", "MB", [log.rss[0], log.rss[-1]])
    slope = float(np.polyfit(np.arange(len(log.rss)) / 60, log.rss, 1)[0])
    report.add("memory: growth", "MB/min", [slope], "flat")
    add_latency(report, log, arrivals[TARGETS.index("json")])
    for stage, ms in log.stages.items():
        report.add(stage, "ms", ms)


def add_latency(report: Report, log: Log, arrived: Arrivals) -> None:
    """Adds the latency of the first arrival of each pose, by stage."""
    out: dict[int, tuple[float, float]] = {}
    for at_ns, (index, t_ns, age_ms) in zip(arrived.at_ns, arrived.frames, strict=True):
        if index in log.ages and index not in out:
            out[index] = ((at_ns - t_ns) * 1e-6, age_ms)
    if not out:
        return
    whole = np.array([total for total, _ in out.values()])
    published = np.array([log.ages[index] for index in out])
    waited = np.array([age for _, age in out.values()]) - published
    for name, values in (
        ("capture to pose", published),
        ("pose to send", waited),
        ("retargeting and network", whole - published - waited),
        ("capture to datagram", whole),
    ):
        report.add(f"{name}: median", "ms", [float(np.median(values))])
        report.add(f"{name}: 95th percentile", "ms", [float(np.percentile(values, 95))])


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--minutes", type=float, default=10.0)
    arguments.add_argument("--cameras", type=int, default=4, help="simulated cameras")
    arguments.add_argument("--videos", type=int, default=0, help="play the demo clip as N cameras instead")
    arguments.add_argument("--dead", action="store_true", help="add two targets without a receiver")
    args = arguments.parse_args()
    report = Report.begin(args)
    seconds = 5.0 if args.quick else 60 * args.minutes
    with tempfile.TemporaryDirectory() as folder:
        if args.videos:
            clips = looped_clips(Path(folder), round(FPS * (START_S + seconds + 5)), args.videos)
            cameras = tuple(CameraConfig(source=str(clip), name=clip.stem, fps=FPS) for clip in clips)
        else:
            cameras = simulated_cameras(args.cameras)
        add_figures(report, *play(cameras, seconds, dead=args.dead))
    report.finish(args.json)


if __name__ == "__main__":
    main()
