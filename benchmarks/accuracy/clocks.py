"""Clocks of recorded cameras on simulated rigs: the error of the offsets found, and what they cost in accuracy.

    python -m benchmarks.accuracy.clocks --motion CMU.npz OPENCAP.npz --idle REACTIDLE.npz --rigs 10 --jobs 2

Every rig is random, as in `benchmarks.accuracy.self_solve`. Its files are fused in two passes twice: with one clock,
and with clocks that differ by up to ``--offset`` seconds; each file also begins at another time. PA is the mean error
of the poses after a similarity per time step. ``--idle`` adds people who stand, and people who repeat one cycle of a
walk: their clocks must not be guessed. An offset that is off by more than 0.1 s counts as wrong.
"""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.accuracy.movement import FPS, moving_clips, random_walk
from benchmarks.accuracy.rig_options import TABLE_WIDTH, add_rig_options, motion_clips, run_in_processes
from benchmarks.accuracy.rig_run import LIMB
from benchmarks.accuracy.similarity import pa_mm
from benchmarks.accuracy.simulated_rigs import RigTake, detections_of, rig_around, rig_take
from benchmarks.contract import Report, parser
from pose_rig.arrays import Floats
from pose_rig.config import CameraConfig, Config
from pose_rig.fusion.clocks import FileClock
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.message_file import MessageFile
from pose_rig.fusion.time_steps import time_steps
from pose_rig.fusion.two_passes import TwoPasses
from pose_rig.lifting.engine import OrtEngine
from pose_rig.simulation.bodies import random_bones
from pose_rig.simulation.clips import load_clips
from pose_rig.simulation.motion import Clip
from pose_rig.simulation.takes import Take
from pose_rig.skeleton import JOINT_SET
from pose_rig.wire.messages import Health, Keypoints2D, Message

KINDS = ("moving", "standing", "periodic")
MAX_LATE_START_S = 1.0
CYCLE_S = (0.9, 1.5)  # of a step of walking
BODY_HEIGHT_M = 1.7
PELVIS_M = 0.9


@dataclass(frozen=True, slots=True)
class ClockScore:
    """The result of one rig.

    Attributes:
        error_s: (V-1,) error of the offsets found, NaN where they were refused.
        sd_s: (V-1,) their standard deviations.
        pa_mm: Error with these clocks; one_clock_pa_mm: with one clock. NaN unless the person moves.
        one_clock_kept: Whether a rig with one clock keeps it exactly.
    """

    error_s: Floats
    sd_s: Floats
    pa_mm: float
    one_clock_pa_mm: float
    one_clock_kept: bool


class Silent:
    """An output that reports nothing."""

    def forward(self, view: int, message: Message) -> None:
        """Ignores a message."""

    def reject(self, reason: str) -> None:
        """Ignores a rejected message."""

    def report(self) -> None:
        """Reports nothing."""


def score_case(
    clips: Sequence[Clip], weights: Path, kind: str, views: int, case: int, args: argparse.Namespace
) -> ClockScore:
    """Returns the score of one rig."""
    rng = np.random.default_rng([args.seed, views, case])
    rig = take_of(kind, clips, views, args.seconds + MAX_LATE_START_S, rng)
    offset_s = np.r_[0.0, rng.uniform(-args.offset, args.offset, views - 1)]
    start = np.r_[0, rng.uniform(0, MAX_LATE_START_S * FPS, views - 1).astype(int)]
    engine = OrtEngine(weights, "cpu")
    estimator, pa = fused(rig, offset_s, start, args, engine)
    clocks = estimator.clocks
    one_pa, kept = np.nan, True
    if kind == "moving":
        one, one_pa = fused(rig, np.zeros(views), start, args, engine)
        kept = not one.clocks.offset_s.any()
    return ClockScore((clocks.known_offset_s - offset_s)[1:], clocks.sd_s[1:], pa, one_pa, kept)


def take_of(kind: str, clips: Sequence[Clip], views: int, seconds: float, rng: np.random.Generator) -> RigTake:
    """Returns a take of a person of one of `KINDS`."""
    if kind == "moving":
        return rig_take(clips, views, seconds, rng)
    people = random_walk(clips, random_bones(1, rng)[0], BODY_HEIGHT_M, seconds, rng)
    if kind == "periodic":
        people = repeated(people)
    cameras = rig_around(people, views, rng)
    return RigTake(Take(*detections_of(people, cameras, rng), FPS, people, cameras), BODY_HEIGHT_M, None)


def repeated(people: Floats) -> Floats:
    """Returns one cycle of a walk (T,J,3), on the spot, repeated: the one whose ends are most alike."""
    body = people - people[:, :1]
    lags = range(round(CYCLE_S[0] * FPS), round(CYCLE_S[1] * FPS))
    pairs = [(np.linalg.norm(body[s] - body[s + lag]), s, lag) for lag in lags for s in range(0, len(body) - lag, 3)]
    _, start, lag = min(pairs)
    blend = np.arange(lag)[:, None, None] / lag
    cycle = body[start : start + lag] + blend * (body[start] - body[start + lag])
    return np.asarray(cycle[np.arange(len(people)) % lag] + np.array([0.0, PELVIS_M, 0.0]))


def fused(
    rig: RigTake, offset_s: Floats, start: Floats, args: argparse.Namespace, engine: OrtEngine
) -> tuple[Estimator, float]:
    """Returns the estimator after two passes over the files of a rig, and the error of the poses, mm."""
    names = [f"cam{view}" for view in range(len(offset_s))]
    cameras = tuple(CameraConfig(source="sim", name=name) for name in names)
    estimator = Estimator(Config(camera=cameras, height_m=rig.height_m, pace="all", passes=2), engine)
    with ExitStack() as stack:
        sources = [stack.enter_context(closing(MessageFile())) for _ in names]
        files = [stack.enter_context(closing(MessageFile())) for _ in names]
        for view, source in enumerate(sources):
            first = int(start[view])
            for frame in range(first, first + round(args.seconds * FPS)):
                source.add(message_of(rig, view, frame, offset_s[view] - args.offset))
            source.add(Health(worker=names[view], t_ns=0, state="ended"))
            source.rewind()
        passes = TwoPasses(names, files, estimator, Silent(), Event())
        passes.first(sources)
        passes.solve()
        steps = [step for step in time_steps(passes.inputs(), FileClock(), estimator, Event()) if step is not None]
    poses = [step.pose for step in steps if step.pose is not None and step.pose.tracking]
    if not poses:
        return estimator, np.nan
    frame = np.clip([(pose.t_ns * 1e-9 - args.offset) * FPS for pose in poses], 0, len(rig.take.joints) - 1.001)
    before, share = np.floor(frame).astype(int), (frame % 1)[:, None, None]
    truth = (1 - share) * rig.take.joints[before] + share * rig.take.joints[before + 1]
    return estimator, float(pa_mm(np.stack([pose.xyz[LIMB] for pose in poses]), truth[:, LIMB]).mean())


def message_of(rig: RigTake, view: int, frame: int, offset_s: float) -> Keypoints2D:
    """Returns the message of a frame from a camera whose clock is behind by ``offset_s``."""
    xy, score = rig.take.xy_px[view, frame], rig.take.score[view, frame]
    people = int(score.any())
    width, height = rig.take.cameras.size_px[view].astype(int).tolist()
    return Keypoints2D(
        camera=f"cam{view}", index=frame, t_ns=round((frame / FPS - offset_s) * 1e9), size_px=(width, height),
        landmarks=JOINT_SET, xy=xy[None, :][:people].astype(np.float32), score=score[None][:people].astype(np.float32),
    )  # fmt: skip


def main() -> None:
    """Prints a table."""
    arguments = parser(__doc__)
    add_rig_options(arguments, 10, "3,4,6")
    arguments.add_argument("--idle", type=Path, nargs="*", default=[], metavar="F.npz", help="people who stand")
    arguments.add_argument("--seconds", type=float, default=20.0)
    arguments.add_argument("--offset", type=float, default=2.0, help="largest offset of a clock, s")
    args = arguments.parse_args()
    if args.quick:
        args.rigs, args.views, args.seconds = 1, "3", 6.0
    report, table = Report.begin(args), Table(title="Clocks of recorded cameras")
    for column in ("person", "views", "found", "median ms", "95 % ms", "wrong", "PA ratio", "one clock kept"):
        table.add_column(column)
    moving = moving_clips(motion_clips(args))
    clips = {"moving": moving, "standing": load_clips(args.idle), "periodic": moving}
    for kind in KINDS if args.idle else KINDS[:1]:
        numbers = [(views, case) for views in map(int, args.views.split(",")) for case in range(args.rigs)]
        cases = [(clips[kind], args.weights, kind, *number, args) for number in numbers]
        scores = run_in_processes(score_case, cases, args.jobs)
        for views in map(int, args.views.split(",")):
            rows = [score for score, (of, _) in zip(scores, numbers, strict=True) if of == views]
            table.add_row(kind, f"{views} ({len(rows)} rigs)", *cells(report, f"{kind}, {views} views: ", kind, rows))
    Console(width=TABLE_WIDTH).print(table)
    report.finish(args.json)


def cells(report: Report, name: str, kind: str, rows: Sequence[ClockScore]) -> list[str]:
    """Adds the figures of rigs to the report; returns them as text."""
    error_ms = np.abs(np.concatenate([row.error_s for row in rows])) * 1e3
    found = np.isfinite(error_ms)
    wrong = int((error_ms[found] > 100).sum())
    report.add(f"{name}found", "%", [100 * found.mean()])
    report.add(f"{name}wrong", "cameras", [wrong], "0")
    out = [f"{100 * found.mean():.0f} %"]
    if not found.any():
        return [*out, "", "", str(wrong), "", ""]
    high = float(np.percentile(error_ms[found], 95))
    report.add(f"{name}error", "ms", error_ms[found].tolist(), "≤ 4" if kind == "moving" else "")
    report.add(f"{name}error, 95th percentile", "ms", [high], "≤ 12" if kind == "moving" else "")
    out += [f"{np.median(error_ms[found]):.1f}", f"{high:.1f}", str(wrong)]
    if kind != "moving":
        return [*out, "", ""]
    ratio = [row.pa_mm / row.one_clock_pa_mm for row in rows]
    kept = sum(row.one_clock_kept for row in rows)
    report.add(f"{name}PA ratio", "", ratio, "≤ 1.05")
    report.add(f"{name}one clock kept", "rigs", [kept], str(len(rows)))
    return [*out, f"{np.median(ratio):.2f}, at most {max(ratio):.2f}", f"{kept} of {len(rows)}"]


if __name__ == "__main__":
    main()
