"""What detectors of people do besides noise: they miss people for seconds, and find some who are not there.

The shares are assumptions, on the bad side of what top-down detectors do in rooms with furniture and glass.

Axes: V views, T frames, N people, J = 17 joints.
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.simulation.noise import drift, random_events
from pose_rig.skeleton import INDEX

LONG_MISS_SHARE, LONG_MISS = 0.1, 12.0  # of the frames of a person in a view; lasts so many times as long as of joints
FURNITURE_SHARE, LEFT_OUT_SHARE = 0.08, 0.5  # of an arm or the legs behind furniture: left out, or else guessed
FURNITURE_SD = 0.07  # of the person's size, of guessed joints
DUPLICATE_SHARE, DUPLICATE = 0.05, 2.0  # a second skeleton of the same person
DUPLICATE_SD = 0.04  # of the person's size, from the first one
REFLECTION_VIEWS, REFLECTION_SHARE = 0.4, 0.3  # of the views, and of the frames of one person there
CLUTTER_VIEWS, CLUTTER_SHARE = 0.4, 0.2  # a coat or a shelf that is taken for a person, always in the same place
FAULT = 4.0
HIDDEN_PARTS = tuple(
    [INDEX[f"{side}_{joint}"] for side in sides for joint in joints]
    for sides, joints in (("l", ("elbow", "wrist")), ("r", ("elbow", "wrist")), ("lr", ("knee", "ankle")))
)
FALSE_SCORE = (0.45, 0.15)  # mean and standard deviation


def add_faults(
    xy_px: Floats, score: Floats, person: NDArray[np.int64], size_px: Floats, fps: float, rng: np.random.Generator
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Returns detections of people with those of false people after them.

    Args:
        xy_px: (V,T,N,J,2) detections of each person.
        score: (V,T,N,J) 0–1, 0 = not detected.
        person: (V,T,N) which person a detection shows; −1 for false people in what is returned.
        size_px: (V,2) of the images.
        fps: Frames per second.
        rng: Random generator.
    """
    views, frames, people = score.shape[:3]
    if not people:
        return xy_px, score, person
    missed = random_events(np.full(people, LONG_MISS_SHARE), (views, frames, people), LONG_MISS * fps, rng)
    score = score * ~missed[..., None]
    xy_px, score = _behind_furniture(xy_px, score, fps, rng)
    parts = [
        (xy_px, score, person),
        _duplicates(xy_px, score, person, fps, rng),
        _reflections(xy_px, score, size_px, fps, rng),
        _clutter(xy_px, score, size_px, fps, rng),
    ]
    xy_px, score, person = (np.concatenate(part, axis=2) for part in zip(*parts, strict=True))
    inside = ((xy_px >= 0) & (xy_px < size_px[:, None, None, None])).all(-1) & (score > 0)
    return np.where(inside[..., None], xy_px, 0.0), score * inside, person


def _behind_furniture(xy_px: Floats, score: Floats, fps: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Returns detections of which arms or legs are left out or guessed for seconds."""
    views, frames, people = score.shape[:3]
    shares = np.array([*np.full(people, FURNITURE_SHARE), *np.full(people, LEFT_OUT_SHARE)])
    size = _size(xy_px, score)[..., None, None]
    for joints in HIDDEN_PARTS:
        events = random_events(shares, (views, frames, 2 * people), LONG_MISS * fps, rng)
        hidden, left_out = events[..., :people, None], events[..., people:, None]
        noise = np.stack([drift((views, frames, len(joints), 2), fps, rng) for _ in range(people)], 2)
        part = xy_px[..., joints, :] + np.where(hidden[..., None], FURNITURE_SD * size * noise, 0.0)
        guess = np.minimum(score[..., joints], _false_scores((views, frames, people, len(joints)), rng))
        seen = np.where(hidden, np.where(left_out, 0.0, guess), score[..., joints])
        xy_px, score = xy_px.copy(), score.copy()
        xy_px[..., joints, :], score[..., joints] = part, seen
    return xy_px, score


def _size(xy_px: Floats, score: Floats) -> Floats:
    """Returns (V,T,N) the sizes in the image, 0 where nothing is detected."""
    size = (xy_px.max(-2) - np.where(score[..., None] > 0, xy_px, np.inf).min(-2)).max(-1)
    return np.where(np.isfinite(size), size, 0.0)


def _duplicates(
    xy_px: Floats, score: Floats, person: NDArray[np.int64], fps: float, rng: np.random.Generator
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Returns second skeletons (V,T,N,J,2) of people, at times."""
    views, frames, people = score.shape[:3]
    twice = random_events(np.full(people, DUPLICATE_SHARE), (views, frames, people), DUPLICATE * fps, rng)
    size = _size(xy_px, score)[..., None, None]
    noise = np.stack([drift((views, frames, *xy_px.shape[3:]), fps, rng) for _ in range(people)], 2)
    return xy_px + DUPLICATE_SD * size * noise, 0.8 * score * twice[..., None], np.where(twice, person, -1)


def _reflections(
    xy_px: Floats, score: Floats, size_px: Floats, fps: float, rng: np.random.Generator
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Returns the mirror image (V,T,1,J,2) of one person in some views, smaller and elsewhere in the image."""
    views, frames = score.shape[:2]
    xy, found = np.zeros_like(xy_px[:, :, :1]), np.zeros_like(score[:, :, :1])
    for view in range(views):
        n, factor = int(rng.integers(xy_px.shape[2])), rng.uniform(0.5, 0.9)
        place = rng.uniform(-0.2, 0.2, 2) * size_px[view]
        there = random_events(np.array([REFLECTION_SHARE]), (frames, 1), FAULT * fps, rng)[:, 0]
        there &= rng.random() < REFLECTION_VIEWS
        mirrored = (xy_px[view, :, n] - 0.5 * size_px[view]) * [-factor, factor] + 0.5 * size_px[view] + place
        xy[view, :, 0] = mirrored
        found[view, :, 0] = _false_scores((frames, score.shape[-1]), rng) * there[:, None] * (score[view, :, n] > 0)
    return xy, found, np.full(found.shape[:3], -1)


def _clutter(
    xy_px: Floats, score: Floats, size_px: Floats, fps: float, rng: np.random.Generator
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Returns a still figure (V,T,1,J,2) in some views."""
    views, frames = score.shape[:2]
    xy, found = np.zeros_like(xy_px[:, :, :1]), np.zeros_like(score[:, :, :1])
    for view in range(views):
        complete = np.argwhere((score[view] > 0).all(-1))
        there = random_events(np.array([CLUTTER_SHARE]), (frames, 1), FAULT * fps, rng)[:, 0]
        there &= rng.random() < CLUTTER_VIEWS
        if not len(complete):
            continue
        t, n = complete[int(rng.integers(len(complete)))]
        body = xy_px[view, t, n] - xy_px[view, t, n].mean(0)
        still = body * rng.uniform(0.5, 1.0) + rng.uniform(0.15, 0.85, 2) * size_px[view]
        size = np.ptp(still, axis=0).max()
        xy[view, :, 0] = still + 0.01 * size * drift((frames, *still.shape), fps, rng)
        found[view, :, 0] = _false_scores((frames, score.shape[-1]), rng) * there[:, None]
    return xy, found, np.full(found.shape[:3], -1)


def _false_scores(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    return np.clip(rng.normal(*FALSE_SCORE, shape), 0.05, 1.0)
