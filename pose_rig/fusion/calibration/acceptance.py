"""Whether a solved rig may be used, and if not, what would help.

Axes: V views.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle import LENGTH_PER_HEIGHT
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.self_solve import FITS, MIRRORED, RigSolution
from pose_rig.skeleton import INDEX

SURE_DEG = 4.5  # rotations less sure than this cost more than full perspective gains
SURE_FOCAL = 0.2
HUMAN = 0.2
LENGTHS = (0.6, 1.6)  # bones of people, in shares of the average
SAME_WAY_DEG = 15.0


def rejection_reason(found: RigSolution, names: Sequence[str], up: Floats, height_m: float) -> str:
    """Returns why a solution is not used and what would help, for people; empty if it may be used."""
    calibration, known = found.cameras, np.flatnonzero(found.cameras.known).tolist()
    if found.validation_error > FITS:
        return (
            f"the views do not fit together yet (off by {found.validation_error:.1f} × what detectors err): keep moving"
        )
    if found.chirality < HUMAN:
        return MIRRORED
    share = found.bone_length_m / (LENGTH_PER_HEIGHT * height_m)
    if share.min() < LENGTHS[0] or share.max() > LENGTHS[1]:
        return "the bones came out longer or shorter than people's: keep moving"
    points_up = (found.poses[:, INDEX["head"]] - found.poses[:, [INDEX["l_ankle"], INDEX["r_ankle"]]].mean(1)) @ up
    if np.median(points_up) < 0:
        return "the person came out upside down: stand up for a moment"
    weak = [
        v for v in known if np.degrees(calibration.rotation_sd[v]) > SURE_DEG or calibration.focal_sd[v] > SURE_FOCAL
    ]
    if weak:
        listed = ", ".join(names[v] for v in weak)
        pairs = parallel_cameras(calibration, names)
        advice = f"{pairs}: move one of them" if pairs and len(known) < 4 else "walk about and turn around once"
        return f"{listed} {'is' if len(weak) == 1 else 'are'} not sure yet: {advice}"
    return ""


def parallel_cameras(calibration: Calibration, names: Sequence[str]) -> str:
    """Returns which pairs of cameras look the same way, as a sentence without its full stop; empty if none."""
    axes = calibration.rotation[:, 2]
    known = np.flatnonzero(calibration.known).tolist()
    alike = [
        f"{names[a]} and {names[b]}"
        for a, b in combinations(known, 2)
        if np.degrees(np.arccos(np.clip(axes[a] @ axes[b], -1, 1))) < SAME_WAY_DEG
    ]
    return f"{', '.join(alike)} look the same way" if alike else ""
