"""``pose-rig train`` as a user meets it: sessions that teach, sessions that cannot, methods from scratch."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from rich.console import Console
from typer.testing import CliRunner

from pose_rig.arrays import Floats
from pose_rig.lifting.checkpoint import load
from pose_rig.lifting.engine import DEFAULT_WEIGHTS
from pose_rig.lifting.weights_file import weights_format
from pose_rig.tools.cli.app import app
from pose_rig.tools.cli.training.progress import TrainProgress
from pose_rig.torch_build import torch_build
from pose_rig.training.job import TrainingJob
from pose_rig.training.run_folder import RunFolder
from pose_rig.training.train import Progress
from pose_rig.training.validation import ValidationMetrics
from tests.fusion.fakes import SIZE, film, ring, walk
from tests.training.datasets.test_canonpose import flat_file, write
from tests.training.datasets.test_morphed import detections
from tests.training.fakes.motion_files import write_motion

VIEWS, FPS = 3, 15.0
QUICK = ("--steps", 8, "--batch", 16)
SMALL = ("--takes", 6, "--views", 2, "--width", 16, "--batch", 16, "--device", "cpu")


def said(*arguments: object) -> tuple[int, str]:
    """Returns exit code and output of a command, in one line."""
    result = CliRunner(env={"COLUMNS": "160"}).invoke(app, list(map(str, arguments)))
    assert "Traceback" not in result.output
    return result.exit_code, " ".join(result.output.split())


def keypoints(path: Path, seconds: float) -> Path:
    """Writes what three cameras see of a walk."""
    scene = film(walk(seconds, FPS), ring(VIEWS), fps=FPS)
    return write_keypoints(path, scene.xy_px, scene.score)


def noise(path: Path) -> Path:
    """Writes keypoints that are nobody's."""
    rng = np.random.default_rng(0)
    return write_keypoints(path, rng.uniform(0, 700, (VIEWS, 90, 17, 2)), rng.uniform(0.3, 1, (VIEWS, 90, 17)))


def write_keypoints(path: Path, xy_px: Floats, score: Floats) -> Path:
    t_ns = np.round(np.arange(score.shape[1]) * 1e9 / FPS).astype(np.int64)
    np.savez(
        path, xy=xy_px, score=score, t_ns=np.tile(t_ns, (VIEWS, 1)), landmarks=np.array("rig17"),
        size_px=np.tile(np.array(SIZE), (VIEWS, 1)),
    )  # fmt: skip
    return path


def table(run: Path) -> list[str]:
    """Returns what is written down at every look."""
    return (run / "log.csv").read_text("utf-8").splitlines()[0].split(",")


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A walk as keypoints and as a session, and movement to simulate."""
    folder = tmp_path_factory.mktemp("material")
    keypoints(folder / "walk.npz", 4.0)
    code, output = said("import", folder / "walk.npz", "--out", folder / "session.mcap")
    assert code == 0, output
    write_motion(folder / "motion.npz")
    return folder


def test_more_sessions_than_fit_into_memory_are_read_as_they_are_needed(tmp_path: Path) -> None:
    sessions = [keypoints(tmp_path / f"walk{number}.npz", 3.0) for number in range(4)]
    bad, out = noise(tmp_path / "noise.npz"), tmp_path / "my.pt"
    arguments = ("train", *sessions, bad, "--pool", 2, "--readers", 1, "--out", out, *QUICK, "--rate", 0.0001)
    code, output = said(*arguments)
    assert "Running the fusion on walk0.npz, walk1.npz" in output
    assert "noise.npz: " in output
    assert "1 sessions were skipped:" in output
    assert "Done after 8 steps." in output
    assert (code, out.exists()) in {(0, True), (1, False)}, output  # 8 steps may make it worse
    read = sorted((tmp_path / "my.run" / "footage").iterdir())
    assert [path.suffix for path in read].count(".npz") == 4
    assert "noise.npz" in (tmp_path / "my.run" / "skipped.txt").read_text()


def test_a_session_makes_weights_that_a_rig_runs(material: Path, tmp_path: Path) -> None:
    out = tmp_path / "my.weights"
    sessions = (material / "session.mcap", material / "walk.npz")
    code, output = said("train", *sessions, "--steps", 10, "--batch", 32, "--out", out)
    assert code == 0, output
    for part in (
        "session: 60 frames, 3 views. walk: 60 frames, 3 views.",
        "Training `taught` on cpu: 10 steps of 4 x 8 frames,",
        "Done after 10 steps.",
        "PA-MPJPE of a single view, mm",
        "handedness (-1 mirrored, 1 not)",
        f"Adopted. Written: {out}, 6.",
        f"Use it with `pose-rig run --weights {out} --cams 0,1,2`.",
    ):
        assert part in output
    told = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
    assert told["sources"] == "session.mcap, walk.npz"  # names alone, not where they lie
    assert told["parent"] == DEFAULT_WEIGHTS.name
    assert len(told["parent_sha256"]) == 64
    assert TrainingJob.from_json(told["job"]) == TrainingJob(
        "taught", steps=10, rigs=4, per_rig=8, rate=3e-4, rehearsal=512, average=0.99, check=2, warm_up=2, patience=5
    )
    before, after = (json.loads(told[key]) for key in ("before", "after"))
    assert after["pa_mpjpe_mm"] < before["pa_mpjpe_mm"]
    assert f"│ {before['pa_mpjpe_mm']:.1f} │ {after['pa_mpjpe_mm']:.1f} │" in output
    assert sorted(path.name for path in (tmp_path / "my.run").iterdir() if "tfevents" not in path.name) == [
        "job.json", "lifter.pt", "log.csv", "state.pt",
    ]  # fmt: skip

    saved = tmp_path / "poses.npz"
    code, output = said(
        "run", "--weights", out, "--cams", material / "walk.npz", "--pace", "all", "--save", saved, "--port", 0
    )
    assert code == 0, output
    with np.load(saved) as poses:
        assert len(poses["t_ns"]) >= 55
        assert np.isfinite(poses["xyz"][-1]).all()


def test_worse_weights_are_rejected_and_not_written(material: Path, tmp_path: Path) -> None:
    out = tmp_path / "my.weights"
    code, output = said("train", material / "walk.npz", "--steps", 4, "--batch", 8, "--rate", 0.9, "--out", out)
    assert code == 1
    assert "Error: The new weights are not adopted: the single-view error on the validation set is" in output
    assert f"Nothing was written to {out}; train on more and more varied footage, or with a lower --rate." in output
    assert not out.exists()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("noise", "Error: In session the cameras move, or the rig could not be solved. Fine-tune on"),
        ("short", "Error: session is too short: the person is tracked in 30 frames"),
    ],
)
def test_an_unusable_session_fails_before_training(tmp_path: Path, kind: str, text: str) -> None:
    path = tmp_path / "session.npz"
    _ = noise(path) if kind == "noise" else keypoints(path, 2.0)
    code, output = said("train", path, *QUICK, "--out", tmp_path / "my.weights")
    assert code == 1
    assert text in output
    assert [one.name for one in tmp_path.iterdir()] == ["session.npz"]


@pytest.mark.parametrize("name", ["lifter.pt", "lifter.onnx"])
def test_ours_from_scratch(material: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    code, output = said("train", "--simulated", material / "motion.npz", *SMALL, "--steps", 12, "--out", out)
    assert code == 0, output
    assert "Training `ours` on cpu: 12 steps of 2 x 8 frames," in output
    assert f"{torch_build()}." in output
    assert "N-MPJPE against ground truth" in output
    assert weights_format(out) == ("checkpoint" if out.suffix == ".pt" else "graph")
    lifter, settings = load(out)
    assert lifter.config.width == 16
    assert lifter.config.frame == "ray"
    assert len(lifter.config.body_from_canonical) == 9  # settled
    assert settings["sources"] == "motion.npz (6 takes of 2 views)"
    assert "parent" not in settings
    before, after = (json.loads(settings[key]) for key in ("before", "after"))
    assert after["reprojection"] < before["reprojection"]


def test_without_a_motion_file_the_motion_is_synthetic(tmp_path: Path) -> None:
    out = tmp_path / "lifter.pt"
    code, output = said("train", *SMALL, "--steps", 4, "--out", out, "--simulated")
    assert "Reading synthetic (6 takes of 2 views)." in output
    assert "The motion is synthetic: results on it are not representative of real people." in output
    assert "Done after 4 steps." in output, output
    assert code == 0, output
    assert load(out)[1]["sources"] == "synthetic (6 takes of 2 views)"
    command = output.partition("Measure it with `pose-rig ")[2].partition("`.")[0]
    assert command == f"eval --weights {out} --simulated --held-out"
    code, output = said(*command.split(), "--takes", 2)
    assert code == 0, output
    assert "lifter.pt" in output


def test_given_weights_keep_their_frame_and_simulated_people_are_rehearsed_on_request(
    material: Path, tmp_path: Path
) -> None:
    first, second, run = tmp_path / "first.pt", tmp_path / "second.pt", tmp_path / "second.run"
    source = ("train", "--simulated", material / "motion.npz", *SMALL)
    code, output = said(*source, "--steps", 12, "--out", first)
    assert code == 0, output
    assert "rehearsal" not in table(first.with_suffix(".run"))
    code, output = said(*source, "--steps", 12, "--weights", first, "--rehearsal", 24, "--out", second)
    assert code == 0, output
    assert load(second)[0].config == load(first)[0].config
    assert "rehearsal" in table(run)
    assert RunFolder.job(run).rehearsal == 24


def test_a_method_of_the_paper_on_a_benchmark_and_on_from_its_checkpoint(tmp_path: Path) -> None:
    data = flat_file()
    rows = 40
    repeated = {
        "subjects": list(np.resize([5, 6], rows)),
        "poses_2d_pred": {c: np.resize(v, (rows, v.shape[1])) for c, v in data["poses_2d_pred"].items()},
    }
    write(tmp_path / "h36m.pickle", repeated)
    common = ("train", "--dataset", f"human36m={tmp_path}", "--method", "csm-s1s2", "--steps", 4, "--batch", 8)
    first, second = tmp_path / "first.pt", tmp_path / "second.pt"
    code, output = said(*common, "--without", "cam,lifts", "--width", 16, "--out", first)
    assert code == 0, output
    assert "against ground truth" not in output  # there is none in the file
    settings = load(first)[1]
    assert TrainingJob.from_json(settings["job"]).without == ("cam", "lifts")
    assert settings["sources"] == f"human36m={tmp_path.name}"
    code, output = said(*common, "--weights", first, "--rate", 1e-4, "--out", second)
    assert code in (0, 1), output  # nothing more may be left to learn
    code, output = said(*common, "--weights", first, "--width", 32, "--out", tmp_path / "third.pt")
    assert (code, "--width is 32, but the initial weights have 16 units per layer." in output) == (2, True)


def test_a_benchmark_is_morphed_where_its_protocol_asks_for_it_unless_told_otherwise(tmp_path: Path) -> None:
    write(tmp_path / "alphapose.pickle", detections(teachers=8))
    source = ("train", "--dataset", f"human36m={tmp_path}", "--method", "canonpose", "--width", 16)
    for option, told, note in ((), True, ""), (("--no-morph",), False, " (not morphed)"):
        out = tmp_path / f"{told}.pt"
        code, output = said(*source, *option, "--steps", 20, "--batch", 8, "--out", out)
        assert code == 0, output
        assert ("skeleton morphing is trained on the 2D ground truth of S1." in output) == told
        assert load(out)[1]["sources"] == f"human36m={tmp_path.name}{note}"


def test_ctrl_c_keeps_the_best_and_the_run_goes_on_from_there(material: Path, tmp_path: Path) -> None:
    out, run = tmp_path / "lifter.pt", tmp_path / "kept"
    source = ("train", "--simulated", material / "motion.npz", *SMALL[:4])
    begin = (*source, *SMALL[4:], "--steps", 240, "--out", out, "--run", run)
    process = subprocess.Popen(
        [sys.executable, "-m", "pose_rig.tools.cli.app", *map(str, begin)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    until = time.monotonic() + 60
    while not (run / "state.pt").exists() and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 0, output
    assert "steps; the best weights so far are used." in output
    assert f"Written: {out}." in output
    lines = (run / "log.csv").read_text("utf-8").splitlines()
    assert [line.split(",")[0] for line in lines] == ["step", "60"]

    code, output = said(*source, "--out", out, "--run", run)
    assert (code, f"{out} exists already. Choose another name, or add --force" in output) == (2, True)
    code, output = said(*source, "--out", out, "--run", run, "--force")
    assert (code, f"{run} has a run already." in output) == (2, True)
    code, output = said(*source, "--out", out, "--run", run, "--resume", "--steps", 500)
    assert (code, "--steps cannot be combined with --resume, which keeps the settings." in output) == (2, True)
    code, output = said(*source, "--out", out, "--run", run, "--resume")
    assert code == 0, output
    assert "Done after 240 steps." in output
    assert (run / "log.csv").read_text("utf-8").splitlines()[:2] == lines
    assert TrainingJob.from_json(load(out)[1]["job"]).steps == 240


def test_only_the_main_process_prints(material: Path, tmp_path: Path) -> None:
    out = tmp_path / "two.pt"
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2, "-m", "pose_rig"]
    train = ["train", "--simulated", material / "motion.npz", *SMALL, "--steps", 8, "--out", out]
    done = subprocess.run(
        [sys.executable, *map(str, [*command, *train])], capture_output=True, text=True, timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Done after 8 steps.") == 1
    assert done.stdout.count("Written:") == 1
    assert out.exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "There is no training data. Give sessions, --dataset KIND=FOLDER or --simulated."),
        (["gone.mcap"], "There is no file gone.mcap."),
        (["kp.npz", "--simulated", "motion.npz"], "cannot be combined. Remove all but one."),
        (["notes.txt"], "notes.txt is a text file: `pose-rig train` takes a session or a file of 2D keypoints."),
        (["kp.npz", "--ski"], "--takes, --views and --ski apply to --simulated only. Add --simulated."),
        (["kp.npz", "--no-morph"], "--no-morph applies to --dataset only. Add --dataset KIND=FOLDER, or remove"),
        (["kp.npz", "--out", "a.mcap"], "a.mcap is not a name for weights. Try --out a.weights."),
        (["kp.npz", "--out", "no/a.weights"], "Cannot write no/a.weights. Make sure that the folder"),
        (["kp.npz", "--weights", "gone.pt"], "There is no file gone.pt. Check the path: --weights takes a"),
        (["kp.npz", "--weights", "my.onnx", "--out", "my.onnx"], "is both input and output. Choose another name"),
        (["kp.npz", "--batch", "-1"], "The batch size must not be negative; got -1."),
        (["kp.npz", "--steps", "0"], "steps must be at least 1; got 0. Use 1 or more."),
        (["kp.npz", "--method", "magic"], "Unknown training method 'magic'. Use one of supervised, canonpose,"),
        (["kp.npz", "--without", "gravity"], "Unknown loss term 'gravity'. Use one of rep, view,"),
        (["kp.npz", "--without", "rep,view,supervised"], "Without these terms the joint positions of `taught` are"),
        (["kp.npz", "--method", "csm-s1"], "A rig cannot run weights of `csm-s1`: their input is in the image frame."),
        (["kp.npz", "--method", "csm-s1", "--out", "a.pt"], "The input of `csm-s1` is in the image frame, and that of"),
        (
            ["--simulated", "motion.npz", "--method", "csm-s1", "--rehearsal", "8", "--out", "a.pt"],
            "--rehearsal is in the ray frame, and the input of `csm-s1` in the image frame. Remove --rehearsal, or use",
        ),
        (["kp.npz", "--resume"], "my.run has no training run."),
        (["--dataset", "h36m"], "--dataset must be KIND=FOLDER; got 'h36m'. The kinds are human36m,"),
        (["--dataset", "human36m=.", "--out", "a.pt"], ". has no supported file of human36m for 'train'."),
        (["--simulated", "still.npz"], "2 motion clips are too few for a validation set."),
        (["--simulated", "motion.npz", "--views", "1"], "Invalid value for '--views'"),
    ],
)  # fmt: skip
def test_wrong_use_ends_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_motion(tmp_path / "motion.npz")
    write_motion(tmp_path / "still.npz", clip_start=[0, 30], clip_len=[30, 30], clip_label=["a", "b"])
    np.savez(tmp_path / "kp.npz", xy=np.zeros(1))
    (tmp_path / "notes.txt").write_text("weights")
    (tmp_path / "my.onnx").write_bytes(DEFAULT_WEIGHTS.read_bytes()[:100])
    before = sorted(tmp_path.iterdir())
    code, output = said("train", *arguments)
    assert text in output, output
    assert code == 2
    assert sorted(tmp_path.iterdir()) == before


def test_without_torch_it_says_what_to_install(material: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\nfrom pathlib import Path\n"
        "from pose_rig.tools.cli.training.train import train\n"
        f"train([Path({str(material / 'walk.npz')!r})], Path({str(tmp_path / 'a.weights')!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode != 0
    assert "Error: Training needs torch, which is not installed." in done.stderr
    assert "pip install 'pose-rig[train]'." in done.stderr


def test_a_terminal_sees_bars_with_loss_score_and_the_time_that_is_left() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=140)
    look = ValidationMetrics(reprojection=0.25, bent=0.005, n_mpjpe=0.125, pmpjpe=0.1)
    with TrainProgress(console, supervised=False) as progress:
        progress.reading(0.5)
        progress.training(Progress(step=50, steps=200, loss=0.5, seconds=30.0, new_steps=50, validation=look))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert " 50 %" in shown
    assert "step 50 of 200, loss 0.5000, validation 0.2550, 1:30 left" in shown
