"""Comparison of all training methods after convergence, with people and motion that are not in the training set.

    python -m benchmarks.training.methods MOTION*.npz --out rows.jsonl
    python -m benchmarks.training.methods --out rows.jsonl --table

Settings: `fixed-exact` and `fixed-noise`, one rig like that of Human3.6M and five people, with exact 2D and with the
measured noise of a detector; `random`, another rig for every take, noisy; `ski`, the same with moving cameras and a
quarter of the limb joints lost. All methods learn from the same takes, in the same order, at one width; `supervised`
uses 3D labels, all others 2D poses only. A run trains at a constant rate until fewer than 5 % of the validation lifts
are mirrored, and then at least four times as long with a cosine decay. Scores are those of single-view lifts in camera
axes.

Every result is added to the file of `--out` at once, and what is in there is not run again: a comparison can be stopped
and continued. Seed by seed, so that a stopped one is fair too.
"""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.contract import Report, parser
from benchmarks.training.convergence import Schedule, converge, mirrored
from benchmarks.training.fixed_rig import fixed_rig_footage
from benchmarks.training.method_rows import COLUMNS, Result, Run, append, by_setting, print_tables, read
from pose_rig.arrays import Floats
from pose_rig.lifting.model import Lifter
from pose_rig.simulation.clips import load_clips
from pose_rig.simulation.motion import split
from pose_rig.training.canonical_frame import with_canonical_frame
from pose_rig.training.evaluation.evaluation import lift
from pose_rig.training.evaluation.scores import Scores
from pose_rig.training.footage.dataset import PoseDataset
from pose_rig.training.footage.footage import Footage
from pose_rig.training.footage.simulated import simulate_footage
from pose_rig.training.job import TrainingJob

SIX: dict[str, Any] = {"rotation": "6d"}
RAY: dict[str, Any] = {"rotation": "6d", "frame": "ray"}
NEAR: dict[str, Any] = {**RAY, "perspective": True}
METHODS = ("supervised", "canonpose", "csm-s1", "csm-s1s2", "released", "ours")
# settings of the job by row
ROWS: dict[str, dict[str, Any]] = {
    **{name: {"method": name} for name in METHODS},
    "ours-sp": {"method": "ours-sp"},
    "canonpose + bend": {"method": "canonpose", "bend": 1.0},
    "csm-s1s2 + bend": {"method": "csm-s1s2", "bend": 1.0},
    "canonpose, 6D": {"method": "canonpose", **SIX},
    "canonpose, 6D, ray": {"method": "canonpose", **RAY},
    "canonpose, 6D, ray, perspective": {"method": "canonpose", **NEAR},
    "csm-s1, 6D, ray, perspective": {"method": "csm-s1", **NEAR},
    "csm-s1s2, 6D, ray, perspective": {"method": "csm-s1s2", **NEAR},
    "supervised, 6D, ray": {"method": "supervised", **RAY},
}
SETTINGS = ("fixed-exact", "fixed-noise", "random", "ski")
PEOPLE, HELD_PEOPLE = 5, 2
VALIDATION_TAKES = 8
CHECK = 250  # steps between checks whether the choice is made
VIEWS, SECONDS = 4, 10
FIXED_BATCH, RANDOM_BATCH = (5, 13), (8, 8)  # rigs, frames of each; on the fixed rig each person counts as one


@dataclass(frozen=True, slots=True)
class Material:
    """Footage of a setting: for training, for the choice, and for the scores; people and takes of all three differ."""

    training: list[Footage]
    validation: list[Footage]
    test: list[Footage]


@lru_cache(maxsize=1)
def material(motion: tuple[Path, ...], setting: str, takes: int, held: int) -> Material:
    """Returns the footage of a setting, the same for all methods and seeds; validation and test share motion clips.

    Cameras are upright, as the published methods expect.
    """
    first, second = split(load_clips(motion))
    if setting.startswith("fixed"):
        exact = setting == "fixed-exact"
        return Material(
            fixed_rig_footage(first, PEOPLE, max(takes // PEOPLE, 1), 1, exact=exact),
            fixed_rig_footage(second, 1, min(VALIDATION_TAKES, held), 3, exact=exact),
            fixed_rig_footage(second, HELD_PEOPLE, max(held // HELD_PEOPLE, 1), 2, exact=exact),
        )
    ski = setting == "ski"
    return Material(
        simulate_footage(first, takes, VIEWS, SECONDS, seed=1, ski=ski, upside=0),
        simulate_footage(second, min(VALIDATION_TAKES, held), VIEWS, SECONDS, seed=3, ski=ski, upside=0),
        simulate_footage(second, held, VIEWS, SECONDS, seed=2, ski=ski, upside=0),
    )


def result_of(run: Run, motion: tuple[Path, ...]) -> Result:
    """Returns the result of one run."""
    torch.set_num_threads(1)
    footage = material(motion, run.setting, run.takes, run.held)
    fixed = run.setting.startswith("fixed")
    rigs, per_rig = FIXED_BATCH if fixed else RANDOM_BATCH
    job = TrainingJob(**ROWS[run.row], width=run.width, rate=run.rate, rigs=rigs, per_rig=per_rig, seed=run.seed)
    schedule = Schedule(min(CHECK, run.max_constant), run.max_constant, run.min_decay)
    dataset = PoseDataset(footage.training, job.recipe().frame)
    trained = converge(
        job, dataset, lambda lifter: mirrored(*lifts(lifter, footage.validation)), schedule, augment=not fixed
    )
    predicted, truth = lifts(with_canonical_frame(trained.lifter, dataset), footage.test)
    scores = Scores.of(predicted, truth)
    errors = {name: float(getattr(scores, name)) for name in COLUMNS} if trained.choice is not None else {}
    return Result(
        run, trained.choice, trained.steps, trained.seconds, trained.processor_s, mirrored(predicted, truth), errors
    )


def lifts(lifter: Lifter, footage: Sequence[Footage]) -> tuple[Floats, Floats]:
    """Returns (T,V,J,3) single-view lifts of all takes and their ground truth."""
    predicted = [lift(lifter, one) for one in footage]
    return np.concatenate(predicted), np.concatenate([one.truth.joints for one in footage if one.truth is not None])


def main() -> None:
    """Trains and evaluates all methods, as far as the results are not there yet."""
    arguments = parser(__doc__)
    arguments.add_argument("motion", nargs="*", type=Path, help="motion files (docs/training.md)")
    arguments.add_argument("--out", type=Path, default=Path("methods.jsonl"), metavar="F", help="results, one a line")
    arguments.add_argument("--table", action="store_true", help="print the tables of the results, and run nothing")
    arguments.add_argument("--settings", nargs="+", choices=SETTINGS, default=SETTINGS[:3])
    arguments.add_argument("--rows", nargs="+", choices=list(ROWS), default=METHODS)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments.add_argument("--width", type=int, default=256)
    arguments.add_argument("--rate", type=float, default=1e-3, help="learning rate before the decay")
    arguments.add_argument("--takes", type=int, default=1000, help="training takes of 10 s")
    arguments.add_argument("--held", type=int, default=64, help="test takes")
    arguments.add_argument("--max-constant", type=int, default=15000, help="steps until a run is given up")
    arguments.add_argument("--min-decay", type=int, default=4000, help="least steps of the decay after the choice")
    arguments.add_argument("--jobs", type=int, default=1, help="parallel runs of one thread")
    args = arguments.parse_args()
    if args.quick:
        args.seeds, args.takes, args.held, args.width, args.max_constant, args.min_decay = [0], 10, 4, 16, 10, 5
    report = Report.begin(args)
    wanted = [
        Run(setting, row, seed, args.width, args.takes, args.held, args.rate, args.max_constant, args.min_decay)
        for seed in args.seeds
        for setting in args.settings
        for row in args.rows
    ]
    if not args.table:
        compare(wanted, tuple(args.motion), args.out, args.jobs)
    results = read(args.out)
    print_tables(results)
    add_figures(report, results)
    report.finish(args.json)


def compare(wanted: Sequence[Run], motion: tuple[Path, ...], out: Path, jobs: int) -> None:
    """Does the runs whose results are not in the file yet, in their order."""
    done = {result.run for result in read(out)}
    with ProcessPoolExecutor(jobs) as pool:
        started = [pool.submit(result_of, run, motion) for run in wanted if run not in done]
        for each in as_completed(started):
            append(out, each.result())
            print(each.result().to_json(), flush=True)


def add_figures(report: Report, results: Sequence[Result]) -> None:
    """Adds the figures of every setting and row to the report."""
    for title, some in by_setting(results).items():
        for row in dict.fromkeys(result.run.row for result in some):
            runs = [result for result in some if result.run.row == row and result.choice is not None]
            if runs:
                report.add(f"{title}, {row}: steps to choice", "", [float(one.choice or 0) for one in runs])
                for name in COLUMNS:
                    unit = "%" if name == "n_pck" else "mm"
                    report.add(f"{title}, {row}: {name}", unit, [one.errors[name] for one in runs])


if __name__ == "__main__":
    main()
