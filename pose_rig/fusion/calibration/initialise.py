"""Where bundle adjustment starts: from the lifted poses, or from the pictures' own two-view geometry.

Axes: N instants, V views, P points.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle import LENGTH_OF, LENGTH_PER_HEIGHT, POINTS, SPAN, State, Tracks
from pose_rig.fusion.calibration.cameras import undistort
from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.calibration.resection import resect
from pose_rig.fusion.calibration.triangulate import Rays, triangulate

NOISE = 0.0125  # of a person's size in the picture: what detectors are wrong by, measured
LEAST = 0.05  # no detection is given up beforehand
PLACE_ROUNDS = 10
APART_M = 0.3  # views whose pelvis lies so far off count half
ENOUGH = 40  # points seen by both cameras for two-view geometry
EPIPOLAR_SD = 3.0
GUESSED = 3.0  # a guessed focal length lets a camera fit so much worse
ROOM_M = 10.0  # people stay within this of their usual place
ROUGH_ROUNDS = 4  # the adjustment does the rest
REACH_M = 0.5  # standard deviation of a joint about the middle of the body


def tracks_of(
    instants: Sequence[Keyframe], focal_px: Floats, size_px: Floats, views: NDArray[np.int64]
) -> tuple[Tracks, Floats]:
    """Returns what some views saw (`bundle.Tracks`), and where (N,V,2) they saw the pelvis.

    Args:
        instants: What is remembered.
        focal_px: (V,) assumed, of these views.
        size_px: (V,2) of these views.
        views: Which.
    """
    seen = (np.stack([i.xy_px[views] for i in instants]) - 0.5 * size_px[:, None]) / focal_px[:, None, None]
    points = list(POINTS)
    score = np.stack([i.score[views] for i in instants])[:, :, points]
    trust = np.stack([i.inlier[views] for i in instants])[:, :, points]
    weight = np.stack([i.weight[views] for i in instants])[..., None] * (score > 0) * np.clip(trust, LEAST, 1.0)
    return Tracks(seen[:, :, points], noise(seen[:, :, points], score > 0), weight), seen[:, :, 0]


def noise(seen: Floats, there: NDArray[np.bool_]) -> Floats:
    """Returns (...,1) the standard deviation of good detections (...,P,2): a share of how large the person appears."""
    low = np.where(there[..., None], seen, np.inf).min(-2)
    high = np.where(there[..., None], seen, -np.inf).max(-2)
    extent = np.where(there.any(-1, keepdims=True), high - low, 1.0).max(-1, keepdims=True)
    return np.asarray(np.maximum(NOISE * extent, 1e-4))


def from_lifts(
    instants: Sequence[Keyframe], pelvis: Floats, views: NDArray[np.int64], rotation: Floats, height_m: float
) -> State:
    """Returns the rig that the lifted poses tell: given rotations, places from how large the person appears.

    Args:
        instants: What is remembered.
        pelvis: (N,V,2) where the views saw it, in assumed focal lengths.
        views: Which.
        rotation: (V,3,3) camera_from_rig of these views.
        height_m: Stature.
    """
    depth = height_m * np.stack([i.pelvis_depth[views] for i in instants])
    weight = np.stack([i.weight[views] for i in instants])
    ray = np.concatenate([pelvis, np.ones_like(pelvis[..., :1])], -1)
    ray = ray / np.linalg.norm(ray, axis=-1, keepdims=True)
    away = np.einsum("vji,nvj->nvi", rotation, ray * depth[..., None])  # camera → pelvis, rig axes
    centre = -_medians(away, weight)
    for _ in range(PLACE_ROUNDS):
        stand = centre + away
        far = np.linalg.norm(stand - np.median(stand, axis=1, keepdims=True), axis=-1)
        w = weight / (1 + (far / APART_M) ** 2)
        mean = (w[..., None] * stand).sum(1) / np.maximum(w.sum(1), 1e-9)[:, None]
        centre = _medians(mean[:, None] - away, weight)
    zero = np.zeros(len(views))
    return State.of(rotation, -np.einsum("vij,vj->vi", rotation, centre), zero, zero, height_m)


def on(cameras: State, tracks: Tracks) -> State:
    """Returns the same cameras and bones with the points of (other) tracks triangulated.

    A joint that few see well must not start at infinity: it is held near the middle of the body, and that near where
    the person usually is.
    """
    factor = np.exp(cameras.zoom)[:, None]
    ideal_xy = undistort(tracks.seen / factor[..., None], cameras.k1[:, None])
    rays = Rays(ideal_xy, tracks.sd / factor, tracks.weight)
    points = triangulate(rays, cameras, rounds=ROUGH_ROUNDS)
    middle = np.median(points, axis=1, keepdims=True)
    usual = np.median(middle, axis=0, keepdims=True)
    middle = np.where(np.linalg.norm(middle - usual, axis=-1, keepdims=True) < ROOM_M, middle, usual)
    return replace(cameras, points=triangulate(rays, cameras, middle + np.zeros_like(points), REACH_M, ROUGH_ROUNDS))


def from_pictures(tracks: Tracks, zoom: float, height_m: float) -> State | None:
    """Returns the rig from two-view geometry, other views added one by one; None if no two views see enough.

    Args:
        tracks: What was seen.
        zoom: Log of the common guess of the focal lengths over the assumed ones.
        height_m: Stature, for the scale.
    """
    views = tracks.weight.shape[1]
    ideal_xy = tracks.seen / np.exp(zoom)
    good = tracks.weight > 0.3
    sd, zooms = float(np.median(tracks.sd)), np.full(views, zoom)
    found: list[tuple[tuple[int, int], tuple[Floats, Floats, float]]] = []
    for v, u in combinations(range(views), 2):
        both = good[:, v] & good[:, u]
        if both.sum() >= ENOUGH and (seen_by_two := _pair(ideal_xy[:, v][both], ideal_xy[:, u][both], sd)) is not None:
            found.append(((v, u), seen_by_two))
    if not found:
        return None
    (first, second), (turn, step, _) = max(found, key=lambda item: item[1][2])
    rotation, translation = np.tile(np.eye(3), (views, 1, 1)), np.zeros((views, 3))
    rotation[second], translation[second] = turn, step
    placed = [first, second]
    for _ in range(views - 2):
        here = tracks.weight * np.isin(np.arange(views), placed)[:, None]
        points = triangulate(
            Rays(ideal_xy, tracks.sd, here), State.of(rotation, translation, zooms, np.zeros(views), height_m)
        )
        sure = (here > 0.3).sum(1) >= 2
        left = [v for v in range(views) if v not in placed]
        counts = [int((sure & good[:, v]).sum()) for v in left]
        best = left[int(np.argmax(counts))]
        use = sure & good[:, best]
        if max(counts) < ENOUGH:
            return None
        posed = resect(points[use], ideal_xy[:, best][use], GUESSED * float(np.median(tracks.sd[:, best])))
        if posed is None:
            return None
        rotation[best], translation[best] = posed
        placed.append(best)
    cameras = State.of(rotation, translation, zooms, np.zeros(views), height_m)
    points = triangulate(Rays(ideal_xy, tracks.sd, tracks.weight), cameras)
    span = np.linalg.norm(SPAN @ points, axis=-1)
    scale = float(np.median(LENGTH_PER_HEIGHT[LENGTH_OF] * height_m / np.maximum(np.median(span, axis=0), 1e-9)))
    return replace(cameras, translation=scale * translation)


def _pair(a: Floats, b: Floats, sd: float) -> tuple[Floats, Floats, float] | None:
    """Returns rotation, unit translation and worth of the second camera relative to the first, None if degenerate."""
    eye = np.eye(3)
    cv2.setRNGSeed(0)
    matrix, mask = cv2.findEssentialMat(a, b, eye, method=cv2.USAC_ACCURATE, prob=0.999, threshold=EPIPOLAR_SD * sd)
    if matrix is None or matrix.shape != (3, 3):
        return None
    count, turn, step, inside = cv2.recoverPose(matrix, a, b, eye, mask=mask)
    if count < ENOUGH // 2:
        return None
    rotation, direction = np.asarray(turn, np.float64), np.asarray(step, np.float64)[:, 0]
    used = inside.ravel() > 0
    ray_a = np.concatenate([a[used], np.ones((used.sum(), 1))], 1)
    ray_b = np.concatenate([b[used], np.ones((used.sum(), 1))], 1) @ rotation
    cosine = (ray_a * ray_b).sum(-1) / np.linalg.norm(ray_a, axis=-1) / np.linalg.norm(ray_b, axis=-1)
    return rotation, direction, float(count * np.median(np.sqrt(np.maximum(1 - cosine**2, 0.0))))


def _medians(values: Floats, weight: Floats) -> Floats:
    """Returns (V,3) the weighted medians of rows (N,V,3), weights (N,V)."""
    order = np.argsort(values, axis=0)
    summed = np.cumsum(np.take_along_axis(np.broadcast_to(weight[..., None], values.shape), order, 0), axis=0)
    middle = (summed < 0.5 * summed[-1:]).sum(0).clip(0, len(values) - 1)[None]
    return np.asarray(np.take_along_axis(values, np.take_along_axis(order, middle, 0), 0)[0])
