"""Missed and false people of a simulated detector."""

import numpy as np

from pose_rig.simulation.cameras import Cameras, look_at
from pose_rig.simulation.detector_faults import add_faults
from pose_rig.simulation.people import PeopleTake, detect_people, with_coco_landmarks
from pose_rig.skeleton import INDEX, landmarks
from tests.fusion.people.scenes import crossing

FPS = 10.0
POSITION = np.array([[4.0, 1.5, 0.0], [0.0, 1.5, 4.0], [-4.0, 2.0, 1.0]])
CAMERAS = Cameras(
    look_at(POSITION, np.array([0.0, 0.9, 0.0])), POSITION, np.full(3, 900.0), np.full((3, 2), [1280.0, 960.0])
)
JOINTS = crossing(2, 60.0, FPS)


def take(*, faults: bool) -> PeopleTake:
    return detect_people(JOINTS, CAMERAS, FPS, 3, faults=faults)


def test_people_are_missed_and_false_ones_are_found() -> None:
    plain, faulty = take(faults=False), take(faults=True)
    assert faulty.score.shape[2] > 2
    of_people = [(one.person == 0).any(-1).mean() for one in (plain, faulty)]
    assert of_people[1] < of_people[0] - 0.03
    false = (faulty.score > 0).any(-1) & (faulty.person < 0)
    assert 0.02 < false.any(-1).mean() < 0.9
    twice = (faulty.person == 0).sum(-1) > 1
    assert 0.005 < twice.mean() < 0.2
    inside = (faulty.xy_px >= 0).all(-1) & (faulty.xy_px < 1280).all(-1)
    assert (inside | (faulty.score == 0)).all()


def test_no_people_have_no_faults() -> None:
    empty = np.zeros((3, 5, 0, 17, 2))
    xy_px, score, person = add_faults(
        empty, empty[..., 0], np.zeros((3, 5, 0), int), CAMERAS.size_px, FPS, np.random.default_rng(0)
    )
    assert xy_px.shape[2] == score.shape[2] == person.shape[2] == 0


def test_landmarks_of_coco_are_the_same_joints() -> None:
    plain = take(faults=False)
    found = with_coco_landmarks(plain, 3)
    assert found.landmarks == "coco17"
    marks = landmarks("coco17")
    xy_px, score = marks.to_joints(found.xy_px, found.score)
    body = [i for name, i in INDEX.items() if name not in ("head", "nose", "spine", "pelvis", "thorax")]
    both = (score > 0) & (plain.score > 0)
    assert both[..., body].mean() > 0.5
    np.testing.assert_allclose(np.where(both[..., None], xy_px - plain.xy_px, 0.0)[..., body, :], 0, atol=1e-6)
    one_ear = marks.has_one_ear(found.score)
    assert 0.1 < one_ear[(found.score > 0).any(-1)].mean() < 0.9
    head = INDEX["head"]
    away = np.linalg.norm(xy_px - plain.xy_px, axis=-1)[..., head][both[..., head]]
    assert 0 < np.median(away) < 30
