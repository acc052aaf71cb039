"""The summary of many takes: one row for each, as CSV and, where pyarrow is installed, as Parquet."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from pose_rig.atomic_file import output_file
from pose_rig.names import natural_order
from pose_rig.tools.takes.result import State, TakeResult

CSV_FILE, PARQUET_FILE = "summary.csv", "summary.parquet"
BETWEEN = " | "  # warnings


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One take.

    Attributes:
        take: Its name, which is also the path of its folder.
        state: As in `TakeResult`.
        seconds: How long it took.
        solved_after_s: As in `Quality`, and so all figures down to ``height_m``.
        cameras: Number of cameras.
        warnings: Separated by ``|``.
        error: Cause and remedy; empty without.
        source: Separated by ``|``.
        inputs_sha256: Of the names and contents of its files.
        options: Those given.
        started: As in `TakeResult`.
        version: Of pose-rig.
    """

    take: str
    state: State
    seconds: float | None = None
    solved_after_s: float | None = None
    solved: float | None = None
    tracked: float | None = None
    residual_px: float | None = None
    residual_95_px: float | None = None
    bone_variation_percent: float | None = None
    joint_sd_mm: float | None = None
    height_m: float | None = None
    duration_s: float | None = None
    poses: int | None = None
    cameras: int | None = None
    warnings: str = ""
    error: str = ""
    source: str = ""
    inputs_sha256: str = ""
    options: str = ""
    started: str = ""
    version: str = ""


QUALITY = (
    "solved_after_s", "solved", "tracked", "residual_px", "residual_95_px", "bone_variation_percent", "joint_sd_mm",
    "height_m", "duration_s", "poses",
)  # fmt: skip


def row_of(name: str, result: TakeResult) -> Row:
    """Returns the row of a result."""
    quality = result.quality
    figures: dict[str, Any] = {}
    if quality is not None:
        figures = {key: getattr(quality, key) for key in QUALITY}
        figures |= {"cameras": len(quality.cameras), "warnings": BETWEEN.join(quality.warnings)}
    return Row(
        take=name,
        state=result.state,
        seconds=round(result.seconds, 3),
        error=f"{result.error} {result.remedy}".strip(),
        source=BETWEEN.join(result.source),
        inputs_sha256=result.inputs.sha256,
        options=" ".join(f"--{key} {value}".removesuffix(" True") for key, value in result.options.items()),
        started=result.started,
        version=result.version,
        **figures,
    )


def write_summary(folder: Path, rows: Sequence[Row]) -> list[Path]:
    """Writes the summary, whole or not at all, and returns its files.

    Raises:
        PoseRigError: A file cannot be written.
    """
    rows = sorted(rows, key=lambda row: natural_order(row.take))
    written = [folder / CSV_FILE]
    with output_file(written[0]) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(Row.__struct_fields__)
        table.writerows(map(_cell, msgspec.structs.astuple(row)) for row in rows)
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        return written
    kinds = {str: pyarrow.string(), float | None: pyarrow.float64(), int | None: pyarrow.int64()}
    types = get_type_hints(Row)
    schema = pyarrow.schema([(name, kinds.get(types[name], pyarrow.string())) for name in Row.__struct_fields__])
    columns = [msgspec.structs.asdict(row) for row in rows]
    with output_file(folder / PARQUET_FILE) as partial:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(columns, schema=schema), partial)
    return [*written, folder / PARQUET_FILE]


def _cell(value: Any) -> Any:
    """Returns a value as a cell of the CSV: six digits of a number, nothing for None."""
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else value
