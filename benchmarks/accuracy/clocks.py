"""Clocks of recorded cameras on simulated rigs: the error of what is found, and what it costs in accuracy.

    python -m benchmarks.accuracy.clocks --motion CMU.npz OPENCAP.npz --idle REACTIDLE.npz --rigs 10 --jobs 2

Every rig is random, as in `benchmarks.accuracy.self_solve`. Each camera begins its file at another time, within
``--offset`` seconds of the first one, and its clock runs at another rate, up to ``--rate`` ppm off. The files are fused
in two passes twice: with their own clocks, and with one clock. PA is the mean error of the poses after a similarity per
time step, "take" that after one similarity for all of them, both while all cameras record. ``--idle`` adds people who
stand, and people who repeat one cycle of a walk: their clocks must not be guessed. An offset that is off by more than
0.1 s counts as wrong.
"""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.accuracy.clock_files import CameraFile, at_times, files_of
from benchmarks.accuracy.movement import FPS, moving_clips, random_walk
from benchmarks.accuracy.rig_options import (
    TABLE_WIDTH,
    add_realism_options,
    add_rig_options,
    motion_clips,
    scores_by_views,
)
from benchmarks.accuracy.rig_run import LIMB
from benchmarks.accuracy.similarity import global_mm, pa_mm
from benchmarks.accuracy.simulated_rigs import RigTake, detections_of, random_bias, rig_around
from benchmarks.contract import Report, parser
from pose_rig.arrays import Floats
from pose_rig.config import CameraConfig, Config
from pose_rig.fusion.clocks import FileClock
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.message_file import MessageFile
from pose_rig.fusion.synchronisation.camera_clocks import CameraClocks
from pose_rig.fusion.time_steps import time_steps
from pose_rig.fusion.two_passes import TwoPasses
from pose_rig.lifting.engine import OrtEngine
from pose_rig.simulation.bodies import random_bones
from pose_rig.simulation.camera_models import LensKind
from pose_rig.simulation.clips import load_clips
from pose_rig.simulation.motion import Clip
from pose_rig.simulation.takes import Take
from pose_rig.wire.messages import Health, Message

KINDS = ("moving", "standing", "periodic")
MARGIN_S = 0.5
CYCLE_S = (0.9, 1.5)  # of a step of walking
BODY_HEIGHT_M = 1.7
PELVIS_M = 0.9
WRONG_S = 0.1
MIXED_FPS = (25.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class ClockScore:
    """The result of one rig.

    Attributes:
        error_s: (V-1,) error of the offsets found, NaN where they were refused; sd_s: (V-1,) standard deviations.
        rate_error: (V-1,) error of the rates.
        pa_mm: Error with these clocks, one_clock_pa_mm: with one clock; take_mm, one_clock_take_mm: the same over the
            whole take. NaN unless the person moves.
        one_clock_kept: Whether a rig with one clock keeps it exactly.
    """

    error_s: Floats
    sd_s: Floats
    rate_error: Floats
    pa_mm: float
    one_clock_pa_mm: float
    take_mm: float
    one_clock_take_mm: float
    one_clock_kept: bool


class Silent:
    """An output that reports nothing."""

    def forward(self, view: int, message: Message) -> None:
        """Ignores a message."""

    def reject(self, reason: str) -> None:
        """Ignores a rejected message."""

    def report(self) -> None:
        """Reports nothing."""


@dataclass(frozen=True, slots=True)
class ClockRig:
    """Files of one rig, and the truth.

    Attributes:
        files: (V).
        clocks: (V) offset, s, and rate of each.
        people: (T,J,3) from ``start_s`` on, rig clock.
    """

    files: Sequence[CameraFile]
    clocks: Sequence[tuple[float, float]]
    people: Floats
    start_s: float


def score_case(
    clips: Sequence[Clip], weights: Path, kind: str, views: int, case: int, args: argparse.Namespace
) -> ClockScore:
    """Returns the score of one rig."""
    rig = rig_of(kind, clips, views, args, np.random.default_rng([args.seed, views, case]))
    engine = OrtEngine(weights, "cpu")
    clocks, pa, take = fused(rig, engine)
    one_pa, one_take, kept = np.nan, np.nan, True
    if kind == "moving":
        one, one_pa, one_take = fused(rig, engine, one_clock=True)
        kept = not one.offset_s.any() and bool((one.rates == 1.0).all())
    true_s, rate = np.array(rig.clocks).T
    return ClockScore(
        (clocks.known_offset_s - true_s)[1:], clocks.sd_s[1:], (clocks.rates - rate)[1:], pa, one_pa, take, one_take,
        kept,
    )  # fmt: skip


def rig_of(
    kind: str, clips: Sequence[Clip], views: int, args: argparse.Namespace, rng: np.random.Generator
) -> ClockRig:
    """Returns the files of a random rig and a person of one of `KINDS`."""
    start_s = -args.offset - MARGIN_S
    take = take_of(kind, clips, views, args.seconds + 2 * (args.offset + 2 * MARGIN_S), rng, args.lenses, args.biased)
    people, cameras = take.take.joints, take.take.cameras
    offset_s = np.r_[0.0, rng.uniform(-args.offset, args.offset, views - 1)]
    rate = 1 + 1e-6 * np.r_[0.0, rng.uniform(-args.rate, args.rate, views - 1)]
    clocks = list(zip(offset_s.tolist(), rate.tolist(), strict=True))
    fps = rng.choice(MIXED_FPS, views).tolist() if args.mixed_fps else None
    files = files_of(people, start_s, cameras, clocks, args.seconds, rng, fps, args.dropped, take.bias)
    return ClockRig(files, clocks, people, start_s)


def take_of(
    kind: str,
    clips: Sequence[Clip],
    views: int,
    seconds: float,
    rng: np.random.Generator,
    lenses: LensKind = "centred",
    biased: bool = False,
) -> RigTake:
    """Returns a take of a person of one of `KINDS`, by cameras with one clock."""
    people = random_walk(clips, random_bones(1, rng)[0], BODY_HEIGHT_M, seconds, rng)
    if kind == "periodic":
        people = repeated(people)
    cameras = rig_around(people, views, rng, lenses)
    bias = random_bias(rng) if biased else None
    detections = detections_of(people, cameras, rng, bias)
    return RigTake(Take(*detections, FPS, people, cameras), BODY_HEIGHT_M, None, bias)


def repeated(people: Floats) -> Floats:
    """Returns one cycle of a walk (T,J,3), on the spot, repeated: the one whose ends are most alike."""
    body = people - people[:, :1]
    lags = range(round(CYCLE_S[0] * FPS), round(CYCLE_S[1] * FPS))
    pairs = [(np.linalg.norm(body[s] - body[s + lag]), s, lag) for lag in lags for s in range(0, len(body) - lag, 3)]
    _, start, lag = min(pairs)
    blend = np.arange(lag)[:, None, None] / lag
    cycle = body[start : start + lag] + blend * (body[start] - body[start + lag])
    return np.asarray(cycle[np.arange(len(people)) % lag] + np.array([0.0, PELVIS_M, 0.0]))


def fused(rig: ClockRig, engine: OrtEngine, *, one_clock: bool = False) -> tuple[CameraClocks, float, float]:
    """Returns the clocks found in two passes over the files, and the errors of poses and take, mm."""
    names = [f"cam{view}" for view in range(len(rig.files))]
    cameras = tuple(CameraConfig(source="sim", name=name) for name in names)
    estimator = Estimator(Config(camera=cameras, height_m=BODY_HEIGHT_M, pace="all", passes=2), engine)
    with ExitStack() as stack:
        sources, files = ([stack.enter_context(closing(MessageFile())) for _ in names] for _ in range(2))
        for name, file, source in zip(names, rig.files, sources, strict=True):
            for message in _messages(file, name, one_clock=one_clock):
                source.add(message)
            source.rewind()
        passes = TwoPasses(names, files, estimator, Silent(), Event())
        passes.first(sources)
        passes.solve()
        steps = [step for step in time_steps(passes.inputs(), FileClock(), estimator, Event()) if step is not None]
    begin_s, end_s = (pick(file.rig_s[end] for file in rig.files) for pick, end in ((max, 0), (min, -1)))
    poses = [step.pose for step in steps if step.pose is not None and step.pose.tracking]
    together = [pose for pose in poses if begin_s <= pose.t_ns * 1e-9 <= end_s]
    poses = together or poses
    if not poses:
        return estimator.clocks, np.nan, np.nan
    truth = at_times(rig.people, rig.start_s, np.array([pose.t_ns for pose in poses]) * 1e-9)[:, LIMB]
    found = np.stack([pose.xyz[LIMB] for pose in poses])
    return estimator.clocks, float(pa_mm(found, truth).mean()), global_mm(found, truth)


def _messages(file: CameraFile, name: str, *, one_clock: bool) -> Iterator[Message]:
    yield from (message for message in file.messages(name, one_clock=one_clock) if message.t_ns >= 0)
    yield Health(worker=name, t_ns=0, state="ended")


def main() -> None:
    """Prints a table."""
    arguments = parser(__doc__)
    add_rig_options(arguments, 10, "3,4,6")
    add_realism_options(arguments)
    arguments.add_argument("--idle", type=Path, nargs="*", default=[], metavar="F.npz", help="people who stand")
    arguments.add_argument("--seconds", type=float, default=20.0)
    arguments.add_argument("--offset", type=float, default=2.0, help="largest offset of a clock, s")
    arguments.add_argument("--rate", type=float, default=1000.0, help="largest deviation of a rate, ppm")
    arguments.add_argument("--mixed-fps", action="store_true", help="cameras of 25, 30 and 60 frames per second")
    arguments.add_argument("--dropped", type=float, default=0.0, metavar="SHARE", help="of the frames")
    args = arguments.parse_args()
    if args.quick:
        args.rigs, args.views, args.seconds = 1, "3", 6.0
    report, table = Report.begin(args), Table(title="Clocks of recorded cameras")
    for column in (
        "person", "views", "found", "median / 95 % ms", "error / sd", "wrong", "rate ppm", "PA ratio", "take ratio",
        "one clock kept",
    ):  # fmt: skip
        table.add_column(column)
    moving = moving_clips(motion_clips(args))
    clips = {"moving": moving, "standing": load_clips(args.idle), "periodic": moving}
    for kind in KINDS if args.idle else KINDS[:1]:
        for views, rows in scores_by_views(score_case, clips[kind], kind, args):
            table.add_row(kind, f"{views} ({len(rows)} rigs)", *cells(report, f"{kind}, {views} views: ", kind, rows))
    Console(width=TABLE_WIDTH).print(table)
    report.finish(args.json)


def cells(report: Report, name: str, kind: str, rows: Sequence[ClockScore]) -> list[str]:
    """Adds the figures of rigs to the report; returns them as text."""
    error_ms = np.abs(np.concatenate([row.error_s for row in rows])) * 1e3
    found = np.isfinite(error_ms)
    wrong = int((error_ms[found] > WRONG_S * 1e3).sum())
    report.add(f"{name}found", "%", [100 * found.mean()])
    report.add(f"{name}wrong", "cameras", [wrong], "0")
    out = [f"{100 * found.mean():.0f} %"]
    if not found.any():
        return [*out, "", "", str(wrong), "", "", "", ""]
    high = float(np.percentile(error_ms[found], 95))
    report.add(f"{name}error", "ms", error_ms[found].tolist(), "≤ 4" if kind == "moving" else "")
    report.add(f"{name}error, 95th percentile", "ms", [high], "≤ 12" if kind == "moving" else "")
    ratio_sd = error_ms[found] / np.maximum(np.concatenate([row.sd_s for row in rows])[found] * 1e3, 1e-3)
    report.add(f"{name}error over standard deviation", "", ratio_sd.tolist())
    rms = float(np.sqrt((ratio_sd**2).mean()))
    out += [f"{np.median(error_ms[found]):.1f} / {high:.1f}", f"{rms:.1f}", str(wrong)]
    rate_ppm = 1e6 * np.abs(np.concatenate([row.rate_error for row in rows]))[found]
    report.add(f"{name}error of the rate", "ppm", rate_ppm.tolist())
    out.append(f"{np.median(rate_ppm):.0f} / {np.percentile(rate_ppm, 95):.0f}")
    if kind != "moving":
        return [*out, "", "", ""]
    kept = sum(row.one_clock_kept for row in rows)
    for figure, ratio in (
        ("PA ratio", [row.pa_mm / row.one_clock_pa_mm for row in rows]),
        ("take ratio", [row.take_mm / row.one_clock_take_mm for row in rows]),
    ):
        report.add(f"{name}{figure}", "", ratio, "≤ 1.05")
        out.append(f"{np.median(ratio):.2f}, at most {max(ratio):.2f}")
    report.add(f"{name}one clock kept", "rigs", [kept], str(len(rows)))
    return [*out, f"{kept} of {len(rows)}"]


if __name__ == "__main__":
    main()
