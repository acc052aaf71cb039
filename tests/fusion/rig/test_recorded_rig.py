"""The rig of a recording, in use again."""

import dataclasses

import msgspec
import numpy as np
import pytest

from pose_rig.errors import MessageError
from pose_rig.fusion.calibration.bundle.segments import LENGTH_PER_HEIGHT
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.rig.recorded_rig import bones_of_people, recorded_rotations, recorded_solution, same_rig
from pose_rig.graph import Engine
from pose_rig.wire.encoding import decode, encode
from pose_rig.wire.messages import RigState
from tests.fusion.fakes import film, new_estimator, ring, run, walk

NAMES = ("cam0", "cam1", "cam2")


@pytest.fixture(scope="module")
def solved(engine: Engine) -> Estimator:
    """A fusion whose rig was solved."""
    made = new_estimator(engine, 3)
    run(film(walk(4.0), ring(3)), made)
    assert made.mode == "solved"
    return made


def state_of(made: Estimator) -> RigState:
    """Returns the rig as it is recorded, and read again."""
    read = decode(encode(msgspec.structs.replace(made.rig_state(1), note="")))
    assert isinstance(read, RigState)
    return read


def test_a_recorded_rig_is_that_rig_to_the_last_bit(solved: Estimator) -> None:
    cameras = solved.calibration
    assert cameras is not None
    read = recorded_solution(state_of(solved), NAMES, 1.7)
    for field in ("rotation", "translation", "known", "translation_sd"):
        np.testing.assert_array_equal(getattr(read.cameras, field), getattr(cameras, field), err_msg=field)
    for field in ("focal_px", "size_px", "principal_point_px", "dist", "fisheye"):
        ours, theirs = getattr(read.cameras.intrinsics, field), getattr(cameras.intrinsics, field)
        np.testing.assert_array_equal(ours, theirs, err_msg=field)
    np.testing.assert_array_equal(read.bone_length_m, solved.rig_state().bones_m)
    for field in ("rotation_sd", "focal_sd"):  # published in other units
        np.testing.assert_allclose(getattr(read.cameras, field), getattr(cameras, field), rtol=1e-12)


def test_a_recording_of_an_earlier_version_has_average_bones(solved: Estimator) -> None:
    state = msgspec.structs.replace(state_of(solved), bones_m=())
    np.testing.assert_array_equal(recorded_solution(state, NAMES, 1.8).bone_length_m, LENGTH_PER_HEIGHT * 1.8)


@pytest.mark.parametrize(("first", "others"), [(0, (2,)), (3, ()), (1, (2, 5))])
def test_each_person_has_bones(solved: Estimator, first: int, others: tuple[int, ...]) -> None:
    state = state_of(solved)
    assert state.people == ()
    rig = recorded_solution(state, NAMES, 1.7)
    people = {person: 0.1 * person * rig.bone_length_m for person in others}
    rig = dataclasses.replace(rig, person=first, others_bone_length_m=people)
    several = msgspec.structs.replace(state, people=bones_of_people(rig))
    again = decode(encode(several))
    assert isinstance(again, RigState)
    assert same_rig(again, several)
    assert not same_rig(again, state)
    read = recorded_solution(again, NAMES, 1.7)
    assert read.person == first
    for person in (first, *others):
        np.testing.assert_array_equal(read.bones_of(person), rig.bones_of(person))
    assert set(read.others_bone_length_m) == set(others)


def test_cameras_missing_in_the_state_are_not_known(solved: Estimator) -> None:
    state = state_of(solved)
    less = msgspec.structs.replace(state, cameras=state.cameras[:2])
    assert recorded_solution(less, NAMES, 1.7).cameras.known.tolist() == [True, True, False]
    assert recorded_rotations(less, NAMES).known.tolist() == [True, True, False]


def test_an_estimator_that_follows_is_solved_at_once_and_estimates_nothing(solved: Estimator, engine: Engine) -> None:
    made, state = new_estimator(engine, 3), state_of(solved)
    made.follow(state)
    assert made.rig_changed()
    poses = run(film(walk(2.0), ring(3)), made)
    assert {pose.mode for pose in poses} == {"solved"}
    made.follow(state)
    assert not made.rig_changed()
    assert made.rig_state().bones_m == state.bones_m
    made.follow(msgspec.structs.replace(state, mode="cold"))
    assert made.mode == "cold"


def test_a_rig_whose_rotation_is_none_is_no_message(solved: Estimator) -> None:
    state = state_of(solved)
    camera = msgspec.structs.replace(state.cameras[0], rotation=(1.0, 0.0))
    with pytest.raises(MessageError, match="field 'cameras' has a rotation of 2 numbers"):
        encode(msgspec.structs.replace(state, cameras=(camera,)))
