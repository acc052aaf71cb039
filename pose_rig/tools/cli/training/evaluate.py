"""``pose-rig eval``: benchmark results of lifters, next to published ones."""

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pose_rig.errors import UsageError
from pose_rig.installer import requires_extra
from pose_rig.simulation.synthetic import SYNTHETIC_MOTION, SYNTHETIC_NOTE
from pose_rig.tools.arguments.inputs import LIFTER_WEIGHTS, MOTION_INPUT, FileInput, check_input
from pose_rig.tools.arguments.options import Force
from pose_rig.tools.arguments.outputs import check_output
from pose_rig.tools.arguments.value_lists import split_paths
from pose_rig.tools.cli.training.progress import TrainProgress
from pose_rig.tools.cli.training.tables import DEFINITIONS, tables, write_csv
from pose_rig.tools.terminal.console import Console
from pose_rig.training.evaluation.published import TABLES
from pose_rig.training.evaluation.scores import HALF_HEAD_PX

if TYPE_CHECKING:
    from pose_rig.training.evaluation.evaluation import Evaluation  # imports torch
    from pose_rig.training.footage.footage import Footage

VIEWS, SECONDS = 4, 8.0  # of simulated footage
KINDS = {**{kind: kind for kind in TABLES}, "skipose-clean": "skipose"}  # and the table that each belongs to
DATA = "Data"  # panel of the options

# name, takes, and half the size of a head in their images, px, if it is constant
Found = tuple[str, "list[Footage]", float | None]

Dataset = Annotated[
    list[str] | None,
    typer.Option(metavar="KIND=FOLDER", rich_help_panel=DATA, help=f"Benchmark: {', '.join(KINDS)}; repeatable."),
]
NoMorph = Annotated[
    bool,
    typer.Option(
        "--no-morph", rich_help_panel=DATA, help="Do not map detected 2D joints to the benchmark's joint definitions."
    ),
]
Simulated = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="[MOTION.npz]",
        rich_help_panel=DATA,
        help="Simulated rigs with captured motion, repeatable; without a file with synthetic motion.",
    ),
]


def evaluate(
    weights: Annotated[
        list[Path] | None,
        typer.Option(metavar="F", help="Checkpoint (.pt) or graph (.onnx), repeatable; default: the shipped one."),
    ] = None,
    dataset: Dataset = None,
    no_morph: NoMorph = False,
    simulated: Simulated = None,
    held_out: Annotated[
        bool,
        typer.Option("--held-out", rich_help_panel=DATA, help="With --simulated: only clips of the validation set."),
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="F", help="Write the results as JSON.")] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="F", help="Write the results as CSV: a row per weights and footage.")
    ] = None,
    takes: Annotated[
        int, typer.Option(min=1, max=10_000, metavar="N", rich_help_panel=DATA, help="Simulated rigs of each kind.")
    ] = 64,
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", rich_help_panel=DATA, help="Random seed of the simulated rigs.")
    ] = 0,
    force: Force = False,
) -> None:
    """Evaluate lifters on benchmarks or simulated rigs, next to published results.

    \b
    pose-rig eval                                   published results
    pose-rig eval --simulated                       on synthetic motion
    pose-rig eval --simulated clips.npz             the shipped weights, on clips
    pose-rig eval --simulated clips.npz --weights a.pt --weights b.pt
    pose-rig eval --dataset human36m=h36m --json figures.json
    pose-rig eval --dataset mpi-inf-3dhp=3dhp --dataset skipose=ski

    The datasets must be obtained from their authors; docs/training.md lists the files. Where the protocol requires it,
    detected 2D joints are first mapped to the joint definitions of the benchmark, by a network trained on a subject
    that is not in the test set.
    """  # noqa: D301  (\b keeps the lines of the paragraph in the help)
    console = Console()
    sets = benchmark_folders(dataset or ())
    weights, simulated = input_files(weights, LIFTER_WEIGHTS), input_files(simulated, MOTION_INPUT)
    for file in filter(None, (json_file, csv_file)):
        check_output(file, force=force, sources=(*weights, *simulated))
    if no_morph and not sets:
        raise UsageError("--no-morph applies to --dataset only.", "Add --dataset KIND=FOLDER, or remove --no-morph.")
    if held_out and not simulated:
        raise UsageError("--held-out applies to --simulated only.", "Add --simulated, or remove --held-out.")
    measured: list[Evaluation] = []
    if sets or simulated:
        with TrainProgress(console, supervised=False) as progress:
            found = _benchmarks(sets, None if no_morph else progress)
            if simulated:
                found = itertools.chain(found, _simulated(simulated, takes, seed, held_out=held_out))
            measured = list(_measured(weights, found))
    elif csv_file:
        raise UsageError("--csv requires data to evaluate on.", "Add --simulated or --dataset.")
    elif weights:
        raise UsageError("--weights requires data to evaluate on.", "Add --simulated or --dataset.")
    for table in tables(measured, paper=bool(sets) or not simulated):
        console.print(table)
    for line in (*DEFINITIONS, *([SYNTHETIC_NOTE] if SYNTHETIC_MOTION in (simulated or ()) else [])):
        console.print(line)
    if json_file:
        figures = {"seed": seed, "morph": not no_morph, "measured": [asdict(one) for one in measured]}
        json_file.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    if csv_file:
        write_csv(csv_file, measured)


def benchmark_folders(texts: Sequence[str]) -> list[tuple[str, Path]]:
    """Returns kinds and folders of the values of ``--dataset``: ``human36m=a,skipose=b``; paths may have commas.

    Raises:
        UsageError: A value has another form, a kind is unknown or given twice, or a folder does not exist.
    """
    separator = re.compile(rf",\s*(?=(?:{'|'.join(KINDS)})=)")
    found: dict[str, Path] = {}
    for text in itertools.chain.from_iterable(separator.split(value) for value in texts):
        kind, _, folder = text.partition("=")
        if kind not in KINDS or not folder:
            raise UsageError(f"--dataset must be KIND=FOLDER; got {text!r}.", f"The kinds are {', '.join(KINDS)}.")
        if not Path(folder).is_dir():
            raise UsageError(f"There is no folder {folder}.", f"Give the folder of {TABLES[KINDS[kind]].title}.")
        if kind in found:
            raise UsageError("A dataset is given twice.", "Give each --dataset once.")
        found[kind] = Path(folder)
    return list(found.items())


def input_files(given: Sequence[Path] | None, wanted: FileInput) -> list[Path]:
    """Returns the files of an option with several values; for `MOTION_INPUT`, `SYNTHETIC_MOTION` is a name too.

    Raises:
        UsageError: One is not of the wanted type.
    """
    files = [Path(text) for text in split_paths(map(str, given or ()))]
    for path in files:
        if path != SYNTHETIC_MOTION or wanted is not MOTION_INPUT:
            check_input(path, wanted)
    return files


def _measured(weights: Sequence[Path], found: Iterable[Found]) -> Iterator["Evaluation"]:
    """Yields the results of all weights on all footage.

    Raises:
        PoseRigError: torch is not installed.
    """
    with requires_extra("Evaluation", "train"):
        from pose_rig.lifting.checkpoint import load
        from pose_rig.lifting.engine import DEFAULT_WEIGHTS
        from pose_rig.training.evaluation.evaluation import evaluate as evaluate_lifter
    files = [(path.name, path) for path in weights] or [("shipped weights", DEFAULT_WEIGHTS)]
    lifters = [(name, load(path)[0]) for name, path in files]
    for kind, footage, half_head_px in found:
        table = KINDS.get(kind, kind)
        for name, lifter in lifters:
            label = name if table == kind else f"{name}, {kind}"
            yield evaluate_lifter(label, lifter, table, footage, half_head_px)
            if lifter.config.depth and any(take.depth_px is not None for take in footage):
                plain = [take.without_depths() for take in footage]
                yield evaluate_lifter(f"{label}, without depths", lifter, table, plain, half_head_px)


def _benchmarks(sets: Sequence[tuple[str, Path]], morphing: TrainProgress | None) -> Iterator[Found]:
    """Yields the test sets of benchmarks, morphed if ``morphing`` is given and the protocol requires it."""
    import torch

    from pose_rig.training.datasets.load import load
    from pose_rig.training.datasets.morphed import morphed

    device = "cuda" if torch.cuda.is_available() else "cpu"  # a training step of the morphing takes 18 ms on a CPU core
    for kind, folder in sets:
        if morphing is None:
            footage = load(kind, folder, "test")
        else:
            footage = morphed(kind, folder, "test", log=morphing.print, on_progress=morphing.reading, device=device)
        yield kind, footage, HALF_HEAD_PX if kind == "human36m" else None


def _simulated(motion: Sequence[Path], takes: int, seed: int, *, held_out: bool) -> Iterator[Found]:
    """Yields simulated rigs, usual and ski-like."""
    from pose_rig.simulation.clips import load_clips
    from pose_rig.simulation.motion import split
    from pose_rig.training.footage.simulated import simulate_footage

    clips = load_clips(motion)
    clips = split(clips)[1] if held_out else clips
    for ski in (False, True):
        kind = f"{', ski-like' if ski else ''}{', synthetic motion' if SYNTHETIC_MOTION in motion else ''}"
        name = f"{takes} simulated rigs of {VIEWS} cameras{kind}, seed {seed}"
        yield name, simulate_footage(clips, takes, VIEWS, SECONDS, seed, ski=ski), None
