"""Duration of one solve of a rig, on one core, with all keyframes.

python -m benchmarks.speed.solve_speed --motion CMU.npz OPENCAP.npz REACTIDLE.npz --held-out
"""

import argparse
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
os.environ.update(ONE_THREAD)  # before numpy is loaded

import numpy as np  # noqa: E402

from benchmarks.accuracy.cameras.people import task_of_all, tasks_of  # noqa: E402
from benchmarks.accuracy.movement import moving_clips  # noqa: E402
from benchmarks.accuracy.people.takes import random_room  # noqa: E402
from benchmarks.accuracy.simulated_rigs import rig_take  # noqa: E402
from benchmarks.contract import Report, parser, time_ms  # noqa: E402
from pose_rig.fusion.calibration.self_solve import self_solve  # noqa: E402
from pose_rig.fusion.calibration.solve_task import SolveTask  # noqa: E402
from pose_rig.lifting.engine import DEFAULT_WEIGHTS, OrtEngine  # noqa: E402
from pose_rig.simulation.clips import load_clips  # noqa: E402
from pose_rig.simulation.motion import split  # noqa: E402

VIEWS = (2, 4, 8)
TARGET_MS = {8: "≤ 2000"}
PEOPLE, PEOPLE_VIEWS = (2, 4, 6), 4
SECONDS = 12.0  # of motion, more than the keyframes hold


def measure(report: Report, args: argparse.Namespace) -> None:
    """Adds the time of a solve, the first and a later one, for several numbers of views and of people."""
    clips = load_clips(args.motion)
    clips = moving_clips(split(clips)[1] if args.held_out else clips)
    engine = OrtEngine(DEFAULT_WEIGHTS, "cpu")
    seconds = 3.0 if args.quick else SECONDS
    for views in VIEWS[:1] if args.quick else VIEWS:
        rig = rig_take(clips, views, seconds, np.random.default_rng([args.seed, views]))
        fusion = rig.estimator(engine)
        for t in range(len(rig.take.joints)):
            fusion.step(rig.t_ns(t), rig.samples(t))
        add_times(report, f"{views} views", fusion.solve_task(), TARGET_MS.get(views, ""), args)
    for people in () if args.quick else PEOPLE:
        room = random_room(clips, people, PEOPLE_VIEWS, seconds, np.random.default_rng([args.seed, people]))
        task = task_of_all(tasks_of(room.take(), engine), engine)
        found = "" if task is None else self_solve(task)
        if task is not None and not isinstance(found, str):
            task = replace(task, current=found.cameras, camera_from_rig=found.cameras.rotation)
            add_times(report, f"{PEOPLE_VIEWS} views, {people} people", task, "≤ 2000", args)


def add_times(report: Report, name: str, task: SolveTask, target: str, args: argparse.Namespace) -> None:
    """Adds the times of a solve without the current rig, and with it."""
    for which, work in (("first solve", replace(task, current=None)), ("repeated solve", task)):
        times = time_ms(partial(self_solve, work), 1, 2 if args.quick else args.repeats)
        report.add(f"{name}: {which}, {len(task.keyframes)} keyframes", "ms", times, target)


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--motion", type=Path, nargs="+", required=True, metavar="F.npz", help="motion to simulate")
    arguments.add_argument("--held-out", action="store_true", help="only clips of the validation set (needs torch)")
    arguments.add_argument("--repeats", type=int, default=7)
    arguments.add_argument("--seed", type=int, default=0)
    args = arguments.parse_args()
    report = Report.begin(args)
    measure(report, args)
    report.finish(args.json)


if __name__ == "__main__":
    main()
