"""A solved rig in use: cameras that go, come back, stand elsewhere; solutions that are better."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.segments import LENGTH_PER_HEIGHT
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.pose.solved_pose import SolvedPose
from pose_rig.fusion.rig.consistency import Consistency
from pose_rig.fusion.rig.solved_rig import SolvedRig, with_pose
from pose_rig.geometry import angle_deg, rotation_from_vector
from pose_rig.skeleton import J
from pose_rig.wire.messages import CameraState
from tests.fusion.simulated import HEIGHT_M, POINT_LIST, calibration, images, stroll

VIEWS = 4
BUMPED = 2
FPS = 15.0
SD = 0.002  # about 2 px
STILL = np.zeros(VIEWS, bool)


def solved(cameras: Calibration | None = None, **changes: float) -> RigSolution:
    rig = RigSolution(
        cameras or calibration(VIEWS), LENGTH_PER_HEIGHT * HEIGHT_M, np.zeros((0, J, 3)), 1.2, 1.0, np.inf
    )
    return replace(rig, **changes)  # type: ignore[arg-type]


def unknown(cameras: Calibration, view: int) -> Calibration:
    return replace(cameras, known=cameras.known & (np.arange(VIEWS) != view))


def bumped(cameras: Calibration, turn_deg: float = 10.0, move_m: float = 0.2) -> Calibration:
    rotation, translation = cameras.rotation.copy(), cameras.translation.copy()
    rotation[BUMPED] = rotation_from_vector(np.radians([0.0, turn_deg, 0.0])) @ rotation[BUMPED]
    translation[BUMPED] += [move_m, 0.0, 0.0]
    return replace(cameras, rotation=rotation, translation=translation)


def pose_of(joints: Floats, believed: Calibration, true: Calibration) -> SolvedPose:
    """The pose at a time step, from the cameras that were not moved."""
    seen_px = images(joints[None], true)[0]
    projected, _ = believed.project(joints)
    far = np.linalg.norm(projected - seen_px, axis=-1) / (believed.focal_px[:, None] * SD)
    inlier = 1 / (1 + (far / 3) ** 2)
    return SolvedPose(
        joints=joints,
        covariance=np.zeros((J, 3, 3)),
        inlier=inlier,
        agreement=np.median(inlier, axis=1),
        projected_px=projected,
        ideal_xy=believed.ideal_xy(seen_px[:, POINT_LIST]),
        sd=np.full(len(inlier), SD),
        visible=np.ones((len(inlier), len(POINT_LIST))),
    )


def watch(rig: SolvedRig, true: Calibration, seconds: float, moving: Floats | None = None) -> Consistency:
    """Shows a rig what cameras that stand elsewhere see."""
    health = Consistency(VIEWS)
    for n, joints in enumerate(stroll(seconds, FPS)):
        pose, t_ns = pose_of(joints, rig.solution.cameras, true), round(n * 1e9 / FPS)
        health.update(t_ns, ~STILL, pose.agreement)
        rig.readmit(t_ns, pose, health, STILL if moving is None else moving.astype(bool))
    return health


def test_all_cameras_are_known_until_one_is_excluded() -> None:
    rig = SolvedRig(solved())
    assert rig.known.all()
    rig.exclude(BUMPED)
    assert rig.known.tolist() == [True, True, False, True]


def test_a_camera_that_agrees_again_keeps_its_pose() -> None:
    rig, true = SolvedRig(solved()), calibration(VIEWS)
    rig.exclude(BUMPED)
    watch(rig, true, 0.2)
    assert rig.known.all()
    assert np.array_equal(rig.solution.cameras.rotation, true.rotation)
    assert np.array_equal(rig.solution.cameras.translation, true.translation)


def test_a_moved_camera_is_placed_after_a_second() -> None:
    before = calibration(VIEWS)
    rig, true = SolvedRig(solved(before)), bumped(before)
    rig.exclude(BUMPED)
    watch(rig, true, 0.95)
    assert not rig.known[BUMPED]
    health = watch(rig, true, 1.2)
    assert rig.known.all()
    found = rig.solution.cameras
    assert angle_deg(found.rotation[BUMPED], true.rotation[BUMPED]) < 0.01
    assert np.linalg.norm(found.translation[BUMPED] - true.translation[BUMPED]) < 1e-3
    others = np.arange(VIEWS) != BUMPED
    assert np.array_equal(found.rotation[others], before.rotation[others])
    assert np.array_equal(found.translation[others], before.translation[others])
    assert np.array_equal(found.focal_px, before.focal_px)
    assert found.rotation_sd[BUMPED] > before.rotation_sd[BUMPED]
    assert health.inconsistent_s[BUMPED] == 0


def test_a_camera_that_joins_late_is_placed_by_the_others() -> None:
    true = calibration(VIEWS)
    lost = replace(true, rotation=true.rotation.copy(), focal_sd=np.where(np.arange(VIEWS) == BUMPED, np.inf, 0.01))
    lost.rotation[BUMPED] = np.eye(3)
    rig = SolvedRig(solved(unknown(lost, BUMPED)))
    assert not rig.known[BUMPED]
    watch(rig, true, 1.2)
    assert rig.known.all()
    assert angle_deg(rig.solution.cameras.rotation[BUMPED], true.rotation[BUMPED]) < 0.01
    assert np.isfinite(rig.solution.cameras.focal_sd).all()


def test_a_camera_with_other_keypoints_stays_excluded() -> None:
    before = calibration(VIEWS)
    rig = SolvedRig(solved(before))
    rig.exclude(BUMPED)
    health, rng = Consistency(VIEWS), np.random.default_rng(0)
    for n, joints in enumerate(stroll(4.0, FPS)):
        pose = pose_of(joints, before, before)
        flat, agreed = pose.ideal_xy.copy(), pose.agreement.copy()
        flat[BUMPED] = rng.uniform(-0.5, 0.5, flat[BUMPED].shape)
        agreed[BUMPED] = 0.05
        health.update(round(n * 1e9 / FPS), ~STILL, agreed)
        rig.readmit(round(n * 1e9 / FPS), replace(pose, ideal_xy=flat, agreement=agreed), health, STILL)
    assert not rig.known[BUMPED]


def test_a_camera_is_not_placed_by_points_visible_in_fewer_than_two_others() -> None:
    before = calibration(VIEWS)
    rig, true, health = SolvedRig(solved(before)), bumped(before), Consistency(VIEWS)
    rig.exclude(BUMPED)
    for n, joints in enumerate(stroll(2.5, FPS)):
        pose = pose_of(joints, before, true)
        inlier = pose.inlier * (np.arange(VIEWS) == 0)[:, None]
        health.update(round(n * 1e9 / FPS), ~STILL, pose.agreement)
        rig.readmit(round(n * 1e9 / FPS), replace(pose, inlier=inlier), health, STILL)
    assert not rig.known[BUMPED]


def test_a_moving_camera_is_never_placed() -> None:
    true = calibration(VIEWS)
    rig = SolvedRig(solved(unknown(true, BUMPED)))
    watch(rig, bumped(true), 2.0, np.arange(VIEWS) == BUMPED)
    assert not rig.known[BUMPED]


def other(cameras: Calibration, focal_sd: float) -> Calibration:
    longer = replace(cameras.intrinsics, focal_px=cameras.focal_px + 10)
    return replace(cameras, intrinsics=longer, focal_sd=np.full(VIEWS, focal_sd))


@pytest.mark.parametrize(
    ("misfit", "before", "focal_sd", "used"),
    [
        (1.0, 1.2, 0.01, True),  # explains more
        (1.0, 1.2, 0.05, True),
        (1.21, 1.2, 0.005, True),  # explains as much and is surer
        (1.2, 1.2, 0.01, False),  # nothing gained
        (1.21, 1.2, 0.05, False),  # explains as much and is less sure
        (1.3, 1.2, 0.005, False),  # surer of what is wrong
    ],
)
def test_a_new_solution_is_used_only_if_it_is_better(misfit: float, before: float, focal_sd: float, used: bool) -> None:
    old = calibration(VIEWS)
    rig, found = SolvedRig(solved(old)), solved(other(old, focal_sd), validation_error=misfit, previous_error=before)
    rig.improve(found)
    assert np.array_equal(rig.solution.cameras.focal_px, (found if used else solved(old)).cameras.focal_px)


def test_a_better_solution_keeps_the_poses_of_excluded_cameras() -> None:
    old = calibration(VIEWS)
    rig = SolvedRig(solved(old))
    rig.exclude(BUMPED)
    new = unknown(other(old, 0.005), BUMPED)
    new = replace(new, rotation=np.where(new.known[:, None, None], new.rotation, np.eye(3)))
    rig.improve(solved(new, validation_error=1.0, previous_error=1.2))
    assert rig.known.tolist() == [True, True, False, True]
    assert np.array_equal(rig.solution.cameras.rotation[BUMPED], old.rotation[BUMPED])
    assert rig.solution.cameras.focal_px[BUMPED] == old.focal_px[BUMPED]
    watch(rig, replace(old, intrinsics=rig.solution.cameras.intrinsics), 0.3)
    assert rig.known.all()  # and there it is found again


def test_a_camera_that_was_excluded_by_mistake_is_trusted_with_its_pose() -> None:
    rig = SolvedRig(solved())
    rig.exclude(BUMPED)
    rig.trust(BUMPED)
    assert rig.known.all()
    assert not rig.placed.any()
    watch(rig, bumped(calibration(VIEWS)), 1.5)
    assert np.array_equal(rig.solution.cameras.rotation, calibration(VIEWS).rotation)


def test_a_camera_that_followed_another_person_is_not_placed_elsewhere() -> None:
    """It agrees again just before it would be placed, too late for its averaged agreement to show it."""
    before = calibration(VIEWS)
    rig, health = SolvedRig(solved(before)), Consistency(VIEWS)
    rig.exclude(BUMPED)
    for n, joints in enumerate(stroll(1.2, FPS)):
        pose = pose_of(joints, before, bumped(before) if n < 9 else before)
        agreement = np.where(np.arange(VIEWS) == BUMPED, 0.1, pose.agreement)
        health.update(round(n * 1e9 / FPS), ~STILL, agreement)
        rig.readmit(round(n * 1e9 / FPS), replace(pose, agreement=agreement), health, STILL)
    assert rig.known.all()
    assert not rig.placed.any()
    assert np.array_equal(rig.solution.cameras.rotation, before.rotation)


@pytest.mark.parametrize(("growth", "used"), [(1.08, True), (3.0, False)])
def test_after_a_move_the_other_cameras_stay_as_exact_as_they_were(growth: float, used: bool) -> None:
    old = calibration(VIEWS)
    rig = SolvedRig(solved(old))
    rig.exclude(BUMPED)
    watch(rig, bumped(old), 1.2)
    assert rig.placed.tolist() == [False, False, True, False]
    unsure = replace(other(old, 0.05), rotation_sd=growth * old.rotation_sd)
    rig.improve(solved(unsure, validation_error=1.0, previous_error=1.2))
    assert (rig.solution.cameras.focal_px[0] == unsure.focal_px[0]) == used
    assert rig.placed.any() != used


def test_a_solution_with_a_camera_that_joined_is_used_although_the_others_seem_less_certain() -> None:
    """Standard deviations of fewer cameras are relative to those alone; a move afterwards is one again."""
    old = calibration(VIEWS)
    rig = SolvedRig(solved(unknown(replace(old, focal_sd=np.full(VIEWS, 0.1)), BUMPED)))
    watch(rig, old, 1.2)
    assert rig.placed[BUMPED]
    joined = replace(other(old, 0.05), rotation_sd=3.0 * old.rotation_sd)
    rig.improve(solved(joined, validation_error=1.0, previous_error=1.0))
    assert rig.solution.cameras.focal_px[0] == joined.focal_px[0]
    assert not rig.placed.any()
    rig.exclude(BUMPED)
    watch(rig, bumped(joined), 1.2)
    unsure = replace(other(joined, 0.02), rotation_sd=9.0 * old.rotation_sd)
    rig.improve(solved(unsure, validation_error=1.0, previous_error=1.2))
    assert rig.placed[BUMPED]


def test_the_rotation_prior_is_wider_for_uncertain_cameras() -> None:
    cameras = replace(calibration(VIEWS), rotation_sd=np.radians([0.01, 1.0, 3.0, np.inf]))
    prior = SolvedRig(solved(unknown(cameras, 3))).prior
    assert np.array_equal(prior.camera_from_rig, cameras.rotation)
    sd_deg = np.degrees(prior.sd)
    assert sd_deg[0] >= 0.3  # nothing is known better than detectors are
    assert (np.diff(sd_deg) > 0).all()
    assert np.isfinite(sd_deg).all()


def test_the_state_of_a_camera_has_its_pose() -> None:
    cameras = calibration(VIEWS, focal_px=(800.0,), k1=0.02)
    state = with_pose(CameraState(name="a", focal_px=800.0), cameras, 1)
    assert state.name == "a"
    assert state.rotation == tuple(cameras.rotation[1].ravel())
    assert state.translation_m == tuple(cameras.translation[1])
    assert state.rotation_sd_deg == pytest.approx(0.5)
    assert state.translation_sd_m == pytest.approx(0.02)
    assert state.focal_sd_px == pytest.approx(8.0)
    assert state.k1 == cameras.intrinsics.dist[1, 0] == pytest.approx(0.02, abs=1e-3)
    assert state.lens == tuple(cameras.intrinsics.dist[1])
    assert state.principal_point_px == tuple(cameras.principal_point_px[1])
