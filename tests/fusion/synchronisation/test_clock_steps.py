"""Steps of a clock in a solved rig."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.clock_steps import OffsetStep, find_step, refined_step
from pose_rig.geometry import rotation_from_vector
from tests.fusion.simulated import calibration
from tests.fusion.synchronisation.clock_takes import stepped, stepped_tracks, tracks, two_people

END_S = 110.0


def ns(time_s: float) -> int:
    return round(time_s * 1e9)


@pytest.mark.parametrize("views", [3, 4])
@pytest.mark.parametrize("step_s", [-0.2, 0.35])
def test_a_step_is_found_with_its_camera_and_its_time(views: int, step_s: float) -> None:
    cameras, at_s = calibration(views), 109.0
    takes = stepped_tracks(cameras, np.where(np.arange(views) == 1, step_s, 0.0), at_s)
    found = find_step(takes, np.zeros(views), cameras, ns(END_S - 1.8), ns(END_S)).step
    assert found is not None
    assert found.view == 1
    assert found.change_s == pytest.approx(step_s, abs=0.01)
    assert found.from_ns == pytest.approx(ns(at_s), abs=ns(0.35))


def test_a_step_is_found_from_several_people() -> None:
    cameras, change_s, at_s = calibration(3), np.array([0.0, -0.2, 0.0]), 109.0
    takes = stepped(two_people(cameras, np.zeros(3)), two_people(cameras, change_s), change_s, at_s)
    window = (ns(END_S - 1.8), ns(END_S))
    found = find_step(takes, np.zeros(3), cameras, *window, several=True).step
    assert found is not None
    assert found.view == 1
    assert found.change_s == pytest.approx(-0.2, abs=0.02)
    right = two_people(cameras, np.zeros(3))
    assert find_step(right, np.zeros(3), cameras, *window, several=True).step is None
    off = replace(found, change_s=-0.14)  # found 0.06 s too small
    later = refined_step(takes, change_s * 0.7, cameras, off, ns(END_S + 1), several=True)
    assert later is not None
    assert later.change_s == pytest.approx(-0.06, abs=0.02)


def test_of_two_cameras_the_later_one_has_stepped() -> None:
    cameras = calibration(2)
    for late, other in ((0, 1), (1, 0)):
        offset_s = np.zeros(2)
        offset_s[late] = -0.2  # its stamps are 0.2 s later than those of the other one
        found = find_step(
            stepped_tracks(cameras, offset_s, END_S - 2.4), np.zeros(2), cameras, ns(END_S - 2.5), ns(END_S)
        ).step
        assert found is not None
        assert (found.view, other) == (late, 1 - late)
        assert found.change_s == pytest.approx(-0.2, abs=0.02)


def test_no_step_without_one_without_movement_and_without_enough_detections() -> None:
    cameras = calibration(3)
    takes = tracks(cameras, np.zeros(3))
    window = (ns(END_S - 2.5), ns(END_S))
    assert find_step(takes, np.zeros(3), cameras, *window).step is None
    rng = np.random.default_rng(0)
    still = [replace(one, xy_px=one.xy_px[60] + rng.normal(0, 2, one.xy_px.shape)) for one in takes]
    assert find_step(still, np.array([0.0, 0.2, 0.0]), cameras, *window).step is None
    wrong_s = np.array([0.0, 0.2, 0.0])
    assert find_step(takes, wrong_s, cameras, ns(END_S - 0.3), ns(END_S)).step is None
    assert find_step([takes[0], CameraTrack.empty(), CameraTrack.empty()], wrong_s, cameras, *window).step is None
    one_known = replace(cameras, known=np.array([True, False, False]))
    assert find_step(takes, wrong_s, one_known, *window).step is None


def test_a_step_that_was_misjudged_is_refined_from_all_detections_since_then() -> None:
    cameras, from_ns, end_ns = calibration(3), ns(END_S - 3.0), ns(END_S)
    takes, used = tracks(cameras, np.array([0.0, -0.2, 0.0])), OffsetStep(1, -0.15, from_ns)
    found = refined_step(takes, np.array([0.0, -0.15, 0.0]), cameras, used, end_ns)
    assert found is not None
    assert (found.view, found.from_ns) == (1, from_ns)
    assert found.change_s == pytest.approx(-0.05, abs=0.01)
    assert refined_step(takes, np.array([0.0, -0.2, 0.0]), cameras, used, end_ns) is None  # it is right
    assert refined_step(takes, np.array([0.0, 0.2, 0.0]), cameras, used, end_ns) is None  # too far
    assert refined_step(takes, np.array([0.0, -0.15, 0.0]), cameras, used, ns(END_S - 2.0)) is None  # too early
    pair = replace(cameras, known=np.array([True, True, False]))
    assert refined_step(takes, np.array([0.0, -0.15, 0.0]), pair, used, end_ns) is None


def test_a_camera_that_was_moved_is_decided_and_one_whose_person_stands_is_not() -> None:
    cameras, window = calibration(3), (ns(END_S - 2.5), ns(END_S))
    takes = tracks(cameras, np.zeros(3))
    turn = rotation_from_vector(np.radians([[0.0, 0.0, 0.0], [8.0, 8.0, 0.0], [0.0, 0.0, 0.0]]))
    moved = replace(
        cameras,
        rotation=turn @ cameras.rotation,
        translation=(turn @ cameras.translation[..., None])[..., 0],
    )
    search = find_step(takes, np.zeros(3), moved, *window)
    assert search.step is None
    assert not search.undecided[1]
    still = [
        replace(one, xy_px=np.repeat(one.xy_px[[60 - 9 * view]], len(one.xy_px), 0)) for view, one in enumerate(takes)
    ]
    assert find_step(still, np.zeros(3), cameras, *window).undecided.all()
    rarely_seen = [takes[0], CameraTrack.empty(), takes[2]]
    assert find_step(rarely_seen, np.zeros(3), cameras, *window).undecided[1]
    stepped = stepped_tracks(cameras, np.array([0.0, -0.2, 0.0]), END_S - 2.4)
    assert not find_step(stepped, np.zeros(3), cameras, *window).undecided[1]


def test_a_camera_that_did_not_fit_before_has_not_stepped() -> None:
    cameras, window = calibration(3), (ns(END_S - 2.5), ns(END_S))
    late = tracks(cameras, np.array([0.0, -0.2, 0.0]))  # or its pose is that of a moved camera, placed since
    moved = [one.part(0, ns(END_S - 2.4)) for one in late]
    rng = np.random.default_rng(0)
    moved[1] = replace(moved[1], xy_px=moved[1].xy_px + rng.normal(0, 60, (len(moved[1].xy_px), 1, 2)))
    takes = [a.followed_by(b.part(ns(END_S - 2.4))) for a, b in zip(moved, late, strict=True)]
    assert find_step(takes, np.zeros(3), cameras, *window).step is None
