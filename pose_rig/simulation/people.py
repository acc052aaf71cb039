"""What 2D detectors find of several people in one room, who hide each other, are missed, and merge.

Axes: V views, T frames, N people, P detections of a view and frame in random order, J = 17 joints, K landmarks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.simulation.cameras import Cameras
from pose_rig.simulation.coco import coco_landmarks
from pose_rig.simulation.detector_bias import DetectorBias
from pose_rig.simulation.detector_faults import add_faults
from pose_rig.simulation.noise import detect, drift, random_events
from pose_rig.simulation.occlusion import hidden_behind
from pose_rig.skeleton import INDEX, JOINT_SET, LIMBS

MIN_DEPTH_M = 0.3  # of a joint; nearer people are not detected
BOUT = 4.0  # events of people last so many times as long as those of joints: about a second
LEFT_OUT_SHARE, ATTRACTED_SHARE = 0.4, 0.2  # of hidden joints; the others are guessed
GUESS_SD = 0.06  # of the person's size in the image, of guessed joints
GUESS_SCORE = (0.35, 0.2)  # mean and standard deviation
MIN_VISIBLE = (0.4, 0.12)  # share of the limb joints that a detector needs, mean and standard deviation
MISSED_SHARE, MISSED_LOG_SD = 0.03, 0.7  # of the frames of a person in a view, without a reason
MERGING_OVERLAP = 0.45  # intersection over union of the boxes of two people whose detections may merge
MERGED_SHARE = 0.35  # of the frames with such an overlap
MIXED_SHARE = 0.5  # of these; in the others, the farther person is missed
PARTS = tuple(
    [INDEX[f"{side}_{joint}"] for joint in joints]
    for joints in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
    for side in "lr"
)


@dataclass(frozen=True, slots=True)
class PeopleTake:
    """Detections of several people, with ground truth.

    Attributes:
        xy_px: (V,T,P,K,2) detections; rows beyond those of a frame are 0.
        score: (V,T,P,K) 0–1, 0 = not detected.
        fps: Frames per second.
        joints: (T,N,J,3) m, ground truth, in the room (y up). Those of people who are not present are NaN.
        cameras: True cameras (V,).
        person: (V,T,P) which person (N) a detection shows; −1 = none, or a mixture of two.
        landmarks: Their set.
    """

    xy_px: Floats
    score: Floats
    fps: float
    joints: Floats
    cameras: Cameras
    person: NDArray[np.int64]
    landmarks: str = JOINT_SET


def detect_people(
    joints: Floats,
    cameras: Cameras,
    fps: float,
    seed: int,
    bias: DetectorBias | None = None,
    present: Sequence[int] | None = None,
    *,
    faults: bool = False,
) -> PeopleTake:
    """Returns a take of people, K = J.

    Args:
        joints: (T,N,J,3) m, in the room.
        cameras: Static cameras (V,).
        fps: Frames per second.
        seed: Of what is random. The noise of a person does not depend on who else is present.
        bias: Of the detector.
        present: Indices of the people in the room; None = all of them.
        faults: Whether the detector also misses people for seconds, and finds false ones (`detector_faults`).
    """
    people = list(range(joints.shape[1]) if present is None else present)
    bodies = _Bodies.project(joints[:, people], cameras)
    xy_px, score = np.zeros(bodies.xy_px.shape), np.zeros(bodies.xy_px.shape[:-1])
    for i, n in enumerate(people):
        shift_px = None if bias is None else bias.shift_px(joints[:, n], cameras)
        xy_px[:, :, i], score[:, :, i] = _detect(bodies, i, shift_px, fps, np.random.default_rng([seed, n]))
    gone = ~_inside(xy_px, cameras)
    xy_px[gone], score[gone] = 0.0, 0.0
    person = np.broadcast_to(np.array(people, int), score.shape[:3]).copy()
    for i, k in combinations(range(len(people)), 2):
        rng = np.random.default_rng([seed, 1 + people[i], 1 + people[k]])
        _merge(xy_px, score, person, bodies.depth_m, (i, k), fps, rng)
    if faults:
        rng = np.random.default_rng([seed, 0, 0, 2])
        xy_px, score, person = add_faults(xy_px, score, person, cameras.size_px, fps, rng)
    truth = np.full(joints.shape, np.nan)
    truth[:, people] = joints[:, people]
    order = _random_order(score, np.random.default_rng([seed, 0, 0, 1]))
    person = np.where((score > 0).any(-1), person, -1)
    return PeopleTake(
        xy_px=np.take_along_axis(xy_px, order[..., None, None], 2),
        score=np.take_along_axis(score, order[..., None], 2),
        fps=fps,
        joints=truth,
        cameras=cameras,
        person=np.take_along_axis(person, order, 2),
    )


def with_coco_landmarks(take: PeopleTake, seed: int) -> PeopleTake:
    """Returns a take of joints with the landmarks of COCO instead."""
    joints, rng = np.nan_to_num(take.joints), np.random.default_rng([seed, 0, 0, 3])
    xy_px, score = coco_landmarks(take.xy_px, take.score, take.person, joints, take.cameras, take.fps, rng)
    return replace(take, xy_px=xy_px, score=score, landmarks="coco17")


@dataclass(frozen=True, slots=True)
class _Bodies:
    """People in the images.

    Attributes:
        xy_px: (V,T,N,J,2) true projections.
        depth_m: (V,T,N) of the pelvises.
        inside: (V,T,N,J) joints in the image, of people who are far enough from the camera.
        behind: (V,T,N,J) behind which person each joint is; −1 = none.
    """

    xy_px: Floats
    depth_m: Floats
    inside: NDArray[np.bool_]
    behind: NDArray[np.int64]

    @classmethod
    def project(cls, joints: Floats, cameras: Cameras) -> "_Bodies":
        """Returns people (T,N,J,3) in the images of cameras (V,)."""
        xy_px, local = cameras.each(lambda values: values[:, None, None]).project(joints[None])
        depth_m = local[..., 2]
        inside = _inside(xy_px, cameras) & (depth_m.min(-1) > MIN_DEPTH_M)[..., None]
        return cls(xy_px, depth_m[..., 0], inside, hidden_behind(xy_px, depth_m, cameras.focal_px))


def _inside(xy_px: Floats, cameras: Cameras) -> NDArray[np.bool_]:
    """Returns (V,T,N,J) whether points (V,T,N,J,2) are in the image."""
    return np.asarray(((xy_px >= 0) & (xy_px < cameras.size_px[:, None, None, None])).all(-1))


def _detect(
    bodies: _Bodies, i: int, shift_px: Floats | None, fps: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Returns detections (V,T,J,2) px and scores (V,T,J) of person ``i``, 0 where they are missed."""
    own, inside = bodies.xy_px[:, :, i], bodies.inside[:, :, i]
    found = detect(own if shift_px is None else own + shift_px, fps, rng)
    xy_px, score = _hide(bodies, i, found.xy_px, found.score, fps, rng)
    visible = (inside & (bodies.behind[:, :, i] < 0))[..., list(LIMBS)].mean(-1)
    missed = _missed(visible, fps, rng)[..., None] | ~inside
    return np.where(missed[..., None], 0.0, xy_px), np.where(missed, 0.0, score)


def _hide(
    bodies: _Bodies, i: int, xy_px: Floats, score: Floats, fps: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Returns detections (V,T,J,2) px and scores (V,T,J) with joints behind others left out, guessed or attracted."""
    own, behind = bodies.xy_px[:, :, i], bodies.behind[:, :, i]
    extent = np.ptp(own, axis=-2).max(-1)[..., None, None]
    kind = drift((*score.shape, 1), BOUT * fps, rng)[..., 0]
    left_out, attracted = (behind >= 0) & _below(kind, LEFT_OUT_SHARE), (behind >= 0) & _below(-kind, ATTRACTED_SHARE)
    guessed = (behind >= 0) & ~left_out & ~attracted
    guess, guess_score = drift(xy_px.shape, fps, rng) * GUESS_SD * extent, rng.normal(*GUESS_SCORE, score.shape)
    other = np.take_along_axis(bodies.xy_px, np.maximum(behind, 0)[:, :, None, :, None], 2)[:, :, 0]
    xy_px = np.where(attracted[..., None], other + xy_px - own, np.where(guessed[..., None], xy_px + guess, xy_px))
    score = np.where(guessed, guess_score.clip(0.02, 0.9), score)
    return np.where(left_out[..., None], 0.0, xy_px), np.where(left_out, 0.0, score)


def _missed(visible: Floats, fps: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Returns (V,T) when a person is not detected; these shares (V,T) are visible."""
    views, frames = visible.shape
    needed = MIN_VISIBLE[0] + MIN_VISIBLE[1] * drift((views, frames, 1, 1), BOUT * fps, rng)[..., 0, 0]
    share = (MISSED_SHARE * np.exp(rng.normal(0, MISSED_LOG_SD, views))).clip(0, 0.5)
    at_random = random_events(share, (frames, views), BOUT * fps, rng).T
    return np.asarray((visible < needed.clip(0.05, None)) | at_random)


def _merge(
    xy_px: Floats,
    score: Floats,
    person: NDArray[np.int64],
    depth_m: Floats,
    pair: tuple[int, int],
    fps: float,
    rng: np.random.Generator,
) -> None:
    """Merges detections of two people, in place, where their boxes overlap: one is missed, or one has joints of both.

    Args:
        xy_px: (V,T,N,J,2).
        score: (V,T,N,J).
        person: (V,T,N) as in `PeopleTake`.
        depth_m: (V,T,N) of the people.
        pair: The two people.
        fps: Frames per second.
        rng: Random generator.
    """
    views, frames = depth_m.shape[:2]
    shares = np.array([MERGED_SHARE, MIXED_SHARE, *np.full(len(PARTS), 0.5)])
    events = random_events(shares, (views, frames, len(shares)), BOUT * fps, rng)
    merged = (_overlap(xy_px[:, :, pair], score[:, :, pair] > 0) > MERGING_OVERLAP) & events[..., 0]
    for near, far in (pair, pair[::-1]):
        here = merged & (depth_m[:, :, near] <= depth_m[:, :, far])
        for part, joints in enumerate(PARTS):
            taken = here & events[..., 1] & events[..., 2 + part]
            for joint in joints:
                xy_px[:, :, near, joint][taken] = xy_px[:, :, far, joint][taken]
                score[:, :, near, joint][taken] = score[:, :, far, joint][taken]
            person[:, :, near][taken] = -1
        merged &= ~here
        xy_px[:, :, far][here], score[:, :, far][here] = 0.0, 0.0


def _overlap(xy_px: Floats, visible: NDArray[np.bool_]) -> Floats:
    """Returns (V,T) the intersection over union of the boxes of two people (V,T,2,J,2); 0 without detections."""
    low = np.where(visible[..., None], xy_px, np.inf).min(-2)
    high = np.where(visible[..., None], xy_px, -np.inf).max(-2)
    size = np.where(visible.any(-1, keepdims=True), high - low, 0.0)
    common = np.minimum(high[:, :, 0], high[:, :, 1]) - np.maximum(low[:, :, 0], low[:, :, 1])
    shared = common.clip(0, None).prod(-1)
    return np.asarray(shared / np.maximum(size.prod(-1).sum(-1) - shared, 1e-9))


def _random_order(score: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Returns (V,T,P) the people in random order in every view and frame: those with scores (V,T,N,J) above 0 first."""
    absent = ~(score > 0).any(-1)
    most = int((~absent).sum(-1).max(initial=0))
    return np.asarray(np.argsort(rng.random(absent.shape) + absent, axis=-1)[..., :most])


def _below(normal: Floats, share: float) -> NDArray[np.bool_]:
    """Returns where standard normal values are among the given share of the lowest."""
    return np.asarray(normal < NormalDist().inv_cdf(share))
