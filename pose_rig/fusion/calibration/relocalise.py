"""Relocalisation: whether the rig of an earlier run still agrees with the detections.

Axes: N keyframes, V views, L segment lengths.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.reprojection import Tracks, residuals
from pose_rig.fusion.calibration.bundle.segments import LENGTH_PER_HEIGHT, body_height, segment_lengths
from pose_rig.fusion.calibration.bundle.state import BundleState
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.initialise import USED_WEIGHT, build_tracks, with_points
from pose_rig.fusion.calibration.keyframes import Keyframe, people_of
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.self_solve import MAX_ERROR_SD, MIN_KEYFRAMES

MAX_ASPECT_DIFFERENCE = 0.02  # relative, of image sizes that differ by a scale only
MAX_HEIGHT_DIFFERENCE = 0.08  # relative, between measured and given body height without rescaling the rig
LENGTH_RATIO_SD = 0.1  # of people's segments about the average; a second of triangulation is as accurate


def relocalise(
    rig: RigSolution, keyframes: Sequence[Keyframe], size_px: Floats, height_m: float | None
) -> RigSolution | None:
    """Returns an earlier rig without the cameras whose reprojection error is too large.

    The segment lengths are those of the current people. None with fewer than two cameras.

    Args:
        rig: The earlier rig.
        keyframes: Detections of this run.
        size_px: (V,2) of the images now; focal lengths scale with them if the aspect ratio is the same.
        height_m: Body height of the first person if the user gave one: the rig is scaled to it. None = the rig keeps
            its scale.
    """
    cameras = resized(rig.cameras, size_px)
    views = np.flatnonzero(cameras.known)
    triangulated = _triangulated(cameras, keyframes)
    if triangulated is None:
        return None
    people, tracks, state = triangulated
    *_, square = residuals(state, tracks)
    agrees = np.zeros(len(cameras.known), bool)
    for at, view in enumerate(views.tolist()):
        used = tracks.weight[:, at] > USED_WEIGHT
        agrees[view] = used.any() and np.sqrt(np.median(square[:, at][used])) < MAX_ERROR_SD
    if agrees.sum() < 2:
        return None
    (length, height), *others = (_lengths(state.points[tracks.of(index)]) for index in range(len(people)))
    if people[0] != 0:
        height_m = None
    scale = 1.0 if height_m is None or abs(height_m / height - 1) < MAX_HEIGHT_DIFFERENCE else height_m / height
    scaled = replace(cameras, known=agrees).transformed(np.eye(3), np.zeros(3), scale)
    more = {person: scale * own for person, (own, _) in zip(people[1:], others, strict=True)}
    return replace(rig, cameras=scaled, bone_length_m=scale * length, person=people[0], others_bone_length_m=more)


def measure_bone_lengths(cameras: Calibration, keyframes: Sequence[Keyframe], person: int = 0) -> Floats | None:
    """Returns (L,) m the segment lengths of a person in a solved rig, None with too few keyframes of this person."""
    triangulated = _triangulated(cameras, [keyframe for keyframe in keyframes if keyframe.person == person])
    return None if triangulated is None else _lengths(triangulated[2].points)[0]


def _triangulated(cameras: Calibration, keyframes: Sequence[Keyframe]) -> tuple[list[int], Tracks, BundleState] | None:
    """Returns the people, the tracks of the known cameras and the triangulated state; None with too few keyframes."""
    views = np.flatnonzero(cameras.known)
    used = [k for k in keyframes if (k.weight[views] > 0).sum() > 1]
    if len(used) < MIN_KEYFRAMES or len(views) < 2:
        return None
    tracks, _ = build_tracks(used, cameras.intrinsics, views)
    rotation, translation, zero = cameras.rotation[views], cameras.translation[views], np.zeros(len(views))
    state = BundleState.from_cameras(rotation, translation, zero, zero, 1.0)
    return people_of(used), tracks, with_points(state, tracks)


def _lengths(points: Floats) -> tuple[Floats, float]:
    """Returns lengths (L,) m of points (N,P,3), clipped to two standard deviations, and the body height they imply."""
    length = segment_lengths(points)
    height = body_height(length)
    mean = LENGTH_PER_HEIGHT * height
    clipped = (length - mean).clip(-2 * LENGTH_RATIO_SD * mean, 2 * LENGTH_RATIO_SD * mean)
    return mean + clipped, height


def resized(cameras: Calibration, size_px: Floats) -> Calibration:
    """Returns the cameras for images of other sizes; one whose aspect ratio has changed is no longer known."""
    factor = size_px / cameras.size_px
    same = np.abs(factor[:, 0] / factor[:, 1] - 1) < MAX_ASPECT_DIFFERENCE
    intrinsics = replace(
        cameras.intrinsics,
        focal_px=cameras.focal_px * factor[:, 0],
        principal_point_px=cameras.principal_point_px * factor,
        size_px=size_px,
    )
    return replace(cameras, intrinsics=intrinsics, known=cameras.known & same)
