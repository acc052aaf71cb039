"""Options, clips and worker processes shared by the benchmarks on simulated rigs."""

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from pose_rig.lifting.engine import DEFAULT_WEIGHTS
from pose_rig.simulation.camera_models import LENS_KINDS, LensKind
from pose_rig.simulation.clips import load_clips
from pose_rig.simulation.motion import Clip, split

TABLE_WIDTH = 160  # characters
PROGRESS_INTERVAL = 10  # rigs
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

T = TypeVar("T")


def add_motion_options(arguments: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Adds ``--motion`` and ``--held-out``."""
    arguments.add_argument("--motion", type=Path, nargs="+", required=required, metavar="F.npz", help="see README.md")
    arguments.add_argument("--held-out", action="store_true", help="only clips of the validation set")


def add_realism_options(arguments: argparse.ArgumentParser, lenses: LensKind | None = "real") -> None:
    """Adds ``--lenses`` and ``--biased``."""
    arguments.add_argument("--lenses", choices=LENS_KINDS, default=lenses, help="of the cameras, see README.md")
    arguments.add_argument(
        "--biased", action=argparse.BooleanOptionalAction, default=True, help="the detector errs by direction of view"
    )


def add_rig_options(arguments: argparse.ArgumentParser, rigs: int, views: str, *, motion_required: bool = True) -> None:
    """Adds the options of benchmarks on many random rigs.

    Args:
        arguments: The parser.
        rigs: Default of ``--rigs``.
        views: Default of ``--views``.
        motion_required: Whether ``--motion`` is.
    """
    add_motion_options(arguments, required=motion_required)
    arguments.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, metavar="F.onnx", help="other than shipped")
    arguments.add_argument("--rigs", type=int, default=rigs, help="for every number of views")
    arguments.add_argument("--views", default=views, metavar="N,N")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--jobs", type=int, default=2, help="rigs at a time")


def motion_clips(args: argparse.Namespace) -> list[Clip]:
    """Returns the clips that the options select."""
    clips = load_clips(args.motion)
    return split(clips)[1] if args.held_out else clips


def run_in_processes(run: Callable[..., T], cases: Sequence[tuple[Any, ...]], jobs: int) -> list[T]:
    """Returns the results of ``run(*case)`` for all cases, computed in ``jobs`` processes of one thread each."""
    os.environ.update(ONE_THREAD)
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        futures = [pool.submit(run, *case) for case in cases]
        for count, _ in enumerate(as_completed(futures), 1):
            if count % PROGRESS_INTERVAL == 0 or count == len(cases):
                print(f"  {count} of {len(cases)} rigs", flush=True)
    return [future.result() for future in futures]


def scores_by_views(
    run: Callable[..., T], clips: Sequence[Clip], kind: str, args: argparse.Namespace
) -> Iterator[tuple[int, list[T]]]:
    """Yields each number of views with the results of ``run(clips, weights, kind, views, case, args)`` of its rigs."""
    views = [int(number) for number in args.views.split(",")]
    cases = [(clips, args.weights, kind, number, case, args) for number in views for case in range(args.rigs)]
    scores = run_in_processes(run, cases, args.jobs)
    for at, number in enumerate(views):
        yield number, scores[at * args.rigs : (at + 1) * args.rigs]
