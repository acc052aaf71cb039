"""Does the rig solve itself, how soon, and is it as exact as a calibrated one? On simulated rigs.

    python -m benchmarks.accuracy.self_solve --motion CMU.npz OPENCAP.npz REACTIDLE.npz --held-out --jobs 2
    python -m benchmarks.accuracy.self_solve --motion CMU.npz OPENCAP.npz REACTIDLE.npz --held-out --views 4 --case 7

Every rig is another one: cameras 2–8 m away, fields of view 45–100°, heights 0.2–3 m, some on their side, focal lengths
unknown; somebody moves about all the time, detected as badly as measured. The rig sees one instant after the other and
solves itself inline. Compared are the instants after ``--seconds``, where two views at least see each of the 12 limb
joints: PA is the mean error after a similarity per instant, GLOBAL after one for all; the usual ratio is
that of the medians over the instants. *Calibrated* is robust
triangulation of the same detections through the true cameras. ``--case`` tells of one rig second by second.
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

from benchmarks.accuracy.movement import lively
from benchmarks.accuracy.rig_run import RigScore, Run
from benchmarks.accuracy.simulated_rigs import rig_take
from benchmarks.contract import Report, parser
from pose_rig.lifting.engine import DEFAULT_WEIGHTS, OrtEngine
from pose_rig.simulation.clips import load_clips
from pose_rig.simulation.motion import Clip, split

WIDTH = 160  # of the tables, characters
TOLD_EVERY = 10  # rigs
SCORED_S = 5.0  # after the seconds of movement
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
COLUMNS = (
    "views", "ours mm", "calibrated mm", "ratio", "ratio 95 %", "usual ratio", "global mm", "global ratio",
    "global 95 %", "solved", "solved after s", "mirrored",
)  # fmt: skip


def run_case(clips: Sequence[Clip], weights: Path, views: int, case: int, args: argparse.Namespace) -> Run:
    """Returns a rig that has not seen anything yet; the same numbers give the same one."""
    rig = rig_take(clips, views, args.seconds + SCORED_S, np.random.default_rng([args.seed, views, case]))
    return Run(rig, OrtEngine(weights, "cpu"))


def score_case(
    clips: Sequence[Clip], weights: Path, views: int, case: int, args: argparse.Namespace
) -> RigScore | None:
    """Returns how well one rig did, None if it hardly ever saw anybody whole."""
    return run_case(clips, weights, views, case, args).finish().score(args.seconds, args.seconds + SCORED_S)


def score_all(clips: Sequence[Clip], weights: Path, args: argparse.Namespace) -> dict[int, dict[int, RigScore]]:
    """Returns the scores by number of views and case."""
    cases = [(views, case) for case in range(args.rigs) for views in map(int, args.views.split(","))]
    os.environ.update(ONE_THREAD)
    with ProcessPoolExecutor(args.jobs, get_context("spawn")) as pool:
        pending = {pool.submit(score_case, clips, weights, *case, args): case for case in cases}
        done: dict[tuple[int, int], RigScore | None] = {}
        for future in as_completed(pending):
            done[pending[future]] = future.result()
            if len(done) % TOLD_EVERY == 0:
                print(f"  {len(done)} of {len(cases)} rigs", flush=True)
    return {views: {n: s for (v, n), s in sorted(done.items()) if v == views and s} for views, _ in cases}


def add_figures(report: Report, views: int, scores: Sequence[RigScore]) -> list[str]:
    """Adds the figures of rigs with so many views to the report, and returns them as a row of the table."""
    wanted = views > 2
    solved_s = [score.solved_s for score in scores if score.solved_s is not None]
    name = f"{views} views: "
    ratio, ratio_global = [s.ratio_pa for s in scores], [s.ratio_global for s in scores]
    solved = report.add(name + "solved", "%", [100 * len(solved_s) / len(scores)]).median
    mirrored = sum(score.mirrored for score in scores)
    report.add(name + "mirrored", "rigs", [mirrored], "0")
    soon = f"{report.add(name + 'time to solved', 's', solved_s, '≤ 10').median:.1f}" if solved_s else ""
    return [
        f"{views} ({len(scores)} rigs)",
        f"{report.add(name + 'PA ours', 'mm', [s.pa_mm for s in scores]).median:.1f}",
        f"{report.add(name + 'PA calibrated', 'mm', [s.calibrated_pa_mm for s in scores]).median:.1f}",
        f"{report.add(name + 'PA ratio', '', ratio, '≤ 1.05' if wanted else '').median:.2f}",
        f"{report.add(name + 'PA ratio, 95th percentile', '', [_high(ratio)], '≤ 1.3' if wanted else '').median:.2f}",
        f"{report.add(name + 'ratio of the medians', '', [s.ratio_usual for s in scores]).median:.2f}",
        f"{report.add(name + 'GLOBAL ours', 'mm', [s.global_mm for s in scores]).median:.0f}",
        f"{report.add(name + 'global ratio', '', ratio_global).median:.2f}",
        f"{report.add(name + 'global ratio, 95th percentile', '', [_high(ratio_global)]).median:.2f}",
        f"{solved:.0f} %",
        soon,
        str(mirrored),
    ]  # fmt: skip


def worst(scores: dict[int, dict[int, RigScore]], count: int = 5) -> Iterable[str]:
    """Yields the rigs with the worst ratios, to be looked at with ``--case``."""
    for views, row in scores.items():
        order = sorted(row, key=lambda case: -row[case].ratio_pa)[:count]
        listed = ", ".join(f"{case} ({row[case].ratio_pa:.2f}, {row[case].pa_mm:.0f} mm)" for case in order)
        unsolved = [case for case, score in row.items() if score.solved_s is None]
        flipped = [case for case, score in row.items() if score.mirrored]
        yield f"{views} views: worst {listed}; mirrored {flipped}; never solved {unsolved[:20]}"


def tell(console: Console, run: Run, args: argparse.Namespace) -> None:
    """Prints what becomes of one rig, second by second, and in the end its cameras beside the true ones."""
    console.print(f"Stature {run.rig.stature_m:.2f} m, given: {run.rig.height_m}")
    table = Table("s", "mode", "ours mm", "calibrated mm", "global mm", "focals px", "health", "notes")
    for second in range(1, round(args.seconds + SCORED_S) + 1):
        while len(run.instants) < second * run.rig.take.fps:
            run.go_on()
        states = run.states[-1]
        score = run.score(second - 1, second)
        errors = (score.pa_mm, score.calibrated_pa_mm, score.global_mm) if score else ()
        table.add_row(
            str(second),
            run.instants[-1].mode,
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


def _cameras(run: Run, score: RigScore) -> Table:
    """Returns the cameras beside the true ones."""
    true = run.rig.take.cameras
    table = Table(
        "camera", "size", "true focal", "focal", "true position", "rotation off °", "position off m", "seen %"
    )
    for v, (state, miss) in enumerate(zip(run.states[-1], score.cameras, strict=True)):
        table.add_row(
            state.name,
            " × ".join(f"{side:.0f}" for side in true.size_px[v]),
            f"{true.focal_px[v]:.0f}",
            f"{state.focal_px:.0f}",
            np.array2string(true.position[v], precision=1),
            f"{miss.rotation_deg:.1f}" if miss else "",
            f"{miss.position_m:.2f}" if miss else "",
            f"{100 * (run.rig.take.score[v] > 0).mean():.0f}",
        )
    return table


def _high(values: Sequence[float]) -> float:
    return float(np.percentile(values, 95))


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--motion", type=Path, nargs="+", required=True, metavar="F.npz", help="see README.md")
    arguments.add_argument("--held-out", action="store_true", help="only clips that training keeps back")
    arguments.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, metavar="F.onnx", help="other than shipped")
    arguments.add_argument("--rigs", type=int, default=50, help="for every number of views")
    arguments.add_argument("--views", default="2,3,4,6,8", metavar="N,N")
    arguments.add_argument("--seconds", type=float, default=20.0, help="of movement before the poses are scored")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--jobs", type=int, default=2, help="rigs at a time")
    arguments.add_argument("--case", type=int, metavar="N", help="tell of this one rig only")
    args = arguments.parse_args()
    if args.quick:
        args.rigs, args.views, args.seconds = 1, "3", 3.0
    clips = load_clips(args.motion)
    if args.held_out:
        clips = split(clips)[1]
    clips = lively(clips)
    if args.case is not None:
        tell(Console(width=WIDTH), run_case(clips, args.weights, int(args.views.split(",")[0]), args.case, args), args)
        return
    report = Report.begin(args)
    scores = score_all(clips, args.weights, args)
    table = Table(*COLUMNS, title="Simulated rigs: medians")
    for views, row in scores.items():
        table.add_row(*add_figures(report, views, list(row.values())))
    console = Console(width=WIDTH)
    console.print(table, *worst(scores), sep="\n")
    report.finish(args.json)


if __name__ == "__main__":
    main()
