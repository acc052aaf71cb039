import numpy as np
import pytest

from pose_rig.skeleton import INDEX
from pose_rig.training.footage.flips import flip
from pose_rig.training.footage.footage import Footage, GroundTruth
from tests.training.datasets.world import FOCAL_PX, shoot

SIZES = [(1280, 720), (1000, 1002), (640, 480)]


def footage() -> Footage:
    shot = shoot(0.2, SIZES)
    xy = shot.xy_px.astype(np.float32)
    pelvis_first = shot.local[0] - shot.local[0, :, :1]
    reference = np.linalg.svd(pelvis_first)[2]
    rotation = reference * np.linalg.det(reference)[:, None, None]
    rng = np.random.default_rng(0)
    return Footage(
        "walk",
        "someone",
        xy + rng.normal(0, 3, xy.shape).astype(np.float32),
        rng.random(xy.shape[:3]).astype(np.float32),
        np.array(SIZES, np.float32),
        np.full(3, FOCAL_PX, np.float32),
        rotation=rotation.astype(np.float32),
        truth=GroundTruth(shot.local.astype(np.float32), xy),
    )


def test_a_flip_of_a_flip_is_the_footage() -> None:
    once = footage()
    twice = flip(flip(once))
    assert twice.truth is not None
    assert once.truth is not None
    np.testing.assert_allclose(twice.xy_px, once.xy_px, atol=1e-3)
    np.testing.assert_array_equal(twice.score, once.score)
    np.testing.assert_array_equal(twice.truth.joints, once.truth.joints)
    np.testing.assert_allclose(twice.truth.xy_px, once.truth.xy_px, atol=1e-3)
    np.testing.assert_array_equal(twice.rotation, once.rotation)


def test_flipped_truth_lies_where_the_flipped_picture_shows_it() -> None:
    flipped = flip(footage())
    assert flipped.truth is not None
    local = flipped.truth.joints.astype(float)
    drawn = FOCAL_PX * local[..., :2] / local[..., 2:] + np.array(SIZES)[:, None] / 2
    np.testing.assert_allclose(flipped.truth.xy_px, drawn, atol=1e-2)


def test_left_and_right_are_exchanged_and_x_is_counted_from_the_right() -> None:
    once, flipped = footage(), flip(footage())
    left, right = INDEX["l_wrist"], INDEX["r_wrist"]
    np.testing.assert_allclose(flipped.xy_px[..., left, 0], once.size_px[:, 0] - once.xy_px[..., right, 0], rtol=1e-5)
    np.testing.assert_array_equal(flipped.xy_px[..., left, 1], once.xy_px[..., right, 1])
    np.testing.assert_array_equal(flipped.score[..., left], once.score[..., right])


def test_the_rig_is_mirrored_with_its_pictures() -> None:
    once, flipped = footage(), flip(footage())
    assert once.rotation is not None
    assert flipped.rotation is not None
    assert once.truth is not None
    assert flipped.truth is not None
    assert np.linalg.det(flipped.rotation) == pytest.approx(1, abs=1e-5)
    in_rig = np.einsum("vji,tvkj->tvki", once.rotation, once.truth.joints)
    in_flipped_rig = np.einsum("vji,tvkj->tvki", flipped.rotation, flipped.truth.joints)
    left, right = INDEX["l_knee"], INDEX["r_knee"]
    np.testing.assert_allclose(in_flipped_rig[..., left, :], in_rig[..., right, :] * [-1, 1, 1], atol=1e-4)


def test_without_truth_and_rotation_there_is_none_to_flip() -> None:
    bare = Footage("a", "b", *(getattr(footage(), name) for name in ("xy_px", "score", "size_px", "focal_px")))
    assert flip(bare).truth is None
    assert flip(bare).rotation is None
