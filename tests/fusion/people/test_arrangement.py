"""Which detections are one person, before anything is known of the cameras."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.people.arrangement import MIN_STEPS, Arrangement, RoughCameras, groups
from pose_rig.fusion.people.single_views import SingleViews
from pose_rig.geometry import angle_deg, rotation_from_vector
from pose_rig.graph import Engine
from tests.fusion.fakes import ring, turned_at
from tests.fusion.people.scenes import PeopleScene, crossing, film_people
from tests.fusion.people.solved import single_views_at

FPS = 15.0


def scene_of(people: int, seconds: float = 1.5, views: int = 4, seed: int = 0) -> PeopleScene:
    return film_people(crossing(people, seconds, FPS), ring(views), fps=FPS, seed=seed)


def learned(scene: PeopleScene, engine: Engine, steps: int, out: Arrangement | None = None) -> Arrangement:
    out = out or Arrangement(len(scene.cameras.focal_px))
    for index in range(steps):
        add(out, single_views_at(scene, index, engine)[0])
    return out


def add(out: Arrangement, seen: SingleViews) -> None:
    out.add(seen)
    if out.estimate_is_due:
        out.use(out.begin()())
        assert not out.estimate_is_due


def relative(rotation: Floats) -> Floats:
    """(V,V,3,3)."""
    return rotation[:, None] @ rotation.swapaxes(-1, -2)


@pytest.mark.parametrize("people", [1, 2, 3])
def test_cameras_are_known_roughly_within_a_second(engine: Engine, people: int) -> None:
    scene = scene_of(people)
    assert learned(scene, engine, MIN_STEPS - 1).cameras is None
    out = learned(scene, engine, 15)
    assert out.cameras is not None
    assert out.cameras.known.all()
    assert angle_deg(relative(out.cameras.rotation), relative(scene.cameras.rotation)).max() < 20
    assert out.shows_several == (people > 1)
    assert 0 < out.cameras.support <= 1


@pytest.mark.parametrize("people", [2, 3])
def test_detections_are_grouped_by_person(engine: Engine, people: int) -> None:
    scene = scene_of(people, 2.0)
    cameras = learned(scene, engine, 15).cameras
    assert cameras is not None
    right = total = 0
    for index in range(15, 30):
        seen, shown = single_views_at(scene, index, engine)
        for group in groups(seen, cameras):
            assert len(set(seen.view[group].tolist())) == len(group) >= 2
            total += len(group)
            right += max(np.bincount(shown[group]))
    assert total > 15 * people * 3.3
    assert right / total > 0.97


def test_groups_tell_where_people_are(engine: Engine) -> None:
    """Up to rotation, in body heights: the two are as far apart as they are."""
    scene = scene_of(2)
    cameras = learned(scene, engine, 15).cameras
    assert cameras is not None
    for index in (0, 10, 20):
        seen, shown = single_views_at(scene, index, engine)
        place = cameras.places(seen)[0]
        middle = [place[shown == person].mean(0) for person in range(2)]
        true_m = np.linalg.norm(scene.joints[index, 0, 0] - scene.joints[index, 1, 0])
        assert np.linalg.norm(middle[0] - middle[1]) * 1.7 == pytest.approx(true_m, abs=0.5)


def test_the_first_camera_is_the_frame(engine: Engine) -> None:
    cameras = learned(scene_of(2), engine, 15).cameras
    assert cameras is not None
    np.testing.assert_allclose(cameras.rotation[0], np.eye(3), atol=1e-9)
    np.testing.assert_allclose(cameras.translation[0], 0, atol=1e-9)


def test_views_that_never_show_anyone_stay_unknown(engine: Engine) -> None:
    scene = scene_of(2)
    for person in range(2):
        scene = scene.without(2, person, 0, 99)
    out = learned(scene, engine, 15)
    assert out.cameras is not None
    assert out.cameras.known.tolist() == [True, True, False, True]
    seen, _ = single_views_at(scene, 15, engine)
    assert all((seen.view[group] != 2).all() for group in groups(seen, out.cameras))


def test_a_view_of_unknown_pose_is_in_no_group(engine: Engine) -> None:
    scene = scene_of(2)
    cameras = learned(scene, engine, 15).cameras
    assert cameras is not None
    seen, _ = single_views_at(scene, 15, engine)
    assert any((seen.view[group] == 1).any() for group in groups(seen, cameras))
    less = replace(cameras, known=np.array([True, False, True, True]))
    assert not any((seen.view[group] == 1).any() for group in groups(seen, less))


def test_nothing_is_known_from_one_view(engine: Engine) -> None:
    scene = scene_of(2, views=1)
    assert learned(scene, engine, 20).cameras is None


def test_time_steps_count_at_most_15_times_a_second(engine: Engine) -> None:
    scene = film_people(crossing(2, 1.0, 60.0), ring(3), fps=60.0)
    assert learned(scene, engine, 3 * MIN_STEPS).cameras is None
    assert learned(scene, engine, 5 * MIN_STEPS).cameras is not None


def test_changes_count_how_often_the_cameras_become_others(engine: Engine) -> None:
    still = learned(scene_of(2, 4.0), engine, 60)
    assert still.changes == 1  # from unknown
    cameras = turned_at(ring(4), 2, rotation_from_vector(np.radians([0.0, 0.0, 80.0])), 0, 1).each(lambda x: x[:, 0])
    other = film_people(crossing(2, 9.0, FPS), cameras, fps=FPS)
    first_ns = round(60 * 1e9 / FPS)
    for index in range(110):
        seen = single_views_at(other, index, engine)[0]
        add(still, replace(seen, t_ns=seen.t_ns + first_ns))
    assert still.changes == 2
    assert still.cameras is not None
    assert angle_deg(relative(still.cameras.rotation), relative(cameras.rotation)).max() < 20


def rough(*turns_deg: float, known: tuple[bool, ...] | None = None) -> RoughCameras:
    """Cameras turned about the vertical."""
    vectors = np.radians(turns_deg)[:, None] * np.array([0.0, 1.0, 0.0])
    views = len(turns_deg)
    return RoughCameras(rotation_from_vector(vectors), np.zeros((views, 3)), np.array(known or (True,) * views), 0.5)


def test_rigs_differ_where_a_relative_rotation_does() -> None:
    before = rough(0, 90, 180)
    assert not before.differ(rough(0, 90, 180))
    assert not before.differ(rough(50, 140, 230))  # another frame
    assert not before.differ(rough(0, 110, 180))
    assert before.differ(rough(0, 90, 250))
    assert not before.differ(rough(0, 90, 250, known=(True, True, False)))
    assert not before.differ(rough(0, 90, 250, known=(False, False, True)))


def test_no_detection_is_no_group(engine: Engine) -> None:
    seen, _ = single_views_at(scene_of(2), 0, engine)
    none = SingleViews(0, *(getattr(seen, name)[:0] for name in ("view", "pelvis", "lifted")))
    assert groups(none, rough(0, 90, 180, 270)) == []
    out = Arrangement(4)
    for number in range(2 * MIN_STEPS):
        out.add(replace(none, t_ns=number * 100_000_000))
    assert out.cameras is None
    assert not out.shows_several
