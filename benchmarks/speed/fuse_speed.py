"""Time of the fusion per time step: lifter + CSM + smoothing, without cameras, detectors and sockets.

    python -m benchmarks.speed.fuse_speed --json fuse.json

Views are those of the simulated rig, at 60 time steps per second; the rig is solved in another thread, as when live.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import partial

import numpy as np

from benchmarks.contract import Report, parser, time_ms
from benchmarks.speed.memory_soak import soak
from pose_rig.capture.simulated import SIZE_PX, SimulatedCamera
from pose_rig.config import FOCAL_PER_LARGER_SIDE, CameraConfig, Config
from pose_rig.errors import EngineError
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.observation import observe
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.graph import Engine, GraphInput, GraphOutput
from pose_rig.intrinsics import Intrinsics
from pose_rig.lifting.providers import open_engine
from pose_rig.skeleton import JOINT_SET
from pose_rig.tools.workers.build_note import engine_folder

STEPS_PER_S = 60.0
VIEWS = (1, 2, 4, 8)
TARGET_MS = {4: "≤ 1.5"}


class StopwatchEngine:
    """An engine that measures how long the thread that created it waits for it.

    Args:
        engine: The engine.

    Attributes:
        spent_ns: Time since this was last set to 0.
        runs: Number of runs, likewise.
        newest: Last input with a single hypothesis.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine, self._thread = engine, threading.get_ident()
        self.provider, self.reason = engine.provider, engine.reason
        self.spent_ns = 0
        self.runs = 0
        self.newest: GraphInput | None = None

    def run(self, inputs: GraphInput) -> GraphOutput:
        """Runs the engine."""
        began = time.perf_counter_ns()
        out = self._engine.run(inputs)
        if threading.get_ident() == self._thread:
            self.spent_ns += time.perf_counter_ns() - began
            self.runs += 1
            self.newest = inputs if len(inputs.assignment) == 1 else self.newest
        return out


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of one time step, by stage, and the number of runs of the graph."""

    whole: float
    observe: float
    graph: float
    rest: float
    graph_runs: float


def simulated_views(views: int, steps: int) -> list[list[Sample]]:
    """Returns the samples of all views at every time step: ``steps`` lists of ``views``."""
    cameras = [
        SimulatedCamera(CameraConfig(source="sim", member=v, members=views, fps=STEPS_PER_S), endless=True)
        for v in range(views)
    ]
    return [[_sample(camera) for camera in cameras] for _ in range(steps)]


def _sample(camera: SimulatedCamera) -> Sample:
    frame, (_, people) = camera.grab(), camera.retrieve()
    assert frame is not None  # noqa: S101 - it is endless
    assert people is not None  # noqa: S101 - it needs no detector
    return Sample(frame.pts_ns, people.xy.astype(np.float64), people.score.astype(np.float64))


def step_costs(views: int, engine: Engine, warm_up_steps: int, steps: int) -> tuple[list[Cost], GraphInput]:
    """Returns the cost of every time step of a simulated take, and the last input of the graph."""
    stopwatch = StopwatchEngine(engine)
    config = Config(camera=tuple(CameraConfig(source="sim", name=f"sim{v}") for v in range(views)))
    focal_px = np.full(views, FOCAL_PER_LARGER_SIDE * max(SIZE_PX))
    intrinsics = Intrinsics.pinhole(focal_px, np.tile(np.array(SIZE_PX, float), (views, 1)))
    costs = []
    with ThreadPoolExecutor(1) as executor:
        fusion = Estimator(config, stopwatch, BackgroundCompute(executor))
        for v in range(views):
            fusion.set_camera(v, SIZE_PX, JOINT_SET)
        for samples in simulated_views(views, warm_up_steps + steps):
            t_ns = samples[0].t_ns
            stopwatch.spent_ns = stopwatch.runs = 0
            began = time.perf_counter_ns()
            observe(t_ns, samples, fusion.landmarks, intrinsics)
            observed = time.perf_counter_ns()
            fusion.step(t_ns, samples)
            whole, observing = time.perf_counter_ns() - observed, observed - began
            rest = whole - observing - stopwatch.spent_ns
            costs.append(Cost(whole / 1e6, observing / 1e6, stopwatch.spent_ns / 1e6, rest / 1e6, stopwatch.runs))
    assert stopwatch.newest is not None  # noqa: S101 - it ran
    return costs[warm_up_steps:], stopwatch.newest


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--steps", metavar="N", type=int, default=1200)
    arguments.add_argument("--provider", default="cpu", help="as in `pose-rig run`")
    arguments.add_argument("--no-memory", action="store_true", help="leave out the memory of a fusion process")
    args = arguments.parse_args()
    report = Report.begin(args)
    warm, steps = (5, 20) if args.quick else (200, args.steps)
    for views in VIEWS:
        try:
            engine = open_engine(provider=args.provider, cache=engine_folder(), views=views, report=print)
        except EngineError as error:
            print(f"not available: {error.cause}")
            return
        costs, inputs = step_costs(views, engine, warm, steps)
        unit = {"graph_runs": "per step"}
        for stage in fields(Cost):
            values = [getattr(cost, stage.name) for cost in costs]
            target = TARGET_MS.get(views, "") if stage.name == "whole" else ""
            report.add(f"{views} views: {stage.name}", unit.get(stage.name, "ms"), values, target)
        report.add(f"{views} views: graph alone", "ms", time_ms(partial(engine.run, inputs), warm, steps))
    if not args.quick and not args.no_memory:
        report.add("memory of a fusion process, 4 views", "MB", soak(15.0, 1.0).rss_mb[-1:], "< 400")
    report.finish(args.json)


if __name__ == "__main__":
    main()
