"""Bumped cameras, and the recovery of the poses."""

import numpy as np
import pytest

from benchmarks.accuracy.bump_run import RigOutput, back_s, bump, compare, take_with_bump
from benchmarks.accuracy.movement import FPS
from benchmarks.accuracy.simulated_rigs import RigTake, rig_take
from pose_rig.geometry import angle_deg
from pose_rig.wire.messages import Mode
from tests.benchmarks.rigs import walking

SECOND = round(FPS)


@pytest.fixture(scope="module")
def rig() -> RigTake:
    return rig_take([walking()], 3, 3.0, np.random.default_rng(5))


def test_one_camera_is_bumped(rig: RigTake) -> None:
    before = rig.take.cameras
    turned = bump(before, 1, 20.0, 0.0, rig.take.joints, seed=0)
    np.testing.assert_allclose(angle_deg(turned.rotation, before.rotation), [0, 20, 0], atol=1e-3)
    np.testing.assert_array_equal(turned.position, before.position)
    moved = bump(before, 2, 0.0, 0.3, rig.take.joints, seed=0)
    np.testing.assert_allclose(np.linalg.norm(moved.position - before.position, axis=-1), [0, 0, 0.3], atol=1e-9)


def test_a_bump_changes_only_later_detections_of_one_camera(rig: RigTake) -> None:
    after = bump(rig.take.cameras, 1, 5.0, 0.0, rig.take.joints, seed=0)
    undisturbed = take_with_bump(rig, rig.take.cameras, SECOND, seed=3).take
    bumped = take_with_bump(rig, after, SECOND, seed=3).take
    np.testing.assert_array_equal(bumped.xy_px[[0, 2]], undisturbed.xy_px[[0, 2]])
    np.testing.assert_array_equal(bumped.xy_px[1, :SECOND], undisturbed.xy_px[1, :SECOND])
    assert np.abs(bumped.xy_px[1, SECOND:] - undisturbed.xy_px[1, SECOND:]).max() > 10


def test_back_is_when_the_error_has_recovered() -> None:
    usual = np.full(10 * SECOND, 20.0)
    assert back_s(usual * 1.1, usual) == 0.0
    disturbed_mm = usual.copy()
    disturbed_mm[: 3 * SECOND] = 60.0
    found = back_s(disturbed_mm, usual)
    assert found is not None
    assert 2.5 < found <= 3.0
    assert back_s(usual * 1.3, usual) is None


def output(error_mm: float, named: list[int], jump_mm: float) -> RigOutput:
    """Eight seconds of a solved rig of three cameras that names some of them from the sixth second on."""
    named_at = np.zeros((8 * SECOND, 3), bool)
    named_at[6 * SECOND :, named] = True
    jumps = np.zeros(8 * SECOND - 1)
    jumps[6 * SECOND] = jump_mm
    mode: Mode = "solved"
    return RigOutput(np.full(8 * SECOND, error_mm), jumps, (mode,) * (8 * SECOND), named_at)


def test_a_bump_is_compared_with_the_undisturbed_run() -> None:
    outcome = compare("turned 5°", output(25.0, [0, 1, 2], 70.0), output(22.0, [2], 10.0), 1, 5 * SECOND)
    assert (outcome.solved, outcome.named_s, outcome.back_s) == (True, 1.0, 0.0)
    assert (outcome.before_mm, outcome.jump_mm, outcome.undisturbed_jump_mm) == (25.0, 70.0, 10.0)
    assert outcome.added_jump_mm == 60.0
    assert outcome.others_named == 1  # camera 0; camera 2 was named without the bump too
