"""Errors of solved cameras."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.accuracy.cameras.errors import camera_errors
from pose_rig.geometry import rotation_from_vector, rotation_to_z
from pose_rig.simulation.cameras import Cameras, look_at
from pose_rig.simulation.lenses import Lenses
from tests.benchmarks.solved import exact
from tests.fusion.fakes import ring

VIEWS = 4
TRUE = ring(VIEWS)


def with_lenses(offset_px: list[float], k1: float = 0.0, angle_factor: float = 1.0) -> Cameras:
    distortion = np.tile([k1, 0.0, 0.0, 0.0, 0.0], (VIEWS, 1))
    lenses = Lenses(np.tile(offset_px, (VIEWS, 1)).astype(float), distortion, np.full(VIEWS, angle_factor))
    return replace(TRUE, lenses=lenses)


def test_the_frame_and_size_of_the_rig_do_not_matter() -> None:
    moved = exact(TRUE).transformed(rotation_from_vector(np.array([0.3, 1.0, -0.2])), np.array([1.0, 2.0, 0.5]), 1.3)
    errors = camera_errors(moved, TRUE)
    for values in (errors.angle_deg, errors.centred_deg, errors.field_deg, errors.centre, errors.focal_sds):
        np.testing.assert_allclose(values, 0, atol=1e-5)
    assert errors.true_from_rig.scale == pytest.approx(1 / 1.3)


def test_an_error_of_one_camera_is_measured_in_its_units_and_standard_deviations() -> None:
    solved = exact(TRUE)
    solved.rotation[1] = rotation_from_vector(np.radians([0.0, 0.0, 0.4])) @ solved.rotation[1]
    solved.translation[1] = -solved.rotation[1] @ TRUE.position[1]
    solved.focal_px[2] *= np.exp(0.02)
    errors = camera_errors(solved, TRUE)
    assert 0.25 < errors.angle_deg[1] < 0.4
    assert errors.rotation_sds[1] == pytest.approx(errors.angle_deg[1])
    assert errors.focal_sds == pytest.approx([0, 0, 2, 0])
    field = 2 * np.degrees(np.arctan(0.5 * TRUE.size_px[2, 0] / TRUE.focal_px[2] * np.array([1, np.exp(-0.02)])))
    assert errors.field_deg == pytest.approx([0, 0, field[0] - field[1], 0], abs=1e-6)
    far = exact(TRUE)
    far.translation[0] *= 1.05
    errors = camera_errors(far, TRUE)
    assert errors.centre[0] > max(errors.centre[1:])
    assert errors.centre_sds == pytest.approx(errors.centre_m / (0.1 * errors.true_from_rig.scale))


def test_the_offset_of_the_principal_point_is_an_angle_that_is_taken_out() -> None:
    true = with_lenses([0.02 * TRUE.focal_px[0], 0.0])
    axis = np.array([-0.02, 0.0, 1.0]) / np.hypot(0.02, 1.0)  # of the middle of the image
    turned = replace(TRUE, rotation=rotation_to_z(axis) @ TRUE.rotation)
    errors = camera_errors(exact(turned), true)
    np.testing.assert_allclose(errors.angle_deg, np.degrees(np.arctan(0.02)), rtol=1e-6)
    np.testing.assert_allclose(errors.centred_deg, 0, atol=1e-5)
    np.testing.assert_allclose(errors.centre, 0, atol=1e-6)


def test_the_field_of_view_includes_distortion() -> None:
    wide = with_lenses([0.0, 0.0], angle_factor=0.5)
    errors = camera_errors(exact(wide), wide)
    half = 0.5 * TRUE.size_px[0, 0] / TRUE.focal_px[0]
    want = np.degrees(2 * (2 * np.arctan(0.5 * half) - np.arctan(half)))
    assert errors.field_deg == pytest.approx(np.full(VIEWS, want), rel=1e-6)
    bent = with_lenses([0.0, 0.0], k1=-0.05)
    lens = replace(exact(bent).intrinsics, dist=np.tile([-0.05, 0.0, 0.0, 0.0, 0.0], (VIEWS, 1)))
    solved = replace(exact(bent), intrinsics=lens)
    np.testing.assert_allclose(camera_errors(solved, bent).field_deg, 0, atol=1e-3)


def test_cameras_that_are_not_solved_have_no_error() -> None:
    solved = exact(TRUE)
    solved.known[3] = False
    solved.rotation[3] = look_at(np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0]))
    errors = camera_errors(solved, TRUE)
    for values in (errors.angle_deg, errors.centred_deg, errors.field_deg, errors.centre, errors.centre_sds):
        assert np.isnan(values).tolist() == [False, False, False, True]
        assert np.nanmax(values) < 1e-5
