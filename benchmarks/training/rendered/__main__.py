"""What MediaPipe makes of rendered people: its 2D landmarks and world landmarks, next to the true joints.

    pip install anny
    python -m benchmarks.training.rendered CMU.npz OPENCAP.npz REACTIDLE.npz --count 6000 --out views.npz
    python -m benchmarks.training.rendered CMU.npz OPENCAP.npz REACTIDLE.npz --count 900 --held-out --out held_out.npz
    python -m benchmarks.training.rendered.score held_out.npz

Bodies, clothes, backgrounds and cameras are random; poses are captured ones, two thirds of them changed as in rehearsal
(`pose_rig.simulation.bodies.random_people`). ``--held-out`` takes other clips and other bodies. The file has N images
with a detection: ``xy`` (N,33,2) px, ``score`` (N,33), ``world`` (N,33,3) m, ``joints`` (N,17,3) m in camera axes,
``camera_from_room`` (N,3,3), ``focal_px`` (N,), ``size_px`` (N,2). 1000 images take two to five minutes on a core.
"""

import argparse
from pathlib import Path

import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from numpy.typing import NDArray

from benchmarks.training.rendered.bodies import Bodies, shortest
from benchmarks.training.rendered.images import Studio, View
from pose_rig.arrays import Floats
from pose_rig.assets.catalog import detector_model
from pose_rig.config import DetectorConfig
from pose_rig.geometry import rotation_from_vector
from pose_rig.simulation.bodies import random_people
from pose_rig.simulation.cameras import look_at
from pose_rig.simulation.clips import load_clips
from pose_rig.simulation.motion import PosePool, split

BODIES = 40
CAPTURED_SHARE = 1 / 3  # of the poses are captured ones as they are
SIZES_PX = ((336, 448), (480, 360))
DISTANCE_M = (1.7, 5.5)
ZOOMED_SHARE = 0.12  # of the images show the upper body alone
MIN_DEPTH_M = 0.3


def random_view(vertices: Floats, joints: Floats, rng: np.random.Generator) -> View | None:
    """Returns a view of a person in a room from a random camera, None if the person is too near."""
    azimuth, distance = rng.uniform(0, 2 * np.pi), np.exp(rng.uniform(*np.log(DISTANCE_M)))
    elevation = rng.uniform(-0.15, 0.35) if rng.random() < 0.85 else rng.uniform(0.3, 0.8)
    level = np.cos(elevation)
    position = distance * np.array([level * np.sin(azimuth), np.sin(elevation), level * np.cos(azimuth)])
    turn = rotation_from_vector(np.array([0, 0, rng.normal(0, 0.05)])) @ look_at(position, joints[0])
    seen = (vertices - position) @ turn.T
    if seen[:, 2].min() < MIN_DEPTH_M:
        return None
    width, height = SIZES_PX[rng.integers(len(SIZES_PX))]
    rays = seen[:, :2] / seen[:, 2:]
    focal_px = rng.uniform(0.5, 0.9) * min((width, height) / np.ptp(rays, axis=0))
    aside = rng.uniform(-0.06, 0.06, 2) * (height, width)
    if rng.random() < ZOOMED_SHARE:
        focal_px *= rng.uniform(1.3, 2.0)
        aside[0] += rng.uniform(0.1, 0.25) * height
    middle = np.append((rays.max(0) + rays.min(0)) / 2, 1.0)
    angle_x, angle_y = np.arctan(aside / focal_px)
    aim = rotation_from_vector(np.array([0, angle_y, 0])) @ rotation_from_vector(np.array([angle_x, 0, 0]))
    turn = aim @ shortest(middle, np.array([0.0, 0, 1])) @ turn
    return View((vertices - position) @ turn.T, (joints - position) @ turn.T, turn, float(focal_px), (width, height))


def random_poses(pool: PosePool, count: int, rng: np.random.Generator) -> Floats:
    """Returns (count,17,3) m."""
    captured = round(CAPTURED_SHARE * count)
    parts = [
        random_people((pool.draw(n, rng), pool.draw(n, rng)), rng, vary=vary)
        for n, vary in ((captured, False), (count - captured, True))
    ]
    return rng.permutation(np.concatenate(parts))


class Landmarker:
    """MediaPipe on single images."""

    def __init__(self, model: str) -> None:
        confidence = DetectorConfig().min_confidence
        options = vision.PoseLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(detector_model(model, print))),
            min_pose_detection_confidence=confidence,
            min_pose_presence_confidence=confidence,
        )
        self._model = vision.PoseLandmarker.create_from_options(options)

    def __call__(self, image: NDArray[np.uint8]) -> Floats | None:
        """Returns (33,6) x, y px, visibility, and the world landmark, m; None without a detection."""
        found = self._model.detect(mediapipe.Image(mediapipe.ImageFormat.SRGB, np.ascontiguousarray(image)))
        if not found.pose_landmarks:
            return None
        height, width = image.shape[:2]
        return np.array(
            [
                (mark.x * width, mark.y * height, mark.visibility, world.x, world.y, world.z)
                for mark, world in zip(found.pose_landmarks[0], found.pose_world_landmarks[0], strict=True)
            ]
        )


def main() -> None:
    """Renders, detects, writes."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("motion", type=Path, nargs="+", metavar="MOTION.npz")
    arguments.add_argument("--count", type=int, default=1000, metavar="N", help="images")
    arguments.add_argument("--held-out", action="store_true", help="the clips for validation, and other bodies")
    arguments.add_argument("--model", default="full")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--out", type=Path, required=True)
    args = arguments.parse_args()
    rng = np.random.default_rng([args.seed, args.held_out])
    bodies = Bodies.random(BODIES, rng)
    poses = random_poses(PosePool(split(load_clips(args.motion))[args.held_out]), args.count, rng)
    studio, landmarker = Studio(bodies, rng), Landmarker(args.model)
    rows = []
    for done, pose in enumerate(poses):
        person = int(rng.integers(BODIES))
        vertices = bodies.posed(person, pose, rng)
        view = random_view(vertices, bodies.joints(vertices), rng)
        if view is not None and (marks := landmarker(studio.image(person, view))) is not None:
            rows.append((
                marks[:, :2], marks[:, 2], marks[:, 3:], view.joints, view.camera_from_room, view.focal_px, view.size_px
            ))  # fmt: skip
        if (done + 1) % 100 == 0:
            print(f"{done + 1} images, {len(rows)} with a person", flush=True)
    names = ("xy", "score", "world", "joints", "camera_from_room", "focal_px", "size_px")
    columns = {name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    np.savez_compressed(args.out, allow_pickle=False, **columns)


if __name__ == "__main__":
    main()
