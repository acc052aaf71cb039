"""Geometry of solved cameras on simulated rigs and real footage, and whether its standard deviations are true.

    python -m benchmarks.accuracy.geometry --motion CMU.npz OPENCAP.npz REACTIDLE.npz --held-out --jobs 2
    python -m benchmarks.accuracy.geometry --motion CMU.npz OPENCAP.npz REACTIDLE.npz --held-out --people 1,2,4
    python -m benchmarks.accuracy.geometry --set real.npz --model full

Simulated: four cameras, focal lengths and lenses unknown; one person walks about in an area of 2 m, and the detector
errs by direction of view. The rig is solved from one pass of ``--seconds``; then the cameras are kept and some time
steps are fused again for the errors of the poses. A row has the median over rigs and the 90th percentile; the value of
a rig is the mean over its cameras, for standard deviations the root mean square. After one similarity for all cameras:
*angle* of the rotation; *after pp*: what is left of it without the offset of the true principal point; *field* of view,
horizontal, with distortion; *centre*, as a share of the cameras' mean distance from their middle. *Sd* is the error
over its stated standard deviation. *Size* is the error of the poses' size where the body height is given. PA is the
error of 12 limb joints after a similarity per time step, *take* after one for all. Rows are named by lenses and number
of cameras.

``--people 1,2,4``: several people walk about in one room and hide each other at times (`benchmarks.accuracy.people`).
Rigs are solved from the keyframes of the first, the first two, … of the same people, with the true data association;
only the cameras are scored.

``--set`` takes references (README.md) that hold detections, too: ``kp2d_MODEL`` (V,T,33,2) px, ``vis_MODEL`` (V,T,33),
``image_size_wh`` (V,2).
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.accuracy.cameras.errors import SolvedCameras, camera_errors
from benchmarks.accuracy.cameras.footage import load_footage, poses_with, solved
from benchmarks.accuracy.cameras.people import solved_together, tasks_of
from benchmarks.accuracy.movement import moving_clips
from benchmarks.accuracy.people.takes import random_room
from benchmarks.accuracy.reference import LIMB
from benchmarks.accuracy.rig_options import add_rig_options, motion_clips, run_in_processes
from benchmarks.accuracy.similarity import global_mm, pa_mm
from benchmarks.accuracy.simulated_rigs import RigTake, rig_take
from benchmarks.contract import Report, parser
from pose_rig.arrays import Floats
from pose_rig.lifting.engine import OrtEngine
from pose_rig.simulation.camera_models import LENS_KINDS
from pose_rig.simulation.cameras import Cameras
from pose_rig.simulation.motion import Clip

AREA_M = 2.0
QUICK_SECONDS = 4.0
TABLE_WIDTH = 190  # characters
SD_TARGET = "0.5–1.6"


@dataclass(frozen=True, slots=True)
class GeometryScore:
    """The score of one rig: means over its cameras, root mean squares of what is over a standard deviation.

    Attributes:
        angle_deg, centred_deg, field_deg, centre_percent: Of the cameras, as in `CameraErrors`.
        angle_sds, focal_sds, centre_sds: Over their standard deviations.
        size_percent: Of the poses; NaN where the body height is not given.
        pa_mm, global_mm: Of the poses; NaN where only cameras are scored.
    """

    angle_deg: float
    centred_deg: float
    field_deg: float
    centre_percent: float
    angle_sds: float
    focal_sds: float
    centre_sds: float
    size_percent: float = np.nan
    pa_mm: float = np.nan
    global_mm: float = np.nan


COLUMNS = {  # of the table: heading, unit, target on simulated rigs
    "angle_deg": ("angle", "°", ""),
    "centred_deg": ("after pp", "°", "≤ 0.4"),
    "field_deg": ("field", "°", "≤ 0.8"),
    "centre_percent": ("centre", "%", "≤ 1.5"),
    "angle_sds": ("angle sd", "sd", SD_TARGET),
    "focal_sds": ("focal sd", "sd", SD_TARGET),
    "centre_sds": ("centre sd", "sd", SD_TARGET),
    "size_percent": ("size", "%", ""),
    "pa_mm": ("PA", "mm", ""),
    "global_mm": ("take", "mm", ""),
}


def score(rig: RigTake, weights: Path) -> GeometryScore | None:
    """Returns the score of a rig, None if it is not solved."""
    estimator = solved(rig, OrtEngine(weights, "cpu"))
    if estimator.calibration is None:
        return None
    poses, truth = poses_with(estimator, rig)
    return replace(
        score_cameras(estimator.calibration, rig.take.cameras),
        size_percent=np.nan if rig.height_m is None else _size_error_percent(poses, truth),
        pa_mm=float(pa_mm(poses[:, LIMB], truth[:, LIMB]).mean()),
        global_mm=global_mm(poses[:, LIMB], truth[:, LIMB]),
    )


def score_cameras(found: SolvedCameras, true: Cameras) -> GeometryScore:
    """Returns the score of solved cameras alone."""
    errors = camera_errors(found, true)
    return GeometryScore(
        angle_deg=_mean(errors.angle_deg),
        centred_deg=_mean(errors.centred_deg),
        field_deg=_mean(errors.field_deg),
        centre_percent=100 * _mean(errors.centre),
        angle_sds=_mean(errors.rotation_sds**2) ** 0.5,
        focal_sds=_mean(errors.focal_sds**2) ** 0.5,
        centre_sds=_mean(errors.centre_sds**2) ** 0.5,
    )


def score_case(
    clips: Sequence[Clip], weights: Path, kind: str, views: int, case: int, args: argparse.Namespace
) -> GeometryScore | None:
    """Returns the score of one simulated rig; ``kind`` is one of `LENS_KINDS`."""
    rng = np.random.default_rng([args.seed, views, case])
    rig = rig_take(clips, views, args.seconds, rng, lenses=kind, biased=args.biased, area_m=args.area)  # type: ignore[arg-type]
    return score(rig, weights)


def score_people(
    clips: Sequence[Clip], weights: Path, kind: str, views: int, case: int, args: argparse.Namespace
) -> list[GeometryScore | None]:
    """Returns the scores of one room, solved from the first people as many as each of ``args.people`` says."""
    counts, engine = [int(number) for number in args.people.split(",")], OrtEngine(weights, "cpu")
    rng = np.random.default_rng([args.seed, views, case])
    room = random_room(clips, max(counts), views, args.seconds, rng, lenses=kind, biased=args.biased)  # type: ignore[arg-type]
    tasks = tasks_of(room.take(), engine)
    found = [solved_together(tasks[:count], engine) for count in counts]
    return [None if isinstance(one, str) else score_cameras(one.cameras, room.cameras) for one in found]


def score_set(path: Path, model: str, weights: Path) -> GeometryScore | None:
    """Returns the score of real footage."""
    return score(load_footage(path, model), weights)


def add_row(report: Report, table: Table, name: str, scores: Sequence[GeometryScore | None], *, real: bool) -> None:
    """Adds the figures of some rigs to the report, and a row to the table."""
    known = [score for score in scores if score is not None]
    report.add(f"{name}: solved", "rigs", [len(known)], str(len(scores)))
    cells = []
    for field, (heading, unit, target) in COLUMNS.items():
        values = [value for score in known if np.isfinite(value := getattr(score, field))]
        if not values:
            cells.append("")
            continue
        figure = report.add(f"{name}: {heading}", unit, values, "" if real else target)
        cells.append(f"{figure.median:.2f}")
        if len(values) > 1:
            high = float(np.percentile(values, 90))
            report.add(f"{name}: {heading}, 90th percentile", unit, [high])
            cells[-1] += f" ({high:.2f})"
    table.add_row(name, f"{len(known)} of {len(scores)}", *cells)


def _size_error_percent(poses: Floats, truth: Floats) -> float:
    """Returns the median error of the size of poses (N,J,3): of the root mean square distance from their middle."""
    size, true_size = (np.linalg.norm(each - each.mean(1, keepdims=True), axis=(1, 2)) for each in (poses, truth))
    return float(100 * abs(np.median(size / true_size) - 1))


def _mean(values: Floats) -> float:
    return float(np.nanmean(values))


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    add_rig_options(arguments, rigs=24, views="4", motion_required=False)
    arguments.add_argument("--lenses", default="one,mixed,wide", metavar="A,B", help=f"of {', '.join(LENS_KINDS)}")
    arguments.add_argument(
        "--biased", action=argparse.BooleanOptionalAction, default=True, help="the detector errs by direction of view"
    )
    arguments.add_argument("--seconds", type=float, default=12.0, help="of movement")
    arguments.add_argument("--area", type=float, default=AREA_M, metavar="M", help="side of the area walked")
    arguments.add_argument("--people", metavar="N,N", help="solve from so many people at once")
    arguments.add_argument("--set", type=Path, nargs="*", default=[], metavar="F.npz", help="real footage")
    arguments.add_argument("--model", default="full,lite", metavar="A,B", help="detections of the real footage")
    args = arguments.parse_args()
    kinds = args.lenses.split(",")
    if (not args.set and not args.motion) or not set(kinds) <= set(LENS_KINDS):
        arguments.error(f"give --motion, --set or both, and --lenses of {', '.join(LENS_KINDS)}")
    if args.quick:
        args.rigs, args.seconds, kinds = 1, QUICK_SECONDS, kinds[:1]
    report, table = Report.begin(args), Table(title="Geometry of solved cameras: medians (90th percentiles)")
    headings = [heading if unit == "sd" else f"{heading} {unit}" for heading, unit, _ in COLUMNS.values()]
    for column in ("", "solved", *headings):
        table.add_column(column, no_wrap=True)
    clips = moving_clips(motion_clips(args)) if args.motion else []
    rows = [(kind, views) for views in map(int, args.views.split(",")) for kind in kinds] if clips else []
    for kind, views in rows:
        cases = [(clips, args.weights, kind, views, case, args) for case in range(args.rigs)]
        if args.people:
            rooms = run_in_processes(score_people, cases, args.jobs)
            for people, scores in zip(args.people.split(","), zip(*rooms, strict=True), strict=True):
                add_row(report, table, f"{kind}, {views}, {people} people", scores, real=False)
        else:
            add_row(report, table, f"{kind}, {views}", run_in_processes(score_case, cases, args.jobs), real=False)
    for path in args.set:
        for model in args.model.split(","):
            add_row(report, table, f"{path.stem}, {model}", [score_set(path, model, args.weights)], real=True)
    Console(width=TABLE_WIDTH).print(table)
    report.finish(args.json)


if __name__ == "__main__":
    main()
