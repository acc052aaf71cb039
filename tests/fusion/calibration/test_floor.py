from dataclasses import replace

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.floor import fit_floor, to_room_frame
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.geometry import rotation_from_vector
from pose_rig.skeleton import INDEX
from tests.fusion.simulated import HEIGHT_M, LENGTH_M, calibration, stroll

UP = np.array([0.0, 1.0, 0.0])
WALK = stroll(8.0, 10.0)  # its floor is at 0
TURNS = [np.zeros(3), np.array([1.2, 0.0, 0.3]), np.array([0.0, 2.0, np.pi / 2])]
SHORT_WALK = stroll(6.0, 10.0)
RIG_TURNS = [np.array([0.2, 1.3, -0.1]), np.array([1.7, 0.4, 0.0]), np.array([3.0, 0.0, 0.0])]


def tilt_deg(normal: Floats, up: Floats = UP) -> float:
    return float(np.degrees(np.arccos(np.clip(normal @ up, -1, 1))))


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("height", [0.0, 1.4, -3.0])
def test_the_floor_is_under_the_feet_in_any_axes(turn: Floats, height: float) -> None:
    rotation = rotation_from_vector(turn)
    normal, level = fit_floor((WALK + height * UP) @ rotation.T, rotation @ UP, HEIGHT_M)
    assert np.linalg.norm(normal) == pytest.approx(1)
    assert tilt_deg(normal, rotation @ UP) < 0.5
    assert level == pytest.approx(height, abs=0.015)


def test_jumps_do_not_lift_the_floor() -> None:
    jumping = WALK.copy()
    jumping[::3, :, 1] += 0.4
    normal, level = fit_floor(jumping, UP, HEIGHT_M)
    assert tilt_deg(normal) < 0.7
    assert level == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize("depth_m", [0.1, 0.3, 2.0])
@pytest.mark.parametrize("every", [8, 79])
def test_ankles_detected_below_the_floor_do_not_lower_it(every: int, depth_m: float) -> None:
    rng = np.random.default_rng(0)
    lost = WALK + 0.01 * rng.normal(0, 1, WALK.shape)
    lost[::every, INDEX["l_ankle"], 1] -= depth_m
    normal, level = fit_floor(lost, UP, HEIGHT_M)
    assert level == pytest.approx(0.0, abs=0.025)
    assert tilt_deg(normal) < 0.7


@pytest.mark.parametrize("axis", [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.7, 0.0, -0.7]])
def test_a_tilted_vertical_is_corrected_by_walking(axis: Floats) -> None:
    tilted = rotation_from_vector(np.radians(6) * np.asarray(axis)) @ UP
    normal, level = fit_floor(WALK, tilted, HEIGHT_M)
    assert tilt_deg(normal) < 2.0
    assert level == pytest.approx(0.0, abs=0.03)


def test_standing_still_keeps_the_vertical_of_the_lifts() -> None:
    rng = np.random.default_rng(0)
    still = WALK[:1] + 0.01 * rng.normal(0, 1, (40, *WALK.shape[1:]))
    tilted = rotation_from_vector(np.radians(4) * np.array([1.0, 0.0, 0.0])) @ UP
    normal, level = fit_floor(still, tilted, HEIGHT_M)
    assert tilt_deg(normal, tilted) < 1.5
    ankles = WALK[0, [INDEX["l_ankle"], INDEX["r_ankle"]]] @ normal
    assert level == pytest.approx(ankles.min() - 0.039 * HEIGHT_M, abs=0.03)


def test_a_single_pose_has_a_floor() -> None:
    normal, level = fit_floor(WALK[:1], UP, HEIGHT_M)
    assert tilt_deg(normal) < 0.1
    assert level == pytest.approx(WALK[0, [3, 6], 1].min() - 0.039 * HEIGHT_M, abs=1e-6)


def test_taller_people_have_higher_ankles() -> None:
    _, low = fit_floor(WALK, UP, 2.0)
    _, high = fit_floor(WALK, UP, 1.0)
    assert high - low == pytest.approx(0.039, abs=1e-6)


def test_the_ankles_of_each_person_are_at_their_height() -> None:
    """A child on a box would look the same; people stand on one floor."""
    child = 0.6 * WALK + [1.5, 0.0, 0.0]
    both = np.concatenate([WALK, child])
    normal, level = fit_floor(both, UP, np.repeat([HEIGHT_M, 0.6 * HEIGHT_M], len(WALK)))
    assert tilt_deg(normal) < 0.5
    assert level == pytest.approx(0.0, abs=0.015)
    turned, low = fit_floor(both, UP, HEIGHT_M)
    assert low < level - 0.01 or tilt_deg(turned) > tilt_deg(normal)


def anywhere(turn: Floats, known: tuple[bool, ...] = (True, True, True)) -> tuple[RigSolution, Floats]:
    """A solved rig in arbitrary axes, and its vertical."""
    rotation, origin = rotation_from_vector(turn), np.array([4.0, -2.0, 1.0])
    cameras = calibration(3).transformed(rotation, origin, 1.0)
    cameras.known[:] = known
    bodies = (SHORT_WALK - origin) @ rotation.T
    return RigSolution(cameras, LENGTH_M, bodies, 1.0, 1.0, np.inf), rotation @ UP


@pytest.mark.parametrize("turn", RIG_TURNS)
def test_the_room_frame_is_upright_with_the_origin_under_the_person(turn: Floats) -> None:
    found, up = anywhere(turn)
    room = to_room_frame(found, up, HEIGHT_M)
    assert room.poses[-1, 0, [0, 2]] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert room.poses[:, :, 1] == pytest.approx(SHORT_WALK[:, :, 1], abs=0.03)
    assert room.poses[:, [3, 6], 1].min() == pytest.approx(0.039 * HEIGHT_M, abs=0.03)


@pytest.mark.parametrize("turn", RIG_TURNS)
def test_the_first_camera_points_along_minus_z(turn: Floats) -> None:
    found, up = anywhere(turn)
    ahead = to_room_frame(found, up, HEIGHT_M).cameras.rotation[0, 2]
    assert ahead[0] == pytest.approx(0.0, abs=1e-9)
    assert ahead[2] < -0.7


def test_the_first_known_camera_defines_minus_z() -> None:
    found, up = anywhere(RIG_TURNS[0], (False, True, True))
    ahead = to_room_frame(found, up, HEIGHT_M).cameras.rotation[1, 2]
    assert ahead[0] == pytest.approx(0.0, abs=1e-9)
    assert ahead[2] < -0.7


def test_cameras_and_people_move_together() -> None:
    found, up = anywhere(RIG_TURNS[1])
    room = to_room_frame(found, up, HEIGHT_M)
    before, after = found.cameras.project(found.poses), room.cameras.project(room.poses)
    assert after[0] == pytest.approx(before[0])
    assert after[1] == pytest.approx(before[1])
    assert np.linalg.det(room.cameras.rotation) == pytest.approx(np.ones(3))
    np.testing.assert_array_equal(room.bone_length_m, found.bone_length_m)


def test_several_people_stand_on_one_floor_and_the_first_has_the_origin() -> None:
    found, up = anywhere(RIG_TURNS[0])
    step = found.cameras.rotation[0].T @ [0.3, 0.0, 0.0]
    poses = np.concatenate([found.poses, 0.6 * (found.poses - found.poses[0, 0]) + found.poses[0, 0] + step])
    person = np.repeat([2, 5], len(found.poses))
    people = replace(found, poses=poses, person=2, others_bone_length_m={5: 0.6 * LENGTH_M}, pose_person=person)
    room = to_room_frame(people, up, HEIGHT_M)
    assert room.poses_by_person[2][-1, 0, [0, 2]] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert room.poses_by_person[5].shape == found.poses.shape
    np.testing.assert_array_equal(room.others_bone_length_m[5], 0.6 * LENGTH_M)


def test_cameras_are_above_the_floor() -> None:
    found, up = anywhere(RIG_TURNS[0])
    heights = to_room_frame(found, up, HEIGHT_M).cameras.centre[:, 1]
    assert heights == pytest.approx(calibration(3).centre[:, 1], abs=0.05)
