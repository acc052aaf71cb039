import time
from dataclasses import replace

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.keyframes import DISJOINT_DISTANCE, MAX_KEYFRAMES, Keyframe, Keyframes, image_distance
from pose_rig.skeleton import LIMBS, J
from tests.fusion.simulated import acrobat, calibration, remembered, stroll

CAMERAS = calibration(3)


def instants_of(people: Floats) -> list[Keyframe]:
    return remembered(people, CAMERAS, seed=None)


def filled(instants: list[Keyframe]) -> Keyframes:
    out = Keyframes()
    for instant in instants:
        out.add(instant)
    return out


def test_difference_is_how_far_limbs_moved_in_sizes_of_a_person() -> None:
    a, b = instants_of(acrobat(2))
    moved = replace(a, xy_px=a.xy_px + np.array([30.0, 40.0]))
    size = np.ptp(a.xy_px[:, list(LIMBS)], axis=1).max(-1)
    told = image_distance(a, [a, moved, b])
    assert told.shape == (3,)
    assert told[0] == 0
    assert told[1] == pytest.approx((50.0 / size).mean())
    assert told[2] > 0.1


def test_only_what_both_saw_is_compared() -> None:
    a, b = instants_of(acrobat(2))
    score = b.score.copy()
    score[:, LIMBS[0]] = 0.0
    nowhere = replace(b, xy_px=np.where((score > 0)[..., None], b.xy_px, 1e6), score=score)
    assert image_distance(a, [nowhere])[0] < 10
    blind = replace(b, weight=np.array([1.0, 0.0, 0.0]), xy_px=a.xy_px + np.array([0.0, 900.0, 900.0])[:, None, None])
    assert image_distance(a, [blind])[0] == pytest.approx(0.0)


def test_instants_that_share_no_view_differ_very_much() -> None:
    a, b = instants_of(acrobat(2))
    first, second = replace(a, weight=np.array([1.0, 0.0, 0.0])), replace(b, weight=np.array([0.0, 1.0, 1.0]))
    assert image_distance(first, [second]) == pytest.approx([DISJOINT_DISTANCE])
    assert image_distance(a, []).shape == (0,)


def test_the_memory_never_grows_beyond_its_bound() -> None:
    memory = Keyframes()
    for count, instant in enumerate(instants_of(stroll(20.0)), 1):
        memory.add(instant)
        assert len(memory.frames) == min(count, MAX_KEYFRAMES)


def test_what_differs_is_kept_while_somebody_stands_still_for_long() -> None:
    """Also with a detector's errors, which make every instant differ a little."""
    walk = remembered(stroll(6.0, 10.0), CAMERAS)
    still = remembered(np.tile(stroll(0.2, 10.0)[:1], (4 * MAX_KEYFRAMES, 1, 1)), CAMERAS, seed=1, t0_ns=10**12)
    memory = filled([*walk, *still])
    kept = [instant for instant in memory.frames if instant.t_ns < 10**12]
    assert len(kept) < MAX_KEYFRAMES
    assert len(kept) >= len(walk) // 2
    assert max(image_distance(instant, kept).min() for instant in walk) < 0.1


def test_who_returns_to_the_same_poses_is_remembered_once() -> None:
    poses = instants_of(acrobat(40))
    again = [replace(instant, t_ns=instant.t_ns + 10**12) for instant in poses]
    memory = filled(again + poses + instants_of(acrobat(MAX_KEYFRAMES - 40, seed=1)))
    apart = [
        image_distance(one, memory.frames[:n] + memory.frames[n + 1 :]).min() for n, one in enumerate(memory.frames)
    ]
    assert min(apart) > 0


def test_of_two_alike_the_one_that_views_bear_out_less_goes() -> None:
    instants = instants_of(acrobat(MAX_KEYFRAMES))
    doubtful = replace(instants[7], weight=0.3 * instants[7].weight, t_ns=-1)
    for order in ([*instants, doubtful], [doubtful, *instants]):
        kept = {instant.t_ns for instant in filled(order).frames}
        assert -1 not in kept
        assert len(kept) == MAX_KEYFRAMES


def test_a_view_can_be_forgotten() -> None:
    memory = filled(instants_of(acrobat(5)))
    memory.without_view(1)
    for instant in memory.frames:
        assert instant.weight.tolist() == [1.0, 0.0, 1.0]
    Keyframes().without_view(0)


def test_remembering_takes_no_longer_after_hours() -> None:
    rng = np.random.default_rng(0)
    memory, base = Keyframes(), instants_of(acrobat(1))[0]
    blocks: list[float] = []
    for _ in range(8):
        new = [replace(base, xy_px=rng.uniform(0, 700, (3, J, 2))) for _ in range(MAX_KEYFRAMES)]
        spent = []
        for instant in new:
            begun = time.perf_counter()
            memory.add(instant)
            spent.append(time.perf_counter() - begun)
        blocks.append(float(np.median(spent)))
    assert len(memory.frames) == MAX_KEYFRAMES
    assert min(blocks[5:]) < 3 * min(blocks[1:4])
