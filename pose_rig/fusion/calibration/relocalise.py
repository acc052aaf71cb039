"""A rig of an earlier run: does what was seen since still fit it?

Axes: N instants, V views, S spans.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle import LENGTH_OF, LENGTH_PER_HEIGHT, SPAN, L, State, Tracks, residuals
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.initialise import on, tracks_of
from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.calibration.self_solve import FEWEST, FITS, RigSolution

SAME_SHAPE = 0.02  # image sizes whose sides differ by no more than this, scaled, are the same picture
SAME_SIZE = 0.08  # a person measure_bone_lengths within this of their stature is no reason to change the rig's scale
AVERAGE_SD = 0.1  # of people's bones about the average; the rig's own triangulation is as sure after a second
SURE = 0.3  # trust above which a detection is looked at


def relocalise(
    rig: RigSolution, instants: Sequence[Keyframe], size_px: Floats, height_m: float | None
) -> RigSolution | None:
    """Returns a rig of old, fit for use: without the cameras that see something else than they should.

    Args:
        rig: As it was.
        instants: What has been seen since.
        size_px: (V,2) of the pictures now; focal lengths follow them if their shape is the same.
        height_m: Stature if the user gave one: the rig's scale follows it. None = the rig keeps its scale.

    Returns:
        The rig with the bones of the person who is there now; None if it fits for fewer than two cameras.
    """
    cameras = resized(rig.cameras, size_px)
    views = np.flatnonzero(cameras.known)
    looked_at = _look(cameras, instants)
    if looked_at is None:
        return None
    tracks, state = looked_at
    *_, square = residuals(state, tracks)
    agrees = np.zeros(len(cameras.known), bool)
    for at, view in enumerate(views.tolist()):
        looked = tracks.weight[:, at] > SURE
        agrees[view] = looked.any() and np.sqrt(np.median(square[:, at][looked])) < FITS
    if agrees.sum() < 2:
        return None
    length, stature = _bones(state)
    scale = 1.0 if height_m is None or abs(height_m / stature - 1) < SAME_SIZE else height_m / stature
    moved = replace(cameras, known=agrees).moved(np.eye(3), np.zeros(3), scale)
    return replace(rig, cameras=moved, bone_length_m=scale * length)


def measure_bone_lengths(cameras: Calibration, instants: Sequence[Keyframe]) -> Floats | None:
    """Returns (L,) m the bones of the person whom a solved rig has seen, None while that is too little."""
    looked_at = _look(cameras, instants)
    return None if looked_at is None else _bones(looked_at[1])[0]


def _look(cameras: Calibration, instants: Sequence[Keyframe]) -> tuple[Tracks, State] | None:
    """Returns what the known cameras saw, triangulated; None if two hardly ever saw anybody."""
    views = np.flatnonzero(cameras.known)
    kept = [i for i in instants if (i.weight[views] > 0).sum() > 1]
    if len(kept) < FEWEST or len(views) < 2:
        return None
    tracks, _ = tracks_of(kept, cameras.focal_px[views], cameras.size_px[views], views)
    state = State.of(cameras.rotation[views], cameras.translation[views], np.zeros(len(views)), cameras.k1[views], 1.0)
    return tracks, on(state, tracks)


def _bones(state: State) -> tuple[Floats, float]:
    """Returns lengths (L,) m as triangulated, kept within what people have, and the stature that goes with them."""
    bones = np.median(np.linalg.norm(SPAN @ state.points, axis=-1), axis=0)
    length = np.array([bones[i == LENGTH_OF].mean() for i in range(L)])
    stature = float(np.median(length / LENGTH_PER_HEIGHT))
    mean = LENGTH_PER_HEIGHT * stature
    return mean + (length - mean).clip(-2 * AVERAGE_SD * mean, 2 * AVERAGE_SD * mean), stature


def resized(cameras: Calibration, size_px: Floats) -> Calibration:
    """Returns the cameras for pictures of other sizes; one whose picture has another shape is not known any more."""
    factor = size_px / cameras.size_px
    same = np.abs(factor[:, 0] / factor[:, 1] - 1) < SAME_SHAPE
    return replace(cameras, focal_px=cameras.focal_px * factor[:, 0], size_px=size_px, known=cameras.known & same)
