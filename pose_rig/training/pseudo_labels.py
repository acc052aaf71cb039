"""Pseudo-labels of recorded sessions: the poses that the whole rig fused, as ground truth of every view.

Axes: T frames, V views, J = 17 joints.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose_rig.chirality import chirality
from pose_rig.errors import SessionError
from pose_rig.lifting.engine import OrtEngine
from pose_rig.skeleton import BONES, LIMBS
from pose_rig.training.footage.footage import Footage, GroundTruth
from pose_rig.training.footage.recorded import RecordedFootage, recorded_footage

SEGMENT_COUNT = 15  # of a session; every fifth one is for validation
SEGMENT_MARGIN = 0.1  # of a validation segment, unused at both ends
MIN_FRAMES = 40  # of a session; a validation segment has two frames then
MAX_LENGTH_CHANGE = 0.25  # median change of limb lengths, as a share of them, beyond which poses are not of a person
MIN_CHIRALITY = 0.3  # below, a pose may be a mirror image


def pseudo_label(recorded: RecordedFootage) -> Footage:
    """Returns the footage of a session with the poses of its rig as ground truth, of the people who can be used.

    Raises:
        SessionError: The session is too short, its poses are not of a person, or its cameras move.
    """
    people = [recorded.person == person for person in np.unique(recorded.person)]
    kept, errors = np.zeros(len(recorded.person), bool), list[SessionError]()
    for frames in people:
        try:
            _check(recorded, frames)
        except SessionError as error:
            errors.append(error)
        else:
            kept |= frames
    if not kept.any():
        raise errors[0]
    footage, poses = recorded.footage.at(kept), recorded.poses[kept].astype(np.float64)
    known = np.asarray(np.isfinite(poses).all((1, 2)))
    assert footage.camera_from_rig is not None  # noqa: S101 - as checked
    joints = np.einsum("vij,tkj->tvki", footage.camera_from_rig, poses - poses[:, :1])
    score = np.where(known[:, None, None], footage.score, 0.0).astype(np.float32)
    truth = GroundTruth(np.nan_to_num(joints).astype(np.float32), footage.xy_px)
    return replace(footage, score=score, truth=truth)


def _check(recorded: RecordedFootage, frames: NDArray[np.bool_]) -> None:
    """Checks whether the frames (T,) of a person can be used.

    Raises:
        SessionError: They cannot.
    """
    footage = recorded.footage
    poses = recorded.poses[frames].astype(np.float64)
    known = np.asarray(np.isfinite(poses).all((1, 2)))
    if known.sum() < MIN_FRAMES:
        raise SessionError(
            f"{footage.name} is too short: the person is tracked in {known.sum()} frames; at least {MIN_FRAMES} are"
            " required.",
            "Record a minute of a person who moves about.",
        )
    if footage.camera_from_rig is None:
        raise SessionError(
            f"In {footage.name} the cameras move, or the rig could not be solved.",
            "Fine-tune on sessions with static cameras and a person who moves about.",
        )
    if reason := implausibility(poses[known]):
        raise SessionError(f"{footage.name}: {reason}.", "Fine-tune on sessions that look right in `pose-rig view`.")


def labelled_session(path: Path) -> Footage:
    """Returns the footage of a session, or file of 2D keypoints, with the poses of its rig as ground truth.

    Raises:
        PoseRigError: It cannot be used.
    """
    return pseudo_label(recorded_footage(path, OrtEngine(provider="cpu")))


def implausibility(poses: NDArray[np.float64]) -> str:
    """Returns why poses (T,17,3) cannot be of a person; empty if they can."""
    if not len(poses):
        return "no person is visible in enough cameras"
    limbs = [bone for bone in BONES if bone[1] in LIMBS]
    lengths = np.stack([np.linalg.norm(poses[:, a] - poses[:, b], axis=-1) for a, b in limbs])
    median = np.median(lengths, 1)
    change = np.median(np.abs(lengths - median[:, None]), 1) / np.maximum(median, 1e-6)
    if np.median(change) > MAX_LENGTH_CHANGE:
        return f"the lengths of the limbs change by {100 * np.median(change):.0f} %"
    return "the poses may be mirror images of a person" if chirality(poses) < MIN_CHIRALITY else ""


def split_frames(frames: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Returns (T,) masks of the frames for training and for validation, with unused frames between them."""
    place = np.arange(frames) * SEGMENT_COUNT / frames
    validation = place.astype(int) % 5 == 4
    return ~validation, validation & (place % 1 > SEGMENT_MARGIN) & (place % 1 < 1 - SEGMENT_MARGIN)


def split_footage(footage: Footage) -> tuple[Footage, Footage]:
    """Returns the frames for training and for validation."""
    training, validation = split_frames(footage.frames)
    return footage.at(np.flatnonzero(training)), footage.at(np.flatnonzero(validation))
