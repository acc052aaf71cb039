import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pyarrow.parquet
import pytest

from pose_rig.errors import PoseRigError
from pose_rig.session.formats.table import write_csv, write_parquet
from tests.session.posed import NAMES, START_NS, made, with_gaps
from tests.session.two_people import poses_of_two


def test_a_row_is_a_pose_and_a_column_a_number(tmp_path: Path) -> None:
    poses = made(4)
    write_csv(tmp_path / "take.csv", poses)
    with (tmp_path / "take.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:7] == [
        "t_ns", "t_s", "mode", "pelvis_x_m", "pelvis_y_m", "pelvis_z_m", "pelvis_score",
    ]  # fmt: skip
    assert len(rows[0]) == 3 + 4 * len(NAMES)
    assert [row["mode"] for row in rows] == ["cold", "solved", "solved", "solved"]
    assert int(rows[0]["t_ns"]) == START_NS
    assert float(rows[3]["t_s"]) == pytest.approx(0.05, abs=1e-9)
    x = [[float(row[f"{name}_x_m"]) for name in NAMES] for row in rows]
    np.testing.assert_allclose(x, poses.xyz[..., 0], rtol=1e-5)
    assert float(rows[1]["l_wrist_score"]) == 0.5


def test_cells_of_gaps_are_empty(tmp_path: Path) -> None:
    write_csv(tmp_path / "take.csv", with_gaps())
    with (tmp_path / "take.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {rows[1][f"{name}_{axis}_m"] for name in NAMES for axis in "xyz"} == {""}
    assert all(rows[2].values())


def test_a_late_clock_keeps_its_nanoseconds(tmp_path: Path) -> None:
    late = replace(made(2), t_ns=np.array([2**60 + 1, 2**60 + 16_666_668]))
    write_csv(tmp_path / "take.csv", late)
    assert [line.split(",")[0] for line in (tmp_path / "take.csv").read_text().splitlines()[1:]] == [
        str(t_ns) for t_ns in late.t_ns
    ]


def test_parquet_keeps_types_and_has_frame_and_units(tmp_path: Path) -> None:
    poses = with_gaps()
    write_parquet(tmp_path / "take.parquet", poses)
    table = pyarrow.parquet.read_table(tmp_path / "take.parquet")
    assert table.column_names == list(poses.columns())
    assert [str(table.schema.field(name).type) for name in ("t_ns", "t_s", "mode", "nose_x_m")] == [
        "int64", "double", "string", "float",
    ]  # fmt: skip
    np.testing.assert_array_equal(table["nose_z_m"].to_numpy(), poses.joint("nose")[:, 2])
    metadata = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    assert metadata["frame"] == "rig: right-handed, y up"
    assert (metadata["length_unit"], metadata["height_m"]) == ("m", "1.82")
    assert json.loads(metadata["height_assumed"]) is False
    assert json.loads(metadata["joints"]) == list(NAMES)


def test_rows_can_be_at_even_distances(tmp_path: Path) -> None:
    write_parquet(tmp_path / "take.parquet", made(61), 10.0)
    write_csv(tmp_path / "take.csv", made(61), 10.0)
    t_s = pyarrow.parquet.read_table(tmp_path / "take.parquet")["t_s"].to_numpy()
    np.testing.assert_allclose(t_s, np.arange(11) / 10, atol=1e-9)
    assert len((tmp_path / "take.csv").read_text().splitlines()) == 12


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(PoseRigError, match=r"Parquet needs pyarrow, .*pip install 'pose-rig\[files\]'\."):
        write_parquet(tmp_path / "take.parquet", made())


def test_a_data_frame_has_a_row_per_pose_and_its_units(tmp_path: Path) -> None:
    poses = with_gaps()
    frame = poses.to_dataframe()
    assert list(frame.columns)[:8] == [
        "t_ns", "t_s", "mode", "pelvis_x_m", "pelvis_y_m", "pelvis_z_m", "pelvis_score", "pelvis_sd_m",
    ]  # fmt: skip
    assert frame.shape == (6, 3 + 5 * len(NAMES))
    assert frame["mode"].tolist() == ["cold"] + ["solved"] * 5
    np.testing.assert_allclose(frame["t_s"], np.arange(6) / 60, atol=1e-8)
    np.testing.assert_array_equal(frame[["l_wrist_x_m", "l_wrist_y_m", "l_wrist_z_m"]], poses["l_wrist"])
    assert frame["l_wrist_x_m"].isna().tolist() == [False, True, False, False, False, False]
    np.testing.assert_allclose(frame["nose_sd_m"], 0.01, rtol=1e-6)
    units = frame.attrs["units"]
    assert all(name == "mode" or any(name.endswith(end) for end in units) for name in frame.columns)
    assert (units["x_m"], units["t_s"], frame.attrs["frame"]) == ("m", "s", "rig: right-handed, y up")
    assert (frame.attrs["joints"], frame.attrs["rate_hz"]) == (list(NAMES), 60.0)
    assert (frame.attrs["height_m"], frame.attrs["height_assumed"]) == (1.82, False)
    frame.to_parquet(tmp_path / "take.parquet")
    assert pandas.read_parquet(tmp_path / "take.parquet").attrs == frame.attrs


def test_without_pandas_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(PoseRigError, match=r"A DataFrame needs pandas, .*pip install 'pose-rig\[files\]'\."):
        made().to_dataframe()


def test_of_several_people_a_column_says_whose_row_it_is(tmp_path: Path) -> None:
    people = poses_of_two()
    write_csv(tmp_path / "take.csv", people)
    table = pandas.read_csv(tmp_path / "take.csv")
    assert list(table)[:5] == ["t_ns", "t_s", "mode", "person", "pelvis_x_m"]
    assert len(table) == 42
    for one in people:
        rows = table[table["person"] == one.person]
        np.testing.assert_array_equal(rows["t_ns"], one.t_ns)
        np.testing.assert_allclose(rows["r_wrist_x_m"], one["r_wrist"][:, 0], rtol=1e-5)
    write_parquet(tmp_path / "take.parquet", people, 30.0)
    resampled = pyarrow.parquet.read_table(tmp_path / "take.parquet")
    assert resampled["person"].to_pylist() == [0, 1] * 15
    metadata = {key.decode(): value.decode() for key, value in resampled.schema.metadata.items()}
    assert json.loads(metadata["people_height_m"]) == [1.82, 1.6]
