"""Errors of the depths that MediaPipe estimates, against a reference, in units of the 2D pose's norm (about 2 m).

    python -m benchmarks.training.detector_depths --cams a.mp4,b.mp4,c.mp4,d.mp4 --reference ref.npz
    python -m benchmarks.training.detector_depths --reference ref.npz --model heavy

Arguments as of `benchmarks.accuracy.world_landmarks`. Depths are along the viewing ray, relative to the pelvis. Only
time steps at which the right person is detected count. "Wrong side": estimated in front of the pelvis and truly behind
it, or the reverse.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.reference import LIMB, Reference
from benchmarks.accuracy.world_landmarks import QUICK_FRAMES, View, detect_videos, stored
from benchmarks.contract import Report, parser
from pose_rig.arrays import Floats
from pose_rig.skeleton import JOINTS
from pose_rig.training.footage.dataset import lifter_input

PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
EDGES = (0.0, 0.05, 0.1, 0.2, 0.4)  # of the absolute true depth


@dataclass(frozen=True, slots=True)
class Depths:
    """Depths of limb joints, in units of the 2D norm.

    Attributes:
        estimated: (N,L).
        true: (N,L).
    """

    estimated: Floats
    true: Floats

    def at(self, which: NDArray[np.bool_]) -> "Depths":
        """Returns some of them as (M,)."""
        return Depths(self.estimated[which], self.true[which])


def depths(view: View, number: int, truth: Reference) -> Depths:
    """Returns the depths of one camera, where it detects the right person."""
    covered, joints, truth_px = truth.at(view.t_ns)
    given = lifter_input(view.footage().at(covered), "ray")
    local = joints @ truth.cameras[number, :, :3].T
    true = np.einsum("tij,tkj->tki", given.view_from_camera[:, 0], local - local[:, :1])
    true_depth = true[..., 2] / np.linalg.norm(true[..., :2], axis=(1, 2))[:, None]
    estimated = given.depth[:, 0]
    used = view.is_right_person(covered, truth_px[number]) & np.isfinite(estimated[:, LIMB]).all(1)
    return Depths(estimated[used][:, LIMB], true_depth[used][:, LIMB])


def add_figures(report: Report, found: Depths) -> None:
    """Adds the figures by joint, and by the true depth."""
    parts = np.broadcast_to([JOINTS[i].split("_")[-1] for i in LIMB], found.true.shape)
    for part in PARTS:
        some = found.at(np.asarray(parts == part))
        report.add(f"{part}: sd of the true depth", "", [float(some.true.std())])
        report.add(f"{part}: correlation", "", [float(np.corrcoef(some.estimated, some.true)[0, 1])])
        report.add(f"{part}: mean error", "", [float((some.estimated - some.true).mean())])
        report.add(f"{part}: sd of the error", "", [float((some.estimated - some.true).std())])
    size = np.abs(found.true)
    for low, high in zip(EDGES, (*EDGES[1:], np.inf), strict=True):
        some = found.at((size >= low) & (size < high))
        if len(some.true):
            wrong = np.sign(some.estimated) != np.sign(some.true)
            report.add(f"wrong side, true depth from {low:g}", "%", [100 * float(wrong.mean())])


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--cams", metavar="A,B,…", help="videos, in the order of the reference's cameras")
    arguments.add_argument("--reference", type=Path, required=True, metavar="F.npz", help="true poses and cameras")
    arguments.add_argument("--model", default="full")
    args = arguments.parse_args()
    report = Report.begin(args)
    truth = Reference.load(args.reference)
    max_frames = QUICK_FRAMES if args.quick else None
    views = (
        detect_videos(args.cams.split(","), args.model, max_frames) if args.cams else stored(args.reference, args.model)
    )
    found = [depths(view, number, truth) for number, view in enumerate(views)]
    add_figures(
        report, Depths(np.concatenate([one.estimated for one in found]), np.concatenate([one.true for one in found]))
    )
    report.finish(args.json)


if __name__ == "__main__":
    main()
