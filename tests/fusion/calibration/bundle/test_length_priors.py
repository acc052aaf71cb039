"""What is known of the segment lengths of several people."""

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.length_priors import SIZE_SD, add_length_priors, length_cost
from pose_rig.fusion.calibration.bundle.normal_equations import NormalEquations
from pose_rig.fusion.calibration.bundle.segments import LENGTH_PER_HEIGHT, STANDING, L

TALL, SHORT = 1.9 * LENGTH_PER_HEIGHT, 1.2 * LENGTH_PER_HEIGHT


def equations(length: Floats, heights_m: tuple[float | None, ...]) -> tuple[Floats, Floats]:
    size, none = length.size, np.zeros((0, 0, 0))
    system = NormalEquations(np.zeros((size, size)), np.zeros(size), none, none, np.zeros((0, 0)))
    add_length_priors(system, length, heights_m, 0)
    return system.hessian_global, system.gradient_global


@pytest.mark.parametrize("heights_m", [(1.7,), (1.7, None), (None, 1.7, 1.8), (1.7, 1.8)])
def test_the_cost_is_that_of_the_normal_equations(heights_m: tuple[float | None, ...]) -> None:
    """It is quadratic."""
    rng = np.random.default_rng(0)
    length = LENGTH_PER_HEIGHT * rng.uniform(1.4, 1.9, (len(heights_m), 1)) * rng.uniform(0.9, 1.1, (1, L))
    step = rng.normal(0, 0.01, length.shape)
    hessian, gradient = equations(length, heights_m)
    change = 0.5 * step.ravel() @ hessian @ step.ravel() - gradient @ step.ravel()
    cost = 0.5 * (length_cost(length + step, heights_m) - length_cost(length, heights_m))
    assert cost == pytest.approx(change, rel=1e-9)


def test_average_people_of_their_heights_cost_nothing() -> None:
    assert length_cost(np.stack([TALL, SHORT]), (1.9, 1.2)) == pytest.approx(0.0, abs=1e-12)


def test_unknown_heights_leave_the_scale_alone() -> None:
    """All lengths are scaled together: a child of unknown height hardly changes the best scale."""
    length = np.stack([TALL, SHORT, SHORT])
    scales = 1 + np.linspace(-0.01, 0.01, 401)
    cost = [length_cost(scale * length, (1.9, None, None)) for scale in scales]
    assert scales[int(np.argmin(cost))] == pytest.approx(1.0, abs=0.3 * SIZE_SD)


def test_of_two_given_heights_that_differ_the_mean_counts() -> None:
    """One is 2 % taller than the other in the rig, though both were said to be equally tall."""
    length = np.stack([1.02 * TALL, TALL])
    scales = 1 + np.linspace(-0.03, 0.03, 601)
    cost = [length_cost(scale * length, (1.9, 1.9)) for scale in scales]
    assert scales[int(np.argmin(cost))] == pytest.approx(1 / 1.01, abs=1e-3)


def test_the_proportions_of_an_unknown_person_count() -> None:
    longer_arms = SHORT * np.where(STANDING > 0, 1.0, 1.3)
    usual, unusual = (length_cost(np.stack([TALL, one]), (1.9,)) for one in (SHORT, longer_arms))
    assert unusual > usual + 1
