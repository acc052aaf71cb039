from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from pose_rig.fusion.pose.computation import Computations, alone, together
from pose_rig.fusion.pose.fit import PoseFit, TemporalPrior
from tests.fusion.pose.test_fit import lifted, rays_of
from tests.fusion.simulated import LENGTH_M, calibration


@dataclass(frozen=True)
class Inverse:
    """1 / value; together, it fails if one of them is 0."""

    value: float
    batches: list[int]
    stage: int = 0

    @property
    def kind(self) -> Hashable:
        return Inverse, self.value > 100

    def alone(self) -> float:
        self.batches.append(1)
        return 1 / self.value

    @classmethod
    def together(cls, computations: Sequence["Inverse"]) -> list[float]:
        computations[0].batches.append(len(computations))
        return [1 / one.value for one in computations]


def inverses(values: Sequence[float], batches: list[int]) -> Computations[list[float | None]]:
    """Inverts one value after the other, None where that fails."""
    found: list[float | None] = []
    for value in values:
        try:
            found.append((yield Inverse(value, batches)))
        except ZeroDivisionError:
            found.append(None)
    return found


def test_steps_of_different_length_are_computed_together_as_alone() -> None:
    values: list[list[float]] = [[1, 2, 4], [5], [], [8, 10]]
    batches: list[int] = []
    found = together([inverses(one, batches) for one in values])
    assert batches == [3, 2, 1]
    assert found == [alone(inverses(one, [])) for one in values] == [[1, 0.5, 0.25], [0.2], [], [0.125, 0.1]]


def test_only_computations_of_the_same_kind_are_in_one_batch() -> None:
    batches: list[int] = []
    together([inverses([1], batches), inverses([200], batches), inverses([2], batches)])
    assert batches == [2, 1]


def test_a_later_stage_waits_until_all_have_come_there() -> None:
    batches: list[int] = []

    def staged(*stages: int) -> Computations[list[float]]:
        found = []
        for stage in stages:
            found.append((yield Inverse(1 + stage, batches, stage)))
        return found

    found = together([staged(0, 2), staged(0, 0, 1, 2), staged(2), staged()])
    assert batches == [2, 1, 1, 3]
    assert found == [[1, 1 / 3], [1, 1, 0.5, 1 / 3], [1 / 3], []]


def test_a_numeric_error_is_raised_in_the_step_that_it_belongs_to() -> None:
    batches: list[int] = []
    found = together([inverses([1, 2], batches), inverses([0, 4], batches)])
    assert found == [[1, 0.5], [None, 0.25]]
    with pytest.raises(ZeroDivisionError):
        alone(failing())
    with pytest.raises(ZeroDivisionError):
        together([inverses([1], []), failing()])


def failing() -> Computations[list[float | None]]:
    return [(yield Inverse(0.0, []))]


@pytest.mark.parametrize("with_prior", [False, True])
def test_fits_together_are_those_alone(with_prior: bool) -> None:
    cameras = calibration(3)
    fits = []
    for seed in range(3):
        rays, shape = rays_of(cameras, 1.0 + seed, seed), lifted(0.05 * (1 + seed), seed)
        for i in range(2):
            one = type(rays)(*(getattr(rays, name)[i : i + 1] for name in ("ideal_xy", "sd", "weight")))
            prior = None
            if with_prior:
                covariance = np.tile(1e-3 * np.eye(3), (shape.shape[1], 1, 1))
                prior = TemporalPrior.after(1 / 30, shape[i] + 0.02 * seed, covariance)
            fits.append(PoseFit(one, cameras, LENGTH_M, shape[i : i + 1], prior))
    for apart, batch in zip([fit.alone() for fit in fits], PoseFit.together(fits), strict=True):
        np.testing.assert_allclose(batch.points, apart.points, atol=1e-9)
        np.testing.assert_allclose(batch.covariance, apart.covariance, atol=1e-9)
        np.testing.assert_allclose(batch.inlier, apart.inlier, atol=1e-9)
