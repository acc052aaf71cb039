"""The geometry of solved cameras."""

from pathlib import Path

import numpy as np
import pytest
from rich.table import Table

from benchmarks.accuracy.geometry import COLUMNS, GeometryScore, add_row, score
from benchmarks.accuracy.simulated_rigs import RigTake, rig_take
from benchmarks.contract import Report
from pose_rig.lifting.engine import DEFAULT_WEIGHTS
from tests.benchmarks.rigs import walking

WEIGHTS = Path(DEFAULT_WEIGHTS)


def take(seed: int) -> RigTake:
    return rig_take([walking(3.0)], 4, 5.0, np.random.default_rng(seed), lenses="mixed", biased=True, area_m=2.0)


def test_a_rig_is_scored() -> None:
    scored = score(take(2), WEIGHTS)
    assert scored is not None
    assert 0 < scored.centred_deg < 2
    assert scored.centred_deg < scored.angle_deg + 0.5
    assert 0 < scored.centre_percent < 10
    assert 0.05 < scored.focal_sds < 10
    assert 5 < scored.pa_mm < scored.global_mm < 100


def test_a_rig_that_sees_no_person_is_not_solved() -> None:
    rig = take(0)
    rig.take.score[:] = 0
    assert score(rig, WEIGHTS) is None


def test_a_row_has_medians_and_percentiles_and_names_what_is_not_solved() -> None:
    values = dict.fromkeys(COLUMNS, 1.0)
    scores = [GeometryScore(**(values | {"field_deg": float(i), "size_percent": np.nan})) for i in range(11)]
    report, table = Report("geometry", {}), Table(*("", "solved", *COLUMNS))
    add_row(report, table, "one, 4", [*scores, None], real=False)
    figures = {figure.name: figure for figure in report.figures}
    assert figures["one, 4: solved"].median == 11
    assert figures["one, 4: solved"].target == "12"
    assert figures["one, 4: field"].median == pytest.approx(5)
    assert figures["one, 4: field"].target == "≤ 0.8"
    assert figures["one, 4: field, 90th percentile"].median == pytest.approx(9)
    assert not any("size" in name for name in figures)
    add_row(report, table, "nothing", [None], real=True)
    assert table.row_count == 2
