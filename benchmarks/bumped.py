"""A camera is bumped while the rig runs: how soon it is named, how soon the poses are right again, how far they jump.

    python -m benchmarks.bumped --motion CMU.npz OPENCAP.npz REACTIDLE.npz --held-out --rigs 10

Simulated rigs as in `benchmarks.self_solve`. After ``--before`` seconds one camera, any of them, is turned by 5°, by
20° or moved by 30 cm, such that it still sees the person. Beside every run goes another one of the same take and
the same noise without the bump: *back* means that from then on, for two seconds, the error (PA-MPJPE of the streamed
poses, 12 limb joints, mean over a second) is at most 1.2 times that of the undisturbed run. A *jump* is what the
limb joints move, in the mean, from one streamed pose to the next beyond what the person really did.
"""

import argparse
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.contract import Report, parser
from benchmarks.movement import FPS, lively
from benchmarks.self_solve import ONE_THREAD, WIDTH
from benchmarks.simulated_rigs import RigTake, in_picture, rig_take, watch
from pose_rig.geometry import rotation_from_vector
from pose_rig.graph import Engine
from pose_rig.lifting.engine import SHIPPED, OrtEngine
from pose_rig.messages import Mode
from pose_rig.skeleton import LIMBS
from pose_rig.training.metrics import pmpjpe
from pose_rig.training.motion import Clip, load_clips, split
from pose_rig.training.rigs import Cameras

Floats = NDArray[np.float64]

COLUMNS = (
    "views", "bump", "solved %", "before mm", "named in time %", "named s", "back in time %", "back s", "jump mm",
    "worst jump", "undisturbed", "others named",
)  # fmt: skip

LIMB = list(LIMBS)
BUMPS = {"turned 5°": (5.0, 0.0), "turned 20°": (20.0, 0.0), "moved 30 cm": (0.0, 0.3)}  # degrees, m
TRIES = 12  # directions to choose from
AS_BEFORE = 1.2
STAYS_S = 2.0
WINDOW_S = 1.0
NAMED_S, BACK_S, JUMP_MM = 2.0, 5.0, 50.0  # wanted at most


@dataclass(frozen=True, slots=True)
class Watched:
    """What one run of a rig gave.

    Attributes:
        error_mm: (T,) of the streamed poses.
        jump_mm: (T−1,).
        mode: (T,).
        named: (T,V) whether the rig had something to say against a camera that saw somebody.
    """

    error_mm: Floats
    jump_mm: Floats
    mode: tuple[Mode, ...]
    named: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a bump did.

    Attributes:
        bump: Which one.
        solved: Whether the rig was solved by then.
        before_mm: Mean error in the five seconds before.
        named_s: When the camera was named, and
        back_s: when the error was back; None for never.
        jump_mm: The largest jump from the bump on, and
        usual_jump_mm: that of the undisturbed run in the same time.
        accused: How many of the other cameras were named in that time though the undisturbed run did not name them.
    """

    bump: str
    solved: bool
    before_mm: float
    named_s: float | None
    back_s: float | None
    jump_mm: float
    usual_jump_mm: float
    accused: int


def bump(cameras: Cameras, view: int, turn_deg: float, move_m: float, people: Floats, seed: int) -> Cameras:
    """Returns the cameras after one of them was bumped, in the direction in which it goes on seeing most of the person.

    Args:
        cameras: As they were.
        view: Which one.
        turn_deg: By how much it is turned.
        move_m: By how much it is moved.
        people: (T,J,3) m, what it should go on seeing.
        seed: Of the directions tried.
    """
    directions = np.random.default_rng(seed).normal(0, 1, (TRIES, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    tried = []
    for direction in directions:
        rotation, position = cameras.rotation.copy(), cameras.position.copy()
        rotation[view] = rotation_from_vector(np.radians(turn_deg) * direction) @ rotation[view]
        position[view] += move_m * direction
        tried.append(Cameras(rotation, position, cameras.focal_px, cameras.size_px))
    return max(tried, key=lambda after: in_picture(people, _only(after, view)).mean())


def disturbed(rig: RigTake, after: Cameras, start: int, seed: int) -> RigTake:
    """Returns a take seen by other cameras from instant ``start`` on, with the same errors of the detector."""
    people = rig.take.joints
    first = watch(people, rig.take.cameras, np.random.default_rng(seed))
    then = watch(people, after, np.random.default_rng(seed))
    late = np.arange(len(people)) >= start
    xy_px = np.where(late[:, None, None], then[0], first[0])
    return replace(rig, take=replace(rig.take, xy_px=xy_px, score=np.where(late[:, None], then[1], first[1])))


def play(rig: RigTake, engine: Engine) -> Watched:
    """Returns what a rig makes of a take."""
    fusion = rig.fusion(engine)
    poses, modes, named = [], [], []
    for t in range(len(rig.take.joints)):
        instant = fusion.step(rig.t_ns(t), rig.samples(t))
        poses.append(instant.xyz[LIMB])
        modes.append(instant.mode)
        named.append([bool(state.note) and state.health > 0 for state in fusion.rig.states()])
    truth, out = rig.take.joints[:, LIMB], np.stack(poses)
    moved, really = (np.linalg.norm(np.diff(points, axis=0), axis=-1) for points in (out, truth))
    return Watched(1e3 * pmpjpe(out, truth), 1e3 * (moved - really).mean(-1), tuple(modes), np.array(named))


def judge(name: str, run: Watched, calm: Watched, view: int, start: int) -> Outcome:
    """Returns what a bump of one camera at instant ``start`` did, next to the undisturbed run."""
    others = np.arange(run.named.shape[1]) != view
    told = run.named[start:].any(0) & ~calm.named[start:].any(0)
    before = slice(max(start - round(5 * FPS), 0), start)
    return Outcome(
        bump=name,
        solved=run.mode[start] == "solved",
        before_mm=float(run.error_mm[before].mean()),
        named_s=_first_s(run.named[start:, view]),
        back_s=back_s(run.error_mm[start:], calm.error_mm[start:]),
        jump_mm=float(run.jump_mm[start - 1 :].max()),
        usual_jump_mm=float(calm.jump_mm[start - 1 :].max()),
        accused=int((told & others).sum()),
    )


def back_s(error_mm: Floats, usual_mm: Floats) -> float | None:
    """Returns from when on errors (T,) are for `STAYS_S` no more than `AS_BEFORE` times the usual ones."""
    window = np.ones(round(WINDOW_S * FPS)) / round(WINDOW_S * FPS)
    good = np.convolve(error_mm, window, "valid") <= AS_BEFORE * np.convolve(usual_mm, window, "valid")
    stays = round(STAYS_S * FPS)
    return _first_s(np.array([good[t : t + stays].all() for t in range(len(good) - stays)]))


def run_case(clips: Sequence[Clip], weights: Path, views: int, case: int, args: argparse.Namespace) -> list[Outcome]:
    """Returns what every kind of bump does to one rig."""
    random = np.random.default_rng([args.seed, views, case])
    rig = rig_take(clips, views, args.before + args.after, random)
    view, seed = int(random.integers(views)), int(random.integers(1 << 31))
    start, engine = round(args.before * FPS), OrtEngine(weights, "cpu")
    calm = play(disturbed(rig, rig.take.cameras, start, seed), engine)
    outcomes = []
    for name, (turn_deg, move_m) in BUMPS.items():
        after = bump(rig.take.cameras, view, turn_deg, move_m, rig.take.joints[start:], seed)
        outcomes.append(judge(name, play(disturbed(rig, after, start, seed), engine), calm, view, start))
    return outcomes


def add_figures(report: Report, views: int, outcomes: Sequence[Outcome]) -> list[str]:
    """Adds what one kind of bump did to rigs with so many views to the report, and returns it as a row of the table."""
    name = outcomes[0].bump
    here = f"{views} views, {name}: "
    named = [o.named_s for o in outcomes if o.named_s is not None]
    back = [o.back_s for o in outcomes if o.back_s is not None]
    cells = [
        report.add(here + "solved before", "%", [_percent(o.solved for o in outcomes)]),
        report.add(here + "error before", "mm", [o.before_mm for o in outcomes]),
        report.add(here + f"named within {NAMED_S:g} s", "%", [100 * _within(named, NAMED_S) / len(outcomes)], "100"),
        report.add(here + "named after", "s", named or [np.nan]),
        report.add(here + f"back within {BACK_S:g} s", "%", [100 * _within(back, BACK_S) / len(outcomes)], "100"),
        report.add(here + "back after", "s", back or [np.nan], f"≤ {BACK_S:g}"),
        report.add(here + "largest jump", "mm", [o.jump_mm for o in outcomes]),
        report.add(here + "largest of all jumps", "mm", [max(o.jump_mm for o in outcomes)], f"≤ {JUMP_MM:g}"),
        report.add(here + "largest jump undisturbed", "mm", [o.usual_jump_mm for o in outcomes]),
        report.add(here + "others named", "cameras", [float(sum(o.accused for o in outcomes))], "0"),
    ]
    return [str(views), name, *(f"{cell.median:.3g}" for cell in cells)]


def _percent(values: Iterable[bool]) -> float:
    return 100 * float(np.mean(list(values)))


def _within(times_s: Sequence[float], limit_s: float) -> int:
    return sum(time_s <= limit_s for time_s in times_s)


def _only(cameras: Cameras, view: int) -> Cameras:
    return Cameras(
        cameras.rotation[view], cameras.position[view], np.asarray(cameras.focal_px[view]), cameras.size_px[view]
    )


def _first_s(happened: NDArray[np.bool_]) -> float | None:
    """Returns when something first happened, None for never."""
    return float(np.argmax(happened)) / FPS if happened.any() else None


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--motion", type=Path, nargs="+", required=True, metavar="F.npz", help="see README.md")
    arguments.add_argument("--held-out", action="store_true", help="only clips that training keeps back")
    arguments.add_argument("--weights", type=Path, default=SHIPPED, metavar="F.onnx", help="other than those shipped")
    arguments.add_argument("--rigs", type=int, default=10, help="for every number of views")
    arguments.add_argument("--views", default="3,4", metavar="N,N")
    arguments.add_argument("--before", type=float, default=25.0, metavar="S", help="seconds before the bump")
    arguments.add_argument("--after", type=float, default=15.0, metavar="S", help="seconds after it")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--jobs", type=int, default=2, help="rigs at a time")
    args = arguments.parse_args()
    if args.quick:
        args.rigs, args.views, args.before, args.after = 1, "3", 3.0, 4.0
    clips = load_clips(args.motion)
    clips = lively(split(clips)[1] if args.held_out else clips)
    report = Report.begin(args)
    table = Table(*COLUMNS, title="Bumped cameras: medians")
    os.environ.update(ONE_THREAD)
    for views in map(int, args.views.split(",")):
        with ProcessPoolExecutor(args.jobs, get_context("spawn")) as pool:
            jobs = [pool.submit(run_case, clips, args.weights, views, case, args) for case in range(args.rigs)]
            for count, _ in enumerate(as_completed(jobs), 1):
                print(f"  {views} views: {count} of {len(jobs)} rigs", flush=True)
        for row in zip(*(job.result() for job in jobs), strict=True):
            table.add_row(*add_figures(report, views, row))
    Console(width=WIDTH).print(table)
    report.finish(args.json)


if __name__ == "__main__":
    main()
