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
    bias = DetectorBias.random(np.random.default_rng(0))
    alone, biased = (detect_people(joints, cameras, FPS, 5, one, present=(0,)) for one in (None, bias))
    both = (alone.score > 0) & (biased.score > 0)
    shift = bias.shift_px(joints[:, 0], cameras)[:, :, None]
    off = np.linalg.norm(biased.xy_px - alone.xy_px - shift, axis=-1)[both]
    assert np.median(off) < 0.1 * np.median(np.linalg.norm(shift, axis=-1)[both])


def test_two_who_overlap_in_an_image_merge_in_bouts(cameras: Cameras) -> None:
    clip = walker(10.0)
    standing = clip - clip[:, :1] * [1.0, 0.0, 1.0]
    toward = np.array([0.15, 0.0, 0.3])  # camera 0, and a little to its side
    pair = np.stack([standing + toward, standing - toward], 1)
    take, near = detect_people(pair, cameras, FPS, 3), detect_people(pair, cameras, FPS, 3, present=(0,))
    detected = np.asarray((take.score > 0).any(-1))
    mixed = detected & (take.person < 0)
    assert 0.05 < mixed[0].any(-1).mean() < 0.3
    assert mixed[1].mean() < 0.01  # that camera has them side by side
    times = np.flatnonzero(mixed[0].any(-1))
    assert (detected[0, times].sum(-1) == 1).all()  # instead of both
    gap_px = np.abs(take.xy_px[0, times, 0] - near.xy_px[0, times, 0]).max(-1)
    own = (gap_px == 0).mean(-1)
    assert (own < 1).all()  # joints of both
    assert (own > 0).mean() > 0.8
    assert (take.person[0] == 1).any(-1).mean() < (take.person[0] == 0).any(-1).mean()  # the farther is also missed


def test_no_person_and_people_out_of_the_image(joints: np.ndarray, cameras: Cameras) -> None:
    away = detect_people(joints + np.array([0.0, 50.0, 0.0]), cameras, FPS, 0)
    assert away.person.shape == (VIEWS, FRAMES, 0)
    none = detect_people(joints[:, :0], cameras, FPS, 0)
    assert none.person.shape == (VIEWS, FRAMES, 0)
