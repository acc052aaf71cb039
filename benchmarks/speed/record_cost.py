"""Cost of recording for the pipeline, without video.

    python -m benchmarks.speed.record_cost --json cost.json

A: without a recording, B: with one. Runs alternate, A B A B, after one round of warm-up. Files: every frame of the demo
clip through the real detector, as fast as possible. Live: four simulated cameras in real time; rate and age of the
poses.
"""

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.clips import looped_clips
from benchmarks.contract import Report, parser
from benchmarks.live_run import run_live, simulated_cameras
from benchmarks.speed.pipeline_speed import pipeline_fps
from pose_rig.assets.catalog import detector_model
from pose_rig.config import Config
from pose_rig.errors import PoseRigError
from pose_rig.tools.terminal.status import RunStatus

CAMERAS = 4
WARM_UP_FRAMES = 60  # per camera
START_S = 3.0  # of a live run, not counted
TARGET = "≥ 0.95"


def live(seconds: float, record: str) -> tuple[float, float, float]:
    """Returns poses per second of a live rig, and their age, ms: median and 95th percentile."""
    begin: tuple[int, int, int] | None = None  # poses, ns, ages
    end = (0, 0)

    def on_status(now_ns: int, status: RunStatus) -> None:
        nonlocal begin, end
        telemetry = status.telemetry
        if begin is None and telemetry.poses and now_ns - telemetry.start_ns > START_S * 1e9:
            begin = (telemetry.poses, now_ns, len(telemetry.ages_ns))
        end = (telemetry.poses, now_ns)

    config = Config(camera=simulated_cameras(CAMERAS), port=0, duration_s=START_S + seconds, record=record)
    status = run_live(config, on_status)
    if begin is None:
        raise PoseRigError("There were no poses.", "Use more --seconds.")
    ages_ms = np.array(status.telemetry.ages_ns[begin[2] :]) / 1e6
    rate = (end[0] - begin[0]) / (end[1] - begin[1]) * 1e9
    return rate, float(np.median(ages_ms)), float(np.percentile(ages_ms, 95))


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--frames", type=int, default=400, help="of the demo clip, per camera and repeat")
    arguments.add_argument("--seconds", type=float, default=12.0, help="of live rigs")
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--model", default="full")
    args = arguments.parse_args()
    report = Report.begin(args)
    frames, repeats, seconds = (100, 1, 3.0) if args.quick else (args.frames, args.repeats, args.seconds)
    model = str(detector_model(args.model, print))
    rates: dict[bool, list[float]] = {False: [], True: []}
    lives: dict[bool, list[tuple[float, float, float]]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as folder:
        videos = looped_clips(Path(folder), frames, CAMERAS)
        for number in range(repeats + 1):
            for recorded in (False, True):
                record = [str(Path(folder) / f"{kind}{number}.mcap") if recorded else "" for kind in ("files", "live")]
                rate = pipeline_fps(videos, model, min(WARM_UP_FRAMES, frames // 4), record[0])
                figures = live(seconds, record[1])
                if number or args.quick:
                    rates[recorded].append(rate)
                    lives[recorded].append(figures)
    for recorded, name in ((False, "A, without"), (True, "B, recorded")):
        report.add(f"{name}: files", "frames/s", rates[recorded])
        report.add(f"{name}: live, poses", "poses/s", [one[0] for one in lives[recorded]])
        report.add(f"{name}: live, age", "ms", [one[1] for one in lives[recorded]])
        report.add(f"{name}: live, age, 95th percentile", "ms", [one[2] for one in lives[recorded]])
    pairs = list(zip(rates[False], rates[True], strict=True))
    report.add("B / A: files, consecutive runs", "", [b / a for a, b in pairs], TARGET)
    report.add("B / A: files, of the medians", "", [float(np.median(rates[True]) / np.median(rates[False]))], TARGET)
    live_pairs = list(zip(lives[False], lives[True], strict=True))
    report.add("B / A: live, poses, consecutive runs", "", [b[0] / a[0] for a, b in live_pairs], TARGET)
    report.add("B − A: live, age, consecutive runs", "ms", [b[1] - a[1] for a, b in live_pairs])
    report.finish(args.json)


if __name__ == "__main__":
    main()
