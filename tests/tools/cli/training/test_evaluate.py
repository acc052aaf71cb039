"""``pose-rig eval`` as a user meets it."""

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from pose_rig.tools.cli.app import app
from pose_rig.tools.cli.command import as_command
from pose_rig.tools.cli.training.evaluate import evaluate
from pose_rig.tools.cli.training.tables import NOT_MEASURED, tables, write_csv
from pose_rig.training.evaluation.evaluation import Evaluation
from pose_rig.training.evaluation.scores import Jdr, Scores
from tests.training.datasets.test_canonpose import flat_file, write
from tests.training.datasets.test_morphed import detections
from tests.training.fakes.motion_files import write_motion


def said(*arguments: object) -> tuple[int, str]:
    """Returns exit code and output in one line."""
    app = typer.Typer()
    app.command()(as_command(evaluate))
    result = CliRunner(env={"COLUMNS": "160"}).invoke(app, list(map(str, arguments)))
    assert "Traceback" not in result.output
    return result.exit_code, " ".join(result.output.split())


def rates(percent: float) -> Jdr:
    return Jdr(percent, percent, percent, percent, percent, percent, count=9)


def measured(dataset: str, weights: str = "mine") -> Evaluation:
    scores = Scores(None, 60.06, 40.0, 90.0, 55.5, 222.2, 33.3, 1234)
    return Evaluation(weights, dataset, scores, rates(81.5), rates(92.5))


def text(*found: Evaluation, paper: bool = True) -> str:
    console = Console(width=120, file=io.StringIO(), record=True)
    for table in tables(found, paper=paper):
        console.print(table)
    return console.export_text()


def test_without_data_the_published_results_are_shown() -> None:
    code, output = said()
    assert code == 0
    assert output.count(NOT_MEASURED) == 7  # three of errors, CPS, three of JDR
    for part in ("Kim et al. 2022, S1+S2 │ 61.4 │ 45.9", "Wandt et al. 2021 (CanonPose) │ – │ 134.2 │ 108.7"):
        assert part in output
    assert "N-MPJPE: after the least-squares scale." in output


def test_it_is_shown_without_torch() -> None:
    block = "import sys; sys.modules.update(dict.fromkeys('torch onnx onnxruntime mediapipe cv2'.split()))"
    code = f"{block}; from pose_rig.tools.cli.training.evaluate import evaluate; evaluate()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert NOT_MEASURED in done.stdout


def test_measuring_without_torch_says_what_to_install(tmp_path: Path) -> None:
    motion = write_motion(tmp_path / "m.npz")
    code = (
        "import sys; sys.modules['torch'] = None\nfrom pathlib import Path\n"
        f"from pose_rig.tools.cli.training.evaluate import evaluate\nevaluate(simulated=[Path({str(motion)!r})])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode != 0
    assert "Error: Evaluation needs torch, which is not installed." in done.stderr
    assert "pip install 'pose-rig[train]'." in done.stderr


def test_ours_follows_the_published_rows() -> None:
    lines = text(measured("human36m"), measured("skipose", "other")).splitlines()
    row = next(line for line in lines if "pose-rig, mine" in line)
    assert row.split("│")[2:4] == ["       60.1 ", "      40.0 "]
    assert sum(NOT_MEASURED in line for line in lines) == 2  # the errors and JDR of the third dataset
    cps = [line for line in lines if "222.2" in line]
    assert [[cell.strip() for cell in line.split("│")[1:-1]] for line in cps] == [
        ["pose-rig, mine", "222.2", "–", "–"],
        ["pose-rig, other", "–", "–", "222.2"],
    ]
    assert sum("pose-rig, mine, one view" in line and "81.5" in line for line in lines) == 1
    assert sum("pose-rig, other, all views" in line and "92.5" in line for line in lines) == 1


def test_other_footage_has_tables_of_its_own() -> None:
    shown = text(measured("rigs", "a"), measured("rigs", "b"), paper=False)
    assert "Human3.6M" not in shown
    row = next(line for line in shown.splitlines() if line.startswith("│ b "))
    assert [cell.strip() for cell in row.split("│")[2:-1]] == ["60.1", "40.0", "90.0", "55.5", "222.2", "33.3", "1234"]
    assert shown.count("JDR %, rigs") == 1


def test_simulated_rigs_are_measured(tmp_path: Path) -> None:
    motion = write_motion(tmp_path / "m.npz")
    found = []
    for name in ("a.json", "b.json"):
        code, output = said("--simulated", motion, "--takes", 2, "--seed", 3, "--json", tmp_path / name)
        assert code == 0, output
        assert "shipped weights" in output
        assert NOT_MEASURED not in output
        found.append(json.loads((tmp_path / name).read_text("utf-8")))
    assert found[0] == found[1]
    assert found[0]["seed"] == 3
    usual, ski = found[0]["measured"]
    assert usual["dataset"] == "2 simulated rigs of 4 cameras, seed 3"
    assert ski["dataset"] == "2 simulated rigs of 4 cameras, ski-like, seed 3"
    assert 10 < usual["scores"]["pmpjpe_mm"] < 150
    assert set(usual) == {"weights", "dataset", "scores", "detected", "refined"}


def test_without_a_motion_file_the_motion_is_synthetic(tmp_path: Path) -> None:
    files = (tmp_path / "f.json", tmp_path / "f.csv")
    command = ["eval", "--simulated", "--takes", "2", "--json", str(files[0]), "--csv", str(files[1])]
    result = CliRunner(env={"COLUMNS": "160"}).invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "The motion is synthetic: results on it are not representative of real people." in result.output
    measured = json.loads(files[0].read_text("utf-8"))["measured"]
    assert [one["dataset"] for one in measured] == [
        "2 simulated rigs of 4 cameras, synthetic motion, seed 0",
        "2 simulated rigs of 4 cameras, ski-like, synthetic motion, seed 0",
    ]
    table = pandas.read_csv(files[1])
    assert table["dataset"].tolist() == [one["dataset"] for one in measured]
    assert table["weights"].tolist() == ["shipped weights"] * 2
    np.testing.assert_allclose(table["n_mpjpe_mm"], [one["scores"]["n_mpjpe_mm"] for one in measured])
    np.testing.assert_allclose(table["detected_wrist"], [one["detected"]["wrist"] for one in measured])
    assert table["mpjpe_mm"].isna().all()


def test_a_csv_has_empty_cells_for_missing_results(tmp_path: Path) -> None:
    known = measured("rigs")
    write_csv(tmp_path / "f.csv", [known, replace(known, weights="exact", detected=None, refined=None)])
    table = pandas.read_csv(tmp_path / "f.csv")
    assert table["weights"].tolist() == ["mine", "exact"]
    assert table["refined_hip"].isna().tolist() == [False, True]
    assert table["count"].tolist() == [1234, 1234]


def test_a_benchmark_is_measured_in_its_own_table(tmp_path: Path) -> None:
    write(tmp_path / "h36m_detections.pickle", flat_file())
    code, output = said("--dataset", f"human36m={tmp_path}", "--json", tmp_path / "f.json")
    assert code == 0, output
    (found,) = json.loads((tmp_path / "f.json").read_text("utf-8"))["measured"]
    assert found["dataset"] == "human36m"
    assert found["scores"]["count"] == 3 * 4  # instants of S9 and S11, four views
    assert f"pose-rig, shipped weights │ {found['scores']['n_mpjpe_mm']:.1f} │" in output
    assert output.count(NOT_MEASURED) == 5  # this file has no 2D truth to compare its detections with


def test_detections_are_morphed_before_they_are_measured_unless_told_otherwise(tmp_path: Path) -> None:
    write(tmp_path / "alphapose.pickle", detections(6, teachers=6))
    found = []
    for option in ((), ("--no-morph",)):
        code, output = said("--dataset", f"human36m={tmp_path}", *option, "--json", tmp_path / "f.json", "--force")
        assert code == 0, output
        assert ("human36m: skeleton morphing is trained on the 2D ground truth of S1" in output) == (not option)
        found.append(json.loads((tmp_path / "f.json").read_text("utf-8")))
    morphed, plain = found
    assert (morphed["morph"], plain["morph"]) == (True, False)
    assert morphed["measured"][0]["scores"] != plain["measured"][0]["scores"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--dataset", "h36m"], "--dataset must be KIND=FOLDER; got 'h36m'. The kinds are human36m, mpi-inf-3dhp"),
        (["--dataset", "h36m=."], "--dataset must be KIND=FOLDER; got 'h36m=.'."),
        (["--dataset", "human36m=missing"], "There is no folder missing. Give the folder of Human3.6M."),
        (["--dataset", "skipose=.", "--dataset", "skipose=."], "A dataset is given twice. Give each --dataset once."),
        (
            ["--simulated", "missing.npz"],
            "There is no file missing.npz. Check the path: --simulated takes a",
        ),
        (["--simulated", "m.npz", "--weights", "w.pt"], "There is no file w.pt. Check the path: --weights takes"),
        (["--weights", "w.onnx"], "--weights requires data to evaluate on. Add --simulated or --dataset."),
        (["--no-morph"], "--no-morph applies to --dataset only. Add --dataset KIND=FOLDER, or remove --no-morph."),
        (["--held-out"], "--held-out applies to --simulated only. Add --simulated"),
        (["--json", "no/f.json"], "Cannot write no/f.json. Make sure that the folder"),
        (["--csv", "no/f.csv"], "Cannot write no/f.csv. Make sure that the folder"),
        (["--csv", "f.csv"], "--csv requires data to evaluate on. Add --simulated or --dataset."),
    ],
)
def test_wrong_use_ends_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], text: str
) -> None:
    write_motion(tmp_path / "m.npz")
    (tmp_path / "w.onnx").write_bytes(b"\x08 as a graph begins")
    monkeypatch.chdir(tmp_path)
    code, output = said(*arguments)
    assert text in output
    assert code == 2


def test_a_file_without_weights_is_named(tmp_path: Path) -> None:
    motion = write_motion(tmp_path / "m.npz")
    other = tmp_path / "other.onnx"
    other.write_bytes(b"\x08 as a graph begins")
    code, output = said("--simulated", motion, "--weights", other)
    assert f"{other.name} is not a lifter checkpoint" in output
    assert code == 1
