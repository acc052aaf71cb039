"""``pose-rig export``, as it is typed."""

from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from pose_rig.lifting.checkpoint import save
from pose_rig.lifting.engine import OrtEngine
from pose_rig.lifting.example import example
from pose_rig.lifting.model import Lifter, LifterConfig
from pose_rig.tools.cli.command import as_command
from pose_rig.tools.cli.export import export


def said(*arguments: str) -> tuple[int, str]:
    """Runs the command; returns its exit code and what it says, on one line."""
    app = typer.Typer()
    app.command()(as_command(export))
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, " ".join(done.output.split())


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "lifter.pt"
    save(path, Lifter(LifterConfig(width=48, pose_blocks=1, camera_blocks=1)), {"step": "5"})
    return path


def test_a_checkpoint_becomes_a_graph_in_its_folder(checkpoint: Path) -> None:
    code, output = said(str(checkpoint))
    path = checkpoint.with_suffix(".onnx")
    assert code == 0
    assert f"Written: {path}, 0.2 MB, differs from torch by " in output
    assert output.endswith(f"Use it with `pose-rig run --weights {path}`.")
    assert np.isfinite(OrtEngine(path, "cpu").run(example(2, 1, np.random.default_rng(0))).body).all()


def test_a_graph_is_exported_in_another_precision(checkpoint: Path, tmp_path: Path) -> None:
    assert said(str(checkpoint), "--out", str(tmp_path / "my.weights"))[0] == 0
    code, output = said(str(tmp_path / "my.weights"), "--out", str(tmp_path / "half"), "--precision", "fp16")
    assert code == 0
    assert "; fp16 on cpu moves lifted joints by 0." in output
    assert (tmp_path / "half").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ([], 2, "Missing argument 'CHECKPOINT'"),
        (["missing.pt"], 2, "There is no file missing.pt. Check the path: `pose-rig export` takes a checkpoint"),
        (["junk.pt"], 2, "junk.pt is a text file: `pose-rig export` takes a checkpoint of training or a graph"),
        (["lifter.pt", "--out", "lifter.pt"], 2, "lifter.pt is both input and output. Choose another name"),
        (["lifter.pt", "--precision", "fp8"], 2, "Invalid value for '--precision'"),
        (["lifter.pt", "--precision", "int8"], 1, "mm off on average, more than 1 mm. Nothing was written."),
        (["lifter.pt", "--out", "junk.pt/a.onnx"], 2, "Cannot write junk.pt/a.onnx. Make sure that the folder"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported_ends_in_one_sentence(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, text: str
) -> None:
    monkeypatch.chdir(checkpoint.parent)
    Path("junk.pt").write_text("junk")
    got, output = said(*arguments)
    assert text in output
    assert got == code
    assert not Path("lifter.onnx").exists()


def test_without_torch_it_says_what_to_install(checkpoint: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import typer; from pose_rig.tools.cli.command import as_command\n"
        "from pose_rig.tools.cli.export import export\n"
        f"app = typer.Typer(); app.command()(as_command(export)); app([{str(checkpoint)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Exporting needs torch, which is not installed." in done.stderr
    assert "pip install 'pose-rig[train]'" in done.stderr
