"""How good the lift of one view is, next to the world landmarks that MediaPipe itself gives for the same picture.

    python -m benchmarks.accuracy.world_landmarks --cams a.mp4,b.mp4,c.mp4,d.mp4 --reference ref.npz
    python -m benchmarks.accuracy.world_landmarks --reference ref.npz --model full

With --cams, MediaPipe is run over the videos, one person per camera, as a rig does while it sees one; what we lift are
the landmarks of that same person at that same instant. Without, the detections stored in the reference are used:
``kp2d_MODEL`` (V,T,33,2) px and ``vis_MODEL`` (V,T,33), and, if they are there, ``mp_world_MODEL`` (V,T,33,3);
``image_size_wh`` (V,2). PA-MPJPE is the mean error of the 12 limb joints in mm after the best similarity, one instant
and camera at a time. Focal lengths are assumed, as a rig does that knows no better. "Right person": only instants at
which the detector has most of the limb joints within 10 % of the person's height: a bystander cannot be lifted rightly.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from numpy.typing import NDArray

from benchmarks.accuracy.real_footage import frames
from benchmarks.accuracy.reference import LIMB, Reference, pa_mpjpe_mm
from benchmarks.contract import Report, parser
from pose_rig.arrays import Floats
from pose_rig.assets.catalog import detector_model
from pose_rig.capture.source import Frame, Source
from pose_rig.capture.source_factory import open_source
from pose_rig.config import FOCAL_PER_LARGER_SIDE, CameraConfig, DetectorConfig
from pose_rig.errors import UsageError
from pose_rig.lifting.checkpoint import load
from pose_rig.lifting.engine import DEFAULT_WEIGHTS
from pose_rig.lifting.model import Lifter
from pose_rig.skeleton import landmarks
from pose_rig.training.evaluation.evaluation import lift
from pose_rig.training.footage.footage import Footage

SCHEMA = "mediapipe33"
K = 33
WANTED = 0.8  # of the world landmarks' error
SOMEBODY_ELSE = 0.1  # of the person's height: most limb joints are farther off
QUICK_FRAMES = 10


@dataclass(frozen=True, slots=True)
class View:
    """What MediaPipe makes of one camera; NaN where it sees nobody.

    Attributes:
        name: Of the camera.
        size_px: Width, height.
        t_ns: (T,).
        xy_px: (T,33,2).
        score: (T,33) its visibility.
        world: (T,33,3) m, in no particular place.
    """

    name: str
    size_px: tuple[int, int]
    t_ns: NDArray[np.int64]
    xy_px: Floats
    score: Floats
    world: Floats

    def lifted(self, lifter: Lifter) -> Floats:
        """Returns (T,17,3) the lifts of our joints, any scale; NaN where nobody is seen."""
        joints_px, joints_score = landmarks(SCHEMA).to_joints(self.xy_px, np.nan_to_num(self.score))
        longer = max(self.size_px)
        footage = Footage(
            name=self.name,
            subject="",
            xy_px=joints_px[:, None].astype(np.float32),
            score=joints_score[:, None].astype(np.float32),
            size_px=np.array([self.size_px], np.float32),
            focal_px=np.array([FOCAL_PER_LARGER_SIDE * longer], np.float32),
        )
        return lift(lifter, footage)[:, 0]

    def joints_of_world(self) -> Floats:
        """Returns (T,17,3) m our joints of the world landmarks; NaN where not known."""
        return np.asarray(np.einsum("jk,tkc->tjc", landmarks(SCHEMA).weights, self.world))

    def near(self, some: NDArray[np.bool_], truth_px: Floats) -> NDArray[np.bool_]:
        """Returns (N,) whether the detector has the right person: most limb joints are near the truth.

        Args:
            some: (T,) N of the instants.
            truth_px: (N,17,2).
        """
        joints_px, _ = landmarks(SCHEMA).to_joints(self.xy_px[some], np.nan_to_num(self.score[some]))
        miss_px = np.linalg.norm(joints_px[:, LIMB] - truth_px[:, LIMB], axis=-1)
        return np.asarray(np.median(miss_px, axis=1) < SOMEBODY_ELSE * np.ptp(truth_px[..., 1], axis=1))


def watched(videos: list[str], model: str, most: int | None) -> Iterator[View]:
    """Yields what MediaPipe makes of videos, frame by frame, so many at most."""
    asset = str(detector_model(model, print))
    sure = DetectorConfig().min_confidence
    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=asset),
        running_mode=vision.RunningMode.VIDEO,
        min_pose_detection_confidence=sure,
        min_pose_presence_confidence=sure,
        min_tracking_confidence=sure,
    )
    for video in videos:
        source = open_source(CameraConfig(source=video), "all", lambda: 1)
        with closing(source), vision.PoseLandmarker.create_from_options(options) as landmarker:
            rows = [(frame.t_ns, _landmarks_of(landmarker, frame)) for frame in islice(_frames(source), most)]
        t_ns, values = np.array([t for t, _ in rows]), np.stack([value for _, value in rows])
        size = np.array(source.size_px, np.float64)
        yield View(Path(video).stem, source.size_px, t_ns, values[..., :2] * size, values[..., 2], values[..., 3:])


def _frames(source: Source) -> Iterator[Frame]:
    """Yields all frames of a recording."""
    while source.poll(1.0):
        frame = source.read()
        if frame is None:
            return
        yield frame


def _landmarks_of(landmarker: vision.PoseLandmarker, frame: Frame) -> Floats:
    """Returns (33,6): x and y as fractions of the image, visibility, and the world landmark, m."""
    if frame.image is None:
        return np.full((K, 6), np.nan)
    image = mediapipe.Image(mediapipe.ImageFormat.SRGB, cv2.cvtColor(frame.image, cv2.COLOR_BGR2RGB))
    found = landmarker.detect_for_video(image, frame.t_ns // 1_000_000)
    if not found.pose_landmarks:
        return np.full((K, 6), np.nan)
    marks = zip(found.pose_landmarks[0], found.pose_world_landmarks[0], strict=True)
    return np.array([(flat.x, flat.y, flat.visibility, world.x, world.y, world.z) for flat, world in marks])


def stored(path: Path, model: str) -> Iterator[View]:
    """Yields the detections that a reference file holds.

    Raises:
        UsageError: It holds none of this model.
    """
    with np.load(path, allow_pickle=False) as data:
        if f"kp2d_{model}" not in data:
            raise UsageError(f"{path} holds no detections of the model {model!r}.", "Give the videos with --cams.")
        xy, score = (data[f"{key}_{model}"].astype(np.float64) for key in ("kp2d", "vis"))
        key = f"mp_world_{model}"
        world = data[key].astype(np.float64) if key in data else np.full((*xy.shape[:3], 3), np.nan)
        sizes, fps = data["image_size_wh"], float(data["fps"])
    t_ns = np.round(np.arange(xy.shape[1]) * 1e9 / fps).astype(np.int64)
    for view, (width, height) in enumerate(sizes.tolist()):
        yield View(f"camera {view}", (width, height), t_ns, xy[view], score[view], world[view])


@dataclass(frozen=True, slots=True)
class Errors:
    """PA-MPJPE of one camera, mm, at the instants that count.

    Attributes:
        lifted: (N,) of our lift, and
        world: (N,) of the world landmarks, NaN where not known.
        right: (N,) whether the detector has the right person.
    """

    lifted: Floats
    world: Floats
    right: NDArray[np.bool_]

    @property
    def where_right(self) -> "Errors":
        """Those at the instants at which the detector has the right person."""
        return Errors(self.lifted[self.right], self.world[self.right], self.right[self.right])


def compare(view: View, number: int, truth: Reference, lifter: Lifter, frames: tuple[int, int] | None) -> Errors:
    """Returns the errors of one camera at the instants at which somebody is seen and the reference is known."""
    covered, joints, truth_px = truth.at(view.t_ns, frames)
    lifted, world = view.lifted(lifter)[covered], view.joints_of_world()[covered]
    known = np.asarray(np.isfinite(lifted).all((1, 2)) & np.isfinite(joints[:, LIMB]).all((1, 2)))
    there = known & np.isfinite(world[:, LIMB]).all((1, 2))
    world_mm = np.full(len(known), np.nan)
    world_mm[there] = pa_mpjpe_mm(world[there], joints[there])
    right = view.near(covered, truth_px[number])
    return Errors(pa_mpjpe_mm(lifted[known], joints[known]), world_mm[known], right[known])


def tell(report: Report, names: list[str], errors: list[Errors]) -> None:
    """Adds the figures of all cameras to the report, then their means."""
    for name, one in zip(names, errors, strict=True):
        add_pair(report, name, [one])
        if not one.right.all():
            report.add(f"{name}: right person", "%", [100 * float(one.right.mean())])
            add_pair(report, f"{name}, right person", [one.where_right])
    add_pair(report, "mean of all", errors, WANTED)
    add_pair(report, "mean of all, right person", [one.where_right for one in errors], WANTED)


def add_pair(report: Report, name: str, errors: list[Errors], wanted: float | None = None) -> None:
    """Adds the mean over cameras of the mean errors of both, and their ratio, as far as they are known."""
    seen = [one for one in errors if len(one.lifted)]
    if not seen:
        return
    lifted_mm, world_mm = (
        float(np.mean([values.mean() for values in part]))
        for part in ([one.lifted for one in seen], [one.world for one in seen])
    )
    report.add(f"{name}: lift of one view", "mm", [lifted_mm])
    if np.isfinite(world_mm):
        report.add(f"{name}: world landmarks", "mm", [world_mm])
        report.add(f"{name}: ratio", "", [lifted_mm / world_mm], f"≤ {wanted}" if wanted else "")


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--cams", metavar="A,B,…", help="videos, in the order of the reference's cameras")
    arguments.add_argument("--reference", type=Path, required=True, metavar="F.npz", help="where the person was")
    arguments.add_argument("--frames", type=frames, metavar="A:B", help="only these instants of the reference count")
    arguments.add_argument("--model", default="full")
    arguments.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, metavar="F", help="other than shipped")
    args = arguments.parse_args()
    report = Report.begin(args)
    lifter, _ = load(args.weights)
    truth = Reference.load(args.reference)
    most = QUICK_FRAMES if args.quick else None
    views = list(watched(args.cams.split(","), args.model, most) if args.cams else stored(args.reference, args.model))
    errors = [compare(view, number, truth, lifter, args.frames) for number, view in enumerate(views)]
    tell(report, [view.name for view in views], errors)
    report.finish(args.json)


if __name__ == "__main__":
    main()
