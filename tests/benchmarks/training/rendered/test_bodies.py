"""Poses of meshes."""

import numpy as np

from benchmarks.training.rendered.bodies import FEWER, between, shortest
from pose_rig.geometry import rotation_from_vector
from pose_rig.simulation.bodies import random_people
from pose_rig.simulation.motion import shipped
from pose_rig.skeleton import INDEX
from tests.benchmarks.training.rendered.stick_people import stick_people

LIMBS = [
    (f"{side}_{a}", f"{side}_{b}")
    for side in "lr"
    for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
]


def test_limbs_have_the_directions_and_the_lengths_of_the_pose() -> None:
    rng, people = np.random.default_rng(0), stick_people()
    for pose in random_people((shipped().draw(20, rng), shipped().draw(20, rng)), rng):
        joints = people.joints(people.posed(0, pose, rng))
        trunk = np.linalg.norm(joints[INDEX["thorax"]] - joints[0]) / np.linalg.norm(pose[INDEX["thorax"]] - pose[0])
        for start, end in LIMBS:
            got, wanted = (each[INDEX[end]] - each[INDEX[start]] for each in (joints, pose))
            assert got @ wanted > 0.9999 * np.linalg.norm(got) * np.linalg.norm(wanted)
            fewer = FEWER["leg" if "hip" in start or "knee" in start else "arm"]
            assert abs(np.linalg.norm(got) / np.linalg.norm(wanted) / trunk - fewer) < 0.25


def test_at_rest_nothing_moves_but_the_lengths_of_limbs() -> None:
    people = stick_people()
    joints = people.joints(people.posed(0, people.joints(people.vertices[0]), np.random.default_rng(0)))
    apart = np.linalg.norm(joints - people.joints(people.vertices[0]), axis=1)
    trunk = [INDEX[name] for name in ("pelvis", "l_hip", "r_hip", "thorax", "l_shoulder", "head", "nose")]
    assert apart[trunk].max() < 1e-9
    assert 0.01 < apart[INDEX["l_ankle"]] < 0.07


def test_rotations_between_directions() -> None:
    rng = np.random.default_rng(1)
    for a, b in [*rng.normal(0, 1, (10, 2, 3)), (np.array([1.0, 0, 0]), np.array([-2.0, 0, 0])), 2 * (np.ones(3),)]:
        turn = shortest(a, b)
        assert np.allclose(turn @ a / np.linalg.norm(a), b / np.linalg.norm(b))
        assert np.allclose(turn @ turn.T, np.eye(3))
    turn = rotation_from_vector(np.array([0.2, 0.3, -0.4]))
    assert np.allclose(between(np.eye(3), turn, 0.5) @ between(np.eye(3), turn, 0.5), turn)
