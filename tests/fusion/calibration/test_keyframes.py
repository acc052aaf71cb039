import time
from dataclasses import replace

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.keyframes import (
    DISJOINT_DISTANCE,
    MAX_KEYFRAMES,
    MAX_PEOPLE,
    MIN_PER_PERSON,
    Keyframe,
    Keyframes,
    image_distance,
    of_each_person,
    people_of,
)
from pose_rig.skeleton import LIMBS, J
from tests.fusion.simulated import acrobat, calibration, make_keyframes, stroll

CAMERAS = calibration(3)


def keyframes_of(people: Floats) -> list[Keyframe]:
    return make_keyframes(people, CAMERAS, seed=None)


def filled(keyframes: list[Keyframe]) -> Keyframes:
    out = Keyframes()
    for keyframe in keyframes:
        out.add(keyframe)
    return out


def test_image_distance_is_in_person_sizes() -> None:
    a, b = keyframes_of(acrobat(2))
    moved = replace(a, xy_px=a.xy_px + np.array([30.0, 40.0]))
    size = np.ptp(a.xy_px[:, list(LIMBS)], axis=1).max(-1)
    stated = image_distance(a, [a, moved, b])
    assert stated.shape == (3,)
    assert stated[0] == 0
    assert stated[1] == pytest.approx((50.0 / size).mean())
    assert stated[2] > 0.1


def test_only_common_detections_are_compared() -> None:
    a, b = keyframes_of(acrobat(2))
    score = b.score.copy()
    score[:, LIMBS[0]] = 0.0
    nowhere = replace(b, xy_px=np.where((score > 0)[..., None], b.xy_px, 1e6), score=score)
    assert image_distance(a, [nowhere])[0] < 10
    blind = replace(b, weight=np.array([1.0, 0.0, 0.0]), xy_px=a.xy_px + np.array([0.0, 900.0, 900.0])[:, None, None])
    assert image_distance(a, [blind])[0] == pytest.approx(0.0)


def test_keyframes_without_a_common_view_are_far_apart() -> None:
    a, b = keyframes_of(acrobat(2))
    first, second = replace(a, weight=np.array([1.0, 0.0, 0.0])), replace(b, weight=np.array([0.0, 1.0, 1.0]))
    assert image_distance(first, [second]) == pytest.approx([DISJOINT_DISTANCE])
    assert image_distance(a, []).shape == (0,)


def test_the_number_of_keyframes_is_bounded() -> None:
    kept_set = Keyframes()
    for count, keyframe in enumerate(keyframes_of(stroll(20.0)), 1):
        kept_set.add(keyframe)
        assert len(kept_set.frames) == min(count, MAX_KEYFRAMES)


def test_different_keyframes_are_kept_while_the_person_stands_still() -> None:
    """Also with a detector's errors, which make every keyframe differ a little."""
    walk = make_keyframes(stroll(6.0, 10.0), CAMERAS)
    still = make_keyframes(np.tile(stroll(0.2, 10.0)[:1], (4 * MAX_KEYFRAMES, 1, 1)), CAMERAS, seed=1, t0_ns=10**12)
    kept_set = filled([*walk, *still])
    kept = [keyframe for keyframe in kept_set.frames if keyframe.t_ns < 10**12]
    assert len(kept) < MAX_KEYFRAMES
    assert len(kept) >= len(walk) // 2
    assert max(image_distance(keyframe, kept).min() for keyframe in walk) < 0.1


def test_repeated_poses_are_kept_once() -> None:
    poses = keyframes_of(acrobat(40))
    again = [replace(keyframe, t_ns=keyframe.t_ns + 10**12) for keyframe in poses]
    kept_set = filled(again + poses + keyframes_of(acrobat(MAX_KEYFRAMES - 40, seed=1)))
    apart = [
        image_distance(one, kept_set.frames[:n] + kept_set.frames[n + 1 :]).min()
        for n, one in enumerate(kept_set.frames)
    ]
    assert min(apart) > 0


def test_of_two_similar_keyframes_the_less_consistent_is_dropped() -> None:
    keyframes = keyframes_of(acrobat(MAX_KEYFRAMES))
    doubtful = replace(keyframes[7], weight=0.3 * keyframes[7].weight, t_ns=-1)
    for order in ([*keyframes, doubtful], [doubtful, *keyframes]):
        kept = {keyframe.t_ns for keyframe in filled(order).frames}
        assert -1 not in kept
        assert len(kept) == MAX_KEYFRAMES


def test_a_view_can_be_removed() -> None:
    kept_set = filled(keyframes_of(acrobat(5)))
    kept_set.without_view(1)
    for keyframe in kept_set.frames:
        assert keyframe.weight.tolist() == [1.0, 0.0, 1.0]
    Keyframes().without_view(0)


def test_keyframes_are_compared_as_they_are_after_a_view_is_removed() -> None:
    first, second = filled(keyframes_of(acrobat(5))), Keyframes()
    first.without_view(1)
    for keyframe in first.frames:
        second.add(keyframe)
    for keyframe in keyframes_of(acrobat(MAX_KEYFRAMES, seed=2)):
        first.add(keyframe)
        second.add(keyframe)
    assert [one.weight.tolist() for one in first.frames[:5]] == [[1.0, 0.0, 1.0]] * 5
    assert len(first.frames) == len(second.frames) == MAX_KEYFRAMES


def of(person: int, keyframes: list[Keyframe]) -> list[Keyframe]:
    return [replace(keyframe, person=person) for keyframe in keyframes]


def test_keyframes_of_several_people_share_one_set() -> None:
    """Keyframes of different people are never redundant, those of one who stands still are."""
    walk = of(0, make_keyframes(stroll(14.0, 10.0), CAMERAS))
    still = of(1, make_keyframes(np.tile(stroll(0.2, 10.0)[:1], (140, 1, 1)), CAMERAS, seed=1))
    kept_set = filled([one for pair in zip(walk, still, strict=True) for one in pair])
    count = [sum(keyframe.person == person for keyframe in kept_set.frames) for person in (0, 1)]
    assert sum(count) == MAX_KEYFRAMES
    assert count[0] > 0.7 * sum(count)
    assert count[1] >= MIN_PER_PERSON
    assert people_of(kept_set.frames) == [0, 1]
    first, second = of_each_person(kept_set.frames)
    assert (len(first), len(second)) == tuple(count)
    assert {keyframe.person for keyframe in first} == {0}
    assert of_each_person([]) == []


def test_one_who_is_seen_shortly_keeps_their_keyframes() -> None:
    guest = of(4, keyframes_of(np.tile(acrobat(1), (MIN_PER_PERSON, 1, 1))))
    kept_set = filled([*guest, *of(0, make_keyframes(stroll(20.0), CAMERAS))])
    assert sum(keyframe.person == 4 for keyframe in kept_set.frames) == MIN_PER_PERSON
    assert len(kept_set.frames) == MAX_KEYFRAMES


def test_the_number_of_people_is_bounded_by_those_who_were_seen_last() -> None:
    poses = keyframes_of(acrobat(3))
    kept_set = filled([one for person in range(MAX_PEOPLE) for one in of(person, poses)])
    kept_set.add(of(0, poses)[0])  # the first is still there
    for one in of(MAX_PEOPLE, poses):
        kept_set.add(one)
    assert people_of(kept_set.frames) == [0, *range(2, MAX_PEOPLE + 1)]
    assert len(kept_set.frames) == 3 * MAX_PEOPLE + 1


def test_a_person_can_be_removed() -> None:
    poses = keyframes_of(acrobat(5))
    kept_set, second = filled([*of(0, poses), *of(1, poses)]), filled(of(1, poses))
    kept_set.without_person(0)
    kept_set.without_person(7)
    for keyframe in of(1, keyframes_of(acrobat(MAX_KEYFRAMES, seed=2))):
        kept_set.add(keyframe)
        second.add(keyframe)
    assert [one.t_ns for one in kept_set.frames] == [one.t_ns for one in second.frames]
    assert people_of(kept_set.frames) == [1]


def test_adding_a_keyframe_takes_constant_time() -> None:
    rng = np.random.default_rng(0)
    kept_set, base = Keyframes(), keyframes_of(acrobat(1))[0]
    blocks: list[float] = []
    for _ in range(8):
        new = [replace(base, xy_px=rng.uniform(0, 700, (3, J, 2))) for _ in range(MAX_KEYFRAMES)]
        spent = []
        for keyframe in new:
            begun = time.perf_counter()
            kept_set.add(keyframe)
            spent.append(time.perf_counter() - begun)
        blocks.append(float(np.median(spent)))
    assert len(kept_set.frames) == MAX_KEYFRAMES
    assert min(blocks[5:]) < 3 * min(blocks[1:4])
