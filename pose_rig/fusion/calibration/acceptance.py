"""Acceptance of a solved rig, or the reason for its rejection with advice.

Axes: V views.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.segments import LENGTH_PER_HEIGHT
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.self_solve import MAX_ERROR_SD, MIRROR_AMBIGUITY
from pose_rig.skeleton import INDEX

MAX_ROTATION_SD_DEG = 5.2  # a larger error costs more than full perspective gains
MAX_FOCAL_SD = 0.26  # relative; 0.3 is what is assumed of unknown ones
MIN_CHIRALITY = 0.2
LENGTH_RANGE = (0.6, 1.6)  # of people's segments, as a share of the average
PARALLEL_DEG = 15.0


def rejection_reason(found: RigSolution, names: Sequence[str], up: Floats, height_m: float) -> str:
    """Returns why a rig is rejected and what would help, for display; empty if it is accepted."""
    calibration, known = found.cameras, np.flatnonzero(found.cameras.known).tolist()
    if found.validation_error > MAX_ERROR_SD:
        return f"the reprojection error is too large ({found.validation_error:.1f} × the detection noise): keep moving"
    if found.chirality < MIN_CHIRALITY:
        return MIRROR_AMBIGUITY
    share = found.bone_length_m / (LENGTH_PER_HEIGHT * height_m)
    if share.min() < LENGTH_RANGE[0] or share.max() > LENGTH_RANGE[1]:
        return "the estimated bone lengths are outside the human range: keep moving"
    upright = (found.poses[:, INDEX["head"]] - found.poses[:, [INDEX["l_ankle"], INDEX["r_ankle"]]].mean(1)) @ up
    if np.median(upright) < 0:
        return "the estimated person is upside down: stand upright for a moment"
    uncertain = [
        v
        for v in known
        if np.degrees(calibration.rotation_sd[v]) > MAX_ROTATION_SD_DEG or calibration.focal_sd[v] > MAX_FOCAL_SD
    ]
    if uncertain:
        pairs = parallel_cameras(calibration, names)
        advice = f"{pairs}: move one of them" if pairs and len(known) < 4 else "walk about and turn around once"
        return f"the calibration of {', '.join(names[v] for v in uncertain)} is still uncertain: {advice}"
    return ""


def parallel_cameras(calibration: Calibration, names: Sequence[str]) -> str:
    """Returns the pairs of cameras with parallel axes, as a sentence without its full stop; empty if none."""
    axes = calibration.rotation[:, 2]
    known = np.flatnonzero(calibration.known).tolist()
    pairs = [
        f"{names[a]} and {names[b]}"
        for a, b in combinations(known, 2)
        if np.degrees(np.arccos(np.clip(axes[a] @ axes[b], -1, 1))) < PARALLEL_DEG
    ]
    return f"{', '.join(pairs)} point in the same direction" if pairs else ""
