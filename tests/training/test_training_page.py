"""The page about training calls things as the program does, and what it shows works."""

import re
import subprocess
import sys
from pathlib import Path

from rich.table import Table

from benchmarks.training.methods import ROWS
from pose_rig.simulation.motion_file import OPTIONAL, REQUIRED, read_motion_file
from pose_rig.tools.cli.training.result import finetune_table
from pose_rig.tools.cli.training.tables import COLUMNS
from pose_rig.training.evaluation.published import CANONPOSE, S1, S1S2, TABLES
from pose_rig.training.finetune import FinetuneMetrics
from pose_rig.training.methods import METHODS
from tests.training.fakes.motion_files import write_motion

PAGE = (Path(__file__).parents[2] / "docs/training.md").read_text("utf-8")


def section(heading: str) -> str:
    """Returns the text below a heading."""
    return PAGE.split(f"# {heading}\n", 1)[1].split("\n#", 1)[0]


def first_cells(text: str) -> list[str]:
    """Returns the first cell of every row of the tables in a text, without marks; heads are left out."""
    rows = [line.strip().strip("|").split("|")[0].strip(" *") for line in text.splitlines() if "|" in line[:4]]
    return [row for row in rows if row and not set(row) <= {"-"}]


def names_of(table: Table) -> list[str]:
    return [str(cell) for cell in table.columns[0].cells]


def test_the_methods_are_those_of_the_program() -> None:
    assert [cell.strip("`") for cell in first_cells(section("Methods"))[1:]] == list(METHODS)
    for row in (CANONPOSE, S1):
        assert f"*{row}*" in section("Methods")
    assert f"*{S1S2.split(', ')[1]}*" in section("Methods")


def test_measured_rows_have_the_names_of_the_benchmark() -> None:
    measured = first_cells(section("All methods, after convergence"))
    assert set(list(ROWS)[:4]) <= set(measured)
    for cell in measured:
        name, _, remark = cell.partition(", camera consistency ")
        assert name == "method" or name in ROWS, name
        assert not remark or remark == "0.0125 as before"


def test_rows_that_were_stopped_by_their_steps_are_not_shown() -> None:
    text = section("All methods, after convergence")
    assert "not converged |" not in text
    assert not re.search(r"\| (2[0-9]{2}\.\d) ", text)


def test_scores_are_called_as_eval_prints_them() -> None:
    explained = first_cells(section("Scores"))
    for column in COLUMNS:
        assert column.removesuffix(" mm").removesuffix(" %") in explained


def test_the_lines_of_a_fine_tuning_are_those_that_are_printed() -> None:
    exam = FinetuneMetrics(1.0, 1.0, 1.0, 1.0)
    lines = first_cells(section("Fine-tune on your own recordings"))
    assert set(names_of(finetune_table(exam, exam, 1))) <= set(lines)


def test_datasets_are_called_as_their_tables() -> None:
    sources = first_cells(section("Training data"))
    assert all(table.title in sources for table in TABLES.values())


def test_every_key_of_a_motion_file_is_described_and_the_example_is_one_but_for_its_zeros(tmp_path: Path) -> None:
    text = section("Your own motion")
    assert set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)))) == {
        *REQUIRED, *OPTIONAL,
    }  # fmt: skip
    code = text.split("```python\n")[1].split("```")[0]
    assert "frames = numpy.zeros((240, 17, 3))" in code
    write_motion(tmp_path / "walk.npz")
    walk = "frames = (lambda m: m['joints17_rel'] + m['root'][:, None])(numpy.load('walk.npz'))"
    done = subprocess.run(
        [sys.executable, "-c", code.replace("frames = numpy.zeros((240, 17, 3))", walk)], cwd=tmp_path, check=False
    )
    assert done.returncode == 0
    file = read_motion_file(tmp_path / "mine.npz")
    assert (file.fps, file.label.tolist(), file.length.tolist()) == (60.0, ["walking_1", "reaching_1"], [120, 120])
