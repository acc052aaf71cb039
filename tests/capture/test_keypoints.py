"""What is true of 2D keypoints wherever they come from."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pose_rig.capture.keypoints import Keypoints, validate
from pose_rig.errors import ContentError
from pose_rig.skeleton import SCHEMAS

VIEWS, FRAMES, SIZE = 3, 20, (1920, 1080)


def keypoints(**changes: Any) -> Keypoints:
    """Three landscape views of one person in coco17."""
    random = np.random.default_rng(0)
    xy = random.uniform((700, 200), (1100, 1000), (VIEWS, FRAMES, 1, 17, 2))
    whole = Keypoints(
        xy=xy,
        score=np.full(xy.shape[:-1], 0.8),
        t_ns=np.tile(np.arange(FRAMES) * 33_333_333, (VIEWS, 1)),
        landmarks="coco17",
        size_px=(SIZE,) * VIEWS,
        cameras=("left", "", "right"),
        focal_px=(None,) * VIEWS,
    )
    return replace(whole, **changes)


def check(given: Keypoints) -> Keypoints:
    return validate(given, "take.npz", "It is described.")


def test_valid_keypoints_are_unchanged() -> None:
    given = keypoints()
    found = check(given)
    np.testing.assert_array_equal(found.xy, given.xy.astype(np.float32))
    np.testing.assert_array_equal(found.score, given.score.astype(np.float32))
    assert replace(found, xy=given.xy, score=given.score).t_ns is given.t_ns


@pytest.mark.parametrize(
    "point", [(0, 0), (-1, -1), (-3.5, 200), (900, -0.01), (np.nan, 500), (np.inf, 500), (1e300, 500)]
)
def test_placeholders_are_not_visible_whatever_their_score(point: tuple[float, float]) -> None:
    xy = keypoints().xy.copy()
    xy[1, 4, 0, 7] = point
    found = check(keypoints(xy=xy))
    assert found.score[1, 4, 0, 7] == 0
    assert np.isnan(found.xy[1, 4, 0, 7]).all()
    assert (found.score > 0).sum() == found.score.size - 1


@pytest.mark.parametrize("point", [(0, 500), (900, 0), (1950, 500)])
def test_points_at_the_border_and_slightly_outside_are_visible(point: tuple[float, float]) -> None:
    xy = keypoints().xy.copy()
    xy[1, 4, 0, 7] = point
    assert (check(keypoints(xy=xy)).score > 0).all()


def test_a_person_of_zeros_is_not_visible() -> None:
    xy = np.repeat(keypoints().xy, 2, axis=2)
    xy[:, :, 1] = 0
    found = check(keypoints(xy=xy, score=np.full(xy.shape[:-1], 0.4)))
    assert (found.score[:, :, 0] > 0).all()
    assert (found.score[:, :, 1] == 0).all()


@pytest.mark.parametrize("score", [np.nan, 0.0, -0.1])
def test_points_without_a_valid_score_are_not_visible(score: float) -> None:
    scores = keypoints().score.copy()
    scores[0, 0, 0, 0] = score
    found = check(keypoints(score=scores))
    assert (found.score == 0).sum() == 1
    assert np.isnan(found.xy[0, 0, 0, 0]).all()


@pytest.mark.parametrize("dtype", [">f8", "<f4", "<i2", ">i4", "<u2"])
def test_every_numeric_dtype_is_accepted(dtype: str) -> None:
    xy = np.asfortranarray(keypoints().xy.astype(dtype))
    found = check(keypoints(xy=xy))
    assert found.xy.dtype == np.float32
    np.testing.assert_array_equal(found.xy, xy.astype(np.float32))


def with_sides(**sides: int) -> dict[str, NDArray[Any]]:
    shape = (sides.get("V", VIEWS), sides.get("T", FRAMES), sides.get("P", 1), sides.get("K", 17))
    return {"xy": np.full((*shape, 2), 500.0), "score": np.ones(shape), "t_ns": np.zeros(shape[:2], np.int64)}


def times(*rows: Any) -> NDArray[np.int64]:
    return np.broadcast_to(np.array(rows, np.int64), (VIEWS, FRAMES))


EVEN = np.arange(FRAMES)
XY = keypoints().xy


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (with_sides(V=0), "take.npz has no cameras"),
        (with_sides(T=0), "take.npz has no frames"),
        (with_sides(K=0), "take.npz has no landmarks"),
        (with_sides(P=0), "take.npz has no visible keypoint in any frame"),
        ({"xy": XY * np.nan}, "take.npz has no visible keypoint in any frame"),
        ({"xy": XY * 0}, "take.npz has no visible keypoint in any frame"),
        ({"score": np.zeros(XY.shape[:-1])}, "take.npz has no visible keypoint in any frame"),
        ({"score": np.full(XY.shape[:-1], np.nan)}, "take.npz has no visible keypoint in any frame"),
        ({"score": np.full(XY.shape[:-1], -2.0)}, "no score is above 0, the lowest is -2. Write how likely"),
        ({"score": np.full(XY.shape[:-1], 97.0)}, "scores reach 97, expected 0–1. Divide them by 100, as they are per"),
        ({"score": np.linspace(-9.5, 13.5, XY[..., 0].size).reshape(XY.shape[:-1])}, "from -9.5 to 13.5,.* logit"),
        ({"score": np.full(XY.shape[:-1], 255)}, "scores reach 255, expected 0–1. Divide them by their largest"),
        ({"score": np.full(XY.shape[:-1], np.inf)}, "scores reach inf, expected 0–1"),
        ({"xy": XY / SIZE}, "keypoints are not in pixels. Run OpenPose with --keypoint_scale 0; or multiply"),
        ({"xy": XY / SIZE * 2 - 1}, "keypoints are not in pixels"),
        ({"xy": np.concatenate([XY[:2], XY[2:] / SIZE])}, "keypoints are not in pixels"),
        ({"xy": XY - (960, 540)}, "of a camera's keypoints lie outside of 1920×1080 px. Give the size of the images"),
        ({"xy": XY * 2}, "take.npz, camera left: .* lie outside of 1920×1080 px"),
        ({"xy": XY[..., ::-1]}, "width first.* With width and height, or x and y, swapped they are inside"),
        ({"size_px": ((1080, 1920),) * VIEWS}, "With width and height, or x and y, swapped they are inside"),
        ({"size_px": (SIZE, SIZE, (10**6, 1080))}, "camera right: 1000000×1080 px is not a valid image size"),
        ({"focal_px": (None, -1400.0, None)}, "camera 1: a focal length of -1400 px is not plausible for images"),
        ({"focal_px": (1.2, None, None)}, "camera left: a focal length of 1.2 px .* Give focal_px in pixels, or NaN"),
        ({"focal_px": (None, None, float("inf"))}, "camera right: a focal length of inf px"),
        ({"t_ns": times(EVEN * 0)}, "must start at 0 or later and increase from frame to frame"),
        ({"t_ns": times(EVEN[::-1] * 10**7)}, "must start at 0 or later and increase from frame to frame"),
        ({"t_ns": times(EVEN // 2 * 10**7)}, "must start at 0 or later and increase from frame to frame"),
        ({"t_ns": times((EVEN - 5) * 10**7)}, "must start at 0 or later and increase from frame to frame"),
        ({"t_ns": times(EVEN * 10**7 + 2**62)}, r"times \(key 't_ns'\) reach 146 years. They are nanoseconds"),
        ({"t_ns": times(EVEN * 33)}, "frames are 33 ns apart, which is not a plausible frame rate. .* are nanoseconds"),
        ({"t_ns": times(EVEN)}, "frames are 1 ns apart"),
        ({"t_ns": times(EVEN * 33_333_333_333)}, r"frames are 3\.33333e\+10 ns apart"),
        ({"t_ns": times(EVEN * 10**7) + np.array([[0], [0], [10**18]])}, "do not overlap in time"),
    ],
)  # fmt: skip
def test_invalid_keypoints_are_rejected_with_the_cause(changes: dict[str, Any], reason: str) -> None:
    sides = len(changes.get("xy", XY))
    few = {} if sides else {"size_px": (), "cameras": (), "focal_px": ()}
    with pytest.raises(ContentError, match=reason) as error:
        check(keypoints(**{**few, **changes}))
    assert error.value.exit_code == 2
    assert error.value.remedy


def test_one_frame_is_enough() -> None:
    one = keypoints(xy=XY[:, :1], score=np.ones((VIEWS, 1, 1, 17)), t_ns=np.zeros((VIEWS, 1), np.int64))
    assert (check(one).score == 1).all()


def test_extrapolated_points_outside_the_image_do_not_affect_the_size_check() -> None:
    """MediaPipe places legs that the image does not show, and scores them low."""
    xy, score = XY.copy(), keypoints().score.copy()
    xy[..., 7:, 1] += 900
    score[..., 7:] = 0.1
    np.testing.assert_array_equal(check(keypoints(xy=xy, score=score)).score > 0, score > 0)


def test_a_view_without_detections_is_valid() -> None:
    xy = XY.copy()
    xy[1] = np.nan
    assert not check(keypoints(xy=xy)).score[1].any()


def test_a_camera_that_starts_late_is_valid() -> None:
    t_ns = np.array(keypoints().t_ns)
    t_ns[2] += 10 * 33_333_333
    assert (check(keypoints(t_ns=t_ns)).score > 0).all()


def test_a_wrong_size_is_found_by_the_body_however_many_points_the_face_has() -> None:
    random = np.random.default_rng(1)
    names = SCHEMAS["wholebody133"]
    xy = random.uniform((900, 200), (1000, 300), (VIEWS, FRAMES, 1, 133, 2))
    xy[..., [names.index(f"{side}_ankle") for side in ("left", "right")], 1] = 1050
    score = np.full(xy.shape[:-1], 0.3)  # a detector with low scores
    whole = keypoints(xy=xy, score=score, landmarks="wholebody133")
    assert (check(whole).score > 0).all()
    with pytest.raises(ContentError, match=r"camera left: 13% of a camera's keypoints lie outside of 1080×1000 px"):
        check(replace(whole, size_px=((1080, 1000),) * VIEWS))
