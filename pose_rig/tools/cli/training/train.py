"""``pose-rig train``: fine-tunes the lifter on recordings, or trains one from scratch."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from pose_rig.errors import UsageError
from pose_rig.installer import requires_extra
from pose_rig.tools.arguments.inputs import LIFTER_WEIGHTS, MOTION_INPUT, TRAIN_INPUT, check_input
from pose_rig.tools.arguments.options import Force
from pose_rig.tools.arguments.outputs import check_output
from pose_rig.tools.arguments.value_lists import split_values
from pose_rig.tools.cli.training.evaluate import DATA, Dataset, NoMorph, Simulated, benchmark_folders, input_files
from pose_rig.tools.cli.training.request import POOL, TAKES, VIEWS, Request, Sources, batch, sessions_in
from pose_rig.tools.terminal.console import Console
from pose_rig.training.methods import METHODS, TERMS

RUN_SUFFIX = ".run"


def _training(help: str, metavar: str | None = None, *flag: str, **limits: int) -> Any:  # noqa: A002 - as in Typer
    """Returns an option in the panel of the training settings."""
    return typer.Option(*flag, metavar=metavar, help=help, rich_help_panel="Training", **limits)  # type: ignore[arg-type]


def train(
    sessions: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="SESSIONS", help="Sessions (.mcap), folders of them, or 2D keypoints (.npz) to fine-tune on."
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="F", help="The result: a checkpoint if it ends in .pt, else a graph for `run`.")
    ] = Path("my.weights"),
    weights: Annotated[
        Path | None,
        typer.Option(metavar="F", help="Initial weights; default for sessions: the shipped ones, else random."),
    ] = None,
    dataset: Dataset = None,
    no_morph: NoMorph = False,
    simulated: Simulated = None,
    takes: Annotated[
        int | None,
        typer.Option(min=1, max=100_000, metavar="N", rich_help_panel=DATA, help=f"Simulated takes ({TAKES})."),
    ] = None,
    views: Annotated[
        int | None,
        typer.Option(min=2, max=16, metavar="V", rich_help_panel=DATA, help=f"Cameras of each take ({VIEWS})."),
    ] = None,
    ski: Annotated[
        bool, typer.Option("--ski", rich_help_panel=DATA, help="Moving cameras; a quarter of the limbs not detected.")
    ] = False,
    method: Annotated[
        str | None, _training(f"{', '.join(METHODS)}; default for sessions: taught, else ours.", "NAME")
    ] = None,
    without: Annotated[list[str] | None, _training(f"Disable loss terms: {', '.join(TERMS)}.", "A,B")] = None,
    steps: Annotated[int | None, _training("Optimiser steps.", "N")] = None,
    batch_size: Annotated[int | None, _training("Frames per step (64); 0 = rehearsal alone.", "N", "--batch")] = None,
    width: Annotated[int | None, _training("Units per layer (512).", "N")] = None,
    rate: Annotated[float | None, _training("Peak learning rate.", "R")] = None,
    rehearsal: Annotated[
        int | None, _training("Additional simulated views per step (sessions: 512, else 0).", "N")
    ] = None,
    average: Annotated[
        float | None, _training("Decay of the moving average of the weights (sessions: 0.99, else 0).", "D")
    ] = None,
    only_depth: Annotated[
        bool,
        _training("Train the branch for depths alone; lifts from 2D alone stay as they are.", None, "--only-depth"),
    ] = False,
    patience: Annotated[
        int | None, _training("Early stopping after this many validations without progress; 0 = never.", "N")
    ] = None,
    seed: Annotated[int | None, _training("Random seed (0).", "N", min=0)] = None,
    device: Annotated[Literal["auto", "cpu", "cuda"], _training("Device of torch.")] = "auto",
    mixed: Annotated[bool | None, _training("Mixed precision; default: on a GPU.")] = None,
    compiled: Annotated[bool, _training("Compile the network; for long runs.", None, "--compile")] = False,
    pool: Annotated[int, _training("Sessions in memory; more are read one by one.", "N", min=2)] = POOL,
    readers: Annotated[
        int | None, _training("Processes that read them; default: the cores that are left.", "N", min=1)
    ] = None,
    run: Annotated[
        Path | None, _training("Folder for settings, log and best weights; default: OUT.run.", "FOLDER")
    ] = None,
    resume: Annotated[bool, _training("Continue the run in the run folder.", None, "--resume")] = False,
    force: Force = False,
) -> None:
    """Fine-tune the lifter on your own recordings, without labels; or train one from scratch.

    \b
    pose-rig record --cams 0,1,2 --duration 60 --out me.mcap   a minute of you
    pose-rig train me.mcap --out my.weights                    fine-tune on it
    pose-rig run --weights my.weights --cams 0,1,2             use the result
    pose-rig train a.mcap b.mcap --weights my.weights --out better.weights
    pose-rig train a.mcap b.mcap --out my.weights --resume     continue it

    The 3D poses of all cameras are the pseudo-labels for the lifter, which has a single view. A part of each session
    is the validation set; on it and on simulated people the new weights are compared with the initial ones, and
    rejected if they are worse.

    \b
    pose-rig train --simulated --takes 100 --steps 300 --out a.pt
    pose-rig train --simulated clips.npz --out a.pt            from 2D only
    pose-rig train --method csm-s1s2 --dataset human36m=h36m --out h36m.pt
    pose-rig train --method csm-s1s2 --without lifts --simulated clips.npz
    torchrun --nproc-per-node 2 -m pose_rig train --simulated clips.npz --out a.pt

    `pose-rig eval --weights lifter.pt --simulated clips.npz --held-out` evaluates a checkpoint. docs/training.md
    explains the methods and their terms.
    """  # noqa: D301  (\b keeps the lines of the paragraph in the help)
    settings = {
        "method": method,
        "without": tuple(filter(None, split_values(without))) if without else None,
        "steps": steps,
        "batch": None if batch_size is None else batch(batch_size),
        "width": width,
        "rate": rate,
        "rehearsal": rehearsal,
        "average": average,
        "patience": patience,
        "seed": seed,
        "device": None if device == "auto" else device,
        "mixed": mixed,
        "compile": compiled or None,
        "only_depth": only_depth or None,
    }
    if not simulated and (takes or views or ski):
        raise UsageError("--takes, --views and --ski apply to --simulated only.", "Add --simulated.")
    if no_morph and not dataset:
        raise UsageError("--no-morph applies to --dataset only.", "Add --dataset KIND=FOLDER, or remove --no-morph.")
    motion = input_files(simulated, MOTION_INPUT)
    for path in sessions or ():
        if not path.is_dir():
            check_input(path, TRAIN_INPUT)
    if weights:
        check_input(weights, LIFTER_WEIGHTS)
    sets = tuple(benchmark_folders(dataset or ()))
    sources = Sources(
        tuple(sessions_in(sessions or ())), sets, tuple(motion), takes or TAKES, views or VIEWS, ski, not no_morph
    )  # fmt: skip
    given = {name: value for name, value in settings.items() if value is not None}
    request = Request(sources, out, run or out.with_suffix(RUN_SUFFIX), weights, resume, given, pool, readers)
    check_output(out, force=force or resume, sources=(weights,) if weights else ())
    with requires_extra("Training", "train"):
        from pose_rig.tools.cli.training.training_run import run_training  # imports torch
    run_training(request, Console())
