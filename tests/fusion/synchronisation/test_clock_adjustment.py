"""Fine offsets of clocks, by bundle adjustment."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.calibration.self_solve import SolveTask
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.clock_adjustment import adjust_clocks, resampled
from tests.fusion.simulated import calibration, images, make_keyframes, task
from tests.fusion.synchronisation.clock_takes import dance, tracks

START_S = 102.0


def at_given_clocks(cameras: Calibration, offset_s: Floats, count: int = 100) -> list[Keyframe]:
    """Keyframes of cameras whose clocks are behind, made as if they were not."""
    views = len(offset_s)
    t_s = START_S + np.arange(count) / 15
    keyframes = make_keyframes(dance(t_s), cameras, seed=None, t0_ns=round(START_S * 1e9))
    xy_px = np.stack([images(dance(t_s + offset), cameras)[:, v] for v, offset in enumerate(offset_s)], 1)
    weight = np.ones(views)
    return [replace(k, xy_px=xy, weight=weight) for k, xy in zip(keyframes, xy_px, strict=True)]


def given(cameras: Calibration, keyframes: list[Keyframe]) -> SolveTask:
    return replace(task(keyframes, cameras, off_deg=0.0), current=cameras)


@pytest.mark.parametrize("offset_s", [(0.0, 0.03, -0.05), (0.0, 0.1, 0.08, -0.04)])
def test_offsets_are_found_to_milliseconds(offset_s: tuple[float, ...]) -> None:
    true_s, cameras = np.array(offset_s), calibration(len(offset_s))
    takes = tracks(cameras, true_s)
    found = adjust_clocks(given(cameras, at_given_clocks(cameras, true_s)), takes, np.zeros(len(true_s)))
    assert found is not None
    np.testing.assert_allclose(found.offset_s, true_s, atol=0.003)
    assert found.sd_s[0] == 0
    assert (found.sd_s[1:] < 0.01).all()
    assert (found.explained > 0.6).all()


def test_a_person_who_stands_is_not_observable() -> None:
    cameras, zero = calibration(3), np.zeros(3)
    rng = np.random.default_rng(1)
    takes = [
        replace(take, xy_px=take.xy_px[60] + rng.normal(0, 3, take.xy_px.shape))
        for take in tracks(cameras, np.array([0.0, 0.05, -0.05]))
    ]
    keyframes = [
        replace(k, xy_px=np.stack([take.xy_px[60 + n] for take in takes]))
        for n, k in enumerate(at_given_clocks(cameras, zero))
    ]
    found = adjust_clocks(given(cameras, keyframes), takes, zero)
    assert found is not None
    assert np.isnan(found.sd_s).all()
    assert found.offset_s.tolist() == [0, 0, 0]


def test_an_unsolved_rig_has_no_offsets() -> None:
    cameras, zero = calibration(3), np.zeros(3)
    keyframes = at_given_clocks(cameras, zero)
    assert adjust_clocks(replace(given(cameras, keyframes), current=None), tracks(cameras, zero), zero) is None
    assert adjust_clocks(given(cameras, keyframes), [CameraTrack.empty()] * 3, zero) is None


def test_keyframes_are_resampled_at_other_clocks() -> None:
    cameras, true_s = calibration(2), np.array([0.0, 0.4])
    takes = tracks(cameras, true_s, noise_px=0.0)
    before = at_given_clocks(cameras, np.array([0.0, 0.05]), 20)  # made at an offset of 0.35 s
    after, velocity = resampled(before, takes, np.array([0.0, 0.35]), true_s)
    exact = at_given_clocks(cameras, np.zeros(2), 20)
    later = at_given_clocks(cameras, np.full(2, 0.001), 20)
    for n, keyframe in enumerate(after):
        np.testing.assert_allclose(keyframe.xy_px, exact[n].xy_px, atol=1.5)
        np.testing.assert_allclose(velocity[n], (later[n].xy_px - exact[n].xy_px) / 0.001, atol=60)
    assert all((k.weight == 1).all() for k in after)
    far, _ = resampled(before, takes, np.array([0.0, 0.35]), np.array([0.0, 60.0]))
    assert all(k.weight.tolist() == [1, 0] for k in far)  # nothing was detected there
