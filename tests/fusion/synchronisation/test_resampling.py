"""Keyframes at other clocks."""

import numpy as np

from pose_rig.fusion.synchronisation.camera_clock import CameraClock, clocks_of
from pose_rig.fusion.synchronisation.resampling import resampled
from tests.fusion.simulated import calibration
from tests.fusion.synchronisation.clock_takes import at_given_clocks, tracks


def test_keyframes_are_resampled_at_other_clocks() -> None:
    cameras, true_s = calibration(2), np.array([0.0, 0.4])
    takes = tracks(cameras, true_s, noise_px=0.0)
    before = at_given_clocks(cameras, np.array([0.0, 0.05]), 20)  # made at an offset of 0.35 s
    after = resampled(before, takes, clocks_of([0.0, 0.35]), clocks_of(true_s))
    exact = at_given_clocks(cameras, np.zeros(2), 20)
    for n, keyframe in enumerate(after):
        np.testing.assert_allclose(keyframe.xy_px, exact[n].xy_px, atol=1.5)
        assert keyframe.xy_px[0] is not before[n].xy_px[0]
        np.testing.assert_array_equal(keyframe.xy_px[0], before[n].xy_px[0])  # its clock is the same
    assert all((k.weight == 1).all() for k in after)
    far = resampled(before, takes, clocks_of([0.0, 0.35]), [CameraClock(), CameraClock(60_000_000_000)])
    assert all(k.weight.tolist() == [1, 0] for k in far)  # nothing was detected there
