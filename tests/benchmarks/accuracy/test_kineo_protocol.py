"""Kineo's protocol."""

import argparse
from dataclasses import astuple, replace

import numpy as np
import pytest
from rich.table import Table

from benchmarks.accuracy.kineo_protocol import (
    ProtocolScore,
    add_row,
    human36m_cameras,
    protocol_score,
    simulated,
)
from benchmarks.contract import Report
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.geometry import rotation_from_vector
from tests.benchmarks.rigs import walking
from tests.benchmarks.solved import exact
from tests.fusion.fakes import walk

TRUE, PEOPLE = human36m_cameras(), walk(1.0)
TURN, SHIFT = rotation_from_vector(np.array([0.4, 1.0, -0.3])), np.array([1.0, -2.0, 0.3])


def score_of(solved: Calibration, scale: float = 1.0) -> ProtocolScore:
    """The score of cameras and people that were rotated, moved and scaled."""
    people = scale * (PEOPLE - SHIFT) @ TURN.T
    return protocol_score(solved.transformed(TURN, SHIFT, scale), TRUE, people, PEOPLE)


def test_the_cameras_surround_the_room_at_5_m_and_are_upright() -> None:
    assert np.linalg.norm(TRUE.position[:, [0, 2]], axis=-1) == pytest.approx([5.3, 5.5, 5.5, 4.2], abs=0.1)
    np.testing.assert_allclose(TRUE.rotation @ TRUE.rotation.swapaxes(1, 2), np.tile(np.eye(3), (4, 1, 1)), atol=1e-9)
    assert (TRUE.rotation[:, 1, 1] < -0.95).all()
    xy, local = TRUE.each(lambda values: values[:, None]).project(PEOPLE[None] - PEOPLE[:, 0].mean(0) * [1, 0, 1])
    assert (local[..., 2] > 3).all()
    assert ((xy > 0) & (xy < 1000)).all()


def test_exact_cameras_in_any_frame_have_no_error() -> None:
    assert astuple(score_of(exact(TRUE))) == pytest.approx(np.zeros(6), abs=1e-4)


def test_a_rig_of_the_wrong_size_has_metric_errors_only() -> None:
    score = score_of(exact(TRUE), 1.1)
    assert (score.pa_mpjpe_mm, score.s_te_m, score.ae_deg, score.vfov_deg) == pytest.approx((0, 0, 0, 0), abs=1e-4)
    radius = np.linalg.norm(TRUE.position - TRUE.position.mean(0), axis=-1).mean()
    assert score.te_m == pytest.approx(0.1 * radius, rel=1e-3)
    off = np.linalg.norm(PEOPLE - TRUE.position.mean(0), axis=-1).mean()
    assert score.w_mpjpe_mm == pytest.approx(100 * off, rel=1e-3)


def test_each_column_shows_its_error() -> None:
    solved = exact(TRUE)
    longer = exact(replace(TRUE, focal_px=1.01 * TRUE.focal_px))
    assert score_of(longer).vfov_deg == pytest.approx(0.42, abs=0.02)
    solved.rotation[0] = rotation_from_vector(np.radians([0.0, 1.0, 0.0])) @ solved.rotation[0]
    solved.translation[0] = -solved.rotation[0] @ TRUE.position[0]
    score = score_of(solved)
    assert 0.3 < score.ae_deg < 0.5  # one degree of one of four
    assert (score.te_m, score.s_te_m) == pytest.approx((0, 0), abs=1e-6)
    assert score.w_mpjpe_mm > 1


def test_two_cameras_have_no_error_after_a_similarity() -> None:
    two = TRUE.each(lambda values: values[:2])
    score = protocol_score(exact(two), two, PEOPLE, PEOPLE)
    assert np.isnan(score.s_te_m)
    assert score.te_m == pytest.approx(0, abs=1e-9)
    table = Table(*"abcdefgh")
    report = Report("kineo_protocol", {})
    add_row(report, table, "two", [score, None])
    figures = {figure.name: figure.median for figure in report.figures}
    assert figures["two: solved"] == 1
    assert "two: s-TE" not in figures
    assert "two: TE, mean" in figures


def test_simulated_people_walk_between_the_cameras() -> None:
    args = argparse.Namespace(seconds=3.0, area=3.0, biased=True)
    rigs = [simulated([walking(3.0)], np.random.default_rng(1), args, height_given=given) for given in (True, False)]
    assert rigs[0].height_m == rigs[0].body_height_m
    assert rigs[1].height_m is None
    np.testing.assert_array_equal(rigs[0].take.xy_px, rigs[1].take.xy_px)
    assert (rigs[0].take.score > 0).mean() > 0.9
    assert np.ptp(rigs[0].take.joints[:, 0], axis=0)[[0, 2]].max() == pytest.approx(3.0)
