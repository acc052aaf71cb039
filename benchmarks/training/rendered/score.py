"""Errors of single-view lifts and of MediaPipe's world landmarks on rendered people.

    python -m benchmarks.training.rendered.score views.npz

The file is that of `benchmarks.training.rendered`. Detectors see joints elsewhere than the mesh has them, so these are
first moved to where the detector sees them in the mean over all views: by a constant for each, in axes of its bone.
PA-MPJPE of the 12 limb joints; "along the ray": arms that point at the camera or away from it.

Axes: N images, J = 17 joints.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.similarity import pa_mm
from benchmarks.contract import Report, parser
from pose_rig.arrays import Floats
from pose_rig.capture.mediapipe_detector import depths_px
from pose_rig.config import FOCAL_PER_LARGER_SIDE
from pose_rig.geometry import complete_root, ray_depths, rectify
from pose_rig.lifting.checkpoint import load
from pose_rig.lifting.engine import DEFAULT_WEIGHTS
from pose_rig.lifting.model import Lifter
from pose_rig.simulation.bodies import define_centres
from pose_rig.skeleton import INDEX, LIMBS, J, landmarks
from pose_rig.training.evaluation.evaluation import lift_in_views
from pose_rig.training.footage.dataset import LifterInput

LIMB = list(LIMBS)
ARMS = [
    (INDEX[f"{side}_{a}"], INDEX[f"{side}_{b}"])
    for side in "lr"
    for a, b in (("shoulder", "elbow"), ("elbow", "wrist"))
]
ALONG_RAY = 0.65  # of an arm's length, in the mean of its bones
ROUNDS = 15
_DETECTOR = landmarks("mediapipe33")


@dataclass(frozen=True, slots=True)
class Images:
    """Detections in N images and the truth, as in the file; ``joints`` where the detector sees them."""

    xy: Floats
    score: Floats
    world: Floats
    joints: Floats
    focal_px: Floats
    size_px: Floats

    @classmethod
    def load(cls, path: Path) -> "Images":
        """Returns the content of a file."""
        with np.load(path, allow_pickle=False) as data:
            xy, score, world, joints, focal_px, size_px = (
                data[name].astype(float) for name in ("xy", "score", "world", "joints", "focal_px", "size_px")
            )
        ideal_xy = (_DETECTOR.to_joints(xy, score)[0] - size_px[:, None] / 2) / focal_px[:, None, None]
        return cls(xy, score, world, as_detected(joints, ideal_xy), focal_px, size_px)

    def lifter_input(self, *, depths: bool) -> LifterInput:
        """Returns what a rig that assumes its default focal length gives to the lifter."""
        xy, score = _DETECTOR.to_joints(self.xy, self.score)
        xy, whole = complete_root(xy, score)
        score = np.where(whole[:, None], score, 0.0)
        depth = _DETECTOR.depths(depths_px(self.xy, self.world), self.score)
        assumed_px = FOCAL_PER_LARGER_SIDE * self.size_px.max(-1)
        views = (*rectify(xy, score, assumed_px, self.size_px), ray_depths(depth, xy, score))
        pose_2d, inverse_depth, ray_from_camera, ray_depth = (value[:, None] for value in views)
        unknown = np.full(ray_depth.shape, np.nan)
        return LifterInput(pose_2d, score[:, None], inverse_depth, ray_from_camera, ray_depth if depths else unknown)

    @property
    def arms_along_ray(self) -> NDArray[np.bool_]:
        """(N,)."""
        shares = [np.abs(bone[:, 2]) / np.linalg.norm(bone, axis=1) for bone in self._arm_bones()]
        return np.asarray(np.mean(shares, 0) > ALONG_RAY)

    def _arm_bones(self) -> list[Floats]:
        return [self.joints[:, end] - self.joints[:, start] for start, end in ARMS]


def as_detected(joints: Floats, ideal_xy: Floats) -> Floats:
    """Returns joints (N,J,3), moved to where a detector sees them in the mean of its positions (N,J,2), x/z and y/z."""
    axes, moved = bone_axes(joints), joints.copy()
    for joint in LIMB:
        offset = np.zeros(3)
        for _ in range(ROUNDS):
            at = joints[:, joint] + axes[:, joint] @ offset
            missing = ideal_xy[:, joint] - at[:, :2] / at[:, 2:]
            by_point = np.zeros((len(at), 2, 3))
            by_point[:, 0, 0] = by_point[:, 1, 1] = 1 / at[:, 2]
            by_point[:, :, 2] = -at[:, :2] / at[:, 2:] ** 2
            by_offset = by_point @ axes[:, joint]
            length = np.linalg.norm(missing, axis=1)
            weight = 1 / (1 + (length / (1.2 * np.median(length) + 1e-12)) ** 2) ** 2
            normal = np.einsum("n,nki,nkj->ij", weight, by_offset, by_offset)
            offset = offset + np.linalg.solve(normal, np.einsum("n,nki,nk->i", weight, by_offset, missing))
        moved[:, joint] = joints[:, joint] + axes[:, joint] @ offset
    root = 0.5 * (moved[:, INDEX["l_hip"]] + moved[:, INDEX["r_hip"]])[:, None]
    return define_centres(moved - root) + root


def bone_axes(joints: Floats) -> Floats:
    """Returns (N,J,3,3) axes, as columns: of the bones of limb joints, of pelvis and chest for hips and shoulders."""

    def at(name: str) -> Floats:
        return np.asarray(joints[:, INDEX[name]])

    def axes(across: Floats, along: Floats) -> Floats:
        y = along / np.linalg.norm(along, axis=1, keepdims=True)
        x = across - (across * y).sum(1, keepdims=True) * y
        x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)
        return np.stack([x, y, np.cross(x, y)], -1)

    up, hips, shoulders = at("thorax") - at("pelvis"), at("l_hip") - at("r_hip"), at("l_shoulder") - at("r_shoulder")
    out = np.repeat(axes(shoulders, up)[:, None], J, axis=1)
    for side in "lr":
        out[:, INDEX[f"{side}_hip"]] = axes(hips, up)
        upper, lower = at(f"{side}_shoulder") - at(f"{side}_elbow"), at(f"{side}_wrist") - at(f"{side}_elbow")
        for joint, across, along in (
            ("knee", hips, at(f"{side}_hip") - at(f"{side}_knee")),
            ("ankle", hips, at(f"{side}_knee") - at(f"{side}_ankle")),
            ("elbow", np.cross(upper, lower), upper),
            ("wrist", np.cross(upper, lower), -lower),
        ):
            out[:, INDEX[f"{side}_{joint}"]] = axes(across, along)
    return out


def errors_mm(images: Images, lifter: Lifter) -> dict[str, Floats]:
    """Returns (N,) errors by method; views differ from camera axes by a rotation, which the alignment undoes."""
    poses = {
        "lift of one view": lift_in_views(lifter, images.lifter_input(depths=True))[0][:, 0],
        "2D alone": lift_in_views(lifter, images.lifter_input(depths=False))[0][:, 0],
        "world landmarks": np.einsum("jk,nkc->njc", _DETECTOR.weights, images.world),
    }
    return {name: pa_mm(pose[:, LIMB], images.joints[:, LIMB]) for name, pose in poses.items()}


def main() -> None:
    """Scores."""
    arguments = parser(__doc__)
    arguments.add_argument("views", type=Path, metavar="VIEWS.npz")
    arguments.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, metavar="F", help="other than shipped")
    args = arguments.parse_args()
    report = Report.begin(args)
    images = Images.load(args.views)
    found = errors_mm(images, load(args.weights)[0])
    for name, chosen in (("all", np.ones(len(images.xy), bool)), ("arms along the ray", images.arms_along_ray)):
        for method, error in found.items():
            report.add(f"{name}: {method}", "mm", [float(error[chosen].mean())])
        ratio = found["lift of one view"][chosen].mean() / found["world landmarks"][chosen].mean()
        report.add(f"{name}: ratio", "", [float(ratio)])
    report.finish(args.json)


if __name__ == "__main__":
    main()
