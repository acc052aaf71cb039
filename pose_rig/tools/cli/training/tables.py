"""The tables of `pose-rig eval`: the published results, followed by ours."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from pose_rig.training.evaluation.metrics import LIMB_TYPES
from pose_rig.training.evaluation.published import CPS, JDR, TABLES, Row
from pose_rig.training.evaluation.scores import Jdr, Scores

if TYPE_CHECKING:
    from pose_rig.training.evaluation.evaluation import Evaluation  # imports torch

OURS = "pose-rig, "
NOT_MEASURED = "pose-rig: not measured here"
COLUMNS = ("N-MPJPE mm", "PMPJPE mm", "N-PCK %", "AUC %", "CPS mm", "min views mm", "poses")
DEFINITIONS = (
    "All: 16 joints, ours without the spine; the root counts, with error 0; means over poses, one view each.",
    "N-MPJPE: after the least-squares scale. PMPJPE: after a similarity, mirroring excluded. N-PCK: joints within "
    "150 mm after scale alone; AUC: the same over 0–150 mm. CPS: of 300, area under the share of poses all of whose "
    "joints are within θ after a similarity.",
    "Min views: the smallest error of all views of a frame, called PMPJPE in the released code; not comparable with "
    "other metrics.",
    "JDR: joints within half a head size in the image: 12.8 px in Human3.6M, elsewhere 3.0 % of the norm of the 2D "
    "pose. All views: refined with all views of a frame. Missing where the input was ground-truth 2D.",
)


def tables(measured: Sequence["Evaluation"], *, paper: bool = True) -> Iterator[Table]:
    """Yields the tables of the paper, then those of other footage.

    Args:
        measured: Our results.
        paper: Whether to include the tables of the paper, with or without results of ours.
    """
    if paper:
        yield from _of_the_paper(measured)
    for name in dict.fromkeys(one.dataset for one in measured if one.dataset not in TABLES):
        here = [one for one in measured if one.dataset == name]
        yield _table(name, COLUMNS, [Row(one.weights, _all_scores(one.scores)) for one in here])
        yield _table(f"JDR %, {name}", LIMB_TYPES, _rates(here))


def write_csv(path: Path, measured: Sequence["Evaluation"]) -> None:
    """Writes a row for each of ``measured``: weights, footage, scores, and the JDR of detected and refined 2D."""
    parts = {"": Scores, "detected_": Jdr, "refined_": Jdr}
    names = [f"{part}{field.name}" for part, kind in parts.items() for field in fields(kind)]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ["weights", "dataset", *names])
        table.writeheader()
        for one in measured:
            found = zip(parts, (one.scores, one.detected, one.refined), strict=True)
            figures = {f"{part}{name}": value for part, of in found if of for name, value in asdict(of).items()}
            table.writerow({"weights": one.weights, "dataset": one.dataset, **figures})


def _of_the_paper(measured: Sequence["Evaluation"]) -> Iterator[Table]:
    for kind, published in TABLES.items():
        ours = [Row(_row_name(one), _errors(one.scores)[: len(published.columns)]) for one in _of(kind, measured)]
        yield _with_ours(published.title, published.columns, published.rows, ours)
    yield _cps(measured)
    for kind, rows in JDR.items():
        yield _with_ours(f"JDR %, {TABLES[kind].title}", LIMB_TYPES, rows, _rates(_of(kind, measured), OURS))


def _of(kind: str, measured: Sequence["Evaluation"]) -> list["Evaluation"]:
    return [one for one in measured if one.dataset == kind]


def _row_name(measured: "Evaluation") -> str:
    return f"{OURS}{measured.weights}"


def _table(title: str, columns: Iterable[str], rows: Iterable[Row]) -> Table:
    """Returns a table of rows."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(row.source, *(_cell(value) for value in row.values))
    return table


def _with_ours(title: str, columns: Sequence[str], published: Iterable[Row], ours: Sequence[Row]) -> Table:
    """Returns a table of published results, followed by ours."""
    table = _table(title, columns, published)
    table.add_section()
    for row in ours or [Row(NOT_MEASURED, (None,) * len(columns))]:
        table.add_row(row.source, *(_cell(value) for value in row.values))
    return table


def _cps(measured: Sequence["Evaluation"]) -> Table:
    """Returns the table of Correct Poses Scores, one column per dataset."""
    sources = dict.fromkeys(row.source for rows in CPS.values() for row in rows)
    found = {(row.source, kind): row.values[0] for kind, rows in CPS.items() for row in rows}
    published = [Row(source, tuple(found.get((source, kind)) for kind in TABLES)) for source in sources]
    reached = {(_row_name(one), one.dataset): one.scores.cps for one in measured if one.dataset in TABLES}
    ours = [Row(name, tuple(reached.get((name, kind)) for kind in TABLES)) for name, _ in reached]
    return _with_ours(
        "CPS mm, of 300", [table.title for table in TABLES.values()], published, list(dict.fromkeys(ours))
    )


def _errors(scores: Scores) -> tuple[float, ...]:
    """Returns the paper's columns."""
    return (scores.n_mpjpe_mm, scores.pmpjpe_mm, scores.n_pck)


def _all_scores(scores: Scores) -> tuple[float, ...]:
    """Returns the columns of `COLUMNS`."""
    return (*_errors(scores), scores.auc, scores.cps, scores.min_over_views_mm, scores.count)


def _rates(measured: Iterable["Evaluation"], prefix: str = "") -> list[Row]:
    """Returns two rows for each result with detected 2D: as detected, and refined with all views."""
    return [
        Row(f"{prefix}{one.weights}, {what}", rates.rates)
        for one in measured
        for what, rates in (("one view", one.detected), ("all views", one.refined))
        if rates is not None
    ]


def _cell(value: float | None) -> str:
    """Returns a number as the paper prints it."""
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.1f}"
