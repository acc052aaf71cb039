"""Cameras of one model, told by their focal lengths."""

import numpy as np
import pytest

from pose_rig.fusion.calibration.bundle.priors import Priors
from pose_rig.fusion.calibration.bundle.state import C
from pose_rig.fusion.calibration.same_model import are_tied, log_bayes_factor, same_model

PRIOR_SD = 0.3
ANY = np.ones((4, 4), bool)


def tied(log_focal_scale: list[float], sd: float, candidates: np.ndarray = ANY) -> list[list[int]]:
    """The groups found, in order."""
    found = same_model(np.array(log_focal_scale), sd**2 * np.eye(len(log_focal_scale)), PRIOR_SD, candidates)
    assert (found == found.T).all()
    assert not found.diagonal().any()
    return [np.flatnonzero(row).tolist() for row in found]


def test_equal_focal_lengths_are_tied_as_soon_as_they_are_known_somewhat() -> None:
    assert tied([0.0, 0.02, -0.02, 0.01], 0.1) == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]
    assert tied([0.0, 0.02, -0.02, 0.01], 0.28) == [[], [], [], []]


def test_different_focal_lengths_are_not_tied() -> None:
    assert tied([-0.3, -0.1, 0.1, 0.3], 0.05) == [[], [], [], []]


def test_one_other_camera_does_not_keep_the_rest_apart() -> None:
    assert tied([0.0, 0.01, 0.4, -0.01], 0.05) == [[1, 3], [0, 3], [], [0, 1]]


def test_two_models_of_equal_image_size_are_two_groups() -> None:
    assert tied([-0.3, 0.3, -0.31, 0.31], 0.05) == [[2], [3], [0], [1]]


def test_only_candidates_are_tied() -> None:
    candidates = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1]], bool)
    assert tied([0.0, 0.0, 0.0, 0.0], 0.05, candidates) == [[2], [3], [0], [1]]


def test_without_data_nothing_is_known_of_equality() -> None:
    """Estimates that are the prior's own mean agree, but say nothing."""
    assert log_bayes_factor(np.zeros(3), PRIOR_SD**2 * np.eye(3), PRIOR_SD) == pytest.approx(0.0)


def test_a_single_camera_is_of_no_group() -> None:
    assert same_model(np.zeros(1), np.eye(1), PRIOR_SD, np.ones((1, 1), bool)).tolist() == [[False]]


def priors(views: int) -> Priors:
    ones = np.ones(views)
    return Priors((1.7,), 0 * ones, 0.3 * ones, 0 * ones, 0.1 * ones, np.zeros((views, views), bool), 0, 0.01 * ones)


def test_solutions_of_equal_lenses_are_compared_by_what_they_cost() -> None:
    """Four cameras whose focal lengths are known to 5 %: 14 in the prior's volume, about 2.6 each for three of them."""
    covariance = np.diag(np.tile([1.0] * 6 + [0.05**2, 0.1**2], 4))
    assert C == 8
    assert are_tied(4.0, covariance, priors(4), ANY)
    assert not are_tied(8.0, covariance, priors(4), ANY)


def test_groups_of_different_image_sizes_are_not_compared_with_each_other() -> None:
    covariance = np.diag(np.tile([1.0] * 6 + [0.05**2, 0.1**2], 4))
    pairs = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]], bool)
    assert are_tied(3.0, covariance, priors(4), pairs)
    assert not are_tied(4.0, covariance, priors(4), pairs)


def test_nothing_is_gained_where_no_two_cameras_may_be_alike() -> None:
    assert not are_tied(0.0, np.eye(4 * C), priors(4), np.eye(4, dtype=bool))
