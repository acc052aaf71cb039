"""``pose-rig train``: weights that know your people, or a method of the paper from scratch."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pose_rig.errors import UsageError
from pose_rig.installer import missing
from pose_rig.tools.arguments.inputs import MEASURED, TAUGHT, check_input
from pose_rig.tools.arguments.options import Force
from pose_rig.tools.arguments.outputs import check_output
from pose_rig.tools.cli.training.evaluate import KINDS, datasets, kind_and_folder, motion_files
from pose_rig.tools.cli.training.request import TAKES, VIEWS, Request, Sources, batch, terms
from pose_rig.tools.terminal.console import Console
from pose_rig.training.methods import METHODS, TERMS

FOLDER = ".run"
FIELD = "From scratch"  # the options of people of the field
HOW = "How it is trained"


def train(
    sessions: Annotated[
        list[Path] | None,
        typer.Argument(metavar="SESSIONS", help="Sessions (.mcap) or 2D keypoints (.npz) of the person; fine-tunes."),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(metavar="F", help="The result: a checkpoint if it ends in .pt, else the graph that a rig runs."),
    ] = Path("my.weights"),
    weights: Annotated[
        Path | None, typer.Option(metavar="F", help="Weights to start from; sessions: those shipped, else none.")
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND=FOLDER", help=f"{', '.join(KINDS)}; again for more.", rich_help_panel=FIELD),
    ] = None,
    no_morph: Annotated[
        bool,
        typer.Option(
            "--no-morph",
            rich_help_panel=FIELD,
            help="Leave detected joints where they are; else moved to the benchmark's.",
        ),
    ] = False,
    simulated: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="[MOTION.npz]",
            help="Simulated rigs around captured movement, again for more; without a file around synthetic movement.",
            rich_help_panel=FIELD,
        ),
    ] = None,
    takes: Annotated[
        int | None,
        typer.Option(min=1, max=100_000, metavar="N", help=f"Simulated takes ({TAKES}).", rich_help_panel=FIELD),
    ] = None,
    views: Annotated[
        int | None, typer.Option(min=2, max=16, metavar="V", help=f"Cameras of each ({VIEWS}).", rich_help_panel=FIELD)
    ] = None,
    ski: Annotated[
        bool, typer.Option("--ski", help="Cameras that move, a quarter of the limbs lost.", rich_help_panel=FIELD)
    ] = False,
    method: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"{', '.join(METHODS)}; sessions: taught, else ours.", rich_help_panel=HOW),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B", help=f"Switch terms off: {', '.join(TERMS)}.", rich_help_panel=HOW),
    ] = None,
    steps: Annotated[int | None, typer.Option(metavar="N", help="Optimiser steps.", rich_help_panel=HOW)] = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch", metavar="N", help="Instants per step (64).", rich_help_panel=HOW)
    ] = None,
    width: Annotated[int | None, typer.Option(metavar="N", help="Units per layer (512).", rich_help_panel=HOW)] = None,
    rate: Annotated[float | None, typer.Option(metavar="R", help="Peak learning rate.", rich_help_panel=HOW)] = None,
    rehearsal: Annotated[
        int | None,
        typer.Option(metavar="N", help="Simulated views per step beside (sessions: 512, else 0).", rich_help_panel=HOW),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(metavar="N", help="End after so many looks without progress; 0 = never.", rich_help_panel=HOW),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Of all chance (0).", rich_help_panel=HOW)
    ] = None,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where.", rich_help_panel=HOW)] = "auto",
    mixed: Annotated[
        bool | None, typer.Option(help="Half precision where it is quicker; default: on a GPU.", rich_help_panel=HOW)
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the network; pays on long runs.", rich_help_panel=HOW)
    ] = False,
    run: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Settings, log and best weights; default: OUT.run.", rich_help_panel=HOW),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run folder's run.", rich_help_panel=HOW)
    ] = False,
    force: Force = False,
) -> None:
    """Teach the lifter your people from your own recordings, without a label; or train one from scratch.

    \b
    pose-rig record --cams 0,1,2 --duration 60 --out me.mcap       a minute of moving about
    pose-rig train me.mcap --out my.weights                        fine-tune the shipped weights on it
    pose-rig run --weights my.weights --cams 0,1,2                 and use the result
    pose-rig train a.mcap b.mcap --weights my.weights --out better.weights
    pose-rig train a.mcap b.mcap --out my.weights --resume         go on after an interruption

    The rig, which sees with all cameras, teaches the lifter, which has one. Some stretches of each session are kept
    out; there, and on simulated people, the new weights are compared with the old ones. What got worse is refused.

    \b
    pose-rig train --simulated --takes 100 --steps 300 --out a.pt  a first try, on synthetic movement
    pose-rig train --simulated clips.npz --out lifter.pt           `ours`, from nothing but 2D
    pose-rig train --method csm-s1s2 --dataset human36m=h36m --out h36m.pt
    pose-rig train --method csm-s1s2 --without consistent,lifts --simulated clips.npz --out a.pt
    torchrun --nproc-per-node 2 -m pose_rig.tools.cli.app train --simulated clips.npz --out lifter.pt

    `pose-rig eval --weights lifter.pt --simulated clips.npz --held-out` measures a checkpoint. docs/training.md
    explains the methods and their terms.
    """  # noqa: D301  (\b keeps the lines of the paragraph in the help)
    settings = {
        "method": method,
        "without": terms(without) if without else None,
        "steps": steps,
        "batch": None if batch_size is None else batch(batch_size),
        "width": width,
        "rate": rate,
        "rehearsal": rehearsal,
        "patience": patience,
        "seed": seed,
        "device": None if device == "auto" else device,
        "mixed": mixed,
        "compile": compiled or None,
    }
    if not simulated and (takes or views or ski):
        raise UsageError("Takes, views and ski are of simulated rigs.", "Add --simulated.")
    if no_morph and not dataset:
        raise UsageError(
            "Only 2D poses of datasets are morphed.", "Add --dataset KIND=FOLDER, or leave --no-morph out."
        )
    motion = motion_files(simulated)
    for path in sessions or ():
        check_input(path, TAUGHT)
    if weights:
        check_input(weights, MEASURED)
    sets = tuple(kind_and_folder(text) for text in datasets(dataset or ()))
    sources = Sources(
        tuple(sessions or ()), sets, tuple(motion), takes or TAKES, views or VIEWS, ski, not no_morph
    )  # fmt: skip
    request = Request(
        sources,
        out,
        run or out.with_suffix(FOLDER),
        weights,
        resume,
        {name: value for name, value in settings.items() if value is not None},
    )
    check_output(out, force=force or resume)
    try:
        from pose_rig.tools.cli.training.work import carry_out  # brings torch
    except ModuleNotFoundError as error:
        raise missing("Training", str(error.name), "train") from error
    carry_out(request, Console())
