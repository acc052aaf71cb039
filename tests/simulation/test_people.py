"""Detections of several people."""

import numpy as np
import pytest

from pose_rig.simulation.cameras import Cameras, look_at
from pose_rig.simulation.detector_bias import DetectorBias
from pose_rig.simulation.paths import place_together
from pose_rig.simulation.people import PeopleTake, detect_people
from pose_rig.skeleton import J
from tests.simulation.test_paths import FPS, walker

VIEWS, FRAMES = 4, 300


@pytest.fixture(scope="module")
def joints() -> np.ndarray:
    return place_together([walker(12.0, 40.0 * n) for n in range(3)], FRAMES, FPS, np.random.default_rng(1))


@pytest.fixture(scope="module")
def cameras() -> Cameras:
    azimuth = np.radians([0, 75, 150, 225])
    position = np.stack([5 * np.sin(azimuth), np.full(VIEWS, 1.4), 5 * np.cos(azimuth)], -1)
    rotation = look_at(position, np.array([0.0, 0.9, 0.0]))
    return Cameras(rotation, position, np.full(VIEWS, 1000.0), np.tile([1280.0, 720.0], (VIEWS, 1)))


@pytest.fixture(scope="module")
def take(joints: np.ndarray, cameras: Cameras) -> PeopleTake:
    return detect_people(joints, cameras, FPS, 5)


def error(take: PeopleTake, person: int) -> np.ndarray:
    """(...) the median joint error of detections of a person, as a share of the size."""
    xy, _ = take.cameras.each(lambda values: values[:, None]).project(take.joints[None, :, person])
    view, t, row = np.nonzero(take.person == person)
    visible = take.score[view, t, row] > 0
    size = np.ptp(xy[view, t], axis=1).max(-1)
    off = np.linalg.norm(take.xy_px[view, t, row] - xy[view, t], axis=-1) / size[:, None]
    return np.nanmedian(np.where(visible, off, np.nan), axis=-1)


def test_a_detection_shows_its_person(take: PeopleTake) -> None:
    assert take.xy_px.shape == (VIEWS, FRAMES, 3, J, 2)
    assert take.score.shape == (VIEWS, FRAMES, 3, J)
    assert take.person.shape == (VIEWS, FRAMES, 3)
    for n in range(3):
        assert np.median(error(take, n)) < 0.03
        assert (error(take, n) < 0.1).mean() > 0.97
        assert 0.6 < (take.person == n).any(-1).mean() < 0.99
        assert (take.person == n).sum(-1).max() == 1


def test_people_come_in_random_order_and_empty_rows_last(take: PeopleTake) -> None:
    detected = (take.score > 0).any(-1)
    assert (np.diff(detected.astype(int), axis=-1) <= 0).all()
    assert (take.person[~detected] == -1).all()
    assert not take.xy_px[~detected].any()
    first = take.person[..., 0][detected.all(-1)]
    assert min((first == n).mean() for n in range(3)) > 0.2


def test_people_hide_each_other_and_merge(take: PeopleTake, joints: np.ndarray, cameras: Cameras) -> None:
    alone = detect_people(joints, cameras, FPS, 5, present=(1,))
    assert alone.person.shape == (VIEWS, FRAMES, 1)
    assert set(np.unique(alone.person)) == {-1, 1}
    assert np.isnan(alone.joints[:, [0, 2]]).all()
    together, single = (take.person == 1).any(-1), (alone.person == 1).any(-1)
    assert (together <= single).all()  # others only hide
    assert 0.02 < (single & ~together).mean() < 0.4
    mixed = (take.score > 0).any(-1) & (take.person < 0)
    assert 0 < mixed.mean() < 0.1


def test_the_noise_of_a_person_does_not_depend_on_others(
    take: PeopleTake, joints: np.ndarray, cameras: Cameras
) -> None:
    alone = detect_people(joints, cameras, FPS, 5, present=(2,))
    view, t, row = np.nonzero(take.person == 2)
    same = (take.xy_px[view, t, row] == alone.xy_px[view, t, 0]).all(-1).mean()
    assert 0.7 < same < 1.0
    again = detect_people(joints, cameras, FPS, 5)
    np.testing.assert_array_equal(again.xy_px, take.xy_px)
    assert not np.array_equal(detect_people(joints, cameras, FPS, 6).xy_px, take.xy_px)


def test_a_bias_shifts_detections(take: PeopleTake, joints: np.ndarray, cameras: Cameras) -> None:
    biased = detect_people(joints, cameras, FPS, 5, DetectorBias.random(np.random.default_rng(0)))
    assert np.array_equal(biased.person == 0, take.person == 0) or (biased.person == take.person).mean() > 0.9
    assert np.median(error(biased, 0)) > 1.02 * np.median(error(take, 0))


def test_no_person_and_people_out_of_the_image(joints: np.ndarray, cameras: Cameras) -> None:
    away = detect_people(joints + np.array([0.0, 50.0, 0.0]), cameras, FPS, 0)
    assert away.person.shape == (VIEWS, FRAMES, 0)
    none = detect_people(joints[:, :0], cameras, FPS, 0)
    assert none.person.shape == (VIEWS, FRAMES, 0)
