import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.simulation.noise import (
    CORRELATION_25HZ,
    JOINT_NOISE,
    detect,
    detections,
    drift,
    drop,
    random_events,
)
from pose_rig.skeleton import INDEX, J
from tests.fusion.fakes import film, ring, walk


def image(lead: int, steps: int) -> Floats:
    """(lead,T,J,2) px: one pose, held."""
    scene = film(walk(0.1)[:1], ring(1), noise=0.0)
    return np.broadcast_to(scene.xy_px[0], (lead, steps, J, 2)).copy()


def lag_one(values: Floats) -> float:
    """Correlation of (...,T) with itself one step later."""
    a, b = values[..., :-1].ravel(), values[..., 1:].ravel()
    return float(np.corrcoef(a, b)[0, 1])


@pytest.mark.parametrize("fps", [25.0, 50.0])
def test_drift_is_standard_normal_and_correlated_as_measured(fps: float) -> None:
    out = drift((300, 60, 4, 2), fps, np.random.default_rng(0))
    assert out.std() == pytest.approx(1, abs=0.03)
    assert out[:, 0].std() == pytest.approx(1, abs=0.05)
    assert out[:, -1].std() == pytest.approx(1, abs=0.05)
    assert lag_one(np.moveaxis(out, 1, -1)) == pytest.approx(CORRELATION_25HZ ** (25 / fps), abs=0.02)


def test_events_have_the_shares_asked_for_and_last() -> None:
    share = np.array([0.0, 0.02, 0.3, 1.0])
    out = random_events(share, (400, 50, 4), 25.0, np.random.default_rng(1))
    assert out.dtype == bool
    assert out.mean((0, 1)) == pytest.approx(share, abs=0.02)
    rare = out[..., 2]
    again = rare[:, 1:][rare[:, :-1]].mean()
    assert again > 0.7  # an event goes on in most of the next frames


def test_detections_are_off_by_what_was_measured() -> None:
    xy = image(400, 12)
    extent = np.ptp(xy, axis=-2).max(-1)[..., None]
    out = detect(xy, 25.0, np.random.default_rng(2))
    off = np.abs(out.xy_px - xy).max(-1) / extent
    for part in ("hip", "shoulder", "knee"):
        joint = INDEX[f"l_{part}"]
        assert np.median(off[..., joint]) == pytest.approx(1.0 * JOINT_NOISE[part][0], rel=0.35)
    wrist, hip = (off[..., INDEX[f"l_{part}"]] > 0.06 for part in ("wrist", "hip"))
    assert 0.05 < wrist.mean() < 0.35
    assert hip.mean() < 0.06
    assert hip.mean() < 0.5 * wrist.mean()


def test_errors_are_correlated_over_frames() -> None:
    xy = image(200, 30)
    off = (detect(xy, 25.0, np.random.default_rng(3)).xy_px - xy)[:, :, INDEX["l_hip"], 0]
    assert lag_one(off) > 0.5


def test_outliers_have_lower_scores_than_inliers() -> None:
    xy = image(300, 10)
    out = detect(xy, 25.0, np.random.default_rng(4))
    off = np.linalg.norm(out.xy_px - xy, axis=-1) / np.ptp(xy, axis=-2).max(-1)[..., None]
    far = off[..., INDEX["l_wrist"]] > 0.08
    score = out.score[..., INDEX["l_wrist"]]
    assert score[far].mean() < score[~far].mean() - 0.1
    assert out.score.min() > 0
    assert out.score.max() <= 1


def test_middles_are_the_middles_of_what_was_detected() -> None:
    out = detect(image(20, 5), 25.0, np.random.default_rng(5))
    for middle, side in (("pelvis", "hip"), ("thorax", "shoulder")):
        mean = (out.xy_px[..., INDEX[f"l_{side}"], :] + out.xy_px[..., INDEX[f"r_{side}"], :]) / 2
        assert np.allclose(out.xy_px[..., INDEX[middle], :], mean)
        least = np.minimum(out.score[..., INDEX[f"l_{side}"]], out.score[..., INDEX[f"r_{side}"]])
        assert np.array_equal(out.score[..., INDEX[middle]], least)


def test_left_and_right_are_swapped_now_and_then() -> None:
    xy = image(600, 10)
    out = detect(xy, 25.0, np.random.default_rng(6)).xy_px
    left, right = INDEX["l_knee"], INDEX["r_knee"]
    own, other = (np.linalg.norm(out[..., left, :] - xy[..., joint, :], axis=-1) for joint in (left, right))
    gap = np.linalg.norm(xy[..., left, :] - xy[..., right, :], axis=-1)
    swapped = (other < 0.3 * gap) & (own > 0.7 * gap)
    assert 0.001 < swapped.mean() < 0.06


def test_the_same_seed_gives_the_same_noise() -> None:
    xy = image(3, 5)
    first, again, other = (detect(xy, 30.0, np.random.default_rng(seed)) for seed in (7, 7, 8))
    assert np.array_equal(first.xy_px, again.xy_px)
    assert np.array_equal(first.score, again.score)
    assert not np.array_equal(first.xy_px, other.xy_px)
    assert np.array_equal(xy, image(3, 5)), "the input was changed"


def test_dropped_joints_are_zero_and_shoulders_stay() -> None:
    whole = detections(image(2000, 1), 0.9)
    out = drop(whole, np.random.default_rng(9))
    gone = out.score == 0
    assert (out.xy_px[gone] == 0).all()
    assert np.array_equal(out.xy_px[~gone], whole.xy_px[~gone])
    stay = [INDEX[name] for name in ("thorax", "l_shoulder", "r_shoulder")]
    assert not gone[..., stay].any()
    legs = gone[..., [INDEX[f"{side}_{part}"] for side in "lr" for part in ("knee", "ankle")]].all(-1)
    assert 0.02 < legs.mean() < 0.2
    assert 0.005 < gone[..., INDEX["l_wrist"]].mean() < 0.05
    assert not gone[legs][..., [INDEX["nose"], INDEX["l_shoulder"]]].any()
    assert (whole.score == 0.9).all(), "the input was changed"
