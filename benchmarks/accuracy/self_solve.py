"""Self-calibration on simulated rigs: success rate, time until solved, and accuracy compared with a calibrated rig.

    python -m benchmarks.accuracy.self_solve --motion CMU.npz OPENCAP.npz REACTIDLE.npz --held-out --jobs 2
    python -m benchmarks.accuracy.self_solve --motion CMU.npz OPENCAP.npz REACTIDLE.npz --held-out --views 4 --case 7

Every rig is random: cameras 2–8 m away, fields of view 45–100°, heights 0.2–3 m, some on their side, focal lengths
unknown; one person moves all the time, with the measured detection noise. The rig gets one time step after the other
and solves inline. Errors are over the time steps after ``--seconds`` at which at least two views detect each of the 12
limb joints: PA is the mean error after a similarity per time step, GLOBAL after one for all; the usual ratio is that of
the medians over the time steps. *Calibrated* is robust triangulation of the same detections with the true cameras.
``--case`` shows one rig second by second.
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.accuracy.movement import moving_clips
from benchmarks.accuracy.rig_options import (
    TABLE_WIDTH,
    add_realism_options,
    add_rig_options,
    motion_clips,
    run_in_processes,
)
from benchmarks.accuracy.rig_run import RigRun, RigScore
from benchmarks.accuracy.simulated_rigs import rig_take
from benchmarks.contract import Report, parser
from pose_rig.lifting.engine import OrtEngine
from pose_rig.simulation.motion import Clip

SCORED_S = 5.0  # after the seconds of movement
COLUMNS = (
    "views", "ours mm", "calibrated mm", "ratio", "ratio 95 %", "usual ratio", "global mm", "global ratio",
    "global 95 %", "solved", "solved after s", "mirrored",
)  # fmt: skip


def start_case(clips: Sequence[Clip], weights: Path, views: int, case: int, args: argparse.Namespace) -> RigRun:
    """Returns a rig before its first time step; deterministic."""
    rng = np.random.default_rng([args.seed, views, case])
    rig = rig_take(clips, views, args.seconds + SCORED_S, rng, lenses=args.lenses, biased=args.biased)
    return RigRun(rig, OrtEngine(weights, "cpu"))


def score_case(
    clips: Sequence[Clip], weights: Path, views: int, case: int, args: argparse.Namespace
) -> RigScore | None:
    """Returns the score of one rig, None without comparable time steps."""
    return start_case(clips, weights, views, case, args).run().score(args.seconds, args.seconds + SCORED_S)


def score_all(clips: Sequence[Clip], weights: Path, args: argparse.Namespace) -> dict[int, dict[int, RigScore]]:
    """Returns the scores by number of views and case."""
    numbers = [(views, case) for case in range(args.rigs) for views in map(int, args.views.split(","))]
    scores = run_in_processes(score_case, [(clips, weights, *number, args) for number in numbers], args.jobs)
    done = sorted(zip(numbers, scores, strict=True), key=lambda pair: pair[0])
    return {views: {n: s for (v, n), s in done if v == views and s} for views, _ in numbers}


def add_figures(report: Report, views: int, scores: Sequence[RigScore]) -> list[str]:
    """Adds the figures of rigs with ``views`` views to the report; returns the row of the table."""
    solved_s = [score.solved_s for score in scores if score.solved_s is not None]
    name = f"{views} views: "
    ratio_target, percentile_target = ("≤ 1.05", "≤ 1.3") if views > 2 else ("", "")
    ratio, ratio_global = [s.ratio_pa for s in scores], [s.ratio_global for s in scores]
    mirrored = sum(score.mirrored for score in scores)

    def cell(label: str, unit: str, values: Sequence[float], digits: int, target: str = "") -> str:
        return f"{report.add(name + label, unit, values, target).median:.{digits}f}"

    solved = cell("solved", "%", [100 * len(solved_s) / len(scores)], 0)
    report.add(name + "mirrored", "rigs", [mirrored], "0")
    time_to_solved = cell("time to solved", "s", solved_s, 1, "≤ 10") if solved_s else ""
    return [
        f"{views} ({len(scores)} rigs)",
        cell("PA ours", "mm", [s.pa_mm for s in scores], 1),
        cell("PA calibrated", "mm", [s.calibrated_pa_mm for s in scores], 1),
        cell("PA ratio", "", ratio, 2, ratio_target),
        cell("PA ratio, 95th percentile", "", [float(np.percentile(ratio, 95))], 2, percentile_target),
        cell("ratio of the medians", "", [s.median_ratio for s in scores], 2),
        cell("GLOBAL ours", "mm", [s.global_mm for s in scores], 0),
        cell("global ratio", "", ratio_global, 2),
        cell("global ratio, 95th percentile", "", [float(np.percentile(ratio_global, 95))], 2),
        f"{solved} %",
        time_to_solved,
        str(mirrored),
    ]


def worst(scores: dict[int, dict[int, RigScore]], count: int = 5) -> Iterable[str]:
    """Yields the rigs with the worst ratios, for ``--case``."""
    for views, row in scores.items():
        order = sorted(row, key=lambda case: -row[case].ratio_pa)[:count]
        listed = ", ".join(f"{case} ({row[case].ratio_pa:.2f}, {row[case].pa_mm:.0f} mm)" for case in order)
        unsolved = [case for case, score in row.items() if score.solved_s is None]
        flipped = [case for case, score in row.items() if score.mirrored]
        yield f"{views} views: worst {listed}; mirrored {flipped}; never solved {unsolved[:20]}"


def show_case(console: Console, run: RigRun, args: argparse.Namespace) -> None:
    """Prints the state of one rig second by second, then its cameras and the true ones."""
    console.print(f"Body height {run.rig.body_height_m:.2f} m, given: {run.rig.height_m}")
    table = Table("s", "mode", "ours mm", "calibrated mm", "global mm", "focals px", "health", "notes")
    for second in range(1, round(args.seconds + SCORED_S) + 1):
        while len(run.estimates) < second * run.rig.take.fps:
            run.step()
        states = run.states[-1]
        score = run.score(second - 1, second)
        errors = (score.pa_mm, score.calibrated_pa_mm, score.global_mm) if score else ()
        table.add_row(
            str(second),
            run.estimates[-1].mode,
            *(f"{error:.0f}" for error in errors),
            *[""] * (3 - len(errors)),
            " ".join(f"{state.focal_px:.0f}" for state in states),
            " ".join(f"{state.health:.1f}" for state in states),
            "; ".join(f"{state.name}: {state.note}" for state in states if state.note),
        )
    console.print(table)
    if end := run.score(args.seconds, args.seconds + SCORED_S):
        console.print(_cameras(run, end))
        console.print(
            f"PA {end.pa_mm:.1f} mm, calibrated {end.calibrated_pa_mm:.1f}, ratio {end.ratio_pa:.2f}; "
            f"global {end.global_mm:.1f}, calibrated {end.calibrated_global_mm:.1f}, ratio {end.ratio_global:.2f}; "
            f"scale {end.scale:.3f}, mirrored {end.mirrored}, solved after {end.solved_s} s, settled {end.settled_s} s"
        )


def _cameras(run: RigRun, score: RigScore) -> Table:
    """Returns the solved cameras and the true ones."""
    true = run.rig.take.cameras
    table = Table(
        "camera", "size", "true focal", "focal", "true position", "rotation error °", "position error m", "visible %"
    )
    for v, (state, error) in enumerate(zip(run.states[-1], score.cameras, strict=True)):
        table.add_row(
            state.name,
            " × ".join(f"{side:.0f}" for side in true.size_px[v]),
            f"{true.focal_px[v]:.0f}",
            f"{state.focal_px:.0f}",
            np.array2string(true.position[v], precision=1),
            f"{error.rotation_deg:.1f}" if error else "",
            f"{error.position_m:.2f}" if error else "",
            f"{100 * (run.rig.take.score[v] > 0).mean():.0f}",
        )
    return table


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    add_rig_options(arguments, rigs=50, views="2,3,4,6,8")
    add_realism_options(arguments)
    arguments.add_argument("--seconds", type=float, default=20.0, help="of movement before the poses are scored")
    arguments.add_argument("--case", type=int, metavar="N", help="show this rig only")
    args = arguments.parse_args()
    if args.quick:
        args.rigs, args.views, args.seconds = 1, "3", 3.0
    clips = moving_clips(motion_clips(args))
    console = Console(width=TABLE_WIDTH)
    if args.case is not None:
        show_case(console, start_case(clips, args.weights, int(args.views.split(",")[0]), args.case, args), args)
        return
    report = Report.begin(args)
    scores = score_all(clips, args.weights, args)
    table = Table(*COLUMNS, title="Simulated rigs: medians")
    for views, row in scores.items():
        table.add_row(*add_figures(report, views, list(row.values())))
    console.print(table, *worst(scores), sep="\n")
    report.finish(args.json)


if __name__ == "__main__":
    main()
