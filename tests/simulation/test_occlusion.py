"""Who hides whom in an image."""

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.simulation.cameras import Cameras, look_at
from pose_rig.simulation.occlusion import hidden_behind
from pose_rig.simulation.walk import walk_at
from pose_rig.skeleton import INDEX


def camera_at(*position: float) -> Cameras:
    place = np.array([position])
    return Cameras(look_at(place, np.array([0.0, 0.9, 0.0])), place, np.array([1000.0]), np.array([[1280.0, 720.0]]))


def people_at(*places: tuple[float, float]) -> Floats:
    """(1,N,J,3) copies of one person at x, z."""
    person = walk_at(np.array([0.0]))[0]
    person = person - person[0] * [1.0, 0.0, 1.0]
    return np.stack([person + np.array([x, 0.0, z]) for x, z in places])[None]


def hidden(joints: Floats, camera: Cameras) -> NDArray[np.int64]:
    xy, local = camera.each(lambda values: values[:, None, None]).project(joints[None])
    return np.asarray(hidden_behind(xy, local[..., 2], camera.focal_px)[0, 0])


def test_a_person_hides_the_one_behind_and_not_the_other_way_round() -> None:
    behind = hidden(people_at((0, 1), (0, 0)), camera_at(0, 0.9, 4))
    assert (behind[0] == -1).all()
    assert (behind[1] == 0).mean() > 0.5
    assert behind[1, INDEX["pelvis"]] == 0
    reverse = hidden(people_at((0, 1), (0, 0)), camera_at(0, 0.9, -4))
    assert (reverse[1] == -1).all()
    assert reverse[0, INDEX["pelvis"]] == 1


def test_the_nearest_of_several_hides() -> None:
    behind = hidden(people_at((0, 0), (0, 1), (0, 2)), camera_at(0, 0.9, 5))
    assert behind[:, INDEX["pelvis"]].tolist() == [2, 2, -1]


def test_people_next_to_each_other_do_not_hide_each_other() -> None:
    assert (hidden(people_at((-0.6, 0), (0.6, 0)), camera_at(0, 0.9, 4)) == -1).all()


def test_someone_behind_the_camera_hides_nothing() -> None:
    assert (hidden(people_at((0, 0), (0, 6)), camera_at(0, 0.9, 4))[0] == -1).all()


def test_one_person_alone_is_not_hidden() -> None:
    assert (hidden(people_at((0, 0)), camera_at(0, 0.9, 4)) == -1).all()
