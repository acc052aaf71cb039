"""The scenes of several people that other tests use."""

import numpy as np

from pose_rig.graph import Engine
from pose_rig.simulation.paths import MIN_DISTANCE_M, nearest_distance
from tests.fusion.fakes import new_estimator, ring
from tests.fusion.people.scenes import crossing, film_people, three_people, two_people


def test_people_cross_and_are_never_in_one_place() -> None:
    for people in (2, 3, 6):
        distance = nearest_distance(crossing(people))
        assert MIN_DISTANCE_M <= distance.min() < 0.6
        assert distance.max() > distance.min() + 0.2


def test_true_people_belong_to_their_detections() -> None:
    scene = three_people(noise=0.0)
    assert scene.score.shape == (4, 150, 3, 17)
    assert len({tuple(row) for row in scene.person[0].tolist()}) > 5  # the order is random
    xy, _ = scene.cameras.each(lambda values: values[:, None, None]).project(scene.joints[None])
    for n in range(3):
        view, t, row = np.nonzero(scene.person == n)
        np.testing.assert_allclose(scene.xy_px[view, t, row], xy[view, t, n])
        assert scene.score[view, t, row].any(-1).all()
        assert 0.7 < len(t) / scene.person[..., 0].size <= 1
    assert not scene.score[scene.person < 0].any()


def test_a_person_can_be_taken_from_a_view() -> None:
    scene = two_people(hide=False)
    less = scene.without(1, 0, 30, 60)
    assert not (less.person[1, 30:60] == 0).any()
    assert np.array_equal(less.person[0], scene.person[0])
    assert np.array_equal(less.person[1, 60:], scene.person[1, 60:])
    for t in (29, 30, 59, 60):
        sample = less.samples(t)[1]
        assert sample is not None
        assert len(sample.xy_px) == (1 if 30 <= t < 60 else 2)
    assert less.without(1, 1, 30, 60).samples(40)[1] is None


def test_what_a_pose_uses_is_known(engine: Engine) -> None:
    scene = film_people(crossing(1, 1.0), ring(3))
    pose = new_estimator(engine, 3).step(0, scene.samples(0))
    assert pose.person_index.tolist() == [0, 0, 0]
    assert scene.found(0, pose).tolist() == [0, 0, 0]
