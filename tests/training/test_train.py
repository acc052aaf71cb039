"""Short training runs."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pose_rig.lifting.checkpoint import load
from pose_rig.lifting.engine import DEFAULT_WEIGHTS
from pose_rig.lifting.model import LifterConfig, with_depth
from pose_rig.simulation.motion import shipped
from pose_rig.training.footage.dataset import PoseDataset
from pose_rig.training.footage.footage import InputFrame
from pose_rig.training.footage.simulated_views import Rehearsal, SimulatedViewSampler
from pose_rig.training.job import TrainingJob
from pose_rig.training.methods import METHODS, TERMS
from pose_rig.training.run_folder import RunFolder
from pose_rig.training.train import IMPROVEMENT_RATIO, Progress, TrainingResult, TrainingState, learning_rate, train
from pose_rig.training.validation import ValidationMetrics, validate
from tests.training import two_ranks
from tests.training.fakes.footage import split_datasets, takes

ROOT = Path(__file__).parents[2]
JOB = TrainingJob(method="ours", width=32, steps=12, rigs=3, per_rig=4, rate=3e-3, warm_up=4, check=4)


@cache
def material(frame: InputFrame) -> tuple[PoseDataset, PoseDataset]:
    return split_datasets(takes(), frame)


def run(folder: Path, job: TrainingJob, *, resume: bool = False, **settings: Any) -> TrainingResult:
    learned, held = material(job.recipe().frame)
    with RunFolder(folder, job, resume=resume) as made:
        return train(job, learned, held, made, resume=resume, **settings)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="", encoding="utf-8") as file:
        return [{name: value for name, value in line.items() if name != "seconds"} for line in csv.DictReader(file)]


def same(one: object, other: object) -> bool:
    """Whether two states have the same numbers, bit for bit."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return one == other


def weights(outcome: TrainingResult) -> dict[str, torch.Tensor]:
    return dict(outcome.lifter.state_dict())


def state(folder: Path, job: TrainingJob) -> dict[str, Any]:
    return RunFolder(folder, job, resume=True).load()


def stops_after(step: int, error: BaseException) -> Callable[[Progress], None]:
    def tell(now: Progress) -> None:
        if now.step == step:
            raise error

    return tell


@pytest.mark.parametrize(("name", "steps"), [("csm-s1s2", 80), ("ours", 120)])
def test_the_reprojection_in_other_views_improves(tmp_path: Path, name: str, steps: int) -> None:
    job = replace(JOB, method=name, steps=steps, check=steps // 4, warm_up=10)
    told: list[Progress] = []
    outcome = run(tmp_path, job, on_step=told.append)
    assert (outcome.stop_reason, outcome.step) == ("done", steps)
    assert outcome.best.reprojection < 0.75 * outcome.initial.reprojection
    losses = [now.loss for now in told]
    early = int(job.recipe().switch * steps)  # stages weigh differently
    assert np.mean(losses[early - 10 : early]) < 0.8 * np.mean(losses[:5])
    assert [now.step for now in told] == list(range(1, steps + 1))
    assert told[-1].left_s == 0
    assert told[0].left_s > 0
    lines = table(tmp_path)
    assert [line["step"] for line in lines] == [str(steps * i // 4) for i in range(1, 5)]
    late = job.recipe().weights(1.0)
    assert {term for term in TERMS if getattr(late, term)} <= set(lines[-1])
    recipe = job.recipe()
    assert outcome.lifter.config == LifterConfig(32, frame=recipe.frame, rotation=recipe.rotation, depth=recipe.depth)
    assert validate(outcome.lifter, material(job.recipe().frame)[1]) == outcome.best
    model, settings = load(tmp_path / "lifter.pt")
    assert same(dict(model.state_dict()), weights(outcome))
    assert TrainingJob.from_json(settings["job"]) == job


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("the power went")])
def test_an_interrupted_run_goes_on_bit_for_bit(tmp_path: Path, error: BaseException) -> None:
    job = replace(JOB, average=0.9, rehearsal=8)
    rehearsal = Rehearsal(shipped(), 8, 0, "cpu")
    whole = run(tmp_path / "whole", job, rehearsal=rehearsal)
    if isinstance(error, KeyboardInterrupt):
        assert (
            run(tmp_path / "run", job, on_step=stops_after(6, error), rehearsal=rehearsal).stop_reason == "interrupted"
        )
    else:  # only Ctrl-C is a way to end
        with pytest.raises(type(error), match=str(error)):
            run(tmp_path / "run", job, on_step=stops_after(6, error), rehearsal=rehearsal)
    assert state(tmp_path / "run", job)["step"] == 4
    assert not same(state(tmp_path / "run", job)["lifter"], state(tmp_path / "whole", job)["lifter"])
    told: list[Progress] = []
    again = run(tmp_path / "run", job, resume=True, on_step=told.append, rehearsal=rehearsal)
    assert [now.step for now in told] == list(range(5, 13))
    assert same(state(tmp_path / "run", job), state(tmp_path / "whole", job))
    assert same(weights(again), weights(whole))
    assert (again.initial, again.best) == (whole.initial, whole.best)
    assert table(tmp_path / "run") == table(tmp_path / "whole")


def test_random_numbers_depend_on_the_seed_only(tmp_path: Path) -> None:
    job = replace(JOB, steps=3)
    one, again, other = (run(tmp_path / f"{i}", replace(job, seed=seed)) for i, seed in enumerate((5, 5, 6)))
    assert same(weights(one), weights(again))
    assert not same(weights(one), weights(other))


def test_ctrl_c_keeps_the_best_weights_so_far(tmp_path: Path) -> None:
    outcome = run(tmp_path, replace(JOB, steps=100, check=10), on_step=stops_after(25, KeyboardInterrupt()))
    assert (outcome.stop_reason, outcome.step) == ("interrupted", 25)
    assert outcome.best.reprojection + outcome.best.bent < outcome.initial.reprojection + outcome.initial.bent
    assert validate(outcome.lifter, material("ray")[1]) == outcome.best
    assert int(load(tmp_path / "lifter.pt")[1]["step"]) in (10, 20)


def test_the_initial_weights_are_kept_if_all_others_are_worse(tmp_path: Path) -> None:
    start = run(tmp_path / "start", replace(JOB, steps=60, check=60)).lifter
    before = {name: value.clone() for name, value in start.state_dict().items()}
    wild = replace(JOB, rate=0.9, warm_up=1, width=16)  # of a new network; this one has its own
    outcome = run(tmp_path / "wild", wild, start=start, on_step=stops_after(3, KeyboardInterrupt()))
    assert outcome.lifter.config == start.config
    assert same(weights(outcome), before)
    assert not same(dict(start.state_dict()), before)
    assert outcome.initial == outcome.best == validate(outcome.lifter, material("ray")[1])


def test_early_stopping_keeps_the_best_weights(tmp_path: Path) -> None:
    outcome = run(tmp_path, replace(JOB, steps=100, check=3, patience=2, rate=1e-12))
    assert (outcome.stop_reason, outcome.step) == ("early stopping", 6)
    assert outcome.best == outcome.initial
    assert "step" not in load(tmp_path / "lifter.pt")[1]
    assert [line["step"] for line in table(tmp_path)] == ["3", "6"]
    patient = run(tmp_path / "patient", replace(JOB, steps=9, check=3, rate=1e-12))
    assert (patient.stop_reason, patient.step) == ("done", 9)


def test_an_improvement_must_exceed_a_threshold() -> None:
    def scored(value: float) -> ValidationMetrics:
        return ValidationMetrics(value, 0.0, 1 / value, 0.0)

    standing = TrainingState(scored(1.0))
    heard = [
        standing.update(scored(value), supervised=False)
        for value in (0.999, 1.5, 0.9, 0.9 * (1 + IMPROVEMENT_RATIO) / 2, 0.5)
    ]
    assert heard == [False, False, True, False, True]
    assert (standing.best, standing.initial, standing.validations_since_best) == (scored(0.5), scored(1.0), 0)
    assert not standing.update(scored(0.4), supervised=True)  # worse by the labels
    assert standing.validations_since_best == 1


@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains(tmp_path: Path, name: str) -> None:
    job = replace(JOB, method=name, steps=2, check=1)
    outcome = run(tmp_path, job)
    assert outcome.step == 2
    first, last = table(tmp_path)
    assert np.isfinite([float(value) for line in (first, last) for value in line.values() if value]).all()
    assert first["reprojection"] != last["reprojection"]
    recipe = job.recipe()
    assert (outcome.lifter.config.frame, outcome.lifter.config.rotation) == (recipe.frame, recipe.rotation)


def test_a_term_is_switched_off_by_its_name(tmp_path: Path) -> None:
    job = replace(JOB, steps=2, check=2)
    whole, some = run(tmp_path / "whole", job), run(tmp_path / "some", replace(job, without=("cam",)))
    assert set(table(tmp_path / "whole")[0]) - set(table(tmp_path / "some")[0]) == {"cam"}
    assert not same(weights(whole), weights(some))


def test_supervised_training_is_validated_with_labels(tmp_path: Path) -> None:
    job = replace(JOB, method="supervised", steps=40, check=20)
    outcome = run(tmp_path, job)
    assert outcome.best.n_mpjpe < 0.9 * outcome.initial.n_mpjpe
    assert int(load(tmp_path / "lifter.pt")[1]["step"]) in (20, 40)


def test_the_mean_of_the_weights_is_what_is_kept(tmp_path: Path) -> None:
    job = replace(JOB, average=0.99)
    run(tmp_path, job)
    now = state(tmp_path, job)
    kept = {name.removeprefix("module."): value for name, value in now["kept"].items()}
    assert int(kept.pop("n_averaged")) == job.steps
    assert not same(kept, now["lifter"])
    run(tmp_path / "last", replace(job, average=0.0))
    now = state(tmp_path / "last", replace(job, average=0.0))
    assert all(torch.equal(now["kept"][f"module.{name}"], value) for name, value in now["lifter"].items())


def test_rehearsal_is_added_to_the_loss(tmp_path: Path) -> None:
    job = replace(JOB, steps=2, check=2)
    plain = run(tmp_path / "plain", job)
    rehearsed = run(tmp_path / "rehearsed", job, rehearsal=Rehearsal(shipped(), 8, 0, "cpu"))
    assert float(table(tmp_path / "rehearsed")[0]["rehearsal"]) > 0
    assert "rehearsal" not in table(tmp_path / "plain")[0]
    assert not same(weights(plain), weights(rehearsed))


def test_rehearsal_can_be_all_there_is(tmp_path: Path) -> None:
    job = replace(JOB, rigs=0, rehearsal=8, steps=2, check=2)

    def learned(name: str, job: TrainingJob, seed: int) -> dict[str, torch.Tensor]:
        run(tmp_path / name, job, rehearsal=Rehearsal(shipped(), 8, seed, "cpu"))
        return dict(state(tmp_path / name, job)["lifter"])

    first = learned("first", job, 0)
    log = table(tmp_path / "first")[0]
    assert float(log["rehearsal"]) > 0
    assert not set(TERMS) & set(log)
    assert same(first, learned("other frames", replace(job, per_rig=1), 0))  # the footage is not used
    assert not same(first, learned("other views", job, 1))


def test_mixed_precision_learns_nearly_the_same(tmp_path: Path) -> None:
    losses: dict[bool, list[float]] = {False: [], True: []}
    for mixed, told in losses.items():
        run(tmp_path / f"{mixed}", replace(JOB, mixed=mixed), on_step=lambda now, told=told: told.append(now.loss))
    assert losses[True] != losses[False]
    assert losses[True] == pytest.approx(losses[False], rel=0.1)
    assert all(value.dtype == torch.float32 for value in load(tmp_path / "True" / "lifter.pt")[0].state_dict().values())


def test_the_learning_rate_has_a_linear_warm_up_and_a_cosine_decay() -> None:
    job = replace(JOB, rate=0.01, steps=1000, warm_up=10)
    rates = [learning_rate(job, step) for step in range(1000)]
    assert rates[:5] == pytest.approx([0.001, 0.002, 0.003, 0.004, 0.005], rel=1e-3)
    assert max(rates) == pytest.approx(0.01, rel=1e-3)
    assert rates.index(max(rates)) in (9, 10)
    assert rates[500] == pytest.approx(0.005)
    assert rates[-1] < 1e-7
    assert np.all(np.diff(rates[10:]) < 0)


def test_two_processes_give_the_weights_of_one(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    two_ranks.run(tmp_path / "one")
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", two_ranks.__name__]
    done = subprocess.run(
        [sys.executable, *command, str(tmp_path / "two")], capture_output=True, text=True, timeout=120, cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    names = ("one/rank0", "two/rank0", "two/rank1")
    alone, first, second = (json.loads((tmp_path / f"{name}.json").read_text()) for name in names)
    assert (alone["world"], first["world"], second["world"]) == (1, 2, 2)
    assert len(alone["losses"]) == two_ranks.JOB.steps
    assert first["losses"] == second["losses"]
    assert first["losses"] == pytest.approx(alone["losses"], abs=1e-5)
    assert first["weights"] == second["weights"] == pytest.approx(alone["weights"], abs=1e-4)
    assert max(alone["losses"]) - min(alone["losses"]) > 1e-3


def test_training_on_depths_alone_keeps_what_2d_alone_gives(tmp_path: Path) -> None:
    job = replace(JOB, method="taught", only_depth=True, steps=6, check=3, rehearsal=32)
    start = load(DEFAULT_WEIGHTS)[0]
    run(tmp_path, job, start=start, rehearsal=Rehearsal(shipped(), 32, 0, "cpu"))
    trained = with_depth(start)
    trained.load_state_dict(state(tmp_path, job)["lifter"])
    views = SimulatedViewSampler(shipped(), 5).sample(50)
    pose_2d, confidence, depth = (torch.from_numpy(part) for part in (views.pose_2d, views.confidence, views.depth))
    known = depth[:, :, 1].any(1)
    with torch.no_grad():
        plain, alone, informed = (
            start(pose_2d, confidence), trained(pose_2d, confidence), trained(pose_2d, confidence, depth)
        )  # fmt: skip
    for before, without, with_depths in zip(plain, alone, informed, strict=True):
        assert torch.equal(before, without)
        assert torch.equal(before[~known], with_depths[~known])
        assert bool((before[known] != with_depths[known]).flatten(1).any(1).all())
