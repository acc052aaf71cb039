"""2D keypoints as OpenPose JSON, as Pose2Sim reads it: a folder per camera, a file per frame."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from pose_rig.atomic_file import partial_path
from pose_rig.errors import PoseRigError, UsageError
from pose_rig.session.formats.message_arrays import CameraKeypoints, neighbours


def write_keypoints_json(folder: Path, detections: Sequence[CameraKeypoints], rate_hz: float) -> list[Path]:
    """Writes ``<camera>_json/<camera>_000000.json`` and so on to Pose2Sim's folder ``pose``; returns the folders.

    Files of equal number have equal times, as Pose2Sim requires: each camera's frame nearest to the time, or no person
    if that is further away than half a period.

    Raises:
        UsageError: The folder of a camera exists: detections are not overwritten.
        PoseRigError: The folder cannot be written to.
    """
    targets = [folder / f"{camera.camera}_json" for camera in detections]
    for target in targets:
        if target.exists():
            raise UsageError(f"{target} exists already.", "Move it away, or choose another folder with --out.")
    with_frames = [camera.t_ns for camera in detections if len(camera.t_ns)]
    start_ns = min((int(t_ns[0]) for t_ns in with_frames), default=0)
    end_ns = max((int(t_ns[-1]) for t_ns in with_frames), default=0)
    frames = round((end_ns - start_ns) * 1e-9 * rate_hz) + 1
    for camera, target in zip(detections, targets, strict=True):
        try:
            _write_camera(target, camera, _nearest(camera.t_ns, start_ns, frames, rate_hz))
        except OSError as error:
            shutil.rmtree(partial_path(target), ignore_errors=True)
            raise PoseRigError(
                f"Cannot write {target}: {error.strerror}.", "Make room or choose another folder with --out."
            ) from error
    return targets


def _nearest(t_ns: NDArray[np.int64], start_ns: int, frames: int, rate_hz: float) -> NDArray[np.int64]:
    """Returns (frames,) the row nearest to each frame time, −1 where none is within half a period."""
    if not len(t_ns):
        return np.full(frames, -1)
    time_ns = start_ns + np.round(np.arange(frames) * (1e9 / rate_hz)).astype(np.int64)
    before, after = neighbours(t_ns, time_ns)
    row = np.where(time_ns - t_ns[before] < t_ns[after] - time_ns, before, after)
    return np.where(np.abs(t_ns[row] - time_ns) <= 0.5e9 / rate_hz, row, -1)


def _write_camera(target: Path, keypoints: CameraKeypoints, rows: NDArray[np.int64]) -> None:
    partial = partial_path(target)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    visible = (keypoints.score > 0) & np.isfinite(keypoints.xy).all(-1)
    triples = np.concatenate([keypoints.xy, keypoints.score[..., None]], axis=-1)
    triples = np.round(np.where(visible[..., None], triples, 0.0).astype(float), 3)
    for number, row in enumerate(rows.tolist()):
        people = [_person(person) for person in triples[row] if person.any()] if row >= 0 else []
        content = msgspec.json.encode({"version": 1.3, "people": people})
        (partial / f"{keypoints.camera}_{number:06d}.json").write_bytes(content)
    os.replace(partial, target)


def _person(triples: NDArray[np.float64]) -> dict[str, list[float]]:
    others = ("face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d")
    return {"person_id": [-1], "pose_keypoints_2d": triples.ravel().tolist(), **{name: [] for name in others}}
