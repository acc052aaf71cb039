"""What people look like in each camera."""

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.keyframes import KEYFRAME_INTERVAL_NS
from pose_rig.fusion.people.appearance import MAX_LIMIT, MIN_LIMIT, MIN_SAMPLES, Appearance, hellinger
from tests.fusion.people.clothes import Adjustment, Clothes, camera, clothes, descriptor

VIEWS = 4


def visit(
    worn: Clothes,
    cameras: list[Adjustment],
    rng: np.random.Generator,
    frames: int = 40,
    views: tuple[int, ...] = (0, 1, 2, 3),
) -> Appearance:
    """Somebody who turns in front of some of the cameras."""
    out = Appearance(len(cameras))
    here = [one.at_another_place(rng) for one in cameras]
    heading = rng.uniform(0, 2 * np.pi) + 0.05 * np.arange(frames)
    for i, turn in enumerate(heading):
        rows = [descriptor(worn, here[v], rng, 0.5 * (1 - np.cos(turn + 1.6 * v))) for v in views]
        out.add(i * KEYFRAME_INTERVAL_NS, np.array(views), np.array(rows))
    return out


def ratio(one: Appearance, other: Appearance) -> float:
    alike = one.likeness(other)
    assert alike is not None
    return alike.ratio


def plain(*values: float) -> Floats:
    """(1,4) a descriptor of two numbers for each half."""
    return np.array([values])


def test_who_returns_is_nearer_than_anybody_else() -> None:
    right = near = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        cameras = [camera(rng) for _ in range(VIEWS)]
        worn = [clothes(rng) for _ in range(3)]
        before = [visit(one, cameras, rng, 30) for one in worn]
        ratios = [ratio(one, visit(worn[0], cameras, rng, 10)) for one in before]
        right += int(np.argmin(ratios)) == 0
        near += ratios[0] <= 1 < min(ratios[1:])
    assert right == 8
    assert near >= 6


def test_without_a_common_camera_the_means_over_cameras_are_compared() -> None:
    right = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        cameras = [camera(rng) for _ in range(VIEWS)]
        worn = [clothes(rng) for _ in range(2)]
        before = [visit(one, cameras, rng, views=(0, 1)) for one in worn]
        again = visit(worn[0], cameras, rng, 10, views=(2, 3))
        found = before[0].likeness(again)
        assert found is not None
        assert found.limit > MAX_LIMIT
        right += ratio(before[0], again) < ratio(before[1], again)
    assert right >= 11


def test_cameras_that_show_colours_differently_do_not_matter_within_one() -> None:
    one, other = Appearance(2), Appearance(2)
    for i in range(10):
        for made in (one, other):
            made.add(i * KEYFRAME_INTERVAL_NS, np.array([0, 1]), np.array([[1.0, 0, 1, 0], [0, 1.0, 0, 1]]))
    assert ratio(one, other) == 0
    crossed = Appearance(2)
    for i in range(10):
        crossed.add(i * KEYFRAME_INTERVAL_NS, np.array([0]), np.array([[0.0, 1, 0, 1]]))
    found = one.likeness(crossed)
    assert found is not None
    assert found.distance == 1


def test_it_is_unknown_after_few_samples_and_of_halves_that_were_never_visible() -> None:
    one, other = Appearance(1), Appearance(1)
    for i in range(MIN_SAMPLES):
        assert one.likeness(other) is None
        one.add(i * KEYFRAME_INTERVAL_NS, np.array([0]), plain(1, 0, 0, 0))
        other.add(i * KEYFRAME_INTERVAL_NS, np.array([0]), plain(1, 0, 0.5, 0.5))
    assert one.known.tolist() == [[True, False]]
    assert ratio(one, other) == 0  # by their trunks
    legs = Appearance(1)
    for i in range(MIN_SAMPLES):
        legs.add(i * KEYFRAME_INTERVAL_NS, np.array([0]), plain(0, 0, 1, 0))
    assert one.likeness(legs) is None


def test_descriptors_that_come_too_soon_or_are_empty_are_not_counted() -> None:
    made = Appearance(1)
    for i in range(2 * MIN_SAMPLES):
        made.add(i * KEYFRAME_INTERVAL_NS // 4, np.array([0]), plain(1, 0, 1, 0))
        made.add(i * KEYFRAME_INTERVAL_NS, np.array([0]), np.zeros((1, 4)))
        made.add(i * KEYFRAME_INTERVAL_NS, np.array([0]), np.zeros((1, 0)))
        made.add(i * KEYFRAME_INTERVAL_NS, np.zeros(0, np.int64), np.zeros((0, 4)))
    assert not made.known.any()


def test_descriptors_of_another_length_start_again() -> None:
    made = Appearance(1)
    for i in range(9):
        made.add(i * KEYFRAME_INTERVAL_NS, np.array([0]), plain(1, 0, 1, 0))
    made.add(10 * KEYFRAME_INTERVAL_NS, np.array([0]), np.array([[1.0, 0, 0, 1, 0, 0]]))
    assert not made.known.any()
    made.add(11 * KEYFRAME_INTERVAL_NS, np.array([0]), np.array([[1.0, 0, 0]]))  # not two halves
    assert not made.known.any()


@pytest.mark.parametrize("first", [0, 30])
def test_some_descriptors_of_another_person_do_not_matter(first: int) -> None:
    mixed, own = Appearance(1), Appearance(1)
    for i in range(60):
        other = first <= i < first + 3
        mixed.add(i * KEYFRAME_INTERVAL_NS, np.array([0]), plain(0, 1, 0, 1) if other else plain(1, 0, 1, 0))
        own.add(i * KEYFRAME_INTERVAL_NS, np.array([0]), plain(1, 0, 1, 0))
    assert ratio(mixed, own) < 1


def test_the_limit_grows_with_the_spread_of_a_person() -> None:
    rng = np.random.default_rng(0)
    limits = []
    for spread in (0.0, 0.05, 0.3):
        made = Appearance(1)
        for i in range(60):
            part = float(np.clip(0.5 + spread * rng.normal(), 0, 1))
            made.add(i * KEYFRAME_INTERVAL_NS, np.array([0]), plain(part, 1 - part, part, 1 - part))
        found = made.likeness(made)
        assert found is not None
        limits.append(found.limit)
    assert limits[0] == MIN_LIMIT
    assert limits == sorted(limits)
    assert limits[2] == MAX_LIMIT


def test_the_distance_is_zero_of_the_same_and_one_of_disjoint_shares() -> None:
    a, b = np.array([0.25, 0.75, 0.0]), np.array([0.0, 0.0, 1.0])
    assert hellinger(a, a) == pytest.approx(0, abs=1e-7)
    assert hellinger(a, b) == 1
