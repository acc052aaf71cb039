"""Lifts all detections of one recorded camera.

Axes: J = 17 joints.
"""

from collections.abc import Sequence

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.hypothesis import single_view_run
from pose_rig.fusion.pose.observation import Observation, observe
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.graph import Engine
from pose_rig.intrinsics import Intrinsics
from pose_rig.skeleton import J, Landmarks

FRAMES_PER_BATCH = 256


def lifted_track(
    samples: Sequence[Sample], landmarks: Landmarks, intrinsics: Intrinsics, engine: Engine
) -> CameraTrack:
    """Returns the track of a camera.

    Args:
        samples: Its frames, in order of time.
        landmarks: Its landmark set.
        intrinsics: Of this camera alone, given or assumed.
        engine: Lifts the detections.
    """
    batches = [samples[start : start + FRAMES_PER_BATCH] for start in range(0, len(samples), FRAMES_PER_BATCH)]
    parts = [_lifted(batch, landmarks, intrinsics, engine) for batch in batches]
    parts.append(CameraTrack.empty())
    return CameraTrack(*(np.concatenate([getattr(p, name) for p in parts]) for name in CameraTrack.__slots__))


def _lifted(samples: Sequence[Sample], landmarks: Landmarks, intrinsics: Intrinsics, engine: Engine) -> CameraTrack:
    count = len(samples)  # every frame is a view of one time step
    seen = observe(0, samples, [landmarks] * count, intrinsics.at(np.zeros(count, np.int64)))
    lifted, upright = _lift(seen, engine) if len(seen.view) else (np.zeros((0, J, 3)), np.zeros((0, 3)))
    t_ns = np.array([sample.t_ns for sample in samples], np.int64)[seen.view]
    return CameraTrack(t_ns, seen.xy_px, seen.score, lifted, upright)


def _lift(seen: Observation, engine: Engine) -> tuple[Floats, Floats]:
    out = single_view_run(engine, seen, np.zeros(1, np.int64)).alone()
    return out.lifted.astype(float), out.upright.astype(float)
