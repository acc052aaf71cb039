"""``pose-rig eval``: the tables of the paper, with what a lifter of ours reaches."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pose_rig.errors import UsageError
from pose_rig.installer import missing
from pose_rig.simulation.synthetic import NAME, REMARK
from pose_rig.tools.arguments.inputs import MEASURED, SIMULATED, check_input
from pose_rig.tools.arguments.options import Force
from pose_rig.tools.arguments.outputs import check_output
from pose_rig.tools.arguments.value_lists import split_paths
from pose_rig.tools.cli.training.progress import TrainProgress
from pose_rig.tools.cli.training.result_tables import DEFINITIONS, tables, write_csv
from pose_rig.tools.terminal.console import Console
from pose_rig.training.evaluation.published import TABLES
from pose_rig.training.evaluation.scores import HALF_HEAD_PX

if TYPE_CHECKING:
    from pose_rig.training.evaluation.evaluation import Evaluation  # brings torch
    from pose_rig.training.footage.footage import Footage

VIEWS, SECONDS = 4, 8.0  # of simulated footage
KINDS = {**{kind: kind for kind in TABLES}, "skipose-clean": "skipose"}  # and the table that each belongs to

# name and takes, and half the size of a head in their pictures, px, if that is fixed
Found = tuple[str, "list[Footage]", float | None]

Weights = Annotated[
    list[Path] | None,
    typer.Option(metavar="F", help="A checkpoint (.pt) or a graph (.onnx); again for more; default: those shipped."),
]
Dataset = Annotated[
    list[str] | None,
    typer.Option(metavar="KIND=FOLDER", help=f"A benchmark's test set: {', '.join(KINDS)}; again for more."),
]
NoMorph = Annotated[
    bool,
    typer.Option(
        "--no-morph", help="Measure on 2D poses as the detector has them, not moved to the benchmark's joints."
    ),
]
Simulated = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="[MOTION.npz]",
        help="Simulated rigs around captured movement, again for more; without a file around synthetic movement.",
    ),
]
HeldOut = Annotated[bool, typer.Option("--held-out", help="With --simulated: only the clips that training keeps back.")]
Takes = Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="Simulated rigs of each kind.")]
Json = Annotated[Path | None, typer.Option("--json", metavar="F", help="Write the figures there as well.")]
Csv = Annotated[
    Path | None, typer.Option("--csv", metavar="F", help="Write the figures as a table: a row per weights and footage.")
]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="Of the simulated rigs; the same one gives the same rigs.")]


def evaluate(
    weights: Weights = None,
    dataset: Dataset = None,
    no_morph: NoMorph = False,
    simulated: Simulated = None,
    held_out: HeldOut = False,
    json_file: Json = None,
    csv_file: Csv = None,
    takes: Takes = 64,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Show the paper's tables, and measure a lifter for them.

    \b
    pose-rig eval                                              what others published
    pose-rig eval --simulated                                  a first try, on synthetic movement
    pose-rig eval --simulated clips.npz                        the shipped weights, on simulated rigs
    pose-rig eval --simulated clips.npz --weights runs/a/lifter.pt --weights runs/b/lifter.pt
    pose-rig eval --dataset human36m=h36m --json figures.json
    pose-rig eval --dataset mpi-inf-3dhp=3dhp --dataset skipose=ski --weights my.weights

    The datasets are licensed by their makers and come from them; docs/training.md says which files are read. What is
    not given is "not measured here". Where a protocol asks for it, detected 2D is first moved to where the benchmark
    has its joints, by a network that learns this from a subject who is used for nothing else.
    """  # noqa: D301  (\b keeps the lines of the paragraph in the help)
    console = Console()
    sets = [kind_and_folder(text) for text in datasets(dataset or ())]
    weights, simulated = paths_of(weights), motion_files(simulated)
    _check(weights, sets)
    for file in filter(None, (json_file, csv_file)):
        check_output(file, force=force, sources=(*weights, *simulated))
    if no_morph and not sets:
        raise UsageError(
            "Only 2D poses of datasets are morphed.", "Add --dataset KIND=FOLDER, or leave --no-morph out."
        )
    if held_out and not simulated:
        raise UsageError("Nothing is simulated.", "Add --simulated.")
    measured: list[Evaluation] = []
    if sets or simulated:
        with TrainProgress(console, truth=False) as progress:
            found = _benchmarks(sets, None if no_morph else progress)
            if simulated:
                found = chain(found, _simulated(simulated, takes, seed, held_out=held_out))
            measured = list(_measured(weights, found))
    elif csv_file:
        raise UsageError("There is nothing of ours to write.", "Add --simulated or --dataset.")
    elif weights:
        raise UsageError("There is nothing to measure these weights on.", "Add --simulated or --dataset.")
    for table in tables(measured, paper=bool(sets) or not simulated):
        console.print(table)
    for line in (*DEFINITIONS, *([REMARK] if NAME in (simulated or ()) else [])):
        console.print(line)
    if json_file:
        figures = {"seed": seed, "morph": not no_morph, "measured": [asdict(one) for one in measured]}
        json_file.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    if csv_file:
        write_csv(csv_file, measured)


def datasets(texts: Sequence[str]) -> list[str]:
    """Returns the items of ``human36m=a,skipose=b``; a comma that no kind follows is part of a name."""
    return [item for text in texts for item in re.split(rf",\s*(?=(?:{'|'.join(KINDS)})=)", text)]


def paths_of(given: Sequence[Path] | None) -> list[Path]:
    """Returns the files of an option that takes several."""
    return [Path(text) for text in split_paths(map(str, given or ()))]


def motion_files(given: Sequence[Path] | None) -> list[Path]:
    """Returns the motion files of ``--simulated``, each of the right kind; `NAME` stands for none.

    Raises:
        UsageError: One is not a motion file.
    """
    files = paths_of(given)
    for path in files:
        if path != NAME:
            check_input(path, SIMULATED)
    return files


def kind_and_folder(text: str) -> tuple[str, Path]:
    """Returns the two sides of ``human36m=FOLDER``.

    Raises:
        UsageError: There are no two sides, the kind is unknown, or there is no such folder.
    """
    kind, _, folder = text.partition("=")
    if kind not in KINDS or not folder:
        raise UsageError(
            f"{text!r} is no dataset.", f"Use KIND=FOLDER with one of {', '.join(KINDS)}: {next(iter(KINDS))}=FOLDER."
        )
    if not Path(folder).is_dir():
        raise UsageError(f"There is no folder {folder}.", f"Give the one that holds {TABLES[KINDS[kind]].title}.")
    return kind, Path(folder)


def _check(weights: Sequence[Path], sets: Sequence[tuple[str, Path]]) -> None:
    """Checks what can be known to be wrong before anything is measured.

    Raises:
        UsageError: Something is; names it.
    """
    for path in weights:
        check_input(path, MEASURED)
    if len({kind for kind, _ in sets}) < len(sets):
        raise UsageError("A dataset is given twice.", "Give each of them once.")


def _measured(weights: Sequence[Path], found: Iterable[Found]) -> Iterator["Evaluation"]:
    """Yields what all weights reach on all footage.

    Raises:
        PoseRigError: torch is not installed.
    """
    try:
        from pose_rig.lifting.checkpoint import load
        from pose_rig.lifting.engine import DEFAULT_WEIGHTS
        from pose_rig.training.evaluation.evaluation import evaluate as evaluate_lifter
    except ModuleNotFoundError as error:
        raise missing("Measuring", str(error.name), "train") from error
    files = [(path.name, path) for path in weights] or [("shipped weights", DEFAULT_WEIGHTS)]
    lifters = [(name, load(path)[0]) for name, path in files]
    for kind, footage, half_head_px in found:
        table = KINDS.get(kind, kind)
        for name, lifter in lifters:
            yield evaluate_lifter(name if table == kind else f"{name}, {kind}", lifter, table, footage, half_head_px)


def _benchmarks(sets: Sequence[tuple[str, Path]], morphing: TrainProgress | None) -> Iterator[Found]:
    """Yields the test sets of benchmarks, morphed where their protocol asks for it; None = as they are."""
    import torch

    from pose_rig.training.datasets.load import load
    from pose_rig.training.datasets.morphed import morphed

    device = "cuda" if torch.cuda.is_available() else "cpu"  # a step of the morphing takes a core 18 ms
    for kind, folder in sets:
        if morphing is None:
            footage = load(kind, folder, "test")
        else:
            footage = morphed(kind, folder, "test", log=morphing.say, on_progress=morphing.reading, device=device)
        yield kind, footage, HALF_HEAD_PX if kind == "human36m" else None


def _simulated(motion: Sequence[Path], takes: int, seed: int, *, held_out: bool) -> Iterator[Found]:
    """Yields simulated rigs, usual and ski-like."""
    from pose_rig.simulation.clips import load_clips
    from pose_rig.simulation.motion import split
    from pose_rig.training.footage.simulated import simulate_footage

    clips = load_clips(motion)
    clips = split(clips)[1] if held_out else clips
    for ski in (False, True):
        kind = f"{', ski-like' if ski else ''}{', synthetic movement' if NAME in motion else ''}"
        name = f"{takes} simulated rigs of {VIEWS} cameras{kind}, seed {seed}"
        yield name, simulate_footage(clips, takes, VIEWS, SECONDS, seed, ski=ski), None
