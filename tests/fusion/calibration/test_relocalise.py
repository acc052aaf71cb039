"""A rig of an earlier run against current keyframes."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.calibration.relocalise import measure_bone_lengths, relocalise, resized
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.self_solve import MIN_KEYFRAMES
from pose_rig.geometry import rotation_from_vector
from pose_rig.skeleton import J
from tests.fusion.simulated import HEIGHT_M, LENGTH_M, SIZE_PX, calibration, make_keyframes, stroll

CAMERAS = calibration(4)
SIZES = CAMERAS.size_px
WALK = stroll(3.0, 10.0)


def of_old(cameras: Calibration = CAMERAS, length: Floats = LENGTH_M) -> RigSolution:
    return RigSolution(cameras, length, np.zeros((0, J, 3)), 0.0, 1.0, np.inf)


def seen_by(cameras: Calibration, seed: int = 0) -> list[Keyframe]:
    return make_keyframes(WALK, cameras, seed=seed)


def moved(view: int, deg: float) -> Calibration:
    """The current cameras, one of them rotated."""
    turn = np.tile(np.eye(3), (4, 1, 1))
    turn[view] = rotation_from_vector(np.radians([0.0, deg, 0.0]))
    translation = np.einsum("vij,vj->vi", turn, CAMERAS.translation)
    return replace(CAMERAS, rotation=turn @ CAMERAS.rotation, translation=translation)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_unchanged_rig_is_relocalised(seed: int) -> None:
    rig = relocalise(of_old(), seen_by(CAMERAS, seed), SIZES, None)
    assert rig is not None
    assert rig.cameras.known.all()
    assert rig.cameras.centre == pytest.approx(CAMERAS.centre)
    assert rig.cameras.rotation == pytest.approx(CAMERAS.rotation)


@pytest.mark.parametrize("view", range(4))
@pytest.mark.parametrize("deg", [10.0, -25.0])
def test_the_moved_camera_is_excluded(view: int, deg: float) -> None:
    rig = relocalise(of_old(), seen_by(moved(view, deg)), SIZES, None)
    assert rig is not None
    assert np.array_equal(rig.cameras.known, np.arange(4) != view)


def test_a_rebuilt_rig_is_rejected() -> None:
    elsewhere = calibration(4, step_deg=50.0, distance_m=3.0)
    assert relocalise(of_old(), seen_by(elsewhere), SIZES, None) is None


def test_an_unknown_camera_stays_unknown() -> None:
    known = np.array([True, False, True, True])
    rig = relocalise(of_old(replace(CAMERAS, known=known)), seen_by(CAMERAS), SIZES, None)
    assert rig is not None
    assert np.array_equal(rig.cameras.known, known)


def test_too_few_keyframes_relocalise_nothing() -> None:
    keyframes = seen_by(CAMERAS)
    assert relocalise(of_old(), keyframes[: MIN_KEYFRAMES - 1], SIZES, None) is None
    alone = [replace(i, weight=np.array([1.0, 0.0, 0.0, 0.0])) for i in keyframes]
    assert relocalise(of_old(), alone, SIZES, None) is None
    known = np.arange(4) == 2
    assert relocalise(of_old(replace(CAMERAS, known=known)), keyframes, SIZES, None) is None


def test_a_camera_without_detections_is_excluded() -> None:
    unseen = [replace(i, weight=np.array([1.0, 1.0, 0.0, 1.0])) for i in seen_by(CAMERAS)]
    rig = relocalise(of_old(), unseen, SIZES, None)
    assert rig is not None
    assert rig.cameras.known.tolist() == [True, True, False, True]


def test_the_bone_lengths_are_those_of_the_current_person() -> None:
    rig = relocalise(of_old(length=1.2 * LENGTH_M), seen_by(CAMERAS), SIZES, None)
    assert rig is not None
    assert rig.bone_length_m / LENGTH_M == pytest.approx(np.ones(len(LENGTH_M)), abs=0.2)
    assert np.median(rig.bone_length_m / LENGTH_M) == pytest.approx(1.0, abs=0.08)


def test_a_given_body_height_sets_the_scale() -> None:
    usual, taller = (relocalise(of_old(), seen_by(CAMERAS), SIZES, height) for height in (None, 1.1 * HEIGHT_M))
    assert usual is not None
    assert taller is not None
    factor = taller.cameras.centre / usual.cameras.centre
    assert factor == pytest.approx(np.full((4, 3), factor[0, 0]))
    assert factor[0, 0] == pytest.approx(1.1, rel=0.08)
    assert taller.bone_length_m == pytest.approx(factor[0, 0] * usual.bone_length_m)
    assert taller.cameras.rotation == pytest.approx(usual.cameras.rotation)


def test_everybody_has_bones_of_their_own() -> None:
    child = [replace(one, person=3) for one in make_keyframes(0.6 * WALK + [0.8, 0.0, 0.3], CAMERAS, seed=1)]
    keyframes = sorted([*seen_by(CAMERAS), *child], key=lambda one: one.t_ns)
    rig = relocalise(of_old(), keyframes, SIZES, None)
    assert rig is not None
    assert np.median(rig.bone_length_m / LENGTH_M) == pytest.approx(1.0, abs=0.04)
    assert np.median(rig.others_bone_length_m[3] / LENGTH_M) == pytest.approx(0.6, abs=0.03)
    measured = measure_bone_lengths(CAMERAS, keyframes, 3)
    assert measured == pytest.approx(rig.others_bone_length_m[3])
    assert measure_bone_lengths(CAMERAS, keyframes, 1) is None
    assert measure_bone_lengths(CAMERAS, child[: MIN_KEYFRAMES - 1], 3) is None


def test_the_height_of_the_first_person_is_not_that_of_another() -> None:
    """The given body height is of person 0, who was not there."""
    later = [replace(one, person=1) for one in seen_by(CAMERAS)]
    rig = relocalise(of_old(), later, SIZES, 2 * HEIGHT_M)
    assert rig is not None
    assert rig.cameras.centre == pytest.approx(CAMERAS.centre)
    assert rig.person == 1


def test_focal_lengths_scale_with_the_images() -> None:
    half = resized(CAMERAS, 0.5 * SIZES)
    assert half.principal_point_px == pytest.approx(0.5 * CAMERAS.principal_point_px)
    assert half.ideal_xy(np.full((4, 1, 2), 100.0)) == pytest.approx(CAMERAS.ideal_xy(np.full((4, 1, 2), 200.0)))
    assert half.focal_px == pytest.approx(0.5 * CAMERAS.focal_px)
    assert half.size_px == pytest.approx(0.5 * SIZES)
    assert half.known.all()
    keyframes = [replace(i, xy_px=0.5 * i.xy_px) for i in seen_by(CAMERAS)]
    rig = relocalise(of_old(), keyframes, 0.5 * SIZES, None)
    assert rig is not None
    assert rig.cameras.known.all()


def test_another_aspect_ratio_is_another_camera() -> None:
    sizes = SIZES.copy()
    sizes[2] = [SIZE_PX[1], SIZE_PX[0]]
    assert resized(CAMERAS, sizes).known.tolist() == [True, True, False, True]
