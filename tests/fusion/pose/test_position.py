"""The position of a person in a known rig, from detections to poses."""

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.graph import Engine
from pose_rig.skeleton import JOINT_SET, J
from tests.fusion.fakes import config, unsolved
from tests.fusion.simulated import LENGTH_M, calibration, images, stroll

FPS = 30.0
CAMERAS = calibration(3)
PEOPLE = stroll(4.0, FPS)
JUMP_S = 0.8


def followed(engine: Engine, people: Floats) -> list[PoseEstimate]:
    """The poses of a person (T,J,3) m in a known rig."""
    fixed = RigSolution(CAMERAS, LENGTH_M, np.zeros((0, J, 3)), 1.0, 1.0, np.inf)
    rig = Estimator(config(3), engine, BackgroundCompute(solve=unsolved), fixed)
    for view in range(3):
        rig.set_camera(view, (1280, 720), JOINT_SET)
    poses = []
    for t, seen in enumerate(images(people, CAMERAS)):
        t_ns = round(t * 1e9 / FPS)
        poses.append(rig.step(t_ns, [Sample(t_ns, xy[None], np.full((1, J), 0.9)) for xy in seen]))
    return poses


def test_a_position_that_jumps_is_approached_and_the_covariance_says_so(engine: Engine) -> None:
    people, jump, moved = PEOPLE.copy(), round(JUMP_S * FPS), np.array([1.0, 0.0, -0.5])
    people[jump:] += moved
    poses = followed(engine, people)
    steps_m = np.linalg.norm(np.diff([pose.xyz[:J].mean(0) for pose in poses], axis=0), axis=-1)
    assert steps_m.max() < 0.2
    found = jump + round(1.1 * FPS)  # for a second the views are not followed
    soon, along = poses[found], moved / np.linalg.norm(moved)
    off_m = float((people[found] - soon.xyz_raw[:J]).mean(0) @ along)
    assert off_m > 0.5
    assert 0.9 < np.sqrt(along @ soon.covariance[0] @ along) / off_m < 1.1
    assert np.linalg.norm(poses[-1].xyz_raw[:J] - people[-1], axis=-1).max() < 0.1
    assert np.trace(poses[-1].covariance[0]) < 0.01


def test_a_person_who_walks_has_no_offset(engine: Engine) -> None:
    poses, people = followed(engine, PEOPLE[:60]), PEOPLE[:60]
    off_m = np.linalg.norm([pose.xyz_raw[:J].mean(0) for pose in poses] - people.mean(1), axis=-1)
    assert off_m.max() < 0.03
