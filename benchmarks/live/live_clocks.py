"""Clocks of live cameras on simulated rigs, in simulated time: how soon they are found, how exactly, at what cost.

    python -m benchmarks.live.live_clocks --motion CMU.npz OPENCAP.npz --idle REACTIDLE.npz --rigs 6 --jobs 2

Every rig is random, as in `benchmarks.accuracy.self_solve`, with a biased detector. Its cameras stamp frames late:

- *webcams*: each by 0 to 80 ms;
- *one late*: one of them by another 0.3 to 1 s;
- *step*: as webcams, and after 20 s one of them is 200 ms later;
- *one clock*: all alike; nothing may be changed;
- *standing*: as webcams, but the person stands; nothing may be guessed.

*Found* is the time from which on all offsets, relative to the first camera, are right to 30 ms; for a step from the
step on. PA is the mean error of the poses of seconds 10 to 15 after a similarity per time step, over that of the same
rig with one clock which is not checked. Cost is the processor time of all comparisons per second of the run.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.accuracy.clocks import take_of
from benchmarks.accuracy.movement import moving_clips
from benchmarks.accuracy.rig_options import TABLE_WIDTH, add_rig_options, motion_clips, scores_by_views
from benchmarks.accuracy.simulated_rigs import RigTake, rig_take
from benchmarks.contract import Report, parser
from benchmarks.live.live_streams import Lateness, LiveStep, live_run, pa_errors_mm
from pose_rig.arrays import Floats
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.lifting.engine import OrtEngine
from pose_rig.simulation.clips import load_clips
from pose_rig.simulation.motion import Clip

KINDS = ("webcams", "one late", "step", "one clock", "standing")
WEBCAM_S, LATE_S, STEP_S = 0.08, (0.3, 1.0), 0.2
SECONDS, STEP_AT_S, SECONDS_AFTER = 15.0, 20.0, 8.0
FOUND_S = 0.03
CHECKED_AT_S = (10.0, 15.0)
WAITING_MS = 1500.0  # for late cameras, so that they are part of the poses that are compared


@dataclass(frozen=True, slots=True)
class LiveClockScore:
    """The result of one rig.

    Attributes:
        found_s: Time until the clocks were right, NaN = never.
        error_s: (2,V-1) errors of the offsets at `CHECKED_AT_S`.
        untouched: Whether no offset was ever changed.
        pa_ratio: Error of the poses over that with one clock; NaN where it is not compared.
        cost: Processor time per time.
    """

    found_s: float
    error_s: Floats
    untouched: bool
    pa_ratio: float
    cost: float


class Stopwatch:
    """Measures the processor time of what runs in the background."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Returns the result of a function."""
        before = time.process_time()
        result = function(*arguments)
        self.seconds += time.process_time() - before
        return result


def score_case(
    clips: Sequence[Clip], weights: Path, kind: str, views: int, case: int, args: argparse.Namespace
) -> LiveClockScore:
    """Returns the score of one rig."""
    rng = np.random.default_rng([args.seed, views, case])
    seconds = STEP_AT_S + SECONDS_AFTER if kind == "step" else SECONDS
    if kind == "standing":
        rig = take_of(kind, clips, views, seconds, rng)
    else:
        rig = rig_take(clips, views, seconds, rng, biased=True)
    late = lateness(kind, views, rng)
    engine, watch = OrtEngine(weights, "cpu"), Stopwatch()
    wait_ms = WAITING_MS if kind == "one late" else 150.0
    steps = list(live_run(rig, late, engine, case, wait_ms, background=BackgroundCompute(run=watch.run)))
    pa_ratio = np.nan
    if kind in ("webcams", "one late", "one clock"):
        none = Lateness.constant(np.zeros(views))
        one = list(live_run(rig, none, engine, case, follow=False))
        pa_ratio = _late_pa(rig, late, steps) / _late_pa(rig, none, one)
    error_s = np.stack([_error_s(_at(steps, time_s), late) for time_s in CHECKED_AT_S])
    untouched = not any(step.clocks.offset_s.any() for step in steps)
    return LiveClockScore(_found_s(steps, late), error_s, untouched, pa_ratio, watch.seconds / seconds)


def lateness(kind: str, views: int, rng: np.random.Generator) -> Lateness:
    """Returns a random lateness of one of `KINDS`."""
    late_s, view = rng.uniform(0, WEBCAM_S, views), int(rng.integers(views))
    here = np.arange(views) == view
    if kind == "one clock":
        return Lateness.constant(np.zeros(views))
    if kind == "one late":
        return Lateness.constant(late_s + here * rng.uniform(*LATE_S))
    if kind == "step":
        return Lateness(late_s, STEP_AT_S, late_s + STEP_S * here)
    return Lateness.constant(late_s)


def _late_pa(rig: RigTake, late: Lateness, steps: Sequence[LiveStep]) -> float:
    return float(np.nanmean(pa_errors_mm(rig, late, [step for step in steps if 10.0 <= step.time_s < 15.0])))


def _at(steps: Sequence[LiveStep], time_s: float) -> LiveStep:
    return min(steps, key=lambda step: abs(step.time_s - time_s))


def _error_s(step: LiveStep, late: Lateness) -> Floats:
    """Returns (V-1,) the errors of the offsets relative to the first camera."""
    error_s = step.clocks.offset_s + late.at(step.time_s)
    return np.asarray(error_s[1:] - error_s[0])


def _found_s(steps: Sequence[LiveStep], late: Lateness) -> float:
    """Returns the time, since the step if there is one, from which on all offsets are right."""
    from_s = late.step_at_s if np.isfinite(late.step_at_s) else 0.0
    found_s = np.nan
    for step in steps:
        right = step.time_s >= from_s and bool(np.abs(_error_s(step, late)).max() < FOUND_S)
        found_s = np.nan if not right else found_s if np.isfinite(found_s) else step.time_s - from_s
    return found_s


def main() -> None:
    """Prints a table."""
    arguments = parser(__doc__)
    add_rig_options(arguments, 6, "3,4")
    arguments.add_argument("--idle", type=Path, nargs="*", default=[], metavar="F.npz", help="people who stand")
    arguments.add_argument("--kinds", default=",".join(KINDS), metavar="A,B", help="of clocks")
    args = arguments.parse_args()
    if args.quick:
        args.rigs, args.views, args.kinds = 1, "3", "webcams"
    report, table = Report.begin(args), Table(title="Clocks of live cameras")
    for column in ("clocks", "views", "found s", "10 s: ms", "15 s: ms", "untouched", "PA ratio", "cost"):
        table.add_column(column)
    moving, idle = moving_clips(motion_clips(args)), load_clips(args.idle)
    for kind in args.kinds.split(","):
        if kind == "standing" and not idle:
            continue
        for views, rows in scores_by_views(score_case, idle if kind == "standing" else moving, kind, args):
            table.add_row(kind, f"{views} ({len(rows)} rigs)", *cells(report, f"{kind}, {views} views: ", kind, rows))
    Console(width=TABLE_WIDTH).print(table)
    report.finish(args.json)


def cells(report: Report, name: str, kind: str, rows: Sequence[LiveClockScore]) -> list[str]:
    """Adds the figures of rigs to the report; returns them as text."""
    untouched, cost = sum(row.untouched for row in rows), [row.cost for row in rows]
    report.add(f"{name}cost", "", cost)
    cost_text = f"{np.median(cost):.2f}, at most {max(cost):.2f}"
    out = ["", "", "", f"{untouched} of {len(rows)}", "", cost_text]
    ratio = [row.pa_ratio for row in rows]
    if np.isfinite(ratio).all():
        report.add(f"{name}PA ratio", "", ratio, "≤ 1.05")
        out[4] = f"{np.median(ratio):.2f}, at most {max(ratio):.2f}"
    if kind in ("one clock", "standing"):
        report.add(f"{name}untouched", "rigs", [untouched], str(len(rows)))
        return out
    found_s = np.array([row.found_s for row in rows])
    limit_s = 5.0 if kind == "step" else 10.0
    report.add(f"{name}found within {limit_s:g} s", "%", [100 * float(np.mean(found_s <= limit_s))], "100")
    known = found_s[np.isfinite(found_s)]
    out[0] = (
        f"{np.median(known):.1f}, at most {known.max():.1f}, never {len(rows) - len(known)}" if len(known) else "never"
    )
    for column, which in enumerate(CHECKED_AT_S):
        error_ms = 1e3 * np.abs(np.concatenate([row.error_s[column] for row in rows]))
        report.add(f"{name}error after {which:g} s", "ms", error_ms.tolist())
        out[1 + column] = f"{np.median(error_ms):.1f}, 95 % {np.percentile(error_ms, 95):.0f}"
    return out


if __name__ == "__main__":
    main()
