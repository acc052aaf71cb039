import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.room_frame import to_room_frame
from pose_rig.fusion.calibration.self_solve import Solved
from pose_rig.geometry import rotation_from_vector
from tests.fusion.simulated import HEIGHT_M, LENGTH_M, calibration, stroll

UP = np.array([0.0, 1.0, 0.0])
WALK = stroll(6.0, 10.0)
TURNS = [np.array([0.2, 1.3, -0.1]), np.array([1.7, 0.4, 0.0]), np.array([3.0, 0.0, 0.0])]


def anywhere(turn: Floats, known: tuple[bool, ...] = (True, True, True)) -> tuple[Solved, Floats]:
    """A solved rig in axes of its own, and what is up there."""
    rotation, origin = rotation_from_vector(turn), np.array([4.0, -2.0, 1.0])
    cameras = calibration(3).moved(rotation, origin, 1.0)
    cameras.known[:] = known
    bodies = (WALK - origin) @ rotation.T
    return Solved(cameras, LENGTH_M, bodies, 1.0, 1.0, np.inf), rotation @ UP


@pytest.mark.parametrize("turn", TURNS)
def test_the_room_is_upright_its_origin_under_the_person(turn: Floats) -> None:
    found, up = anywhere(turn)
    room = to_room_frame(found, up, HEIGHT_M)
    assert room.bodies[-1, 0, [0, 2]] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert room.bodies[:, :, 1] == pytest.approx(WALK[:, :, 1], abs=0.03)
    assert room.bodies[:, [3, 6], 1].min() == pytest.approx(0.039 * HEIGHT_M, abs=0.03)


@pytest.mark.parametrize("turn", TURNS)
def test_the_first_camera_looks_along_minus_z(turn: Floats) -> None:
    found, up = anywhere(turn)
    ahead = to_room_frame(found, up, HEIGHT_M).calibration.rotation[0, 2]
    assert ahead[0] == pytest.approx(0.0, abs=1e-9)
    assert ahead[2] < -0.7


def test_the_first_camera_that_is_known() -> None:
    found, up = anywhere(TURNS[0], (False, True, True))
    ahead = to_room_frame(found, up, HEIGHT_M).calibration.rotation[1, 2]
    assert ahead[0] == pytest.approx(0.0, abs=1e-9)
    assert ahead[2] < -0.7


def test_cameras_and_people_move_together() -> None:
    found, up = anywhere(TURNS[1])
    room = to_room_frame(found, up, HEIGHT_M)
    before, after = found.calibration.project(found.bodies), room.calibration.project(room.bodies)
    assert after[0] == pytest.approx(before[0])
    assert after[1] == pytest.approx(before[1])
    assert np.linalg.det(room.calibration.rotation) == pytest.approx(np.ones(3))
    assert room.length is found.length


def test_cameras_stand_above_the_floor() -> None:
    found, up = anywhere(TURNS[0])
    heights = to_room_frame(found, up, HEIGHT_M).calibration.centre[:, 1]
    assert heights == pytest.approx(calibration(3).centre[:, 1], abs=0.05)
