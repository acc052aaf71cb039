"""What is known of the cameras and people of a rig before it is solved.

Axes: V views, H people.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.lens_family import has_lens
from pose_rig.fusion.calibration.bundle.priors import Priors
from pose_rig.fusion.calibration.bundle.state import BundleState
from pose_rig.fusion.calibration.lens_prior import lens_prior
from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.intrinsics import Intrinsics

PRIOR_FOCAL_PER_LARGER_SIDE = 0.75  # prior mean; webcams, phones and action cameras: 0.55 … 1.1
LOG_FOCAL_SCALE_SD = 0.3
GIVEN_LOG_FOCAL_SD = 0.02  # of a focal length from the configuration
CALIBRATED_LOG_FOCAL_SD = 1e-4  # of one with a distortion
GIVEN_K1_SD = 1e-4  # of a lens from the configuration
PRINCIPAL_POINT_SD = 0.012  # per axis, of the larger image side; measured on eight cameras: 0.2–2.7 % away
GIVEN_PRINCIPAL_POINT_SD = 0.001


def priors_of(
    task: SolveTask,
    views: NDArray[np.int64],
    heights_m: Sequence[float | None],
    state: BundleState | None = None,
) -> Priors:
    """Returns the priors of some views and people (H); those of lenses depend on the focal lengths found so far."""
    given, intrinsics = task.focal_given[views], task.intrinsics
    usual = np.log(PRIOR_FOCAL_PER_LARGER_SIDE * intrinsics.size_px.max(-1) / intrinsics.focal_px)[views]
    calibrated = has_lens(intrinsics)[views]
    given_sd = np.where(calibrated, CALIBRATED_LOG_FOCAL_SD, GIVEN_LOG_FOCAL_SD)
    mean, sd = np.where(given, 0.0, usual), np.where(given, given_sd, LOG_FOCAL_SCALE_SD)
    placed = np.isin(views, task.placed)
    if task.current is not None and placed.any():  # whose keypoints from before it was moved are not used
        before_sd = np.clip(task.current.focal_sd[views], GIVEN_LOG_FOCAL_SD, LOG_FOCAL_SCALE_SD)
        mean = np.where(placed, np.log(task.current.focal_px / intrinsics.focal_px)[views], mean)
        sd = np.where(placed, np.minimum(before_sd, sd), sd)
    focal_share = intrinsics.focal_px[views] * np.exp(mean if state is None else state.log_focal_scale)
    k1, k1_sd = lens_prior(focal_share / intrinsics.size_px[views].max(-1))
    k1, k1_sd = np.where(calibrated, 0.0, k1), np.where(calibrated, GIVEN_K1_SD, k1_sd)
    apart = np.zeros((len(views), len(views)), bool)
    return Priors(heights_m, mean, sd, k1, k1_sd, apart, 0, _principal_point_sd(intrinsics)[views])


def _principal_point_sd(intrinsics: Intrinsics) -> Floats:
    """Returns (V,) standard deviations of principal points per axis, in focal lengths; small where it is given."""
    given = (intrinsics.principal_point_px != 0.5 * intrinsics.size_px).any(-1) | has_lens(intrinsics)
    share = np.where(given, GIVEN_PRINCIPAL_POINT_SD, PRINCIPAL_POINT_SD)
    return np.asarray(share * intrinsics.size_px.max(-1) / intrinsics.focal_px)
