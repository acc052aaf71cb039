"""Accuracy of the rig on real footage with a reference, and on simulated takes.

    python -m benchmarks.accuracy.real_footage --cams a.mp4,b.mp4,c.mp4,d.mp4 --reference ref.npz
    python -m benchmarks.accuracy.real_footage --motion clips.npz --held-out

Real footage is fused with `pose-rig run --pace all`, and compared with robust triangulation of the same detections with
the true cameras: the ratios are ours, of the better of streamed and raw poses, over that. Simulated takes are fused
with several methods: one view lifted (mean of the views), the mean of the lifts, the paper's vote (then lifted again,
and the mean), and the rig's fusion cold, settled and with the true rotations, over the same time steps: those at which
the rig was settled. PA-MPJPE is the error of 12 limb joints in mm after a similarity, JDR the fraction of limb joints
within 3 % of the person's height in that view. Quartiles are over time steps for real footage, over takes for simulated
ones.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.accuracy.poses_score import PosesScore, score_poses
from benchmarks.accuracy.reference import LIMB, Reference, detected
from benchmarks.accuracy.rig_options import add_motion_options, motion_clips
from benchmarks.accuracy.similarity import pa_mm
from benchmarks.accuracy.variants import FusedPoses, fuse_with_all_methods
from benchmarks.contract import Report, parser
from pose_rig.lifting.engine import DEFAULT_WEIGHTS, OrtEngine
from pose_rig.simulation.motion import Clip
from pose_rig.simulation.takes import simulate

RUN = (sys.executable, "-m", "pose_rig.tools.cli.app", "run", "--pace", "all", "--headless", "--port", "0", "--force")
METHODS = ("detector", "one view", "mean of lifts", "vote", "SP cold", "SP settled", "SP true")
MIN_CLIP_S = 4.0  # shorter clips rarely settle


def real(report: Report, args: argparse.Namespace, folder: Path) -> None:
    """Fuses videos or keypoint files and, given a reference, adds their score to the report."""
    poses = args.save or folder / "poses.npz"
    options = ["--cams", args.cams, "--save", str(poses), "--model", args.model]
    options += ["--weights", str(args.weights)] if args.weights else []
    options += ["--passes", str(args.passes)] if args.passes != 1 else []
    subprocess.run([*RUN, *options], check=True)
    if not args.reference:
        return
    add_figures(report, score_poses(poses, Reference.load(args.reference), args.frames))


def add_figures(report: Report, score: PosesScore) -> None:
    """Adds the figures of real footage to the report."""
    known = np.isfinite(score.streamed.pa_mm)
    report.add("PA-MPJPE", "mm", score.streamed.pa_mm[known].tolist())
    report.add("PA-MPJPE, mean", "mm", [score.streamed.mean_pa_mm])
    report.add("PA-MPJPE before smoothing, mean", "mm", [score.raw.mean_pa_mm])
    for mode in sorted(set(score.mode[known].tolist())):
        in_mode = known & (score.mode == mode)
        report.add(f"PA-MPJPE while {mode}, mean", "mm", [score.streamed.pa_mm[in_mode].mean()])
        report.add(f"time steps {mode}", "%", [100 * in_mode.sum() / known.sum()])
    report.add("PA-MPJPE calibrated, mean", "mm", [score.calibrated.mean_pa_mm])
    report.add("ratio_pa, to calibrated", "", [score.ratio_pa])
    report.add("error after one similarity", "mm", [score.streamed.global_mm])
    report.add("error after one similarity, before smoothing", "mm", [score.raw.global_mm])
    report.add("error after one similarity, calibrated", "mm", [score.calibrated.global_mm])
    report.add("ratio_global, to calibrated", "", [score.ratio_global])
    report.add("JDR detector, views", "%", score.jdr_detector.tolist())
    report.add("JDR refined, views", "%", score.jdr_refined.tolist())


def frame_range(text: str) -> tuple[int, int]:
    """Returns (A, B) of ``A:B``.

    Raises:
        ValueError: The text has another format.
    """
    first, _, end = text.partition(":")
    return int(first), int(end)


def simulated(report: Report, args: argparse.Namespace, clips: list[Clip]) -> None:
    """Fuses simulated takes with all methods, and adds their scores to the report."""
    engine = OrtEngine(args.weights or DEFAULT_WEIGHTS, "cpu")
    long_clips = [clip for clip in clips if len(clip.joints) / clip.fps >= MIN_CLIP_S] or clips
    chosen = np.random.default_rng(args.seed).permutation(len(long_clips))[: args.takes].tolist()
    table = Table("views", *METHODS, title="Simulated takes: PA-MPJPE in mm (JDR in %), medians over the takes")
    for views in map(int, args.views.split(",")):
        takes = [simulate(long_clips[i], views, args.seconds, np.random.default_rng([args.seed, i])) for i in chosen]
        scores = [score_take(list(fuse_with_all_methods(take, engine))) for take in takes]
        table.add_row(str(views), *(_cell(report, f"{views} views, {method}", method, scores) for method in METHODS))
    Console().print(table)


def score_take(poses: list[FusedPoses]) -> dict[str, float]:
    """Returns the mean PA-MPJPE in mm (``method``) and JDR in percent (``method, JDR``) of a take, by method."""
    values: defaultdict[str, list[float]] = defaultdict(list)
    single_view = all(len(pose.truth_px) == 1 for pose in poses)  # one view never settles
    for pose in poses:
        if not (pose.settled or single_view):
            continue
        for method, bodies in pose.bodies.items():
            values[method].append(float(pa_mm(bodies[:, LIMB], pose.truth[None, LIMB]).mean()))
        for method, xy_px in pose.xy_px.items():
            values[f"{method}, JDR"].append(100 * float(detected(xy_px, pose.truth_px).mean()))
    return {name: float(np.mean(row)) for name, row in values.items()}


def _cell(report: Report, name: str, method: str, scores: list[dict[str, float]]) -> str:
    """Adds the figures of one method to the report; returns the cell of the table."""
    errors_mm = [score[method] for score in scores if method in score]
    jdr = [score[f"{method}, JDR"] for score in scores if f"{method}, JDR" in score]
    cell = f"{report.add(f'{name}: PA-MPJPE', 'mm', errors_mm).median:.1f}" if errors_mm else ""
    return cell + (f" ({report.add(f'{name}: JDR', '%', jdr).median:.1f})" if jdr else "")


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--cams", metavar="A,B,…", help="videos or a keypoint file, as for `pose-rig run`")
    arguments.add_argument("--reference", type=Path, metavar="F.npz", help="true poses and cameras (README.md)")
    arguments.add_argument("--frames", type=frame_range, metavar="A:B", help="only these frames of the reference")
    arguments.add_argument("--passes", type=int, choices=(1, 2), default=1, help="2 = solve the rig, then fuse with it")
    arguments.add_argument("--save", type=Path, metavar="F.npz", help="keep the poses there")
    arguments.add_argument("--model", default="full")
    arguments.add_argument("--weights", type=Path, metavar="F.onnx", help="other than those shipped")
    add_motion_options(arguments, required=False)
    arguments.add_argument("--views", default="1,2,3,4,6", metavar="N,N")
    arguments.add_argument("--takes", type=int, default=16, help="simulated takes for every number of views")
    arguments.add_argument("--seconds", type=float, default=8.0, help="length of a take at most")
    arguments.add_argument("--seed", type=int, default=0)
    args = arguments.parse_args()
    if not args.cams and not args.motion:
        arguments.error("give --cams, --motion or both")
    if args.quick:
        args.views, args.takes, args.seconds = "1,2", 1, 4.0
    report = Report.begin(args)
    if args.cams:
        with tempfile.TemporaryDirectory() as folder:
            real(report, args, Path(folder))
    if args.motion:
        simulated(report, args, motion_clips(args))
    report.finish(args.json)


if __name__ == "__main__":
    main()
