"""2D keypoints into folders as Pose2Sim reads them: one OpenPose JSON per frame, one folder per camera.

Axes: T frames, P people, K landmarks.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from pose_rig.atomic_file import partial_path
from pose_rig.errors import PoseRigError, UsageError
from pose_rig.session.formats.message_arrays import neighbours


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What one camera saw.

    Attributes:
        camera: Name of the camera.
        t_ns: (T,) int64, increasing, of the same clock as that of the other cameras.
        xy: (T,P,K,2) px.
        score: (T,P,K) 0–1, 0 = not seen (its xy is ignored, NaN allowed).
    """

    camera: str
    t_ns: NDArray[np.int64]
    xy: NDArray[np.floating]
    score: NDArray[np.floating]


def write_keypoints_json(folder: Path, detections: Sequence[Detections], rate_hz: float) -> list[Path]:
    """Writes ``<camera>_json/<camera>_000000.json`` and so on, and returns the folders.

    Equal numbers are equal instants, as Pose2Sim wants them: of every camera the frame nearest to the instant is taken,
    and where none is within half a period nobody is seen.

    Args:
        folder: Where the folders go, Pose2Sim's ``pose``; made if it is not there.
        detections: The cameras.
        rate_hz: Frames per second.

    Raises:
        UsageError: A camera's folder is there already: what others detected is not overwritten.
        PoseRigError: The folder cannot be written to.
    """
    targets = [folder / f"{seen.camera}_json" for seen in detections]
    for target in targets:
        if target.exists():
            raise UsageError(f"{target} is there already.", "Move it away, or choose another folder with --out.")
    with_frames = [seen.t_ns for seen in detections if len(seen.t_ns)]
    start_ns = min((int(t_ns[0]) for t_ns in with_frames), default=0)
    end_ns = max((int(t_ns[-1]) for t_ns in with_frames), default=0)
    frames = round((end_ns - start_ns) * 1e-9 * rate_hz) + 1
    for seen, target in zip(detections, targets, strict=True):
        try:
            _write_camera(target, seen, _nearest(seen.t_ns, start_ns, frames, rate_hz))
        except OSError as error:
            shutil.rmtree(partial_path(target), ignore_errors=True)
            raise PoseRigError(
                f"Cannot write {target}: {error.strerror}.", "Make room or choose another folder with --out."
            ) from error
    return targets


def _nearest(t_ns: NDArray[np.int64], start_ns: int, frames: int, rate_hz: float) -> NDArray[np.int64]:
    """Returns (frames,) which row is nearest to each instant, −1 where none is within half a period."""
    if not len(t_ns):
        return np.full(frames, -1)
    wanted = start_ns + np.round(np.arange(frames) * (1e9 / rate_hz)).astype(np.int64)
    before, after = neighbours(t_ns, wanted)
    row = np.where(wanted - t_ns[before] < t_ns[after] - wanted, before, after)
    return np.where(np.abs(t_ns[row] - wanted) <= 0.5e9 / rate_hz, row, -1)


def _write_camera(target: Path, seen: Detections, rows: NDArray[np.int64]) -> None:
    partial = partial_path(target)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    known = (seen.score > 0) & np.isfinite(seen.xy).all(-1)
    triples = np.concatenate([seen.xy, seen.score[..., None]], axis=-1)
    triples = np.round(np.where(known[..., None], triples, 0.0).astype(float), 3)
    for number, row in enumerate(rows.tolist()):
        people = [_person(person) for person in triples[row] if person.any()] if row >= 0 else []
        content = msgspec.json.encode({"version": 1.3, "people": people})
        (partial / f"{seen.camera}_{number:06d}.json").write_bytes(content)
    os.replace(partial, target)


def _person(triples: NDArray[np.float64]) -> dict[str, list[float]]:
    others = ("face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d")
    return {"person_id": [-1], "pose_keypoints_2d": triples.ravel().tolist(), **{name: [] for name in others}}
