"""Which solutions the poses of cameras are taken from."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.rotation_averaging import CameraRotations
from pose_rig.fusion.calibration.vertical import VERTICAL_FROM_CAMERAS
from pose_rig.fusion.rig.camera_poses import CameraPoses
from pose_rig.fusion.rig.setup import setup_of
from tests.fusion.fakes import config
from tests.fusion.simulated import HEIGHT_M, LENGTH_M, calibration, stroll

WALK = stroll(3.0, 5.0)
CHILD = 0.55 * WALK + np.array([1.0, 0.0, 0.0])
UP = np.array([0.0, 1.0, 0.0])


def solution() -> RigSolution:
    return RigSolution(calibration(3), LENGTH_M, WALK, 1.2, 0.9, np.inf)


def settled(person_up: np.ndarray | None = None) -> CameraPoses:
    made = CameraPoses(setup_of(config(3, height_m=HEIGHT_M, other_heights_m=(1.6, 1.5)), None))
    rotations = CameraRotations(calibration(3).rotation, np.ones(3), np.ones(3, bool), VERTICAL_FROM_CAMERAS, person_up)
    made.settle(rotations)
    return made


def test_the_body_height_of_the_first_person_is_that_of_person_0_only() -> None:
    """Where person 0 is not there, a child is as tall as they are."""
    child = replace(solution(), bone_length_m=0.55 * LENGTH_M, poses=CHILD)
    assert settled().adopt(child) == "the estimated bone lengths are outside the human range: keep moving"
    made = settled()
    assert made.adopt(replace(child, person=3)) == ""
    assert made.solution is not None
    assert made.solution.poses[:, [3, 6], 1].min() == pytest.approx(0.55 * 0.039 * HEIGHT_M, abs=0.02)


@pytest.mark.parametrize(("walks", "turned"), [(0, True), (1, True), (2, False)])
def test_one_who_walks_shows_that_the_cameras_are_turned(walks: int, turned: bool) -> None:
    """Two people who stand apart have not walked."""
    poses = np.concatenate(
        [
            one if walks == person else np.tile(one[:1], (len(one), 1, 1))
            for person, one in enumerate((WALK, WALK + np.array([1.0, 0.0, 0.0])))
        ]
    )
    found = replace(
        solution(),
        poses=poses,
        others_bone_length_m={1: LENGTH_M},
        pose_person=np.repeat([0, 1], len(WALK)),
    )
    made = settled(UP)
    assert made.adopt(found) == ""
    assert (made.vertical_warning == "") == turned


def test_the_heights_of_all_people_are_in_the_task() -> None:
    task = settled().solve_task([])
    assert [task.known_height_m(person) for person in range(4)] == [HEIGHT_M, 1.6, 1.5, None]
