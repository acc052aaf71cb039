"""A camera is bumped while the rig runs: how soon it is named, how soon the poses are right again, how far they jump.

    python -m benchmarks.accuracy.bumped --motion CMU.npz OPENCAP.npz REACTIDLE.npz --held-out --rigs 10

Simulated rigs as in `benchmarks.accuracy.self_solve`. After ``--before`` seconds one camera, any of them, is turned by
5°, by 20° or moved by 30 cm, such that it still sees the person. Beside every run goes another one of the same take and
the same noise without the bump: *back* means that from then on, for two seconds, the error (PA-MPJPE of the streamed
poses, 12 limb joints, mean over a second) is at most 1.2 times that of the undisturbed run. A *jump* is what the
limb joints move, in the mean, from one streamed pose to the next beyond what the person really did; *added*
is by how much it exceeds that of the undisturbed run at the same instant.
"""

import argparse
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.accuracy.bumps import Outcome, bump, disturbed, judge, play
from benchmarks.accuracy.movement import FPS, lively
from benchmarks.accuracy.self_solve import ONE_THREAD, WIDTH
from benchmarks.accuracy.simulated_rigs import rig_take
from benchmarks.contract import Report, parser
from pose_rig.lifting.engine import DEFAULT_WEIGHTS, OrtEngine
from pose_rig.simulation.clips import load_clips
from pose_rig.simulation.motion import Clip, split

COLUMNS = (
    "views", "bump", "solved %", "before mm", "named in time %", "named s", "back in time %", "back s", "jump mm",
    "undisturbed", "added", "most added", "others named",
)  # fmt: skip

BUMPS = {"turned 5°": (5.0, 0.0), "turned 20°": (20.0, 0.0), "moved 30 cm": (0.0, 0.3)}  # degrees, m
NAMED_S, BACK_S, JUMP_MM = 2.0, 5.0, 50.0  # wanted at most


def run_case(clips: Sequence[Clip], weights: Path, views: int, case: int, args: argparse.Namespace) -> list[Outcome]:
    """Returns what every kind of bump does to one rig."""
    random = np.random.default_rng([args.seed, views, case])
    rig = rig_take(clips, views, args.before + args.after, random)
    view, seed = int(random.integers(views)), int(random.integers(1 << 31))
    start, engine = round(args.before * FPS), OrtEngine(weights, "cpu")
    calm = play(disturbed(rig, rig.take.cameras, start, seed), engine)
    outcomes = []
    for name, (turn_deg, move_m) in BUMPS.items():
        after = bump(rig.take.cameras, view, turn_deg, move_m, rig.take.joints[start:], seed)
        outcomes.append(judge(name, play(disturbed(rig, after, start, seed), engine), calm, view, start))
    return outcomes


def add_figures(report: Report, views: int, outcomes: Sequence[Outcome]) -> list[str]:
    """Adds what one kind of bump did to rigs with so many views to the report, and returns it as a row of the table."""
    name = outcomes[0].bump
    here = f"{views} views, {name}: "
    named = [o.named_s for o in outcomes if o.named_s is not None]
    back = [o.back_s for o in outcomes if o.back_s is not None]
    cells = [
        report.add(here + "solved before", "%", [_percent(o.solved for o in outcomes)]),
        report.add(here + "error before", "mm", [o.before_mm for o in outcomes]),
        report.add(here + f"named within {NAMED_S:g} s", "%", [100 * _within(named, NAMED_S) / len(outcomes)], "100"),
        report.add(here + "named after", "s", named or [np.nan]),
        report.add(here + f"back within {BACK_S:g} s", "%", [100 * _within(back, BACK_S) / len(outcomes)], "100"),
        report.add(here + "back after", "s", back or [np.nan], f"≤ {BACK_S:g}"),
        report.add(here + "largest jump", "mm", [o.jump_mm for o in outcomes]),
        report.add(here + "largest jump undisturbed", "mm", [o.usual_jump_mm for o in outcomes]),
        report.add(here + "largest jump added", "mm", [o.added_jump_mm for o in outcomes], f"≤ {JUMP_MM:g}"),
        report.add(here + "largest jump added, all rigs", "mm", [max(o.added_jump_mm for o in outcomes)]),
        report.add(here + "others named", "cameras", [float(sum(o.accused for o in outcomes))], "0"),
    ]
    return [str(views), name, *(f"{cell.median:.3g}" for cell in cells)]


def _percent(values: Iterable[bool]) -> float:
    return 100 * float(np.mean(list(values)))


def _within(times_s: Sequence[float], limit_s: float) -> int:
    return sum(time_s <= limit_s for time_s in times_s)


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--motion", type=Path, nargs="+", required=True, metavar="F.npz", help="see README.md")
    arguments.add_argument("--held-out", action="store_true", help="only clips that training keeps back")
    arguments.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, metavar="F.onnx", help="other than shipped")
    arguments.add_argument("--rigs", type=int, default=10, help="for every number of views")
    arguments.add_argument("--views", default="3,4", metavar="N,N")
    arguments.add_argument("--before", type=float, default=25.0, metavar="S", help="seconds before the bump")
    arguments.add_argument("--after", type=float, default=15.0, metavar="S", help="seconds after it")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--jobs", type=int, default=2, help="rigs at a time")
    args = arguments.parse_args()
    if args.quick:
        args.rigs, args.views, args.before, args.after = 1, "3", 3.0, 4.0
    clips = load_clips(args.motion)
    clips = lively(split(clips)[1] if args.held_out else clips)
    report = Report.begin(args)
    table = Table(*COLUMNS, title="Bumped cameras: medians")
    os.environ.update(ONE_THREAD)
    for views in map(int, args.views.split(",")):
        with ProcessPoolExecutor(args.jobs, get_context("spawn")) as pool:
            jobs = [pool.submit(run_case, clips, args.weights, views, case, args) for case in range(args.rigs)]
            for count, _ in enumerate(as_completed(jobs), 1):
                print(f"  {views} views: {count} of {len(jobs)} rigs", flush=True)
        for row in zip(*(job.result() for job in jobs), strict=True):
            table.add_row(*add_figures(report, views, row))
    Console(width=WIDTH).print(table)
    report.finish(args.json)


if __name__ == "__main__":
    main()
