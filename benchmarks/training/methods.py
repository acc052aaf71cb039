"""Comparison of all training methods, on simulated rigs with people and motion that are not in the training set.

    python -m benchmarks.training.methods MOTION*.npz --json methods.json

Every method learns from the same takes, in the same order, for the same number of steps, at one width; `supervised`
uses 3D labels, all others 2D poses only. Scores are those of single-view lifts in camera axes on validation clips, with
other bodies and rigs.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.contract import Report, parser
from pose_rig.simulation.clips import load_clips
from pose_rig.simulation.motion import split
from pose_rig.training.canonical_frame import with_canonical_frame
from pose_rig.training.evaluation.evaluation import lift
from pose_rig.training.evaluation.metrics import n_mpjpe
from pose_rig.training.evaluation.scores import Scores
from pose_rig.training.footage.dataset import PoseDataset
from pose_rig.training.footage.footage import Footage
from pose_rig.training.footage.simulated import simulate_footage
from pose_rig.training.job import TrainingJob
from pose_rig.training.run_folder import RunFolder
from pose_rig.training.train import train

SIX: dict[str, Any] = {"rotation": "6d"}
RAY: dict[str, Any] = {"rotation": "6d", "frame": "ray"}
NEAR: dict[str, Any] = {**RAY, "perspective": True}
# settings of the job by row
ROWS: dict[str, dict[str, Any]] = {
    **{name: {"method": name} for name in ("supervised", "canonpose", "csm-s1", "csm-s1s2", "released", "ours")},
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
VIEWS, SECONDS = 4, 10
FIGURES = {"n_mpjpe_mm": "mm", "pmpjpe_mm": "mm", "n_pck": "%", "cps": "mm", "mirrored": "%"}


@dataclass(frozen=True, slots=True)
class Task:
    """One run."""

    row: str
    seed: int
    steps: int
    width: int
    motion: tuple[Path, ...]
    takes: int
    test_takes: int
    ski: bool


@lru_cache(maxsize=1)
def material(motion: tuple[Path, ...], takes: int, test_takes: int, ski: bool) -> tuple[list[Footage], list[Footage]]:
    """Returns training and test takes, the same for every method and seed.

    Cameras are upright, as the published methods expect.
    """
    first, second = split(load_clips(motion))
    return (
        simulate_footage(first, takes, VIEWS, SECONDS, seed=1, ski=ski, upside=0),
        simulate_footage(second, test_takes, VIEWS, SECONDS, seed=2, ski=ski, upside=0),
    )


def run(task: Task) -> dict[str, float]:
    """Returns the scores of one run."""
    torch.set_num_threads(1)
    job = TrainingJob(
        **ROWS[task.row], width=task.width, steps=task.steps, seed=task.seed, check=max(task.steps // 4, 1)
    )
    training_takes, test_takes = material(task.motion, task.takes, task.test_takes, task.ski)
    frame = job.recipe().frame
    dataset = PoseDataset(training_takes, frame)
    with TemporaryDirectory() as folder, RunFolder(Path(folder) / "run", job) as place:
        lifter = with_canonical_frame(train(job, dataset, PoseDataset(test_takes[:8], frame), place).lifter, dataset)
    predicted, truth = [], []
    for one in test_takes:
        assert one.truth is not None  # noqa: S101 - simulated
        predicted.append(lift(lifter, one))
        truth.append(one.truth.joints)
    own, true = np.concatenate(predicted), np.concatenate(truth)
    scores = Scores.of(own, true)
    return {
        **{name: float(getattr(scores, name)) for name in FIGURES if name != "mirrored"},
        "mirrored": mirrored(own, true),
    }


def mirrored(predicted: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Returns the share of lifts (T,V,J,3), %, whose depth mirror image is nearer to the ground truth."""
    flat = [poses.astype(float).reshape(-1, *poses.shape[-2:]) for poses in (predicted, truth)]
    own, true = (poses - poses[:, :1] for poses in flat)
    return float(100 * (n_mpjpe(own * np.array([1, 1, -1]), true) < n_mpjpe(own, true)).mean())


def main() -> None:
    """Trains and evaluates all methods."""
    arguments = parser(__doc__)
    arguments.add_argument("motion", nargs="+", type=Path, help="motion files (docs/training.md)")
    arguments.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments.add_argument("--steps", type=int, default=3000)
    arguments.add_argument("--width", type=int, default=256)
    arguments.add_argument("--takes", type=int, default=1000, help="training takes of 10 s")
    arguments.add_argument("--held", type=int, default=64, help="test takes")
    arguments.add_argument("--ski", action="store_true", help="moving cameras, a quarter of the limb joints lost")
    arguments.add_argument("--jobs", type=int, default=2, help="parallel runs of one thread")
    args = arguments.parse_args()
    if args.quick:
        args.seeds, args.steps, args.takes, args.held = [0], 20, 8, 4
    report = Report.begin(args)
    tasks = [
        Task(row, seed, args.steps, args.width, tuple(args.motion), args.takes, args.held, args.ski)
        for seed in args.seeds
        for row in args.rows
    ]
    results: dict[str, list[dict[str, float]]] = {row: [] for row in args.rows}
    with ProcessPoolExecutor(args.jobs) as pool:
        for task, scores in zip(tasks, pool.map(run, tasks), strict=True):
            print(task.row, task.seed, {name: round(value, 1) for name, value in scores.items()}, flush=True)
            results[task.row].append(scores)
    add_results(report, results)
    report.finish(args.json)


def add_results(report: Report, results: dict[str, list[dict[str, float]]]) -> None:
    """Adds the figures of every row to the report, and prints a table of means, minima and maxima."""
    table = Table(title="single-view lifts, mean over seeds (least – most)")
    for column in ("method", *FIGURES):
        table.add_column(column, justify="left" if column == "method" else "right")
    for row, runs in results.items():
        cells = []
        for figure, unit in FIGURES.items():
            values = [scores[figure] for scores in runs]
            report.add(f"{row}: {figure}", unit, values)
            cells.append(f"{np.mean(values):.1f} ({min(values):.1f} – {max(values):.1f})")
        table.add_row(row, *cells)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
