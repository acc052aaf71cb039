"""Several people in one room, simulated: data association, identities, and accuracy compared with each person alone.

    python -m benchmarks.accuracy.people --motion CMU.npz --people 2,3,4 --cameras 4,6 --rigs 3 --seconds 20

Every room is random: people of 1.5–1.95 m walk about on paths that cross (pelvises 0.4 m apart at least), rigs as of
`accuracy.self_solve`, and detections with the measured noise, of which joints behind other people are left out,
guessed, or attracted by these people, and people are missed or merge with others; their order says nothing
(`pose_rig/simulation/people.py`). The rig gets one time step after the other and solves inline.

*Right*: detections that poses use and that show the person that most detections of that identity show over the take, in
the solved rig; *unsolved*: before it is solved, from 3 s on; *views agree*: of the same time steps, detections of the
person that most detections of their pose show, whichever person the identity follows; *later*: all from 3 s on.
*Switches*: changes of the person of an identity, in a window of 1 s, in the solved rig, per 10 minutes; *early*: others
from 3 s on. *Tracked*: share of the person-time of the solved rig. PA: 12 limb joints after a similarity per pose; its
ratio to the same person alone in the same room, by median and worst person; and its ratio to a rig that gets the true
detections of that person only (*to true*): what data association and the cameras contribute, without what others hide.
*Place*: joint error after one similarity for all people and the whole take, and its ratio to that of the people alone.
*Solved*: time, and its ratio to that of one person. Values are medians over rigs, with the worst.

*PCP*: percentage of correct parts (`parts`), of all people from the first frame on, each with one identity for the
take; *calibrated*: of the same detections with the true cameras and data association. *Camera angle*, *field of view*,
*centres*: as `accuracy.geometry` defines them, angles after the principal point.

``--scene working``: people stand around something, 0.4–1 m from each other, work and walk a little, before cameras of
1032 × 776 pixels at 25 frames/s in the corners of a room; the detector has COCO's landmarks, misses people for seconds,
draws two skeletons for one person, and takes reflections and coats for people
(`pose_rig/simulation/detector_faults.py`).

``--case`` shows rigs second by second. ``--cache`` keeps rooms, and what single people reach; delete it to measure
these again.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.accuracy.people.cases import run_case, score_case
from benchmarks.accuracy.people.score import PeopleScore
from benchmarks.accuracy.people.takes import SCENES
from benchmarks.accuracy.rig_options import add_motion_options, add_realism_options, motion_clips, run_in_processes
from benchmarks.contract import Report, parser
from pose_rig.lifting.engine import DEFAULT_WEIGHTS

TABLE_WIDTH = 160  # characters
COLUMNS = {  # heading: unit, decimal places, target, whether the worst is the smallest
    "right": ("%", 1, "≥ 99", True),
    "unsolved": ("%", 1, "≥ 95", True),
    "views agree": ("%", 1, "≥ 95", True),
    "later": ("%", 1, "", True),
    "switches": ("/10 min", 0, "≤ 1", False),
    "tracked": ("%", 1, "", True),
    "PA": ("mm", 1, "", False),
    "PA ratio": ("", 2, "≤ 1.1", False),
    "worst person": ("", 2, "", False),
    "to true": ("", 2, "", False),
    "place": ("mm", 0, "", False),
    "place ratio": ("", 2, "", False),
    "solved after": ("s", 1, "", False),
    "solved ratio": ("", 2, "≤ 1", False),
    "PCP": ("%", 1, "", True),
    "PCP worst person": ("%", 1, "", True),
    "PCP calibrated": ("%", 1, "", True),
    "camera angle": ("°", 2, "", False),
    "field of view": ("°", 2, "", False),
    "centres": ("%", 1, "", False),
    "step": ("ms", 1, "", False),
    "alone": ("ms", 1, "", False),
}
HEADINGS = (
    "rigs solved",
    *(f"{heading} {unit}".rstrip() for heading, (unit, *_) in COLUMNS.items()),
    "early switches",
    "mirrored",
)


def add_figures(report: Report, name: str, scores: Sequence[PeopleScore]) -> list[str]:
    """Adds the figures of some rooms to the report; returns the cells of the table, of all of `HEADINGS`."""
    solved = sum(one.solved_s is not None for one in scores)
    report.add(f"{name}: solved", "rigs", [solved], str(len(scores)))
    cells = [f"{solved} of {len(scores)}"]
    for heading, (unit, places, target, low) in COLUMNS.items():
        values = [value for one in scores if np.isfinite(value := value_of(one, heading))]
        if not values:
            cells.append("")
            continue
        figure = report.add(f"{name}: {heading}", unit, values, target)
        worst = min(values) if low else max(values)
        cells.append(f"{figure.median:.{places}f}" + (f" ({worst:.{places}f})" if len(values) > 1 else ""))
    for field in ("early_switches", "mirrored"):
        count = sum(getattr(one, field) for one in scores)
        report.add(f"{name}: {field.replace('_', ' ')}", "", [count], "0" if field == "mirrored" else "")
        cells.append(str(count))
    return cells


def value_of(one: PeopleScore, heading: str) -> float:
    """Returns the value of a column; NaN without one."""
    ratios, separate = (ratio[np.isfinite(ratio)] for ratio in (one.pa_ratio, one.separate_ratio))
    values = {
        "right": one.solved_percent,
        "unsolved": one.unsolved_percent,
        "views agree": one.views_percent,
        "later": one.later_percent,
        "switches": one.switches_per_10_min,
        "tracked": one.tracked_percent,
        "PA": one.pa_mm,
        "PA ratio": float(np.median(ratios)) if len(ratios) else np.nan,
        "worst person": float(ratios.max()) if len(ratios) else np.nan,
        "to true": float(np.median(separate)) if len(separate) else np.nan,
        "place": one.place_mm,
        "place ratio": one.place_ratio,
        "solved after": np.nan if one.solved_s is None else one.solved_s,
        "solved ratio": one.solved_ratio,
        "PCP": float(one.pcp_percent.mean()),
        "PCP worst person": float(one.pcp_percent.min()),
        "PCP calibrated": float(one.calibrated_percent.mean()),
        "camera angle": one.angle_deg,
        "field of view": one.field_deg,
        "centres": one.centre_percent,
        "step": one.step_ms,
        "alone": one.step_ms_alone,
    }
    return values[heading]


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    add_motion_options(arguments)
    add_realism_options(arguments, None)
    arguments.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, metavar="F.onnx", help="other than shipped")
    arguments.add_argument("--scene", choices=SCENES, default="walking", help="what people do; lenses and rate of it")
    arguments.add_argument("--fps", type=float, metavar="N", help="frames per second, other than those of the scene")
    arguments.add_argument(
        "--passes", type=int, choices=(1, 2), default=1, help="2 = as of files; the second is scored"
    )
    arguments.add_argument("--people", default="2,3,4", metavar="N,N", help="how many are tracked")
    arguments.add_argument("--cameras", default="4,6", metavar="N,N")
    arguments.add_argument("--rigs", type=int, default=3, help="for every number of people and cameras")
    arguments.add_argument("--case", type=int, metavar="N", help="this rig only, second by second")
    arguments.add_argument("--seconds", type=float, default=20.0, help="of movement")
    arguments.add_argument("--bystanders", type=int, default=0, metavar="N", help="others, who stand around")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--jobs", type=int, default=1, help="rigs at a time")
    arguments.add_argument(
        "--alone",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compare with each person alone, and separately",
    )
    arguments.add_argument("--cache", type=Path, metavar="DIR", help="keep rooms and results of single people there")
    arguments.add_argument(
        "--keypoints", type=Path, metavar="F.npz", help="write the detections: F_PEOPLE_CAMERAS_RIG.npz"
    )
    args = arguments.parse_args()
    if args.quick:
        args.rigs, args.people, args.cameras, args.seconds = 1, "2", "3", 4.0
    if args.cache:
        args.cache.mkdir(parents=True, exist_ok=True)
    clips = SCENES[args.scene].clips(motion_clips(args))
    report, table = Report.begin(args), Table("", title="Several people: medians over rigs (worst)")
    rows = [
        (people, views) for people in map(int, args.people.split(",")) for views in map(int, args.cameras.split(","))
    ]
    chosen = range(args.rigs) if args.case is None else [args.case]
    cases = [(clips, *row, case, args) for row in rows for case in chosen]
    console = Console(width=TABLE_WIDTH)
    if args.case is None:
        scores = run_in_processes(score_case, cases, args.jobs)
    else:
        scores, seconds = map(list, zip(*(run_case(*one) for one in cases), strict=True))
        console.print(*seconds)
    columns = []
    for number, (people, views) in enumerate(rows):
        table.add_column(f"{people} people, {views} cameras")
        chosen_scores = scores[number * len(chosen) : (number + 1) * len(chosen)]
        columns.append(add_figures(report, f"{people}, {views}", chosen_scores))
    for heading, *cells in zip(HEADINGS, *columns, strict=True):
        table.add_row(heading, *cells)
    console.print(table)
    report.finish(args.json)


if __name__ == "__main__":
    main()
