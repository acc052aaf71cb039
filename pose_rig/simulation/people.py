"""What 2D detectors find of several people in one room, who hide each other, are missed, and merge.

Axes: V views, T frames, N people, P detections of a view and frame in random order, J = 17 joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.simulation.cameras import Cameras
from pose_rig.simulation.detector_bias import DetectorBias
from pose_rig.simulation.noise import detect, drift, random_events
from pose_rig.simulation.occlusion import hidden_behind
from pose_rig.skeleton import INDEX, LIMBS

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
        xy_px: (V,T,P,J,2) detections; rows beyond those of a frame are 0.
        score: (V,T,P,J) 0–1, 0 = not detected.
        fps: Frames per second.
        joints: (T,N,J,3) m, ground truth, in the room (y up). Those of people who are not present are NaN.
        cameras: True cameras (V,).
        person: (V,T,P) which person (N) a detection shows; −1 = none, or a mixture of two.
    """

    xy_px: Floats
    score: Floats
    fps: float
    joints: Floats
    cameras: Cameras
    person: NDArray[np.int64]


def detect_people(
    joints: Floats,
    cameras: Cameras,
    fps: float,
    seed: int,
    bias: DetectorBias | None = None,
    present: Sequence[int] | None = None,
) -> PeopleTake:
    """Returns a take of people.

    Args:
        joints: (T,N,J,3) m, in the room.
        cameras: Static cameras (V,).
        fps: Frames per second.
        seed: Of what is random. The noise of a person does not depend on who else is present.
        bias: Of the detector.
        present: Indices of the people in the room; None = all of them.
    """
    people = tuple(range(joints.shape[1])) if present is None else tuple(present)
    over_time = cameras.each(lambda values: values[:, None, None])
    xy, local = over_time.project(joints[None, :, list(people)])
    inside = _inside(xy, cameras) & (local[..., 2].min(-1) > MIN_DEPTH_M)[..., None]
    behind = hidden_behind(xy, local[..., 2], cameras.focal_px)
    xy_px, score = np.zeros(xy.shape), np.zeros(xy.shape[:-1])
    for i, n in enumerate(people):
        shift_px = None if bias is None else bias.shift_px(joints[:, n], cameras)
        rng = np.random.default_rng([seed, n])
        xy_px[:, :, i], score[:, :, i] = _detect(xy, inside[:, :, i], behind[:, :, i], i, fps, rng, shift_px)
    gone = ~_inside(xy_px, cameras)
    xy_px[gone], score[gone] = 0.0, 0.0
    person = np.broadcast_to(np.array(people, int), score.shape[:3]).copy()
    for i, k in combinations(range(len(people)), 2):
        rng = np.random.default_rng([seed, 1 + people[i], 1 + people[k]])
        _merge(xy_px, score, person, local[..., 0, 2], (i, k), fps, rng)
    truth = np.full(joints.shape, np.nan)
    truth[:, list(people)] = joints[:, list(people)]
    return PeopleTake(*_shuffled(xy_px, score, person, seed, fps, truth, cameras))


def _inside(xy_px: Floats, cameras: Cameras) -> NDArray[np.bool_]:
    """Returns (V,T,N,J) whether points (V,T,N,J,2) are in the image."""
    return np.asarray(((xy_px >= 0) & (xy_px < cameras.size_px[:, None, None, None])).all(-1))


def _detect(
    xy: Floats,
    inside: NDArray[np.bool_],
    behind: NDArray[np.int64],
    i: int,
    fps: float,
    rng: np.random.Generator,
    shift_px: Floats | None,
) -> tuple[Floats, Floats]:
    """Returns detections (V,T,J,2) px and scores (V,T,J) of person ``i`` of those projected to ``xy`` (V,T,N,J,2)."""
    own = xy[:, :, i]
    extent = np.ptp(own, axis=-2).max(-1)[..., None, None]
    found = detect(own if shift_px is None else own + shift_px, fps, rng)
    out, score = found.xy_px, found.score
    kind = drift((*score.shape, 1), BOUT * fps, rng)[..., 0]
    guess, guess_score = drift(out.shape, fps, rng) * GUESS_SD * extent, rng.normal(*GUESS_SCORE, score.shape)
    hidden = behind >= 0
    left_out, attracted = _below(kind, LEFT_OUT_SHARE), _below(-kind, ATTRACTED_SHARE)
    other = np.take_along_axis(xy, np.maximum(behind, 0)[:, :, None, :, None], 2)[:, :, 0]
    out = np.where((hidden & attracted)[..., None], other + out - own, out)
    guessed = hidden & ~attracted
    out = np.where(guessed[..., None], out + guess, out)
    score = np.where(guessed, guess_score.clip(0.02, 0.9), score)
    score = np.where(hidden & left_out, 0.0, score)
    visible = (inside & ~hidden)[..., list(LIMBS)].mean(-1)
    missed = _missed(visible, fps, rng)[..., None] | ~inside
    return np.where(missed[..., None], 0.0, out), np.where(missed, 0.0, score)


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


def _shuffled(
    xy_px: Floats,
    score: Floats,
    person: NDArray[np.int64],
    seed: int,
    fps: float,
    joints: Floats,
    cameras: Cameras,
) -> tuple[Floats, Floats, float, Floats, Cameras, NDArray[np.int64]]:
    """Returns the attributes of a take: the people of each frame in random order, those not detected left out."""
    rng = np.random.default_rng([seed, 0, 0, 1])
    absent = ~(score > 0).any(-1)
    most = int((~absent).sum(-1).max(initial=0))
    order = np.argsort(rng.random(absent.shape) + absent, axis=-1)[..., :most]
    person = np.take_along_axis(np.where(absent, -1, person), order, 2)
    xy_px = np.take_along_axis(xy_px, order[..., None, None], 2)
    return xy_px, np.take_along_axis(score, order[..., None], 2), fps, joints, cameras, person


def _below(normal: Floats, share: float) -> NDArray[np.bool_]:
    """Returns where standard normal values are among the given share of the lowest."""
    return np.asarray(normal < NormalDist().inv_cdf(share))
