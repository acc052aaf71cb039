"""What benchmarks share. Nothing here measures time."""

import argparse
import json
import os
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks.contract import Figure, Report, rss_mb, time_ms

NAMES = (
    "accuracy.bumped",
    "accuracy.people.__main__",
    "accuracy.real_footage",
    "accuracy.self_solve",
    "engines.humanoid",
    "live.phones",
    "live.web_load",
    "same_bytes",
    "speed.fuse_speed",
    "speed.kill_recording",
    "speed.live_latency",
    "speed.memory_soak",
    "speed.pipeline_speed",
    "speed.record_cost",
    "speed.record_video",
    "speed.replay_speed",
    "speed.session_size",
    "speed.solve_latency",
    "training.fine_tuning",
    "training.methods",
)


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_has_help(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", [name, "--help"])
    with pytest.raises(SystemExit) as end:
        import_module(f"benchmarks.{name}").main()
    assert end.value.code == 0
    assert f"python -m benchmarks.{name.removesuffix('.__main__')}" in capsys.readouterr().out


def test_the_fusion_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["fuse_speed", "--quick", "--json", str(tmp_path / "f.json")])
    import_module("benchmarks.speed.fuse_speed").main()
    written = json.loads((tmp_path / "f.json").read_text())
    assert {"4 views: whole", "4 views: graph", "4 views: graph alone"} <= {row["name"] for row in written["figures"]}
    assert written["machine"]["cores"] >= 1
    assert written["settings"]["quick"] == "True"


def test_a_figure_has_median_and_quartiles() -> None:
    figure = Figure.of("age", "ms", [5.0, 1.0, 2.0, 3.0, 4.0])
    assert (figure.median, figure.low, figure.high, figure.repeats) == (3.0, 2.0, 4.0, 5)


def test_warm_up_runs_are_not_counted() -> None:
    runs: list[int] = []
    assert len(time_ms(lambda: runs.append(0), warm_up=2, repeats=3)) == 3
    assert len(runs) == 5


def test_the_table_shows_the_target() -> None:
    report = Report.begin(argparse.Namespace(json=None))
    report.add("age", "ms", [1.0], "≤ 2")
    table = report.table()
    assert [list(column.cells) for column in table.columns] == [["age"], ["1"], [""], ["ms"], ["1"], ["≤ 2"]]


def test_the_memory_of_a_process_is_found() -> None:
    assert 10 < rss_mb(os.getpid()) < 10_000
