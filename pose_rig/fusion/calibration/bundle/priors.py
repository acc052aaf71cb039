"""Prior knowledge of bundle adjustment: body height and proportions, focal lengths, lenses.

Axes: V views, H people, C parameters per camera.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.length_priors import add_length_priors, length_cost
from pose_rig.fusion.calibration.bundle.normal_equations import NormalEquations
from pose_rig.fusion.calibration.bundle.state import BundleState, C

DIRECTION_BIAS_SD = 0.4  # in standard deviations of a detection, 1.25 % of the person: 0.5 %
SAME_MODEL_SD = 0.03  # of the log ratio of focal lengths of one camera model
SAME_MODEL_K1_SD = 0.01  # of the difference of their k1


@dataclass(frozen=True, slots=True)
class Priors:
    """Prior knowledge.

    Attributes:
        heights_m: (H) body heights of the people, at least one; None where it is unknown, as behind the last.
        log_focal_scale: (V,), log_focal_scale_sd: (V,) its standard deviation.
        k1: (V,), k1_sd: (V,) its standard deviation.
        same_model: (V,V) True where two cameras are of one model and share focal length and k1.
        gauge_view: The view whose pose is held.
        principal_point_sd: (V,) of the distance of the principal point from the one assumed, per axis, in assumed focal
            lengths.
        bias_sd: Standard deviation of the coefficients of the direction bias, in those of a detection.
    """

    heights_m: Sequence[float | None]
    log_focal_scale: Floats
    log_focal_scale_sd: Floats
    k1: Floats
    k1_sd: Floats
    same_model: NDArray[np.bool_]
    gauge_view: int
    principal_point_sd: Floats
    bias_sd: float = DIRECTION_BIAS_SD

    def of_models(self) -> "Priors":
        """Returns priors of camera models: those of a lens count once for all cameras that share it, not once for each.

        People with five equal cameras have not chosen usual lenses five times.
        """
        cameras = np.sqrt(1.0 + self.same_model.sum(1))
        return replace(self, log_focal_scale_sd=cameras * self.log_focal_scale_sd, k1_sd=cameras * self.k1_sd)


def prior_cost(state: BundleState, priors: Priors) -> float:
    """Returns the sum of squared differences from the priors, in standard deviations."""
    log_focal_scale, cost = state.log_focal_scale, length_cost(state.length, priors.heights_m)
    focal = ((log_focal_scale - priors.log_focal_scale) / priors.log_focal_scale_sd) ** 2
    cost += focal.sum() + (((state.k1 - priors.k1) / priors.k1_sd) ** 2).sum()
    cost += ((state.bias / priors.bias_sd) ** 2).sum()
    for values, sd in ((log_focal_scale, SAME_MODEL_SD), (state.k1, SAME_MODEL_K1_SD)):
        difference = (values[:, None] - values[None]) / sd
        cost += 0.5 * (priors.same_model * difference**2).sum()
    return float(cost)


def add_priors(system: NormalEquations, state: BundleState, priors: Priors) -> None:
    """Adds the priors to the normal equations."""
    hessian, gradient = system.hessian_global, system.gradient_global
    views = len(state.log_focal_scale)
    add_length_priors(system, state.length, priors.heights_m, views * C)
    focal = np.arange(views) * C + 6
    hessian[focal, focal] += priors.log_focal_scale_sd**-2
    gradient[focal] += (priors.log_focal_scale - state.log_focal_scale) / priors.log_focal_scale_sd**2
    at = np.arange(len(state.bias)) + views * C + state.length.size
    hessian[at, at] += priors.bias_sd**-2
    gradient[at] -= state.bias / priors.bias_sd**2
    k1 = focal + 1
    hessian[k1, k1] += priors.k1_sd**-2
    gradient[k1] += (priors.k1 - state.k1) / priors.k1_sd**2
    laplacian = np.diag(priors.same_model.sum(1)) - priors.same_model
    for column, values, sd in ((focal, state.log_focal_scale, SAME_MODEL_SD), (k1, state.k1, SAME_MODEL_K1_SD)):
        hessian[np.ix_(column, column)] += laplacian / sd**2
        gradient[column] -= laplacian @ values / sd**2
