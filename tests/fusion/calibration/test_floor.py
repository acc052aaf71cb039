import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.floor import floor
from pose_rig.geometry import rotation_from_vector
from pose_rig.skeleton import INDEX
from tests.fusion.simulated import HEIGHT_M, stroll

UP = np.array([0.0, 1.0, 0.0])
WALK = stroll(8.0, 10.0)  # its floor is at 0
TURNS = [np.zeros(3), np.array([1.2, 0.0, 0.3]), np.array([0.0, 2.0, np.pi / 2])]


def tilt_deg(normal: Floats, up: Floats = UP) -> float:
    return float(np.degrees(np.arccos(np.clip(normal @ up, -1, 1))))


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("height", [0.0, 1.4, -3.0])
def test_the_floor_is_where_feet_stand_in_any_axes(turn: Floats, height: float) -> None:
    rotation = rotation_from_vector(turn)
    normal, level = floor((WALK + height * UP) @ rotation.T, rotation @ UP, HEIGHT_M)
    assert np.linalg.norm(normal) == pytest.approx(1)
    assert tilt_deg(normal, rotation @ UP) < 0.5
    assert level == pytest.approx(height, abs=0.015)


def test_jumps_do_not_lift_the_floor() -> None:
    jumping = WALK.copy()
    jumping[::3, :, 1] += 0.4
    normal, level = floor(jumping, UP, HEIGHT_M)
    assert tilt_deg(normal) < 0.7
    assert level == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize("depth_m", [0.1, 0.3, 2.0])
@pytest.mark.parametrize("every", [8, 79])
def test_ankles_that_are_misread_below_the_floor_now_and_then_do_not_lower_it(every: int, depth_m: float) -> None:
    rng = np.random.default_rng(0)
    lost = WALK + 0.01 * rng.normal(0, 1, WALK.shape)
    lost[::every, INDEX["l_ankle"], 1] -= depth_m
    normal, level = floor(lost, UP, HEIGHT_M)
    assert level == pytest.approx(0.0, abs=0.025)
    assert tilt_deg(normal) < 0.7


@pytest.mark.parametrize("axis", [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.7, 0.0, -0.7]])
def test_where_feet_have_been_about_the_room_a_tilted_vertical_is_put_right(axis: Floats) -> None:
    tilted = rotation_from_vector(np.radians(6) * np.asarray(axis)) @ UP
    normal, level = floor(WALK, tilted, HEIGHT_M)
    assert tilt_deg(normal) < 2.0
    assert level == pytest.approx(0.0, abs=0.03)


def test_who_only_stands_still_leaves_the_vertical_as_the_lifts_see_it() -> None:
    rng = np.random.default_rng(0)
    still = WALK[:1] + 0.01 * rng.normal(0, 1, (40, *WALK.shape[1:]))
    tilted = rotation_from_vector(np.radians(4) * np.array([1.0, 0.0, 0.0])) @ UP
    normal, level = floor(still, tilted, HEIGHT_M)
    assert tilt_deg(normal, tilted) < 1.5
    ankles = WALK[0, [INDEX["l_ankle"], INDEX["r_ankle"]]] @ normal
    assert level == pytest.approx(ankles.min() - 0.039 * HEIGHT_M, abs=0.03)


def test_a_single_pose_has_a_floor() -> None:
    normal, level = floor(WALK[:1], UP, HEIGHT_M)
    assert tilt_deg(normal) < 0.1
    assert level == pytest.approx(WALK[0, [3, 6], 1].min() - 0.039 * HEIGHT_M, abs=1e-6)


def test_who_is_taller_has_higher_ankles() -> None:
    _, low = floor(WALK, UP, 2.0)
    _, high = floor(WALK, UP, 1.0)
    assert high - low == pytest.approx(0.039, abs=1e-6)
