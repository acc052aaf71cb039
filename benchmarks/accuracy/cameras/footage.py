"""Footage whose true cameras are known, and the rig that is solved from it.

Axes: V views, T frames, K landmarks, J = 17 joints.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.accuracy.reference import Reference
from benchmarks.accuracy.simulated_rigs import RigTake
from pose_rig.arrays import Floats
from pose_rig.errors import UsageError
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.self_solve import self_solve
from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.graph import Engine
from pose_rig.simulation.cameras import Cameras
from pose_rig.simulation.lenses import Lenses
from pose_rig.simulation.takes import Take

KEYFRAME_HZ = 15.0  # of the calibration; more frames are not stepped through
POSE_HZ = 5.0
MIN_GROWTH = 2.0  # of the keyframes between two solves of a pass; a rig in use is solved more often


def load_footage(path: Path, model: str) -> RigTake:
    """Returns the footage in a reference (benchmarks/README.md) that also has detections.

    These are ``kp2d_MODEL`` (V,T,K,2) px, ``vis_MODEL`` (V,T,K) 0–1, ``image_size_wh`` (V,2), and ``landmarks``, the
    landmark set, which is ``mediapipe33`` where it is missing; and ``height_m``, if the body height is to be given.

    Raises:
        UsageError: An array is missing or invalid.
    """
    truth = Reference.load(path)
    try:
        with np.load(path, allow_pickle=False) as data:
            xy_px, score = data[f"kp2d_{model}"].astype(float), data[f"vis_{model}"].astype(float)
            size_px = data["image_size_wh"].astype(float)
            landmarks = str(data["landmarks"]) if "landmarks" in data else "mediapipe33"
            height_m = float(data["height_m"]) if "height_m" in data else None
    except (OSError, KeyError, ValueError) as error:
        raise UsageError(f"{path} has no detections: {error}.", "benchmarks/README.md has the format.") from error
    score = np.where(np.isfinite(xy_px).all(-1), np.nan_to_num(score), 0.0)
    take = Take(np.nan_to_num(xy_px), score, truth.fps, truth.joints, true_cameras(truth, size_px))
    return RigTake(take, np.nan if height_m is None else height_m, height_m, landmarks=landmarks)


def true_cameras(truth: Reference, size_px: Floats) -> Cameras:
    """Returns the cameras of a reference, with square pixels; image sizes (V,2)."""
    K, rotation = truth.intrinsics, truth.cameras[..., :3]
    focal_px = np.sqrt(K[:, 0, 0] * K[:, 1, 1])
    position = -np.einsum("vji,vj->vi", rotation, truth.cameras[..., 3])
    lenses = Lenses(K[:, :2, 2] - 0.5 * size_px, truth.distortion, np.ones(len(K)))
    return Cameras(rotation, position, focal_px, size_px, lenses)


def solved(rig: RigTake, engine: Engine) -> Estimator:
    """Returns the estimator after one pass over the footage, solved from all its keyframes."""
    estimator = rig.estimator(engine, BackgroundCompute(solve=_few_solves()))
    for t in range(0, len(rig.take.joints), _stride(rig, KEYFRAME_HZ)):
        estimator.step(rig.t_ns(t), rig.samples(t))
    estimator.solve()
    return estimator


def poses_with(estimator: Estimator, rig: RigTake, hz: float = POSE_HZ) -> tuple[Floats, Floats]:
    """Returns poses (N,J,3) of some of the frames with the solved cameras, which are kept, and the true ones."""
    estimator.fix_cameras()
    rig.set_cameras(estimator)
    chosen = np.arange(0, len(rig.take.joints), _stride(rig, hz))
    estimates = [estimator.step(rig.t_ns(t), rig.samples(t)) for t in chosen.tolist()]
    tracked = np.array([estimate.tracking for estimate in estimates], bool)
    known = tracked & np.isfinite(rig.take.joints[chosen]).all((1, 2))
    poses = np.stack([estimate.xyz_raw for estimate in estimates])
    return poses[known].astype(float), rig.take.joints[chosen][known]


def _stride(rig: RigTake, hz: float) -> int:
    return max(1, round(rig.take.fps / hz))


def _few_solves() -> Callable[[SolveTask], RigSolution | str]:
    """Returns a solver that refuses to solve again until there are `MIN_GROWTH` times as many keyframes."""
    last = 0

    def solve(task: SolveTask) -> RigSolution | str:
        nonlocal last
        if task.current is not None and len(task.keyframes) < MIN_GROWTH * last:
            return "Solved a moment ago."
        last = len(task.keyframes)
        return self_solve(task)

    return solve
