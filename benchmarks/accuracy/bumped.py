"""A camera is bumped while the rig runs: time until it is named, time until the poses recover, and size of the jumps.

    python -m benchmarks.accuracy.bumped --motion CMU.npz OPENCAP.npz REACTIDLE.npz --held-out --rigs 10

Simulated rigs as in `benchmarks.accuracy.self_solve`. After ``--before`` seconds a random camera is rotated by 5° or
20° or moved by 30 cm, such that it still detects the person. Each run is compared with an undisturbed run of the same
take with the same noise. *Back*: from then on, for two seconds, the error (PA-MPJPE of the streamed poses, 12 limb
joints, mean over a second) is at most 1.2 times that of the undisturbed run. A *jump* is the mean distance that the
limb joints move from one streamed pose to the next, minus the true distance; *added* is its difference to the
undisturbed run at the same time step.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.accuracy.bump_run import BumpResult, RigRun, bump, compare, take_with_bump
from benchmarks.accuracy.movement import FPS, moving_clips
from benchmarks.accuracy.rig_options import (
    TABLE_WIDTH,
    add_realism_options,
    add_rig_options,
    motion_clips,
    run_in_processes,
)
from benchmarks.accuracy.simulated_rigs import rig_take
from benchmarks.contract import Figure, Report, parser
from pose_rig.lifting.engine import OrtEngine
from pose_rig.simulation.motion import Clip

COLUMNS = (
    "views", "bump", "solved %", "before mm", "named in time %", "named s", "back in time %", "back s", "jump mm",
    "undisturbed", "added", "most added", "others named",
)  # fmt: skip

BUMPS = {"turned 5°": (5.0, 0.0), "turned 20°": (20.0, 0.0), "moved 30 cm": (0.0, 0.3)}  # degrees, m
MAX_NAMED_S, MAX_BACK_S, MAX_JUMP_MM = 2.0, 5.0, 50.0  # targets


def run_case(clips: Sequence[Clip], weights: Path, views: int, case: int, args: argparse.Namespace) -> list[BumpResult]:
    """Returns the effect of every kind of bump on one rig."""
    random = np.random.default_rng([args.seed, views, case])
    rig = rig_take(clips, views, args.before + args.after, random, lenses=args.lenses, biased=args.biased)
    view, seed = int(random.integers(views)), int(random.integers(1 << 31))
    start, engine = round(args.before * FPS), OrtEngine(weights, "cpu")
    take = take_with_bump(rig, rig.take.cameras, start, seed)
    run = RigRun(take, engine)
    run.run(take, start)
    undisturbed = run.continued(take)
    results = []
    for name, (turn_deg, move_m) in BUMPS.items():
        after = bump(rig.take.cameras, view, turn_deg, move_m, rig.take.joints[start:], seed)
        bumped = run.continued(take_with_bump(rig, after, start, seed))
        results.append(compare(name, bumped, undisturbed, view, start))
    return results


def add_figures(report: Report, views: int, results: Sequence[BumpResult]) -> list[str]:
    """Adds the effects of one kind of bump on rigs with ``views`` views to the report; returns the row of the table."""
    name = results[0].bump
    prefix = f"{views} views, {name}: "
    named_s = [r.named_s for r in results if r.named_s is not None]
    back_s = [r.back_s for r in results if r.back_s is not None]
    added_mm = [r.added_jump_mm for r in results]

    def percent_within(label: str, times_s: Sequence[float], limit_s: float) -> Figure:
        count = sum(time_s <= limit_s for time_s in times_s)
        return report.add(f"{prefix}{label} within {limit_s:g} s", "%", [100 * count / len(results)], "100")

    cells = [
        report.add(prefix + "solved before", "%", [100 * float(np.mean([r.solved for r in results]))]),
        report.add(prefix + "error before", "mm", [r.before_mm for r in results]),
        percent_within("named", named_s, MAX_NAMED_S),
        report.add(prefix + "named after", "s", named_s or [np.nan]),
        percent_within("back", back_s, MAX_BACK_S),
        report.add(prefix + "back after", "s", back_s or [np.nan], f"≤ {MAX_BACK_S:g}"),
        report.add(prefix + "largest jump", "mm", [r.jump_mm for r in results]),
        report.add(prefix + "largest jump undisturbed", "mm", [r.undisturbed_jump_mm for r in results]),
        report.add(prefix + "largest jump added", "mm", added_mm, f"≤ {MAX_JUMP_MM:g}"),
        report.add(prefix + "largest jump added, all rigs", "mm", [max(added_mm)]),
        report.add(prefix + "others named", "cameras", [float(sum(r.others_named for r in results))], "0"),
    ]
    return [str(views), name, *(f"{cell.median:.3g}" for cell in cells)]


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    add_rig_options(arguments, rigs=10, views="3,4")
    add_realism_options(arguments)
    arguments.add_argument("--before", type=float, default=25.0, metavar="S", help="seconds before the bump")
    arguments.add_argument("--after", type=float, default=15.0, metavar="S", help="seconds after it")
    args = arguments.parse_args()
    if args.quick:
        args.rigs, args.views, args.before, args.after = 1, "3", 3.0, 4.0
    clips = moving_clips(motion_clips(args))
    report = Report.begin(args)
    table = Table(*COLUMNS, title="Bumped cameras: medians")
    for views in map(int, args.views.split(",")):
        cases = [(clips, args.weights, views, case, args) for case in range(args.rigs)]
        for results in zip(*run_in_processes(run_case, cases, args.jobs), strict=True):
            table.add_row(*add_figures(report, views, results))
    Console(width=TABLE_WIDTH).print(table)
    report.finish(args.json)


if __name__ == "__main__":
    main()
