"""The cases of the benchmark of several people."""

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.accuracy.people.__main__ import COLUMNS, HEADINGS, add_figures, value_of
from benchmarks.accuracy.people.cases import score_case
from benchmarks.contract import Report
from pose_rig.lifting.engine import DEFAULT_WEIGHTS
from tests.benchmarks.rigs import walking


def options(folder: Path) -> Namespace:
    return Namespace(
        motion=[Path("walk.npz")], held_out=False, lenses="real", biased=True, bystanders=0, seconds=0.6, seed=0,
        weights=DEFAULT_WEIGHTS, alone=True, scene="walking", fps=None, passes=1,
        cache=folder / "cache", keypoints=folder / "kp.npz",
    )  # fmt: skip


def test_a_case_is_compared_with_each_person_and_kept(tmp_path: Path) -> None:
    args = options(tmp_path)
    args.cache.mkdir()
    found = score_case([walking()], 2, 3, 0, args)
    assert found.pa_ratio.shape == found.separate_ratio.shape == (2,)
    assert (tmp_path / "kp_2_3_0.npz").exists()
    kept = sorted(path.name for path in args.cache.iterdir())
    name = "walk_real_biased_0b_0.6s_0_2p3v0"
    assert kept == [f"{name}.npz", f"{name}_alone.pickle", f"{name}_separate.pickle"]
    again = score_case([], 2, 3, 0, args)  # from the cache: no clips are needed
    np.testing.assert_array_equal(again.pa_ratio, found.pa_ratio)
    assert again.later_percent == found.later_percent or np.isnan(found.later_percent)

    report = Report("people", {})
    cells = add_figures(report, "2, 3", [replace(found, solved_percent=share) for share in (100.0, 90.0)])
    figures = {figure.name: figure for figure in report.figures}
    assert figures["2, 3: right"].median == 95
    assert dict(zip(HEADINGS, cells, strict=True))["right %"] == "95.0 (90.0)"
    assert all(isinstance(value_of(found, heading), float) for heading in COLUMNS)
