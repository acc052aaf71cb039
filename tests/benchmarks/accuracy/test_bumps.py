"""Bumped cameras, and how the poses come back."""

import numpy as np
import pytest

from benchmarks.accuracy.bumps import Watched, back_s, bump, disturbed, judge
from benchmarks.accuracy.movement import FPS
from benchmarks.accuracy.simulated_rigs import RigTake, rig_take
from pose_rig.geometry import angle_deg
from pose_rig.wire.messages import Mode
from tests.benchmarks.rigs import walking

SECOND = round(FPS)


@pytest.fixture(scope="module")
def rig() -> RigTake:
    return rig_take([walking()], 3, 3.0, np.random.default_rng(5))


def test_one_camera_is_bumped_and_still_sees_the_person(rig: RigTake) -> None:
    before = rig.take.cameras
    turned = bump(before, 1, 20.0, 0.0, rig.take.joints, seed=0)
    np.testing.assert_allclose(angle_deg(turned.rotation, before.rotation), [0, 20, 0], atol=1e-3)
    np.testing.assert_array_equal(turned.position, before.position)
    moved = bump(before, 2, 0.0, 0.3, rig.take.joints, seed=0)
    np.testing.assert_allclose(np.linalg.norm(moved.position - before.position, axis=-1), [0, 0, 0.3], atol=1e-9)


def test_only_that_camera_sees_something_else_and_only_afterwards(rig: RigTake) -> None:
    after = bump(rig.take.cameras, 1, 5.0, 0.0, rig.take.joints, seed=0)
    calm = disturbed(rig, rig.take.cameras, SECOND, seed=3).take
    shaken = disturbed(rig, after, SECOND, seed=3).take
    np.testing.assert_array_equal(shaken.xy_px[[0, 2]], calm.xy_px[[0, 2]])
    np.testing.assert_array_equal(shaken.xy_px[1, :SECOND], calm.xy_px[1, :SECOND])
    assert np.abs(shaken.xy_px[1, SECOND:] - calm.xy_px[1, SECOND:]).max() > 10


def test_back_is_when_the_error_stays_as_usual() -> None:
    usual = np.full(10 * SECOND, 20.0)
    assert back_s(usual * 1.1, usual) == 0.0
    disturbed_mm = usual.copy()
    disturbed_mm[: 3 * SECOND] = 60.0
    found = back_s(disturbed_mm, usual)
    assert found is not None
    assert 2.5 < found <= 3.0
    assert back_s(usual * 1.3, usual) is None


def watched(error_mm: float, named: list[int], jump_mm: float) -> Watched:
    """Eight seconds of a solved rig of three cameras that names some of them from the sixth second on."""
    told = np.zeros((8 * SECOND, 3), bool)
    told[6 * SECOND :, named] = True
    jumps = np.zeros(8 * SECOND - 1)
    jumps[6 * SECOND] = jump_mm
    mode: Mode = "solved"
    return Watched(np.full(8 * SECOND, error_mm), jumps, (mode,) * (8 * SECOND), told)


def test_a_bump_is_judged_next_to_the_undisturbed_run() -> None:
    outcome = judge("turned 5°", watched(25.0, [0, 1, 2], 70.0), watched(22.0, [2], 10.0), 1, 5 * SECOND)
    assert (outcome.solved, outcome.named_s, outcome.back_s) == (True, 1.0, 0.0)
    assert (outcome.before_mm, outcome.jump_mm, outcome.usual_jump_mm) == (25.0, 70.0, 10.0)
    assert outcome.added_jump_mm == 60.0
    assert outcome.accused == 1  # camera 0; camera 2 was named without the bump too
