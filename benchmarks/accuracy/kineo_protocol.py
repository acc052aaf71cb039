"""The columns of Kineo's evaluation, for sequences of Human3.6M or EgoHumans, or on Human3.6M's camera geometry.

    python -m benchmarks.accuracy.kineo_protocol --set S9_Walking.npz S11_Walking.npz --model full
    python -m benchmarks.accuracy.kineo_protocol --motion CMU.npz OPENCAP.npz REACTIDLE.npz --held-out --jobs 2

Definitions as in Kineo (Javerliat, Raimbaud, Lavoué, arXiv 2510.24464, and its published evaluation): *AE*, angle of
the rotations after the one rotation that aligns all of them; *TE* and *s-TE*, distances of the camera centres after a
rigid motion and after a similarity; *vFoV*, error of the vertical field of view 2 atan(h / 2f); *W-MPJPE*, error of the
joints, metric, after that rotation and the mean of the centres; *PA-MPJPE*, after a similarity per frame. A sequence is
a mean over cameras or over frames and joints, all 17 of them; the table has means over sequences and, in brackets,
medians.

``--set``: one file per sequence, README.md has the format and how it is made from the files of a dataset. ``--motion``:
random people walk in an area of ``--area`` metres between Human3.6M's four cameras, with detections as in
`benchmarks.accuracy.geometry`; without and with their body height, which gives the metric scale.
"""

import argparse
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.accuracy.cameras.errors import SolvedCameras
from benchmarks.accuracy.cameras.footage import load_footage, poses_with, solved
from benchmarks.accuracy.movement import FPS, moving_clips
from benchmarks.accuracy.rig_options import TABLE_WIDTH, add_rig_options, motion_clips, run_in_processes
from benchmarks.accuracy.similarity import Similarity, pa_mm
from benchmarks.accuracy.simulated_rigs import RigTake, detections_of, random_bias, random_person
from benchmarks.contract import Report, parser
from pose_rig.arrays import Floats
from pose_rig.geometry import nearest_rotation, rotation_from_vector
from pose_rig.lifting.engine import OrtEngine
from pose_rig.simulation.cameras import Cameras
from pose_rig.simulation.lenses import Lenses
from pose_rig.simulation.motion import Clip
from pose_rig.simulation.takes import Take

# Human3.6M (Ionescu et al., PAMI 2014), subject S9, rounded; as published with VideoPose3D (common/h36m_dataset.py),
# from z up to y up. One line per camera: focal length, principal point px; k1 k2 p1 p2 k3; position m; rotation vector.
FOCAL_AND_CENTRE_PX = ((1144.4, 512.5, 515.5), (1148.6, 508.8, 508.1), (1149.0, 519.8, 501.4), (1145.1, 515.0, 501.9))
DISTORTION = (
    (-0.2071, 0.2478, -0.00098, -0.00142, -0.0031), (-0.1942, 0.2404, -0.00162, -0.00274, 0.0068),
    (-0.2083, 0.2555, 0.00148, -0.00076, -0.0025), (-0.1984, 0.2183, -0.00059, -0.00181, -0.0089),
)  # fmt: skip
POSITION_M = ((2.044, 1.481, -4.935), (1.991, 1.569, 5.124), (-1.671, 1.528, -5.212), (-1.696, 1.591, 3.827))
ROTATION_VECTOR = (
    (-0.6906, -0.2960, 3.0503), (-2.8854, -0.0459, 0.5441), (-0.5996, 0.3524, -3.0591), (-2.8034, -0.0106, -0.5947),
)  # fmt: skip
SIZE_PX = (1000.0, 1000.0)
POSE_HZ = 10.0  # as scored by Kineo
QUICK_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class ProtocolScore:
    """The columns of one sequence.

    Attributes:
        w_mpjpe_mm, pa_mpjpe_mm: Of the poses.
        te_m, s_te_m: Of the camera centres; s_te_m is not defined for fewer than three cameras (NaN).
        ae_deg, vfov_deg: Of the cameras.
    """

    w_mpjpe_mm: float
    pa_mpjpe_mm: float
    te_m: float
    s_te_m: float
    ae_deg: float
    vfov_deg: float


HEADINGS = {
    "w_mpjpe_mm": ("W-MPJPE", "mm"), "pa_mpjpe_mm": ("PA-MPJPE", "mm"), "te_m": ("TE", "m"), "s_te_m": ("s-TE", "m"),
    "ae_deg": ("AE", "°"), "vfov_deg": ("vFoV", "°"),
}  # fmt: skip


def human36m_cameras() -> Cameras:
    """Returns the four cameras of Human3.6M, in a room with y up."""
    intrinsics = np.array(FOCAL_AND_CENTRE_PX)
    size_px = np.tile(SIZE_PX, (len(intrinsics), 1))
    lenses = Lenses(intrinsics[:, 1:] - 0.5 * size_px, np.array(DISTORTION), np.ones(len(intrinsics)))
    rotation = rotation_from_vector(np.array(ROTATION_VECTOR))
    return Cameras(rotation, np.array(POSITION_M), intrinsics[:, 0], size_px, lenses)


def protocol_score(cameras: SolvedCameras, true: Cameras, poses: Floats, truth: Floats) -> ProtocolScore:
    """Returns the score of solved cameras, all of them known, and of poses (N,J,3) m in their frame."""
    true_from_rig = nearest_rotation(np.einsum("vji,vjk->ik", true.rotation, cameras.rotation))
    rigid = _rigid(cameras.centre, true.position)
    similar = Similarity.fit(cameras.centre, true.position)
    by_rotations = Similarity(1.0, true_from_rig, true.position.mean(0) - true_from_rig @ cameras.centre.mean(0))
    chord = np.linalg.norm(cameras.rotation @ true_from_rig.T - true.rotation, axis=(1, 2)) / np.sqrt(8)

    def field(focal_px: Floats) -> Floats:
        return np.asarray(2 * np.degrees(np.arctan(true.size_px[:, 1] / (2 * focal_px))))

    def distance(aligned: Similarity) -> float:
        return float(np.linalg.norm(aligned(cameras.centre) - true.position, axis=-1).mean())

    return ProtocolScore(
        w_mpjpe_mm=float(1e3 * np.linalg.norm(by_rotations(poses) - truth, axis=-1).mean()),
        pa_mpjpe_mm=float(pa_mm(poses, truth).mean()),
        te_m=distance(rigid),
        s_te_m=distance(similar) if len(true.position) > 2 else np.nan,
        ae_deg=float(np.degrees(2 * np.arcsin(np.clip(chord, 0, 1))).mean()),
        vfov_deg=float(np.abs(field(cameras.focal_px) - field(true.focal_px)).mean()),
    )


def _rigid(points: Floats, truth: Floats) -> Similarity:
    """Returns the least-squares rotation and translation from points (N,3) to the truth (N,3)."""
    rotation = Similarity.fit(points, truth).rotation
    return Similarity(1.0, rotation, truth.mean(0) - rotation @ points.mean(0))


def score(rig: RigTake, weights: Path) -> ProtocolScore | None:
    """Returns the score of one sequence, None if not all cameras are solved."""
    estimator = solved(rig, OrtEngine(weights, "cpu"))
    cameras = estimator.calibration
    if cameras is None or not cameras.known.all():
        return None
    return protocol_score(cameras, rig.take.cameras, *poses_with(estimator, rig, POSE_HZ))


def score_set(path: Path, model: str, weights: Path) -> ProtocolScore | None:
    """Returns the score of a sequence in a file."""
    return score(load_footage(path, model), weights)


def score_case(
    clips: Sequence[Clip], weights: Path, case: int, height_given: bool, args: argparse.Namespace
) -> ProtocolScore | None:
    """Returns the score of one simulated person, whose body height is given or not."""
    rng = np.random.default_rng([args.seed, case])
    return score(simulated(clips, rng, args, height_given=height_given), weights)


def simulated(
    clips: Sequence[Clip], rng: np.random.Generator, args: argparse.Namespace, *, height_given: bool
) -> RigTake:
    """Returns the take of a random person between the cameras of Human3.6M."""
    people, height_m = random_person(clips, args.seconds, rng, args.area)
    people = people - people[:, 0].mean(0) * np.array([1.0, 0.0, 1.0])
    cameras = human36m_cameras()
    bias = random_bias(rng) if args.biased else None
    take = Take(*detections_of(people, cameras, rng, bias), FPS, people, cameras)
    return RigTake(take, height_m, height_m if height_given else None, bias)


def add_row(report: Report, table: Table, name: str, scores: Sequence[ProtocolScore | None]) -> None:
    """Adds the figures of some sequences to the report, and a row to the table."""
    known = np.array([astuple(score) for score in scores if score is not None]).reshape(-1, len(HEADINGS))
    report.add(f"{name}: solved", "sequences", [len(known)], str(len(scores)))
    cells = []
    for (heading, unit), values in zip(HEADINGS.values(), known.T, strict=True):
        values = values[np.isfinite(values)]
        if not len(values):
            cells.append("")
            continue
        report.add(f"{name}: {heading}", unit, values.tolist())
        mean = report.add(f"{name}: {heading}, mean", unit, [float(values.mean())]).median
        cells.append(f"{mean:.3g} ({np.median(values):.3g})")
    table.add_row(name, f"{len(known)} of {len(scores)}", *cells)


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    add_rig_options(arguments, rigs=12, views="4", motion_required=False)
    arguments.add_argument(
        "--biased", action=argparse.BooleanOptionalAction, default=True, help="the detector errs by direction of view"
    )
    arguments.add_argument("--seconds", type=float, default=20.0, help="of simulated movement")
    arguments.add_argument("--area", type=float, default=3.0, metavar="M", help="side of the area walked")
    arguments.add_argument("--set", type=Path, nargs="*", default=[], metavar="F.npz", help="sequences")
    arguments.add_argument("--model", default="full", help="detections of the sequences")
    args = arguments.parse_args()
    if not args.set and not args.motion:
        arguments.error("give --motion, --set or both")
    if args.quick:
        args.rigs, args.seconds = 1, QUICK_SECONDS
    report, table = Report.begin(args), Table(title="Kineo's protocol: means over sequences (medians)")
    for column in ("", "solved", *(f"{heading} {unit}" for heading, unit in HEADINGS.values())):
        table.add_column(column)
    if args.set:
        files = [(path, args.model, args.weights) for path in args.set]
        add_row(report, table, f"{len(files)} files, {args.model}", run_in_processes(score_set, files, args.jobs))
    clips = moving_clips(motion_clips(args)) if args.motion else []
    for given in (False, True) if clips else ():
        cases = [(clips, args.weights, case, given, args) for case in range(args.rigs)]
        name = f"Human3.6M's cameras, height {'given' if given else 'unknown'}"
        add_row(report, table, name, run_in_processes(score_case, cases, args.jobs))
    Console(width=TABLE_WIDTH).print(table)
    report.finish(args.json)


if __name__ == "__main__":
    main()
