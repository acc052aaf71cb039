"""Results of runs as JSON lines, which outlive a stopped comparison, and tables of them."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

Errors = dict[str, float]
COLUMNS = {"n_mpjpe_mm": "N-MPJPE, mm", "pmpjpe_mm": "PMPJPE, mm", "n_pck": "N-PCK, %", "cps": "CPS, mm"}
STUDENT_95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)  # two-sided, for 2, 3, … differences
CLAIMS = (("csm-s1", "canonpose"), ("csm-s1s2", "csm-s1"))  # that the first has the smaller error, by the paper


@dataclass(frozen=True, slots=True)
class Run:
    """What makes a run; the order of comparisons is that of their fields.

    Attributes:
        setting: Name of the footage.
        row: Name of the method and its changes.
        seed: Random seed of the network and the batches.
        width: Units per hidden layer.
        takes, held: Training and test takes.
        rate: Learning rate before the decay.
        max_constant: Steps after which it is given up.
        min_decay: Minimum number of steps of the decay.
    """

    setting: str
    row: str
    seed: int
    width: int
    takes: int
    held: int
    rate: float
    max_constant: int
    min_decay: int


@dataclass(frozen=True, slots=True)
class Result:
    """Result of a run.

    Attributes:
        run: What was run.
        choice: Steps until the mirror choice; None = not made in ``steps``.
        steps: All steps.
        seconds: Wall-clock time of the training.
        processor_s: Processor time of it.
        mirrored: Share of the test lifts, %, that are mirrored after the correction of the handedness.
        errors: Scores on the test takes; empty without a choice, since they would be those of an unfinished training.
    """

    run: Run
    choice: int | None
    steps: int
    seconds: float
    processor_s: float
    mirrored: float
    errors: Errors

    def to_json(self) -> str:
        """Returns the result as one line."""
        return json.dumps({**asdict(self.run), **{k: v for k, v in asdict(self).items() if k != "run"}})

    @classmethod
    def from_json(cls, line: str) -> "Result":
        """Returns the result of a line.

        Raises:
            ValueError: It is cut off, or has other fields.
        """
        values = json.loads(line)
        names = [field.name for field in fields(Run)]
        own = [field.name for field in fields(cls) if field.name != "run"]
        if not isinstance(values, dict) or set(values) != {*names, *own}:
            raise ValueError(f"not the result of a run: {line[:80]}")
        return cls(Run(**{name: values[name] for name in names}), **{name: values[name] for name in own})


def read(path: Path) -> list[Result]:
    """Returns the results of a file; lines that were cut off are left out."""
    out = []
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        try:
            out.append(Result.from_json(line))
        except ValueError:
            continue
    return out


def append(path: Path, result: Result) -> None:
    """Adds a result to a file, after a line that was cut off too."""
    cut_off = path.exists() and not path.read_bytes().endswith(b"\n") and path.stat().st_size > 0
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" * cut_off + result.to_json() + "\n")


def print_tables(results: Sequence[Result]) -> None:
    """Prints a table of each setting, and what of the paper's claims they show."""
    console = Console(width=200)
    for title, some in by_setting(results).items():
        console.print(table(title, some))
        for better, than in CLAIMS:
            console.print(claim(some, better, than))


def by_setting(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Returns the results that may be compared: of equal footage, width, rate and schedule, by a title of these."""
    out: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        run = result.run
        out[
            f"{run.setting}, width {run.width}, {run.takes} + {run.held} takes, rate {run.rate:g}, "
            f"decay of at least {run.min_decay} steps"
        ].append(result)
    return out


def table(title: str, results: Sequence[Result]) -> Table:
    """Returns the table of a setting: single-view lifts after convergence, means over seeds (least – most)."""
    out = Table(title=title)
    for column in ("method", "seeds", "steps to choice", "all steps", *COLUMNS.values(), "mirrored, %", "CPU, min"):
        out.add_column(column, justify="left" if column == "method" else "right")
    for row, runs in _by_row(results).items():
        out.add_row(row, ", ".join(str(result.run.seed) for result in runs), *cells(runs))
    return out


def cells(runs: Sequence[Result]) -> list[str]:
    """Returns the figures of the runs of one method; of those without a choice, how many there are."""
    done = [result for result in runs if result.choice is not None]
    missing = len(runs) - len(done)
    note = f"; {missing} of {len(runs)} not in {max(r.steps for r in runs)}" if missing else ""
    choices = spread([float(r.choice) for r in done if r.choice is not None], 0)
    return [
        (choices + note).removeprefix("; "),
        spread([float(result.steps) for result in done], 0),
        *(spread([result.errors[name] for result in done], 1) for name in COLUMNS),
        spread([result.mirrored for result in done], 1),
        spread([result.processor_s / 60 for result in runs], 1),
    ]


def spread(values: Sequence[float], digits: int) -> str:
    """Returns ``mean (least – most)``; empty without values."""
    if not values:
        return ""
    low, mean, high = (f"{value:.{digits}f}" for value in (min(values), np.mean(values), max(values)))
    return mean if len(values) == 1 else f"{mean} ({low} – {high})"


def claim(results: Sequence[Result], better: str, than: str) -> str:
    """Returns the differences of the N-MPJPE of two methods with equal seeds, and whether they show ``better`` is.

    Only pairs of equally long trainings count: longer ones have smaller errors with any method.
    """
    found = {(r.run.row, r.run.seed): r for r in results if r.choice is not None}
    both = [(found[better, seed], found[than, seed]) for row, seed in found if row == better and (than, seed) in found]
    differences = [a.errors["n_mpjpe_mm"] - b.errors["n_mpjpe_mm"] for a, b in both if a.steps == b.steps]
    values = ", ".join(f"{value:+.1f}" for value in differences)
    if len(differences) < 2:
        listed = f": {values} mm" if values else ""
        return (
            f"{better} < {than}: not decided, {len(differences)} of {len(both)} seeds with equally many steps{listed}."
        )
    mean, error_of_mean = float(np.mean(differences)), float(np.std(differences, ddof=1) / len(differences) ** 0.5)
    verdict = "not decided"
    if abs(mean) > STUDENT_95[min(len(differences), len(STUDENT_95) + 1) - 2] * error_of_mean:
        verdict = "shown" if mean < 0 else "refuted"
    return f"{better} < {than}: {verdict}; differences by seed {values} mm, mean {mean:+.1f} ± {error_of_mean:.1f} mm."


def _by_row(results: Sequence[Result]) -> dict[str, list[Result]]:
    out: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        out[result.run.row].append(result)
    return out
