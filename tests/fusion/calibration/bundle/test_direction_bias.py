"""The bias of detectors by direction of view."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.fusion.calibration.bundle.adjustment import adjust
from pose_rig.fusion.calibration.bundle.direction_bias import PARTS, B, K, view_directions
from pose_rig.fusion.calibration.bundle.segments import POINTS
from pose_rig.geometry import rotation_from_vector
from pose_rig.simulation.cameras import look_at
from pose_rig.skeleton import INDEX
from tests.fusion.simulated import acrobat, blurred, calibration, points_of, relative_deg, truth


def coefficients(part: str, axis: int, term: int) -> np.ndarray:
    """A bias of one coefficient."""
    out = np.zeros((len(PARTS), 2, K))
    out[PARTS.index(part), axis, term] = 1.0
    return out.ravel()


def standing() -> np.ndarray:
    """(1,P,3) a person at the origin who looks along +z, y up."""
    out = np.zeros((1, len(POINTS), 3))
    for name, at in (("hip", (0.1, 1.0)), ("shoulder", (0.2, 1.5))):
        for side, sign in (("l", 1), ("r", -1)):
            out[0, POINTS.index(INDEX[f"{side}_{name}"])] = [sign * at[0], at[1], 0.0]
    return out


@pytest.mark.parametrize("roll", [0.0, 1.2])
@pytest.mark.parametrize("azimuth_deg", [0.0, 90.0, -140.0])
def test_azimuths_and_directions_in_the_image(azimuth_deg: float, roll: float) -> None:
    azimuth = np.radians(azimuth_deg)
    position = np.array([3 * np.sin(azimuth), 1.25, 3 * np.cos(azimuth)])
    turn = rotation_from_vector(np.array([0.0, 0.0, roll]))
    rotation = turn @ look_at(position, np.array([0.0, 1.25, 0.0]))
    seen = view_directions(rotation[None], -(rotation @ position)[None], standing())
    assert seen.azimuth[0, 0] == pytest.approx(azimuth)
    assert seen.up[0, 0] == pytest.approx((turn @ [0.0, -1.0, 0.0])[:2])
    assert seen.right[0, 0] == pytest.approx((turn @ [1.0, 0.0, 0.0])[:2])


def test_right_joints_are_shifted_as_the_mirror_image_of_left_ones() -> None:
    rng = np.random.default_rng(0)
    cameras = calibration(3)
    points = points_of(acrobat(6))
    seen = view_directions(cameras.rotation, cameras.translation, points)
    bias = rng.normal(0, 1, B)
    shift = seen.shift(bias)
    mirrored = replace(seen, sideways=seen.sideways[:, :, [1, 0, 2]], upwards=seen.upwards[:, :, [1, 0, 2]])
    left, right = (POINTS.index(INDEX[f"{side}_knee"]) for side in "lr")
    other = mirrored.shift(bias)[:, :, left]
    assert shift[:, :, right] == pytest.approx(other)
    ahead = view_directions(np.eye(3)[None], np.array([[0.0, 1.25, 3.0]]), standing() * [1, -1, -1])  # y down: upright
    sideways = ahead.shift(coefficients("hip", 0, 0))[0, 0]
    hips = [POINTS.index(INDEX[f"{side}_hip"]) for side in "lr"]
    assert sideways[hips[0]] == pytest.approx(-sideways[hips[1]])
    upwards = ahead.shift(coefficients("hip", 1, 0))[0, 0]
    assert upwards[hips[0]] == pytest.approx(upwards[hips[1]])
    assert upwards[hips[0], 1] < 0  # images are y down


def test_the_jacobian_is_that_of_the_shift() -> None:
    cameras, bias = calibration(3), np.random.default_rng(1).normal(0, 1, B)
    seen = view_directions(cameras.rotation, cameras.translation, points_of(acrobat(4)))
    whole = seen.shift(bias)
    by_part = bias.reshape(len(PARTS), 2 * K)
    for part, name in enumerate(PARTS):
        for joint in (name,) if name in INDEX else (f"l_{name}", f"r_{name}"):
            point = POINTS.index(INDEX[joint])
            assert seen.jacobian(point) @ by_part[part] == pytest.approx(whole[:, :, point])


def test_the_bias_of_a_detector_is_found_and_no_longer_turns_the_cameras() -> None:
    """Near and far hips and knees at different heights look like perspective."""
    rng = np.random.default_rng(5)
    state, tracks, priors = truth(acrobat(60), calibration(3))
    bias = 1.2 * coefficients("hip", 1, 2) + coefficients("knee", 1, 2) + 1.5 * coefficients("shoulder", 0, 4)
    seen = view_directions(state.rotation, state.translation, state.points)
    tracks = blurred(replace(tracks, xy=tracks.xy + seen.shift(bias) * tracks.sd[..., None]), rng)
    without, _ = adjust(state, tracks, priors)
    found, _ = adjust(replace(state, bias=np.zeros(B)), tracks, priors)
    assert np.abs(found.bias - bias).max() < 0.85
    assert found.bias @ bias > 0.45 * bias @ bias
    off = [relative_deg(one.rotation, state.rotation).max() for one in (without, found)]
    focal = [np.abs(one.log_focal_scale - state.log_focal_scale).max() for one in (without, found)]
    assert off[1] < 0.85 * off[0]
    assert focal[1] < 0.8 * focal[0]
