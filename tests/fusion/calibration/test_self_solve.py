"""Self-calibration from a walking person with detector noise."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.chirality import chirality
from pose_rig.fusion.calibration.bundle.lens_family import from_opencv
from pose_rig.fusion.calibration.bundle.segments import LENGTH_INDEX, POINTS, SEGMENTS, joints_from_points
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.self_solve import (
    MAX_ERROR_SD,
    MIN_KEYFRAMES,
    VALIDATION_STRIDE,
    best_state,
    self_solve,
)
from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.geometry import angle_deg, rotation_from_vector
from pose_rig.intrinsics import Intrinsics
from pose_rig.skeleton import INDEX, MIRROR
from tests.fusion.simulated import (
    HEIGHT_M,
    LENGTH_M,
    acrobat,
    aligned,
    calibration,
    make_keyframes,
    points_of,
    relative_deg,
    stroll,
    task,
    truth,
)

RATE_HZ = 5.0
WALK = stroll(11.0, RATE_HZ)
LEARNED = WALK[np.arange(len(WALK)) % VALIDATION_STRIDE != VALIDATION_STRIDE - 1]
MIXED = (800.0, 1000.0, 1200.0)
FLIP = np.diag([1.0, 1.0, -1.0])


def keyframes_of(cameras: Calibration, seed: int | None = 0) -> list[Keyframe]:
    return make_keyframes(WALK, cameras, seed=seed, fps=RATE_HZ)


def rig_of(given: SolveTask) -> RigSolution:
    found = self_solve(given)
    assert isinstance(found, RigSolution), found
    return found


def solved(cameras: Calibration, seed: int | None = 0) -> RigSolution:
    return rig_of(task(keyframes_of(cameras, seed), cameras, seed=seed or 0))


@pytest.fixture(scope="module")
def three() -> RigSolution:
    """Three cameras of one model."""
    return solved(calibration(3))


def focal_off(found: RigSolution, cameras: Calibration) -> Floats:
    """(V,) relative errors of focal lengths."""
    return np.abs(found.cameras.focal_px / cameras.focal_px - 1)


def pose_error_m(found: RigSolution) -> float:
    """Median joint error after a similarity alignment of the whole walk, without reflection."""
    got, true = points_of(found.poses).reshape(-1, 3), points_of(LEARNED).reshape(-1, 3)
    return float(np.median(np.linalg.norm(aligned(got, true) - true, axis=-1)))


@pytest.mark.parametrize(
    ("views", "focal_px", "seed"), [(3, (1000.0,), 1), (3, MIXED, 2), (3, MIXED, 3), (4, (1000.0,), 1), (4, MIXED, 3)]
)
def test_cameras_are_calibrated_without_prior_knowledge(views: int, focal_px: tuple[float, ...], seed: int) -> None:
    cameras = calibration(views, focal_px=focal_px)
    found = solved(cameras, seed)
    got = found.cameras
    assert relative_deg(got.rotation, cameras.rotation).max() < 1.5
    assert focal_off(found, cameras).max() < 0.06 if len(focal_px) == 1 else 0.09
    assert got.known.all()
    assert pose_error_m(found) < 0.03
    assert chirality(found.poses) > 0.3
    assert found.chirality > 0.3
    assert 0.3 < found.validation_error < MAX_ERROR_SD
    assert found.previous_error == np.inf
    off_deg = angle_deg(got.rotation @ got.rotation[0].T, cameras.rotation @ cameras.rotation[0].T)[1:]
    assert (off_deg < 4 * np.degrees(got.rotation_sd).max()).all()


def test_two_cameras_are_calibrated_less_accurately(three: RigSolution) -> None:
    cameras = calibration(2)
    found = solved(cameras)
    assert relative_deg(found.cameras.rotation, cameras.rotation).max() < 3
    assert focal_off(found, cameras).max() < 0.12
    assert pose_error_m(found) < 0.05
    assert chirality(found.poses) > 0.3
    assert found.cameras.focal_sd.max() > three.cameras.focal_sd.max()


def test_the_person_has_the_given_body_height(three: RigSolution) -> None:
    span = np.median(np.linalg.norm(SEGMENTS @ points_of(three.poses), axis=-1), axis=0)
    assert np.median(span / LENGTH_M[LENGTH_INDEX]) == pytest.approx(1.0, abs=0.06)
    assert three.bone_length_m.sum() == pytest.approx(LENGTH_M.sum(), rel=0.06)


def test_without_noise_the_body_height_is_exact() -> None:
    found = solved(calibration(3), None)
    assert found.bone_length_m == pytest.approx(LENGTH_M, rel=0.05)
    assert pose_error_m(found) < 0.004


def test_the_same_keyframes_give_the_same_rig(three: RigSolution) -> None:
    again = solved(calibration(3))
    assert np.array_equal(three.cameras.rotation, again.cameras.rotation)
    assert np.array_equal(three.cameras.focal_px, again.cameras.focal_px)
    assert np.array_equal(three.poses, again.poses)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_from_mirrored_rotations_the_rig_is_not_mirrored(seed: int) -> None:
    """Averaged rotations may be those of the mirror image, which has the same projections at a distance."""
    cameras = calibration(3)
    found = self_solve(
        replace(task(keyframes_of(cameras, seed), cameras), camera_from_rig=FLIP @ cameras.rotation @ FLIP)
    )
    if isinstance(found, str):
        assert found == "the pose cannot be distinguished from its mirror image yet: bend your arms and knees"
    else:
        assert chirality(found.poses) > 0.3
        assert relative_deg(found.cameras.rotation, cameras.rotation).max() < 2


def test_from_wrong_rotations_two_view_geometry_succeeds() -> None:
    cameras = calibration(4)
    found = rig_of(task(keyframes_of(cameras), cameras, off_deg=40.0))
    assert relative_deg(found.cameras.rotation, cameras.rotation).max() < 1.5


def test_the_frame_is_that_of_the_averaged_rotations() -> None:
    cameras = calibration(3)
    turn = rotation_from_vector(np.array([0.4, 2.0, -0.3]))
    given = task(keyframes_of(cameras), cameras, off_deg=1.0)
    found = rig_of(replace(given, camera_from_rig=given.camera_from_rig @ turn))
    assert angle_deg(found.cameras.rotation, cameras.rotation @ turn).max() < 2.5


def test_the_frame_of_the_current_rig_is_kept() -> None:
    cameras = calibration(3)
    present = cameras.transformed(rotation_from_vector(np.array([0.1, 1.5, 0.2])), np.array([1.0, -0.5, 2.0]), 1.0)
    found = rig_of(replace(task(keyframes_of(cameras), cameras), current=present))
    assert angle_deg(found.cameras.rotation, present.rotation).max() < 2
    there = (WALK[:, 0] - [1.0, -0.5, 2.0]) @ rotation_from_vector(np.array([0.1, 1.5, 0.2])).T
    assert np.median(found.poses[:, 0], axis=0) == pytest.approx(np.median(there, axis=0), abs=0.35)
    assert found.previous_error == pytest.approx(found.validation_error, rel=0.1)


def test_a_wrong_current_rig_has_a_larger_error() -> None:
    cameras = calibration(3)
    turn = np.tile(np.eye(3), (3, 1, 1))
    turn[1] = rotation_from_vector(np.radians([0.0, 6.0, 0.0]))
    bumped = replace(
        cameras, rotation=turn @ cameras.rotation, translation=(turn @ cameras.translation[..., None])[..., 0]
    )
    found = rig_of(replace(task(keyframes_of(cameras), cameras), current=bumped))
    assert found.validation_error < 0.8 * found.previous_error
    assert relative_deg(found.cameras.rotation, cameras.rotation).max() < 1.5


def test_cameras_of_one_model_get_one_focal_length(three: RigSolution) -> None:
    focal = three.cameras.focal_px
    assert np.ptp(focal) / focal.mean() < 0.015


def test_cameras_of_one_image_size_but_other_lenses_do_not() -> None:
    cameras = calibration(3, focal_px=(650.0, 1000.0, 1450.0))
    assert focal_off(solved(cameras), cameras).max() < 0.1


def test_a_given_focal_length_is_kept() -> None:
    cameras = calibration(3, focal_px=MIXED)
    given = task(keyframes_of(cameras), cameras)
    intrinsics = replace(given.intrinsics, focal_px=np.array([800.0, 1152.0, 1152.0]))
    found = rig_of(replace(given, intrinsics=intrinsics, focal_given=np.array([True, False, False])))
    assert found.cameras.focal_px[0] == pytest.approx(800.0, rel=0.03)
    assert relative_deg(found.cameras.rotation, cameras.rotation).max() < 1.5


@pytest.mark.parametrize(("focal_px", "k1"), [(620.0, -0.12), (560.0, -0.3), (900.0, 0.0)])
def test_the_lens_is_found_where_people_fill_the_image(focal_px: float, k1: float) -> None:
    cameras = calibration(3, focal_px=(focal_px,), k1=k1, distance_m=2.6 * focal_px / 620.0)
    found = solved(cameras, None).cameras
    assert relative_deg(found.rotation, cameras.rotation).max() < 1.5
    assert found.focal_px == pytest.approx(cameras.focal_px, rel=0.05)
    assert from_opencv(found.intrinsics, undistorted(cameras))[1] == pytest.approx(np.full(3, k1), abs=0.06)


def undistorted(cameras: Calibration) -> Intrinsics:
    return Intrinsics.pinhole(cameras.focal_px, cameras.size_px)


def test_a_calibrated_lens_is_kept_as_it_is() -> None:
    cameras = calibration(3, focal_px=(560.0,), k1=-0.3, distance_m=2.4)
    given = task(keyframes_of(cameras), cameras)
    found = rig_of(replace(given, intrinsics=cameras.intrinsics, focal_given=np.ones(3, bool))).cameras
    assert found.intrinsics.fisheye.all()
    assert np.array_equal(found.intrinsics.dist, cameras.intrinsics.dist)
    assert found.focal_px == pytest.approx(cameras.focal_px, rel=1e-3)
    assert relative_deg(found.rotation, cameras.rotation).max() < 1.5


def test_an_unknown_camera_has_no_pose() -> None:
    cameras = calibration(4)
    given = task(keyframes_of(cameras), cameras)
    known = np.array([True, True, False, True])
    found = rig_of(replace(given, known=known))
    got = found.cameras
    assert np.array_equal(got.known, known)
    assert np.isinf(got.rotation_sd[2])
    assert np.isinf(got.focal_sd[2])
    assert np.isfinite(got.rotation_sd[known]).all()
    assert relative_deg(got.rotation[known], cameras.rotation[known]).max() < 1.5
    assert got.focal_px[2] == given.intrinsics.focal_px[2]


def test_a_human_state_is_not_used_where_a_mirrored_one_costs_less() -> None:
    """As with left and right exchanged in an image: what is human then has cameras that are far off."""
    people = acrobat(12)
    state, tracks, priors = truth(people, calibration(3))
    mirrored, exchanged, _ = truth(people[:, MIRROR], calibration(3))
    chosen = best_state([mirrored, state], tracks, priors)
    assert chosen is not None
    assert chirality(joints_from_points(chosen.points)) > 0
    assert best_state([state, mirrored], exchanged, priors) is None


def test_too_few_keyframes_give_the_reason() -> None:
    cameras = calibration(3)
    keyframes = keyframes_of(cameras)
    alone = [replace(i, weight=np.array([1.0, 0.0, 0.0])) for i in keyframes]
    known = np.array([False, True, False])
    for few in (
        task([], cameras),
        task(keyframes[: MIN_KEYFRAMES - 1], cameras),
        task(alone, cameras),
        replace(task(keyframes, cameras), known=known),
    ):
        assert self_solve(few) == (
            "two cameras rarely had the person in view together: stand where several show all of you"
        )


def test_a_person_who_stands_still_is_no_error() -> None:
    cameras = calibration(3)
    still = make_keyframes(np.tile(WALK[:1], (20, 1, 1)), cameras)
    found = self_solve(task(still, cameras))
    assert isinstance(found, str) or np.isfinite(found.cameras.rotation).all()


def test_joints_from_points_include_midpoints() -> None:
    people = acrobat(3)
    assert joints_from_points(points_of(people)) == pytest.approx(people)
    assert joints_from_points(np.zeros((0, len(POINTS), 3))).shape == (0, 17, 3)
    assert INDEX["spine"] not in POINTS


def with_child(cameras: Calibration, share: float = 0.6, every: int = 1) -> list[Keyframe]:
    """The keyframes of the walk and of another person, of another size, in some of the time steps."""
    other = make_keyframes(share * WALK[::-1] + [0.9, 0.0, -0.4], cameras, seed=5, fps=RATE_HZ)
    more = [replace(keyframe, person=3) for keyframe in other[::every]]
    return sorted([*keyframes_of(cameras), *more], key=lambda keyframe: keyframe.t_ns)


@pytest.mark.parametrize("share", [0.6, 1.15])
def test_people_of_unknown_height_do_not_bias_each_other(three: RigSolution, share: float) -> None:
    cameras = calibration(3)
    found = rig_of(task(with_child(cameras, share), cameras))
    assert found.bone_length_m == pytest.approx(three.bone_length_m, rel=0.03)
    assert found.bone_length_m.sum() == pytest.approx(LENGTH_M.sum(), rel=0.03)
    assert found.others_bone_length_m[3].sum() == pytest.approx(share * LENGTH_M.sum(), rel=0.03)
    assert found.others_bone_length_m[3] == pytest.approx(share * LENGTH_M, rel=0.15)
    assert relative_deg(found.cameras.rotation, cameras.rotation).max() < 1.0
    assert found.cameras.focal_px == pytest.approx(cameras.focal_px, rel=0.04)
    assert found.bones_of(0) is found.bone_length_m
    assert found.bones_of(3) is found.others_bone_length_m[3]
    assert found.bones_of(1) is None
    people = found.poses_by_person
    assert list(people) == [0, 3]
    assert len(people[0]) + len(people[3]) == len(found.poses)
    size = [np.ptp(poses[:, :, 1], axis=1).mean() for poses in people.values()]
    assert size[1] / size[0] == pytest.approx(share, rel=0.05)


def test_two_people_calibrate_cameras_better_than_one() -> None:
    """For the same seconds; the mean over different noise."""
    off: list[list[float]] = []
    for seed in range(2):
        cameras = calibration(3, focal_px=MIXED)
        other = make_keyframes(WALK[::-1] + np.array([0.9, 0.0, -0.4]), cameras, seed=seed + 10, fps=RATE_HZ)
        one = keyframes_of(cameras, seed)
        both = [*one, *(replace(keyframe, person=1) for keyframe in other)]
        off.append([float(focal_off(rig_of(task(list(given), cameras)), cameras).mean()) for given in (one, both)])
    alone, together = np.mean(off, axis=0)
    assert together < 0.9 * alone


def test_a_person_with_few_keyframes_has_bones_of_average_proportions(three: RigSolution) -> None:
    cameras = calibration(3)
    found = rig_of(task(with_child(cameras, every=40), cameras))
    assert found.bone_length_m == pytest.approx(three.bone_length_m, rel=0.03)
    assert found.others_bone_length_m[3] == pytest.approx(0.6 * LENGTH_M, rel=0.2)


def test_given_heights_of_two_people_both_count() -> None:
    """One is given 4 % too tall: the rig is 2 % too large, and both keep their proportions to each other."""
    cameras = calibration(3)
    given = replace(task(with_child(cameras, 0.9), cameras), height_m=1.04 * HEIGHT_M)
    keyframes = [replace(keyframe, person=min(keyframe.person, 1)) for keyframe in given.keyframes]
    given = replace(given, keyframes=keyframes)
    alone = rig_of(given)
    both = rig_of(replace(given, other_heights_m=(0.9 * HEIGHT_M,)))
    assert alone.bone_length_m.sum() == pytest.approx(1.04 * LENGTH_M.sum(), rel=0.025)
    assert both.bone_length_m.sum() / alone.bone_length_m.sum() == pytest.approx(0.98, abs=0.01)


def test_the_current_rig_keeps_its_scale_when_the_first_person_has_gone(three: RigSolution) -> None:
    cameras = calibration(3)
    alone = [keyframe for keyframe in with_child(cameras) if keyframe.person == 3]
    found = rig_of(replace(task(alone, cameras), current=three.cameras, camera_from_rig=three.cameras.rotation))
    assert found.person == 3
    assert found.pose_person is None
    assert found.bone_length_m.sum() == pytest.approx(0.6 * LENGTH_M.sum(), rel=0.06)
    assert np.ptp(found.cameras.centre, axis=0) == pytest.approx(np.ptp(three.cameras.centre, axis=0), rel=0.05)


def test_whoever_is_numbered_otherwise_gives_the_same_rig(three: RigSolution) -> None:
    """One person alone is solved alike whatever their identity is, if their height is known."""
    cameras = calibration(3)
    second = [replace(keyframe, person=1) for keyframe in keyframes_of(cameras)]
    found = rig_of(replace(task(second, cameras), height_m=1.5, other_heights_m=(HEIGHT_M,)))
    assert np.array_equal(found.cameras.rotation, three.cameras.rotation)
    assert np.array_equal(found.bone_length_m, three.bone_length_m)


def test_bones_are_scaled_with_the_rig(three: RigSolution) -> None:
    both = replace(three, others_bone_length_m={2: 0.6 * LENGTH_M}).transformed(np.eye(3), np.zeros(3), 2.0)
    assert both.others_bone_length_m[2] == pytest.approx(1.2 * LENGTH_M)
    assert both.bone_length_m == pytest.approx(2 * three.bone_length_m)


def test_cameras_that_did_not_move_keep_the_frame_after_one_was_placed_again() -> None:
    """The placed one is 3° off, and its keypoints are only in the second half of the keyframes."""
    cameras = calibration(3)
    turn = np.tile(np.eye(3), (3, 1, 1))
    turn[2] = rotation_from_vector(np.radians([0.0, 3.0, 0.0]))
    current = replace(cameras, rotation=turn @ cameras.rotation)
    keyframes = [
        replace(keyframe, weight=keyframe.weight * (np.arange(3) != 2)) if n < len(WALK) // 2 else keyframe
        for n, keyframe in enumerate(keyframes_of(cameras))
    ]
    given = replace(
        task(keyframes, cameras, off_deg=0.0), camera_from_rig=current.rotation, current=current, placed=(2,)
    )
    found = rig_of(given).cameras
    assert angle_deg(found.rotation[:2], cameras.rotation[:2]).max() < 1.0
    assert np.linalg.norm(found.centre - cameras.centre, axis=-1)[:2].max() < 0.1
    assert angle_deg(found.rotation[2], cameras.rotation[2]) < 1.0
    assert found.focal_px[2] == pytest.approx(cameras.focal_px[2], rel=0.02)
    as_one = rig_of(replace(given, placed=())).cameras
    assert angle_deg(found.rotation[:2], cameras.rotation[:2]).max() < (
        angle_deg(as_one.rotation[:2], cameras.rotation[:2]).max()
    )
