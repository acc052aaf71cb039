from dataclasses import replace

import numpy as np
import pytest

from pose_rig.fusion.calibration.bundle.reprojection import Tracks
from pose_rig.fusion.calibration.bundle.segments import LENGTH_INDEX, SEGMENTS
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.initialise import (
    MIN_INLIER,
    RELATIVE_DETECTION_SD,
    build_tracks,
    detection_sd,
    from_lifted_poses,
    from_two_view_geometry,
    with_points,
)
from pose_rig.geometry import rotation_from_vector
from pose_rig.intrinsics import Intrinsics
from tests.fusion.simulated import (
    ASSUMED,
    HEIGHT_M,
    LENGTH_M,
    POINT_LIST,
    SIZE_PX,
    acrobat,
    blurred,
    calibration,
    images,
    make_keyframes,
    relative_deg,
    stroll,
    truth,
)

EVERY = np.arange(3)


def assumed_cameras(views: int = 3) -> Calibration:
    """Cameras whose focal length is the one assumed."""
    return calibration(views, focal_px=(ASSUMED * SIZE_PX[0],))


NONE = np.zeros(3)


def test_tracks_are_in_assumed_focal_lengths() -> None:
    people, cameras = acrobat(4), calibration(3)
    keyframes = make_keyframes(people, cameras, seed=None)
    focal = np.array([1000.0, 500.0, 2000.0])
    tracks, pelvis = build_tracks(keyframes, Intrinsics.pinhole(focal, cameras.size_px), EVERY)
    seen = (images(people, cameras) - [640.0, 360.0]) / focal[:, None, None]
    assert tracks.xy == pytest.approx(seen[:, :, POINT_LIST])
    assert pelvis == pytest.approx(seen[:, :, 0])
    assert tracks.weight == pytest.approx(np.ones((4, 3, 14)))


def test_tracks_of_some_views() -> None:
    cameras = calibration(3)
    keyframes = make_keyframes(acrobat(4), cameras, seed=None)
    some = np.array([2, 0])
    whole, _ = build_tracks(keyframes, cameras.intrinsics, EVERY)
    part, pelvis = build_tracks(keyframes, cameras.intrinsics, some)
    assert part.xy == pytest.approx(whole.xy[:, some])
    assert pelvis.shape == (4, 2, 2)


def test_weights_combine_view_and_joint_with_a_minimum() -> None:
    cameras = calibration(3)
    keyframe = make_keyframes(acrobat(1), cameras, seed=None)[0]
    score, inlier = keyframe.score.copy(), keyframe.inlier.copy()
    score[0, POINT_LIST[2]], inlier[1, POINT_LIST[3]], inlier[1, POINT_LIST[4]] = 0.0, 0.4, 0.0
    changed = replace(keyframe, score=score, inlier=inlier, weight=np.array([1.0, 0.5, 0.0]))
    tracks, _ = build_tracks([changed], cameras.intrinsics, EVERY)
    assert tracks.weight[0, 0, [1, 2]].tolist() == [1.0, 0.0]
    assert tracks.weight[0, 1, [1, 3, 4]] == pytest.approx([0.5, 0.2, 0.5 * MIN_INLIER])
    assert not tracks.weight[0, 2].any()


def test_larger_people_have_larger_detection_sd() -> None:
    seen = np.random.default_rng(0).uniform(-0.2, 0.2, (3, 14, 2))
    there = np.ones((3, 14), bool)
    sd = detection_sd(seen, there)
    assert sd.shape == (3, 1)
    assert detection_sd(3 * seen, there) == pytest.approx(3 * sd)
    assert sd[0, 0] == pytest.approx(RELATIVE_DETECTION_SD * np.ptp(seen[0], axis=0).max())


def test_invisible_points_do_not_change_the_size() -> None:
    seen = np.zeros((1, 4, 2))
    seen[0, :, 0] = [0.0, 0.1, 0.3, 50.0]
    assert detection_sd(seen, np.array([[True, True, True, False]])) == pytest.approx(RELATIVE_DETECTION_SD * 0.3)
    assert np.isfinite(detection_sd(seen, np.zeros((1, 4), bool))).all()
    assert detection_sd(np.zeros((1, 4, 2)), np.ones((1, 4), bool)).min() > 0  # all in one pixel


def test_lifted_poses_give_the_camera_centres() -> None:
    cameras = assumed_cameras()
    keyframes = make_keyframes(acrobat(30), cameras, seed=None)
    tracks, pelvis = build_tracks(keyframes, cameras.intrinsics, EVERY)
    found = from_lifted_poses(keyframes, pelvis, EVERY, cameras.rotation, HEIGHT_M)
    shift = np.median(with_points(found, tracks).points - acrobat(30)[:, POINT_LIST], axis=(0, 1))
    centre = -np.einsum("vji,vj->vi", found.rotation, found.translation) - shift
    assert centre == pytest.approx(cameras.centre, abs=0.02)
    assert found.rotation == pytest.approx(cameras.rotation)
    assert found.length[0] == pytest.approx(LENGTH_M)


def test_a_fifth_of_wrong_people_do_not_move_cameras_placed_by_lifts() -> None:
    cameras = assumed_cameras()
    keyframes = make_keyframes(stroll(6.0), cameras)
    strange = [
        replace(i, pelvis_depth=i.pelvis_depth * np.array([1.0, 2.5, 1.0])) if n % 5 == 0 else i
        for n, i in enumerate(keyframes)
    ]
    _, pelvis = build_tracks(strange, cameras.intrinsics, EVERY)
    found, usual = (from_lifted_poses(i, pelvis, EVERY, cameras.rotation, HEIGHT_M) for i in (strange, keyframes))
    apart = [np.diff(-np.einsum("vji,vj->vi", s.rotation, s.translation), axis=0) for s in (found, usual)]
    assert apart[0] == pytest.approx(apart[1], abs=0.15)
    assert apart[0] == pytest.approx(np.diff(cameras.centre, axis=0), abs=0.5)


def test_points_of_exact_cameras_are_exact() -> None:
    state, tracks, _ = truth(acrobat(6), calibration(3, focal_px=(800.0, 1200.0), k1=0.06))
    assert with_points(replace(state, points=state.points[:0]), tracks).points == pytest.approx(state.points, abs=0.02)


def test_an_invisible_joint_is_near_the_body() -> None:
    state, tracks, _ = truth(acrobat(6), calibration(3))
    weight = tracks.weight.copy()
    weight[:, :, 4] = 0.0
    weight[:, 1:, 7] = 0.0  # and one visible in a single view
    points = with_points(state, replace(tracks, weight=weight)).points
    middle = np.median(state.points, axis=1)
    for joint in (4, 7):
        assert np.linalg.norm(points[:, joint] - middle, axis=-1).max() < 1.2


def test_no_pose_is_triangulated_outside_the_room() -> None:
    """Nearly parallel rays intersect far away."""
    state, tracks, _ = truth(acrobat(8), calibration(2))
    seen = tracks.xy.copy()
    seen[3, 1] = seen[3, 1] @ rotation_from_vector(np.array([0.0, 0.0, 0.4]))[:2, :2] + [1.2, 0.0]
    points = with_points(state, replace(tracks, xy=seen)).points
    assert np.linalg.norm(points[3] - np.median(state.points, axis=(0, 1)), axis=-1).max() < 6


@pytest.mark.parametrize("views", [2, 3, 4])
def test_two_view_geometry_gives_the_rig(views: int) -> None:
    cameras = assumed_cameras(views)
    _, tracks, _ = truth(acrobat(30), cameras)
    found = from_two_view_geometry(
        blurred(Tracks(tracks.xy, 0.1 * tracks.sd, tracks.weight), np.random.default_rng(0)),
        np.zeros(views),
        HEIGHT_M,
    )
    assert found is not None
    assert relative_deg(found.rotation, cameras.rotation).max() < 0.5
    apart = [
        np.linalg.norm(centre[1:] - centre[0], axis=-1)
        for centre in (-np.einsum("vji,vj->vi", found.rotation, found.translation), cameras.centre)
    ]
    assert apart[0] == pytest.approx(apart[1], rel=0.03)


def test_two_view_geometry_with_noise_is_rough_and_deterministic() -> None:
    cameras = assumed_cameras()
    keyframes = make_keyframes(stroll(8.0), cameras)
    tracks, _ = build_tracks(keyframes, cameras.intrinsics, EVERY)
    found, again = (
        from_two_view_geometry(tracks, NONE, HEIGHT_M),
        from_two_view_geometry(tracks, NONE, HEIGHT_M),
    )
    assert found is not None
    assert again is not None
    assert np.array_equal(found.rotation, again.rotation)
    assert relative_deg(found.rotation, cameras.rotation).max() < 6
    span = np.median(np.linalg.norm(SEGMENTS @ with_points(found, tracks).points, axis=-1), axis=0)
    assert np.median(span / LENGTH_M[LENGTH_INDEX]) == pytest.approx(1.0, abs=0.15)


def test_too_few_matches_give_no_state() -> None:
    cameras = assumed_cameras()
    _, tracks, _ = truth(acrobat(2), cameras)
    assert from_two_view_geometry(tracks, NONE, HEIGHT_M) is None
    _, tracks, _ = truth(acrobat(30), cameras)
    apart = np.zeros_like(tracks.weight)
    for view in range(3):
        apart[view::3, view] = 1.0
    assert from_two_view_geometry(replace(tracks, weight=apart), NONE, HEIGHT_M) is None
    third = tracks.weight.copy()
    third[2:, 2] = 0.0
    assert from_two_view_geometry(replace(tracks, weight=third), NONE, HEIGHT_M) is None


def test_random_rays_give_no_state() -> None:
    _, tracks, _ = truth(acrobat(30), assumed_cameras())
    anywhere = np.random.default_rng(0).uniform(-0.5, 0.5, tracks.xy.shape)
    found = from_two_view_geometry(Tracks(anywhere, 0.01 * tracks.sd, tracks.weight), NONE, HEIGHT_M)
    assert found is None
