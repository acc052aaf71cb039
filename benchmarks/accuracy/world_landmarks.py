"""Accuracy of the lift of one view, compared with MediaPipe's world landmarks of the same image.

    python -m benchmarks.accuracy.world_landmarks --cams a.mp4,b.mp4,c.mp4,d.mp4 --reference ref.npz
    python -m benchmarks.accuracy.world_landmarks --reference ref.npz --model full

With --cams, MediaPipe runs on the videos with one person per camera, and its 2D landmarks are lifted. Without, the
detections stored in the reference are used: ``kp2d_MODEL`` (V,T,33,2) px and ``vis_MODEL`` (V,T,33), and optionally
``mp_world_MODEL`` (V,T,33,3); ``image_size_wh`` (V,2). The world landmarks are also the source of the depths that
lifters take which were trained for it; "2D alone" is the same lifter without. "Mean of both" is the plain mean of the
lift and the world landmarks. PA-MPJPE is the mean error of the 12 limb joints in mm after a
similarity per time step and camera. "Error over sd" is the root mean square of the depths' errors, each divided by its
predicted standard deviation: 1 if these are true. Focal lengths are the default of a rig. "Right person": only time
steps at which most detected limb joints are within 10 % of the person's height of the truth, which excludes detections
of a bystander.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path

import cv2
import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from numpy.typing import NDArray

from benchmarks.accuracy.real_footage import frame_range
from benchmarks.accuracy.reference import LIMB, Reference
from benchmarks.accuracy.similarity import pa_mm
from benchmarks.contract import Report, parser
from pose_rig.arrays import Floats
from pose_rig.assets.catalog import detector_model
from pose_rig.capture.mediapipe_detector import depths_px
from pose_rig.capture.source import Frame
from pose_rig.capture.source_factory import open_source
from pose_rig.config import FOCAL_PER_LARGER_SIDE, CameraConfig, DetectorConfig
from pose_rig.errors import UsageError
from pose_rig.lifting.checkpoint import load
from pose_rig.lifting.engine import DEFAULT_WEIGHTS
from pose_rig.lifting.model import Lifter
from pose_rig.skeleton import JOINTS, landmarks
from pose_rig.training.evaluation.evaluation import lift, lift_in_views
from pose_rig.training.footage.dataset import lifter_input
from pose_rig.training.footage.footage import Footage

SCHEMA = "mediapipe33"
K = 33
TARGET_RATIO = 0.8  # to the error of the world landmarks
MAX_MEDIAN_ERROR = 0.1  # of the person's height; larger: another person
QUICK_FRAMES = 10
LAPLACE_MEDIAN = float(np.log(2) / np.sqrt(2))  # of the size of the error, in standard deviations


@dataclass(frozen=True, slots=True)
class View:
    """MediaPipe's landmarks of one camera; NaN without a detection.

    Attributes:
        name: Name of the camera.
        size_px: Image (width, height).
        t_ns: (T,).
        xy_px: (T,33,2).
        score: (T,33) visibility.
        world: (T,33,3) m, relative to the hips.
    """

    name: str
    size_px: tuple[int, int]
    t_ns: NDArray[np.int64]
    xy_px: Floats
    score: Floats
    world: Floats

    def footage(self) -> Footage:
        """Returns the joints of the detections, with their depths."""
        score = np.nan_to_num(self.score)
        joints_px, joints_score = landmarks(SCHEMA).to_joints(self.xy_px, score)
        depth_px = landmarks(SCHEMA).depths(np.nan_to_num(depths_px(self.xy_px, self.world)), score)
        known = np.asarray(np.isfinite(self.world).all((1, 2)))[:, None]
        larger_side = max(self.size_px)
        return Footage(
            name=self.name,
            subject="",
            xy_px=joints_px[:, None].astype(np.float32),
            score=joints_score[:, None].astype(np.float32),
            size_px=np.array([self.size_px], np.float32),
            focal_px=np.array([FOCAL_PER_LARGER_SIDE * larger_side], np.float32),
            depth_px=np.where(known, depth_px, np.nan)[:, None].astype(np.float32),
        )

    def joints_of_world(self) -> Floats:
        """Returns (T,17,3) m the joints of the world landmarks; NaN if unknown."""
        return np.asarray(np.einsum("jk,tkc->tjc", landmarks(SCHEMA).weights, self.world))

    def is_right_person(self, steps: NDArray[np.bool_], truth_px: Floats) -> NDArray[np.bool_]:
        """Returns (N,) whether most detected limb joints are near the truth.

        Args:
            steps: (T,) selects N time steps.
            truth_px: (N,17,2).
        """
        joints_px, _ = landmarks(SCHEMA).to_joints(self.xy_px[steps], np.nan_to_num(self.score[steps]))
        error_px = np.linalg.norm(joints_px[:, LIMB] - truth_px[:, LIMB], axis=-1)
        return np.asarray(np.median(error_px, axis=1) < MAX_MEDIAN_ERROR * np.ptp(truth_px[..., 1], axis=1))


def detect_videos(videos: list[str], model: str, max_frames: int | None) -> Iterator[View]:
    """Yields MediaPipe's landmarks of at most ``max_frames`` frames of each video."""
    asset = str(detector_model(model, print))
    confidence = DetectorConfig().min_confidence
    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=asset),
        running_mode=vision.RunningMode.VIDEO,
        min_pose_detection_confidence=confidence,
        min_pose_presence_confidence=confidence,
        min_tracking_confidence=confidence,
    )
    for video in videos:
        source = open_source(CameraConfig(source=video), "all", lambda: 1)
        with closing(source), vision.PoseLandmarker.create_from_options(options) as landmarker:
            rows = [
                (frame.t_ns, _landmarks_of(landmarker, frame)) for frame in islice(iter(source.read, None), max_frames)
            ]
        t_ns, values = np.array([t for t, _ in rows]), np.stack([value for _, value in rows])
        size = np.array(source.info.size_px, np.float64)
        yield View(Path(video).stem, source.info.size_px, t_ns, values[..., :2] * size, values[..., 2], values[..., 3:])


def _landmarks_of(landmarker: vision.PoseLandmarker, frame: Frame) -> Floats:
    """Returns (33,6): x and y as fractions of the image, visibility, and the world landmark, m."""
    if frame.image is None:
        return np.full((K, 6), np.nan)
    image = mediapipe.Image(mediapipe.ImageFormat.SRGB, cv2.cvtColor(frame.image, cv2.COLOR_BGR2RGB))
    result = landmarker.detect_for_video(image, frame.t_ns // 1_000_000)
    if not result.pose_landmarks:
        return np.full((K, 6), np.nan)
    marks = zip(result.pose_landmarks[0], result.pose_world_landmarks[0], strict=True)
    return np.array([(mark.x, mark.y, mark.visibility, world.x, world.y, world.z) for mark, world in marks])


def stored(path: Path, model: str) -> Iterator[View]:
    """Yields the detections in a reference file.

    Raises:
        UsageError: It has none of this model.
    """
    with np.load(path, allow_pickle=False) as data:
        if f"kp2d_{model}" not in data:
            raise UsageError(f"{path} has no detections of the model {model!r}.", "Give the videos with --cams.")
        xy, score = (data[f"{key}_{model}"].astype(np.float64) for key in ("kp2d", "vis"))
        key = f"mp_world_{model}"
        world = data[key].astype(np.float64) if key in data else np.full((*xy.shape[:3], 3), np.nan)
        sizes, fps = data["image_size_wh"], float(data["fps"])
    t_ns = np.round(np.arange(xy.shape[1]) * 1e9 / fps).astype(np.int64)
    for view, (width, height) in enumerate(sizes.tolist()):
        yield View(f"camera {view}", (width, height), t_ns, xy[view], score[view], world[view])


@dataclass(frozen=True, slots=True)
class Errors:
    """PA-MPJPE of one camera, mm.

    Attributes:
        lifted: (N,) error of our lift.
        plain: (N,) the same from 2D alone.
        both: (N,) of the mean of our lift and the world landmarks, NaN if these are unknown.
        world: (N,) error of the world landmarks, NaN if unknown.
        right: (N,) whether the detection is of the right person.
        in_sds: (N,L) errors of the lifted depths in predicted standard deviations.
    """

    lifted: Floats
    plain: Floats
    both: Floats
    world: Floats
    right: NDArray[np.bool_]
    in_sds: Floats

    @property
    def where_right(self) -> "Errors":
        """The errors of the right person only."""
        return Errors(*(getattr(self, field.name)[self.right] for field in fields(self)))


def compare(view: View, number: int, truth: Reference, lifter: Lifter, frames: tuple[int, int] | None) -> Errors:
    """Returns the errors of one camera at the time steps with a detection and a reference."""
    covered, joints, truth_px = truth.at(view.t_ns, frames)
    footage, world = view.footage().at(covered), view.joints_of_world()[covered]
    lifted, plain = (lift(lifter, one)[:, 0] for one in (footage, footage.without_depths()))
    known = np.asarray(np.isfinite(lifted).all((1, 2)) & np.isfinite(joints[:, LIMB]).all((1, 2)))

    def error_mm(poses: Floats) -> Floats:
        out, has = np.full(len(poses), np.nan), np.isfinite(poses[:, LIMB]).all((1, 2))
        out[has] = pa_mm(poses[has][:, LIMB], joints[known][has][:, LIMB])
        return out

    right = view.is_right_person(covered, truth_px[number])
    in_sds = depth_errors_in_sds(lifter, footage, joints @ truth.cameras[number, :, :3].T)
    lifted, plain, world = lifted[known], plain[known], world[known]
    both = of_size_one(lifted) + of_size_one(world)
    return Errors(error_mm(lifted), error_mm(plain), error_mm(both), error_mm(world), right[known], in_sds[known])


def of_size_one(poses: Floats) -> Floats:
    """Returns poses (N,17,3) relative to the pelvis, of norm 1."""
    centred = poses - poses[:, :1]
    return np.asarray(centred / np.linalg.norm(centred, axis=(1, 2), keepdims=True))


def depth_errors_in_sds(lifter: Lifter, footage: Footage, joints: Floats) -> Floats:
    """Returns (N,L) the errors of the lifted depths of limb joints; true joints (N,17,3), in the axes of the camera."""
    given = lifter_input(footage, lifter.config.frame)
    lifted, sd = (values[:, 0] for values in lift_in_views(lifter, given))
    true = np.einsum("tij,tkj->tki", given.view_from_camera[:, 0], joints - joints[:, :1])
    scale = (lifted[..., :2] * true[..., :2]).sum((1, 2)) / (true[..., :2] ** 2).sum((1, 2))
    return np.asarray(((lifted[..., 2] - scale[:, None] * true[..., 2]) / sd)[:, LIMB])


def add_figures(report: Report, names: list[str], errors: list[Errors]) -> None:
    """Adds the figures of all cameras to the report, then their means."""
    for name, one in zip(names, errors, strict=True):
        add_pair(report, name, [one])
        if not one.right.all():
            report.add(f"{name}: right person", "%", [100 * float(one.right.mean())])
            add_pair(report, f"{name}, right person", [one.where_right])
    add_pair(report, "mean of all", errors, TARGET_RATIO)
    right = [one.where_right for one in errors]
    add_pair(report, "mean of all, right person", right, TARGET_RATIO)
    add_by_joint(report, np.concatenate([one.in_sds for one in right]))


def add_by_joint(report: Report, in_sds: Floats) -> None:
    """Adds how true the predicted standard deviations are, from depth errors (N,L) in them, left and right together.

    The lifter predicts Laplace scales, so the median error is 0.49 standard deviations if these are true; the root mean
    square also depends on whether large errors are as frequent as of that distribution.
    """
    for part in dict.fromkeys(JOINTS[joint].split("_")[-1] for joint in LIMB):
        size = np.abs(in_sds[:, [JOINTS[joint].endswith(part) for joint in LIMB]])
        report.add(f"{part}: error over sd", "", [float(np.sqrt((size**2).mean()))])
        report.add(
            f"{part}: median error over that of a Laplace distribution", "", [float(np.median(size)) / LAPLACE_MEDIAN]
        )


def add_pair(report: Report, name: str, errors: list[Errors], target: float | None = None) -> None:
    """Adds the means over cameras of both mean errors, and their ratio."""
    detected = [one for one in errors if len(one.lifted)]
    if not detected:
        return
    lifted_mm, plain_mm, both_mm, world_mm = (
        float(np.mean([getattr(one, part).mean() for one in detected])) for part in ("lifted", "plain", "both", "world")
    )
    report.add(f"{name}: lift of one view", "mm", [lifted_mm])
    report.add(f"{name}: 2D alone", "mm", [plain_mm])
    in_sds = np.concatenate([one.in_sds.ravel() for one in detected])
    report.add(f"{name}: error over sd", "", [float(np.sqrt((in_sds**2).mean()))])
    if np.isfinite(world_mm):
        report.add(f"{name}: mean of both", "mm", [both_mm])
        report.add(f"{name}: world landmarks", "mm", [world_mm])
        report.add(f"{name}: ratio", "", [lifted_mm / world_mm], f"≤ {target}" if target else "")


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--cams", metavar="A,B,…", help="videos, in the order of the reference's cameras")
    arguments.add_argument("--reference", type=Path, required=True, metavar="F.npz", help="true poses and cameras")
    arguments.add_argument("--frames", type=frame_range, metavar="A:B", help="only these frames of the reference")
    arguments.add_argument("--model", default="full")
    arguments.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, metavar="F", help="other than shipped")
    args = arguments.parse_args()
    report = Report.begin(args)
    lifter, _ = load(args.weights)
    truth = Reference.load(args.reference)
    max_frames = QUICK_FRAMES if args.quick else None
    views = list(
        detect_videos(args.cams.split(","), args.model, max_frames) if args.cams else stored(args.reference, args.model)
    )
    errors = [compare(view, number, truth, lifter, args.frames) for number, view in enumerate(views)]
    add_figures(report, [view.name for view in views], errors)
    report.finish(args.json)


if __name__ == "__main__":
    main()
