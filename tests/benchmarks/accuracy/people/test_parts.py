"""The percentage of correct parts."""

import numpy as np
import pytest

from benchmarks.accuracy.people.parts import PARTS, calibrated_pcp, correct_parts, pcp
from benchmarks.accuracy.people.run import PeopleRun
from pose_rig.geometry import rotation_from_vector
from pose_rig.simulation.cameras import Cameras, look_at
from pose_rig.simulation.people import detect_people
from pose_rig.skeleton import INDEX
from tests.fusion.people.scenes import crossing

STEPS = 40


@pytest.fixture(scope="module")
def joints() -> np.ndarray:
    return crossing(2, STEPS / 10, 10.0)


def a_run(joints: np.ndarray, tracking: np.ndarray) -> PeopleRun:
    """Two identities, 4 and 1 in the second person's and the first one's place, in a rig of another scale."""
    step, person = np.repeat(np.arange(STEPS), 2), np.tile([0, 1], STEPS)
    turn = rotation_from_vector(np.array([0.3, 0.1, -0.4]))
    return PeopleRun(
        step=step,
        identity=np.where(person == 0, 1, 4),
        tracking=tracking,
        found=np.repeat(person[:, None], 3, 1),
        used=np.ones((2 * STEPS, 3), bool),
        poses=1.1 * joints[step, person] @ turn.T + 0.5,
        solved=np.ones(STEPS, bool),
        step_ms=np.full(STEPS, 4.0),
    )


def test_every_frame_counts(joints: np.ndarray) -> None:
    run = a_run(joints, np.ones(2 * STEPS, bool))
    assert pcp(run, joints, run.found[:, 0]) == pytest.approx([100, 100])
    lost = a_run(joints, (run.identity == 1) | (run.step >= STEPS // 4))
    assert pcp(lost, joints, run.found[:, 0]) == pytest.approx([100, 75])
    nowhere = np.full(2 * STEPS, -1)
    assert (pcp(run, joints, nowhere) == 0).all()


def test_a_person_has_one_identity(joints: np.ndarray) -> None:
    run = a_run(joints, np.ones(2 * STEPS, bool))
    run.identity[(run.identity == 4) & (run.step >= 30)] = 7
    assert pcp(run, joints, run.found[:, 0]) == pytest.approx([100, 75])


def test_parts_are_right_up_to_half_their_length(joints: np.ndarray) -> None:
    truth = joints[:1, 0]
    forearm = int(np.flatnonzero(PARTS[:, 1] == INDEX["l_wrist"])[0])
    length = np.linalg.norm(truth[0, INDEX["l_elbow"]] - truth[0, INDEX["l_wrist"]])
    for share, right in ((0.9, True), (1.1, False)):
        off = truth.copy()
        off[0, INDEX["l_wrist"]] += [0, share * length, 0]  # the mean of both ends is half of it
        assert correct_parts(off, truth)[0, forearm] == right
        assert correct_parts(off, truth).sum() == 9 + right
    assert not correct_parts(np.full_like(truth, np.nan), truth).any()


def test_true_cameras_give_nearly_all_parts(joints: np.ndarray) -> None:
    position = np.array([[4.0, 1.5, 0.0], [0.0, 1.5, 4.0], [-4.0, 2.0, 1.0], [0.0, 2.0, -4.0]])
    rotation = look_at(position, np.array([0.0, 0.9, 0.0]))
    cameras = Cameras(rotation, position, np.full(4, 900.0), np.full((4, 2), [1280.0, 960.0]))
    assert (calibrated_pcp(detect_people(joints, cameras, 10.0, 1)) > 70).all()
