"""Initial states for bundle adjustment: from the lifted poses, or from two-view geometry.

Axes: N keyframes, V views, P points (`segments.POINTS`), H people.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.lens_family import undistort
from pose_rig.fusion.calibration.bundle.reprojection import Tracks
from pose_rig.fusion.calibration.bundle.segments import (
    LENGTH_INDEX,
    LENGTH_PER_HEIGHT,
    POINTS,
    SEGMENTS,
    body_height,
    segment_lengths,
)
from pose_rig.fusion.calibration.bundle.state import BundleState
from pose_rig.fusion.calibration.keyframes import Keyframe, people_of
from pose_rig.fusion.calibration.resection import resect
from pose_rig.fusion.calibration.triangulate import Rays, triangulate
from pose_rig.intrinsics import Intrinsics

RELATIVE_DETECTION_SD = 0.0125  # of a person's size in the image: error of detectors, measured
MIN_INLIER = 0.05  # no detection is excluded beforehand
USED_WEIGHT = 0.3  # detections of a smaller weight are left out
CENTRE_ITERATIONS = 10
PELVIS_SCALE_M = 0.3  # Cauchy scale of a view's pelvis about that of all views
MIN_MATCHES = 40  # points visible in both cameras for two-view geometry
EPIPOLAR_THRESHOLD_SD = 3.0
RESECTION_SD_FACTOR = 3.0  # larger reprojection errors while the focal length is a guess
MAX_TRAVEL_M = 10.0  # from a person's median position
ROUGH_ITERATIONS = 4  # bundle adjustment does the rest
BODY_RADIUS_SD_M = 0.5  # standard deviation of a joint about the middle of the body


def build_tracks(
    keyframes: Sequence[Keyframe], intrinsics: Intrinsics, views: NDArray[np.int64]
) -> tuple[Tracks, Floats]:
    """Returns the tracks of some views, and their pelvis (N,V,2), in ideal coordinates of the ``intrinsics`` assumed.

    These are those of all cameras. People are numbered as in `people_of`.
    """
    xy = intrinsics.at(views).ideal_xy(np.stack([k.xy_px[views] for k in keyframes]))
    points = list(POINTS)
    score = np.stack([k.score[views] for k in keyframes])[:, :, points]
    inlier = np.stack([k.inlier[views] for k in keyframes])[:, :, points]
    weight = np.stack([k.weight[views] for k in keyframes])[..., None] * (score > 0) * np.clip(inlier, MIN_INLIER, 1.0)
    people = people_of(keyframes)
    person = np.searchsorted(people, [k.person for k in keyframes]) if len(people) > 1 else None
    return Tracks(xy[:, :, points], detection_sd(xy[:, :, points], score > 0), weight, person), xy[:, :, 0]


def detection_sd(xy: Floats, visible: NDArray[np.bool_]) -> Floats:
    """Returns (...,1) the standard deviation of inliers (...,P,2): a share of the person's size in the image."""
    low = np.where(visible[..., None], xy, np.inf).min(-2)
    high = np.where(visible[..., None], xy, -np.inf).max(-2)
    extent = np.where(visible.any(-1, keepdims=True), high - low, 1.0).max(-1, keepdims=True)
    return np.asarray(np.maximum(RELATIVE_DETECTION_SD * extent, 1e-4))


def from_lifted_poses(
    keyframes: Sequence[Keyframe], pelvis: Floats, views: NDArray[np.int64], rotation: Floats, *height_m: float
) -> BundleState:
    """Returns a state with given rotations; camera centres follow from the people's sizes in the images.

    Args:
        keyframes: Detections.
        pelvis: (N,V,2) in assumed focal lengths.
        views: Their indices.
        rotation: (V,3,3) camera_from_rig of these views.
        height_m: (H) body heights.
    """
    people = people_of(keyframes)
    heights_m = np.array([[height_m[people.index(k.person)]] for k in keyframes])
    depth = heights_m * np.stack([k.pelvis_depth[views] for k in keyframes])
    weight = np.stack([k.weight[views] for k in keyframes])
    ray = np.concatenate([pelvis, np.ones_like(pelvis[..., :1])], -1)
    ray = ray / np.linalg.norm(ray, axis=-1, keepdims=True)
    offset = np.einsum("vji,nvj->nvi", rotation, ray * depth[..., None])  # camera centre → pelvis, rig axes
    centre = -_weighted_medians(offset, weight)
    for _ in range(CENTRE_ITERATIONS):
        position = centre + offset
        error = np.linalg.norm(position - np.median(position, axis=1, keepdims=True), axis=-1)
        robust = weight / (1 + (error / PELVIS_SCALE_M) ** 2)
        mean = (robust[..., None] * position).sum(1) / np.maximum(robust.sum(1), 1e-9)[:, None]
        centre = _weighted_medians(mean[:, None] - offset, weight)
    zero = np.zeros(len(views))
    return BundleState.from_cameras(rotation, -np.einsum("vij,vj->vi", rotation, centre), zero, zero, *height_m)


def with_points(cameras: BundleState, tracks: Tracks) -> BundleState:
    """Returns the same cameras and lengths, without bias, with the points of (other) tracks triangulated.

    A joint with few detections must not start at infinity: a prior keeps it near the middle of the body, and that near
    the person's median position.
    """
    focal_scale = np.exp(cameras.log_focal_scale)[:, None]
    ideal_xy = undistort(tracks.xy / focal_scale[..., None], cameras.k1)
    rays = Rays(ideal_xy, tracks.sd / focal_scale, tracks.weight)
    points = triangulate(rays, cameras, iterations=ROUGH_ITERATIONS).points
    middle = np.median(points, axis=1, keepdims=True)
    usual = np.median(middle, axis=0, keepdims=True)
    middle = np.where(np.linalg.norm(middle - usual, axis=-1, keepdims=True) < MAX_TRAVEL_M, middle, usual)
    prior = middle + np.zeros_like(points)
    points = triangulate(rays, cameras, prior, BODY_RADIUS_SD_M, ROUGH_ITERATIONS).points
    return replace(cameras, points=points, bias=np.zeros(0))


def with_sizes(state: BundleState, tracks: Tracks) -> BundleState:
    """Returns the same state with average lengths of the sizes in which further people are triangulated.

    What is assumed of an unknown body height may be so far off that the lengths would count as outliers.
    """
    length = state.length.copy()
    for person in range(1, len(length)):
        points = state.points[tracks.of(person)]
        if len(points):
            length[person] = LENGTH_PER_HEIGHT * body_height(segment_lengths(points))
    return replace(state, length=length)


def from_two_view_geometry(tracks: Tracks, log_focal_scale: Floats, *height_m: float) -> BundleState | None:
    """Returns a state from the best pair of views, the others added one by one; None without enough matches.

    Args:
        tracks: 2D keypoints.
        log_focal_scale: (V,) as assumed.
        height_m: (H) body heights; the first is for the scale.
    """
    views = tracks.weight.shape[1]
    ideal_xy = tracks.xy / np.exp(log_focal_scale)[:, None, None]
    used = tracks.weight > USED_WEIGHT
    sd = float(np.median(tracks.sd))
    found: list[tuple[tuple[int, int], tuple[Floats, Floats, float]]] = []
    for v, u in combinations(range(views), 2):
        both = used[:, v] & used[:, u]
        pair = _relative_pose(ideal_xy[:, v][both], ideal_xy[:, u][both], sd) if both.sum() >= MIN_MATCHES else None
        if pair is not None:
            found.append(((v, u), pair))
    if not found:
        return None
    (first, second), (relative_rotation, baseline, _) = max(found, key=lambda item: item[1][2])
    rotation, translation = np.tile(np.eye(3), (views, 1, 1)), np.zeros((views, 3))
    rotation[second], translation[second] = relative_rotation, baseline

    def cameras() -> BundleState:
        return BundleState.from_cameras(rotation, translation, log_focal_scale, np.zeros(views), *height_m)

    registered = [first, second]
    for _ in range(views - 2):
        weight = tracks.weight * np.isin(np.arange(views), registered)[:, None]
        points = triangulate(Rays(ideal_xy, tracks.sd, weight), cameras()).points
        triangulated = (weight > USED_WEIGHT).sum(1) >= 2
        left = [v for v in range(views) if v not in registered]
        counts = [int((triangulated & used[:, v]).sum()) for v in left]
        best = left[int(np.argmax(counts))]
        matched = triangulated & used[:, best]
        if max(counts) < MIN_MATCHES:
            return None
        sd = RESECTION_SD_FACTOR * float(np.median(tracks.sd[:, best]))
        pose = resect(points[matched], ideal_xy[:, best][matched], sd)
        if pose is None:
            return None
        rotation[best], translation[best] = pose
        registered.append(best)
    points = triangulate(Rays(ideal_xy, tracks.sd, tracks.weight), cameras()).points
    norm = np.linalg.norm(SEGMENTS @ points[tracks.of(0)], axis=-1)
    length = LENGTH_PER_HEIGHT[LENGTH_INDEX] * height_m[0]
    scale = float(np.median(length / np.maximum(np.median(norm, axis=0), 1e-9)))
    return replace(cameras(), translation=scale * translation)


def _relative_pose(a: Floats, b: Floats, sd: float) -> tuple[Floats, Floats, float] | None:
    """Returns rotation, unit translation and quality of the second camera relative to the first, None if degenerate."""
    eye = np.eye(3)
    cv2.setRNGSeed(0)
    threshold = EPIPOLAR_THRESHOLD_SD * sd
    matrix, mask = cv2.findEssentialMat(a, b, eye, method=cv2.USAC_ACCURATE, prob=0.999, threshold=threshold)
    if matrix is None or matrix.shape != (3, 3):
        return None
    count, matrix, column, inside = cv2.recoverPose(matrix, a, b, eye, mask=mask)
    if count < MIN_MATCHES // 2:
        return None
    rotation, direction = np.asarray(matrix, np.float64), np.asarray(column, np.float64)[:, 0]
    inlier = inside.ravel() > 0
    ray_a = np.concatenate([a[inlier], np.ones((inlier.sum(), 1))], 1)
    ray_b = np.concatenate([b[inlier], np.ones((inlier.sum(), 1))], 1) @ rotation
    cosine = (ray_a * ray_b).sum(-1) / np.linalg.norm(ray_a, axis=-1) / np.linalg.norm(ray_b, axis=-1)
    return rotation, direction, float(count * np.median(np.sqrt(np.maximum(1 - cosine**2, 0.0))))


def _weighted_medians(values: Floats, weight: Floats) -> Floats:
    """Returns (V,3) the weighted medians of rows (N,V,3), weights (N,V)."""
    order = np.argsort(values, axis=0)
    summed = np.cumsum(np.take_along_axis(np.broadcast_to(weight[..., None], values.shape), order, 0), axis=0)
    middle = (summed < 0.5 * summed[-1:]).sum(0).clip(0, len(values) - 1)[None]
    return np.asarray(np.take_along_axis(values, np.take_along_axis(order, middle, 0), 0)[0])
