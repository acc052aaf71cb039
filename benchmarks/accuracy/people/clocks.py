"""Clocks of cameras that show several people, on simulated rigs: live, in simulated time, and in files.

    python -m benchmarks.accuracy.people.clocks --motion CMU.npz OPENCAP.npz --people 2,3 --cameras 3,4 --rigs 3

Rooms are those of `benchmarks.accuracy.people`. Their cameras stamp frames late:

- *webcams*: each by 0 to 80 ms;
- *one late*: one of them by another 0.2 to 1 s;
- *step*: as webcams, and after 20 s one of them is 200 ms later;
- *one clock*: all alike; nothing may be changed;
- *files*: those of *one late*, fused in two passes.

*Found* is the time from which on all offsets, relative to the first camera, are right to 30 ms; for a step from the
step on. Errors are those at the end. PA is the mean error of the poses, of seconds 12 to 20 of a live run, each after a
similarity and compared with the person that it resembles most, over that of the same room with one clock that is not
checked; *poses* is their number, over that of the true people.
"""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.accuracy.clock_files import at_times
from benchmarks.accuracy.clocks import Silent
from benchmarks.accuracy.movement import FPS, moving_clips
from benchmarks.accuracy.people.takes import Room, random_room
from benchmarks.accuracy.rig_options import add_motion_options, add_realism_options, motion_clips, run_in_processes
from benchmarks.accuracy.rig_run import LIMB
from benchmarks.accuracy.similarity import pa_mm
from benchmarks.contract import Report, parser
from benchmarks.live.live_clocks import FOUND_S, STEP_AT_S, STEP_S, WEBCAM_S
from benchmarks.live.live_streams import START_NS, Lateness, camera_arrivals, live_steps
from pose_rig.arrays import Floats
from pose_rig.config import CameraConfig, Config
from pose_rig.fusion.clocks import FileClock
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.message_file import MessageFile
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.time_steps import TimeStep, time_steps
from pose_rig.fusion.two_passes import TwoPasses
from pose_rig.lifting.engine import DEFAULT_WEIGHTS, OrtEngine
from pose_rig.simulation.motion import Clip
from pose_rig.simulation.people import detect_people
from pose_rig.wire.messages import Health, Keypoints2D, Message

KINDS = ("webcams", "one late", "step", "one clock", "files")
LATE_S = (0.2, 1.0)
SECONDS, SECONDS_OF_STEP = 20.0, 28.0
SCORED_S = (12.0, 20.0)
WAITING_MS = 1500.0  # for late cameras, so that they are part of the poses that are compared
TABLE_WIDTH = 140


@dataclass(frozen=True, slots=True)
class PeopleClockScore:
    """The result of one room.

    Attributes:
        found_s: Time until the clocks were right, NaN = never; of files 0.
        error_s: (V-1,) errors of the offsets at the end, NaN where they are not known.
        untouched: Whether no offset was ever changed.
        pa_ratio: Error of the poses over that with one clock; NaN of a step.
        poses: Their number over that of the true people, with one clock too.
    """

    found_s: float
    error_s: Floats
    untouched: bool
    pa_ratio: float
    poses: tuple[float, float]


def score_room(
    clips: Sequence[Clip], people: int, views: int, case: int, args: argparse.Namespace
) -> list[PeopleClockScore]:
    """Returns the scores of one room, of each kind."""
    engine, scores = OrtEngine(args.weights, "cpu"), []
    references: dict[bool, tuple[float, float]] = {}  # with one clock, by whether they are files
    for kind in args.kinds.split(","):
        rng = np.random.default_rng([args.seed, people, views, case])
        seconds = SECONDS_OF_STEP if kind == "step" else SECONDS
        room = random_room(clips, people, views, seconds, rng, lenses=args.lenses, biased=args.biased)
        late, one_clock, files = lateness(kind, views, rng), Lateness.constant(np.zeros(views)), kind == "files"
        if kind != "step" and files not in references:
            reference = _of_files(room, one_clock, engine) if files else _live(room, one_clock, engine, follow=False)
            references[files] = _accuracy(room, one_clock, reference.poses)
        wait_ms = WAITING_MS if kind == "one late" else 150.0
        found = _of_files(room, late, engine) if files else _live(room, late, engine, wait_ms)
        one = references.get(files, (np.nan, np.nan))
        scores.append(_score(room, late, found, one if kind != "step" else (np.nan, np.nan)))
    return scores


@dataclass(frozen=True, slots=True)
class ClockRun:
    """A run on one room.

    Attributes:
        offsets: When each of the offsets (V,) was used: s from the start.
        known: (V,) whether the last ones are known.
        poses: Time, ns from the start, offsets and poses of each time step.
    """

    offsets: Sequence[tuple[float, Floats]]
    known: NDArray[np.bool_]
    poses: Sequence[tuple[int, Floats, list[PoseEstimate]]]


def _score(room: Room, late: Lateness, run: ClockRun, one: tuple[float, float]) -> PeopleClockScore:
    pa, poses = _accuracy(room, late, run.poses)
    error_s = np.where(run.known[1:], _error_s(*run.offsets[-1], late), np.nan)
    untouched = not any(offset_s.any() for _, offset_s in run.offsets)
    return PeopleClockScore(_found_s(run.offsets, late), error_s, untouched, pa / one[0], (poses, one[1]))


def lateness(kind: str, views: int, rng: np.random.Generator) -> Lateness:
    """Returns a random lateness of one of `KINDS`."""
    late_s, here = rng.uniform(0, WEBCAM_S, views), np.arange(views) == int(rng.integers(views))
    if kind == "one clock":
        return Lateness.constant(np.zeros(views))
    if kind in ("one late", "files"):
        return Lateness.constant(late_s + here * rng.uniform(*LATE_S))
    if kind == "step":
        return Lateness(late_s, STEP_AT_S, late_s + STEP_S * here)
    return Lateness.constant(late_s)


def arrivals_of(room: Room, late: Lateness) -> list[tuple[int, Message]]:
    """Returns the messages of all cameras, each with frames at times of its own, in order of arrival."""
    rng, found = np.random.default_rng(room.seed), []
    for view in range(len(room.cameras.focal_px)):
        phase = float(rng.uniform(0, 1))
        times_s = np.asarray((np.arange(len(room.joints) - 1) + phase) / FPS, float)
        one = room.cameras.each(lambda values, view=view: values[view : view + 1])  # type: ignore[misc]
        take = detect_people(_true_people(room, times_s), one, FPS, room.seed + view, room.bias)
        found += camera_arrivals(view, phase, one, take.xy_px[0], take.score[0], late, rng)
    return sorted(found, key=lambda pair: pair[0])


def _live(room: Room, late: Lateness, engine: OrtEngine, wait_ms: float = 150.0, *, follow: bool = True) -> ClockRun:
    views = len(room.cameras.focal_px)
    steps = list(live_steps(arrivals_of(room, late), views, engine, wait_ms, follow=follow, people=room.people))
    poses = [(one.step.t_ns - START_NS, one.clocks.offset_s, _tracked(one.step)) for one in steps]
    return ClockRun([(one.time_s, one.clocks.offset_s) for one in steps], np.ones(views, bool), poses)


def _of_files(room: Room, late: Lateness, engine: OrtEngine) -> ClockRun:
    """Returns the second of two passes over the files of the cameras."""
    names = [f"cam{view}" for view in range(len(late.before_s))]
    cameras = tuple(CameraConfig(source="sim", name=name) for name in names)
    estimator = Estimator(Config(camera=cameras, pace="all", passes=2, people=room.people), engine)
    with ExitStack() as stack:
        sources, files = ([stack.enter_context(closing(MessageFile())) for _ in names] for _ in range(2))
        for _arrival_ns, message in arrivals_of(room, late):
            if isinstance(message, Health | Keypoints2D):
                name = message.worker if isinstance(message, Health) else message.camera
                sources[names.index(name)].add(message)
        for source in sources:
            source.rewind()
        passes = TwoPasses(names, files, estimator, Silent(), Event())
        passes.first(sources)
        passes.solve()
        steps = [step for step in time_steps(passes.inputs(), FileClock(), estimator, Event()) if step is not None]
    offset_s = estimator.clocks.offset_s
    poses = [(step.t_ns - START_NS, offset_s, _tracked(step)) for step in steps]
    return ClockRun([(0.0, offset_s)], np.isfinite(estimator.clocks.sd_s), poses)


def _tracked(step: TimeStep) -> list[PoseEstimate]:
    return [pose for pose in (step.pose, *step.others) if pose is not None and pose.tracking]


def _accuracy(
    room: Room, late: Lateness, steps: Sequence[tuple[int, Floats, list[PoseEstimate]]]
) -> tuple[float, float]:
    """Returns the mean error of poses, mm, and how many there are of each true person.

    Args:
        room: The truth.
        late: Of the time stamps.
        steps: Time, ns from the start, clock offsets (V,) and poses of each time step.
    """
    errors, people = [], 0
    for t_ns, offset_s, poses in steps:
        exposure_s = t_ns * 1e-9 - offset_s[0] - late.before_s[0]
        if not SCORED_S[0] <= exposure_s < SCORED_S[1] - 0.2:
            continue
        truth = _true_people(room, np.array([exposure_s]))[0][:, LIMB]
        people += len(truth)
        for pose in poses:
            errors.append(pa_mm(np.tile(pose.xyz[LIMB], (len(truth), 1, 1)), truth).min())
    return float(np.mean(errors)) if errors else np.nan, len(errors) / max(people, 1)


def _true_people(room: Room, times_s: Floats) -> Floats:
    """Returns the people (T,N,J,3) at some times."""
    people = [at_times(room.joints[:, n], 0.0, times_s) for n in range(room.joints.shape[1])]
    return np.stack(people, 1)


def _error_s(time_s: float, offset_s: Floats, late: Lateness) -> Floats:
    """Returns (V-1,) the errors of the offsets relative to the first camera."""
    error_s = offset_s + late.at(time_s)
    return np.asarray(error_s[1:] - error_s[0])


def _found_s(offsets: Sequence[tuple[float, Floats]], late: Lateness) -> float:
    """Returns the time, since the step if there is one, from which on all offsets are right."""
    from_s = late.step_at_s if np.isfinite(late.step_at_s) else 0.0
    found_s = np.nan
    for time_s, offset_s in offsets:
        right = time_s >= from_s and bool(np.abs(_error_s(time_s, offset_s, late)).max() < FOUND_S)
        found_s = np.nan if not right else found_s if np.isfinite(found_s) else time_s - from_s
    return found_s


def main() -> None:
    """Prints a table."""
    arguments = parser(__doc__)
    add_motion_options(arguments)
    add_realism_options(arguments)
    arguments.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, metavar="F.onnx", help="other than shipped")
    arguments.add_argument("--people", default="2,3", metavar="N,N", help="in the room")
    arguments.add_argument("--cameras", default="3,4", metavar="N,N")
    arguments.add_argument("--kinds", default=",".join(KINDS), metavar="A,B", help="of clocks")
    arguments.add_argument("--rigs", type=int, default=3, help="for every number of people and cameras")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--jobs", type=int, default=1, help="rigs at a time")
    args = arguments.parse_args()
    if args.quick:
        args.rigs, args.people, args.cameras, args.kinds = 1, "2", "3", "webcams"
    report, table = Report.begin(args), Table(title="Clocks of cameras that show several people")
    for column in ("clocks", "people, cameras", "found s", "error ms", "untouched", "PA ratio", "poses, one clock"):
        table.add_column(column)
    rows = [
        (people, views) for people in map(int, args.people.split(",")) for views in map(int, args.cameras.split(","))
    ]
    clips = moving_clips(motion_clips(args))
    scores = run_in_processes(
        score_room, [(clips, *row, case, args) for row in rows for case in range(args.rigs)], args.jobs
    )
    for place, kind in enumerate(args.kinds.split(",")):
        for number, (people, views) in enumerate(rows):
            chosen = [room[place] for room in scores[number * args.rigs : (number + 1) * args.rigs]]
            table.add_row(kind, f"{people}, {views}", *cells(report, f"{kind}, {people}, {views}: ", chosen))
    Console(width=TABLE_WIDTH).print(table)
    report.finish(args.json)


def cells(report: Report, name: str, scores: Sequence[PeopleClockScore]) -> list[str]:
    """Adds the figures of rooms to the report; returns them as text."""
    found_s = [one.found_s for one in scores]
    report.add(f"{name}found", "rigs", [int(np.isfinite(found_s).sum())], str(len(scores)))
    error_ms = 1e3 * np.abs(np.concatenate([one.error_s for one in scores]))
    error_ms = error_ms[np.isfinite(error_ms)]
    ratio = [one.pa_ratio for one in scores if np.isfinite(one.pa_ratio)]
    poses, one_poses = (float(np.mean(counts)) for counts in zip(*(one.poses for one in scores), strict=True))
    untouched = sum(one.untouched for one in scores)
    for key, unit, values in (("error", "ms", error_ms.tolist()), ("PA ratio", "", ratio), ("poses", "", [poses])):
        if values:
            report.add(name + key, unit, values)
    times = ", ".join("never" if np.isnan(time) else f"{time:.1f}" for time in sorted(found_s))
    return [
        times,
        f"{np.median(error_ms):.0f}, at most {error_ms.max():.0f}" if len(error_ms) else "",
        f"{untouched} of {len(scores)}",
        f"{np.median(ratio):.2f}, at most {max(ratio):.2f}" if ratio else "",
        f"{poses:.2f}, {one_poses:.2f}",
    ]


if __name__ == "__main__":
    main()
