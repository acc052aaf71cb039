"""Steps of a clock in a solved rig."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.clock_steps import find_step
from tests.fusion.simulated import calibration
from tests.fusion.synchronisation.clock_takes import tracks

END_S = 110.0


def ns(time_s: float) -> int:
    return round(time_s * 1e9)


@pytest.mark.parametrize("views", [3, 4])
@pytest.mark.parametrize("step_s", [-0.2, 0.35])
def test_a_step_is_found_with_its_camera_and_its_time(views: int, step_s: float) -> None:
    cameras, at_s = calibration(views), 109.0
    before = tracks(cameras, np.zeros(views))
    after = tracks(cameras, np.where(np.arange(views) == 1, step_s, 0.0))
    stepped = [one.part(0, ns(at_s)).followed_by(two.part(ns(at_s - step_s)))
               for one, two in zip(before[1:2], after[1:2], strict=True)]  # fmt: skip
    found = find_step([before[0], *stepped, *before[2:]], np.zeros(views), cameras, ns(END_S - 1.8), ns(END_S))
    assert found is not None
    assert found.view == 1
    assert found.change_s == pytest.approx(step_s, abs=0.01)
    assert found.from_ns == pytest.approx(ns(at_s), abs=ns(0.35))


def test_of_two_cameras_the_later_one_has_stepped() -> None:
    cameras = calibration(2)
    for late, other in ((0, 1), (1, 0)):
        offset_s = np.zeros(2)
        offset_s[late] = -0.2  # its stamps are 0.2 s later than those of the other one
        found = find_step(tracks(cameras, offset_s), np.zeros(2), cameras, ns(END_S - 2.5), ns(END_S))
        assert found is not None
        assert (found.view, other) == (late, 1 - late)
        assert found.change_s == pytest.approx(-0.2, abs=0.02)


def test_no_step_without_one_without_movement_and_without_enough_detections() -> None:
    cameras = calibration(3)
    takes = tracks(cameras, np.zeros(3))
    window = (ns(END_S - 2.5), ns(END_S))
    assert find_step(takes, np.zeros(3), cameras, *window) is None
    rng = np.random.default_rng(0)
    still = [replace(one, xy_px=one.xy_px[60] + rng.normal(0, 2, one.xy_px.shape)) for one in takes]
    assert find_step(still, np.array([0.0, 0.2, 0.0]), cameras, *window) is None
    wrong_s = np.array([0.0, 0.2, 0.0])
    assert find_step(takes, wrong_s, cameras, ns(END_S - 0.3), ns(END_S)) is None
    assert find_step([takes[0], CameraTrack.empty(), CameraTrack.empty()], wrong_s, cameras, *window) is None
    one_known = replace(cameras, known=np.array([True, False, False]))
    assert find_step(takes, wrong_s, one_known, *window) is None
