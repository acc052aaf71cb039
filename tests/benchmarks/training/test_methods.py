"""The comparison of methods from a few steps each; nothing here measures time."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.training import methods
from benchmarks.training.method_rows import COLUMNS, Result, Run, append, by_setting, claim, read, spread, table
from pose_rig.simulation.synthetic import SYNTHETIC_MOTION

RUN = Run("random", "canonpose", 0, 256, 1000, 64, 1e-3, 15000, 4000)
RESULT = Result(RUN, 1000, 5000, 100.0, 90.0, 1.5, dict.fromkeys(COLUMNS, 80.0))


def result(row: str, seed: int, n_mpjpe: float) -> Result:
    errors = {**RESULT.errors, "n_mpjpe_mm": n_mpjpe}
    return replace(RESULT, run=replace(RUN, row=row, seed=seed), errors=errors)


def test_results_outlive_a_stopped_run(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    assert read(path) == []
    given_up = replace(RESULT, run=replace(RUN, seed=1), choice=None, errors={})
    append(path, RESULT)
    path.write_text(path.read_text() + given_up.to_json()[:50])
    assert read(path) == [RESULT]
    append(path, given_up)
    assert read(path) == [RESULT, given_up]


def test_lines_of_other_programs_are_no_results(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"row": "canonpose"}\n[]\n3\n\n')
    assert read(path) == []


def test_a_spread_has_mean_and_extremes() -> None:
    assert spread([2.0, 1.0, 6.0], 1) == "3.0 (1.0 – 6.0)"
    assert (spread([2.0], 0), spread([], 1)) == ("2", "")


def test_runs_without_a_choice_have_no_errors_in_the_table() -> None:
    given_up = replace(RESULT, run=replace(RUN, seed=1), choice=None, steps=15000, errors={})
    console = Console(width=200)
    with console.capture() as both:
        console.print(table("random", [RESULT, given_up]))
    assert "1000; 1 of 2 not in 15000" in both.get()
    assert "80.0" in both.get()
    with console.capture() as none:
        console.print(table("random", [given_up]))
    assert "1 of 1 not in 15000" in none.get()
    assert "80.0" not in none.get()


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ((-2.0, -2.1, -1.9), "shown"),
        ((2.0, 2.1, 1.9), "refuted"),
        ((-2.0, 1.0, -1.5), "not decided"),
        ((-2.0,), "not decided"),
        ((), "not decided"),
    ],
)
def test_claims_are_decided_by_pairs_of_seeds(differences: tuple[float, ...], verdict: str) -> None:
    results = [result("canonpose", seed, 80.0 + 5 * seed) for seed in range(4)]
    results += [result("csm-s1", seed, 80.0 + 5 * seed + value) for seed, value in enumerate(differences)]
    assert claim(results, "csm-s1", "canonpose").startswith(f"csm-s1 < canonpose: {verdict}")


def test_claims_compare_equally_long_trainings() -> None:
    results = [result("canonpose", seed, 80.0) for seed in range(4)]
    results += [result("csm-s1", seed, 78.0 + 0.1 * seed) for seed in range(4)]
    assert "csm-s1 < canonpose: shown; differences by seed -2.0, -1.9, -1.8, -1.7 mm" in claim(
        results, "csm-s1", "canonpose"
    )
    longer = [replace(one, steps=6000) if one.run.seed else one for one in results[:4]] + results[4:]
    assert claim(longer, "csm-s1", "canonpose") == (
        "csm-s1 < canonpose: not decided, 1 of 4 seeds with equally many steps: -2.0 mm."
    )


def test_other_widths_and_schedules_are_in_other_tables() -> None:
    wide, long = (replace(RESULT, run=run) for run in (replace(RUN, width=512), replace(RUN, min_decay=9)))
    found = by_setting([RESULT, wide, long, result("ours", 1, 70.0)])
    assert [[one.run.row for one in some] for some in found.values()] == [
        ["canonpose", "ours"],
        ["canonpose"],
        ["canonpose"],
    ]


def test_done_runs_are_skipped_and_the_rest_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rows.jsonl"
    command = ["methods", str(SYNTHETIC_MOTION), "--quick", "--out", str(out), "--settings", "fixed-exact", "--rows"]
    monkeypatch.setattr("sys.argv", [*command, "supervised"])
    methods.main()
    (first,) = read(out)
    assert (first.run.setting, first.run.row, first.run.seed) == ("fixed-exact", "supervised", 0)
    monkeypatch.setattr("sys.argv", [*command, "ours", "supervised", "--json", str(tmp_path / "f.json")])
    methods.main()
    assert [one.run.row for one in read(out)] == ["supervised", "ours"]
    assert read(out)[0] == first
    assert json.loads((tmp_path / "f.json").read_text())["settings"]["seeds"] == "[0]"
    capsys.readouterr()
    monkeypatch.setattr("sys.argv", ["methods", "--out", str(out), "--table"])
    methods.main()
    assert "fixed-exact" in capsys.readouterr().out
    assert len(read(out)) == 2


@pytest.mark.parametrize("setting", ["fixed-noise", "ski"])
def test_training_choice_and_scores_have_different_people(setting: str) -> None:
    footage = methods.material((SYNTHETIC_MOTION,), setting, 5, 2)
    first, second, third = (
        {tuple(one.truth.joints[0, 0, 4]) for one in part if one.truth is not None}
        for part in (footage.training, footage.validation, footage.test)
    )
    assert (len(first), len(second), len(third)) == (5, 1 if setting == "fixed-noise" else 2, 2)
    assert len(first | second | third) == len(first) + len(second) + len(third)
    assert all(one.moving == (setting == "ski") for one in footage.training)


def test_the_names_of_a_result_do_not_collide() -> None:
    assert not set(asdict(RUN)) & set(asdict(RESULT))
