import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.capture.appearance.body_points import leg_points, trunk_points
from pose_rig.skeleton import INDEX, J
from tests.capture.appearance.figures import SIZE, person

SEEN = np.full((1, J), 0.9)
PARTS = [trunk_points, leg_points]


def without(*names: str) -> Floats:
    score = SEEN.copy()
    score[:, [INDEX[name] for name in names]] = 0.1
    return score


def test_points_of_the_trunk_are_between_shoulders_and_hips() -> None:
    found = trunk_points(person(300)[None], SEEN, SIZE)
    assert found.weight.sum() == pytest.approx(1.0)
    low, high = found.xy_px[0].min(0), found.xy_px[0].max(0)
    assert (low >= [274, 142]).all()
    assert (high <= [326, 230]).all()
    assert (high - low > [25, 60]).all()


def test_points_of_the_legs_are_near_thighs_and_shanks_with_the_same_weight() -> None:
    found = leg_points(person(300)[None], SEEN, SIZE)
    assert found.weight.sum() == pytest.approx(1.0)
    assert found.weight[0, found.xy_px[0, :, 1] < 300].sum() == pytest.approx(0.5)
    aside = np.abs(np.abs(found.xy_px[0, :, 0] - 300) - 20)
    assert aside.max() < 8


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("x", [-400.0, -1e6, 1e6])
def test_a_part_outside_the_image_is_not_visible(part: object, x: float) -> None:
    found = part(person(x)[None], SEEN, SIZE)  # type: ignore[operator]
    assert not found.weight.any()
    assert (found.xy_px >= 0).all()


def test_points_outside_the_image_are_left_out_as_long_as_half_are_inside() -> None:
    found = trunk_points(person(5)[None], SEEN, SIZE)
    assert found.weight.sum() == pytest.approx(1.0)
    assert not found.weight[0].all()
    assert not trunk_points(person(-8)[None], SEEN, SIZE).weight.any()


def test_parts_whose_ends_are_not_visible_have_no_points() -> None:
    assert not trunk_points(person(300)[None], without("l_hip"), SIZE).weight.any()
    one_leg = leg_points(person(300)[None], without("l_knee", "l_ankle"), SIZE)
    assert one_leg.weight.sum() == pytest.approx(1.0)
    assert (one_leg.xy_px[0, one_leg.weight[0] > 0, 0] < 300).all()
    only_thighs = leg_points(person(300)[None], without("l_ankle", "r_ankle"), SIZE)
    assert not only_thighs.weight.any()


def test_a_person_who_is_a_few_pixels_tall_has_no_points() -> None:
    tiny = person(300, size=0.05)[None]
    assert not any(part(tiny, SEEN, SIZE).weight.any() for part in PARTS)


def test_points_where_another_person_may_be_are_not_used() -> None:
    both = np.stack([person(300), person(301, size=1.2)])
    score = np.repeat(SEEN, 2, 0)
    assert not any(part(both, score, SIZE).weight[0].any() for part in PARTS)
    half = leg_points(np.stack([person(300), person(330)]), score, SIZE)
    assert half.weight[0].sum() == pytest.approx(1.0)
    assert half.xy_px[0, half.weight[0] > 0, 0].max() < 304
    apart = np.stack([person(300), person(360)])
    np.testing.assert_allclose([part(apart, score, SIZE).weight.sum(-1) for part in PARTS], 1.0)


def test_nobody_has_no_points() -> None:
    for part in PARTS:
        found = part(np.zeros((0, J, 2)), np.zeros((0, J)), SIZE)
        assert (len(found.xy_px), len(found.weight)) == (0, 0)
