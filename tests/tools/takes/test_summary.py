import csv
from pathlib import Path

import pyarrow.parquet
import pytest

from pose_rig.errors import PoseRigError
from pose_rig.tools.report.quality import CameraQuality, Quality
from pose_rig.tools.takes.fingerprint import Fingerprint
from pose_rig.tools.takes.result import TakeResult
from pose_rig.tools.takes.summary import row_of, write_summary

GOOD = TakeResult(
    take="x",
    state="done",
    source=("/t/a.mp4", "/t/b.mp4"),
    inputs=Fingerprint(sha256="ab" * 32),
    options={"height": 1.8, "no-overlay": True},
    seconds=12.3456,
    quality=Quality(
        poses=120, solved=1.0, solved_after_s=0.0, residual_px=2.0 / 3, warnings=("One.", "Two, with a comma."),
        cameras=(CameraQuality(name="a", frames=1, missing=0),) * 2,
    ),
)  # fmt: skip
BAD = TakeResult(take="x", state="failed", error="It is damaged.", remedy="Repair it.")


def test_one_row_per_take_in_both_formats(tmp_path: Path) -> None:
    rows = [row_of("s1/take10", BAD), row_of("s1/take2", GOOD)]
    assert [path.name for path in write_summary(tmp_path, rows)] == ["summary.csv", "summary.parquet"]
    with (tmp_path / "summary.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["take"], second["take"]) == ("s1/take2", "s1/take10")
    assert first["residual_px"] == "0.666667"
    assert first["solved_after_s"] == "0"
    assert first["warnings"] == "One. | Two, with a comma."
    assert first["source"] == "/t/a.mp4 | /t/b.mp4"
    assert first["options"] == "--height 1.8 --no-overlay"
    assert first["cameras"] == "2"
    assert (second["state"], second["error"]) == ("failed", "It is damaged. Repair it.")
    assert second["residual_px"] == second["poses"] == ""
    table = pyarrow.parquet.read_table(tmp_path / "summary.parquet").to_pylist()
    assert [row["take"] for row in table] == ["s1/take2", "s1/take10"]
    assert table[0]["residual_px"] == pytest.approx(2 / 3)
    assert table[0]["poses"] == 120
    assert table[1]["poses"] is None
    assert list(table[0]) == list(first)


def test_columns_that_are_empty_keep_their_type(tmp_path: Path) -> None:
    write_summary(tmp_path, [row_of("a", BAD)])
    schema = pyarrow.parquet.read_schema(tmp_path / "summary.parquet")
    assert [str(schema.field(name).type) for name in ("take", "residual_px", "poses")] == ["string", "double", "int64"]


def test_a_summary_that_cannot_be_written_leaves_the_last_one(tmp_path: Path) -> None:
    write_summary(tmp_path, [row_of("a", BAD)])
    before = (tmp_path / "summary.csv").read_bytes()
    (tmp_path / "summary.partial.csv").mkdir()
    with pytest.raises(PoseRigError, match=r"Cannot write .*summary\.csv: Is a directory\."):
        write_summary(tmp_path, [row_of("b", BAD)])
    assert (tmp_path / "summary.csv").read_bytes() == before
