"""The cameras' rotations: averaged, synchronised, refined."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.calibration.rotation_averaging import (
    FLIP,
    CameraRotations,
    average_rotations,
    estimate_rotations,
    extend,
    gravity_aligned_rotation,
    mean_vertical,
    refine_rotations,
    synchronise,
)
from pose_rig.geometry import angle_deg, nearest_rotation, rotation_from_vector
from pose_rig.graph import Engine
from pose_rig.intrinsics import Intrinsics
from pose_rig.skeleton import J
from tests.fusion.fakes import Scene, film, graph_input, relative_error_deg, ring, walk

KNOWN = np.ones(4, bool)


def rotations(count: int, seed: int = 0) -> Floats:
    return nearest_rotation(np.random.default_rng(seed).normal(size=(count, 3, 3)))


def blank(lifted: Floats | None, weight: Floats, up: Floats | None = None) -> Keyframe:
    """A keyframe of which only the lifter's rotations are used."""
    views = len(weight)
    return Keyframe(
        t_ns=0,
        xy_px=np.zeros((views, J, 2)),
        score=np.ones((views, J)),
        inlier=np.ones((views, J)),
        weight=weight,
        camera_from_body=lifted,
        up=np.tile([0.0, -1.0, 0.0], (views, 1)) if up is None else up,
        pelvis_depth=np.full(views, 2.0),
    )


def keyframes_with(truth: Floats, count: int, noise_deg: float, outliers: float, seed: int = 1) -> list[Keyframe]:
    """The lifter's rotations: every keyframe in a frame of its own, each view with noise, some views random."""
    rng = np.random.default_rng(seed)
    views = len(truth)
    found = []
    for _ in range(count):
        body = rotations(1, int(rng.integers(1 << 30)))[0]
        noise = rotation_from_vector(rng.normal(0, np.radians(noise_deg), (views, 3)))
        wrong = rng.random(views) < outliers
        noise[wrong] = rotation_from_vector(rng.uniform(-2, 2, (int(wrong.sum()), 3)))
        found.append(blank(noise @ truth @ body, np.ones(views)))
    return found


def off(found: Floats, truth: Floats) -> Floats:
    return relative_error_deg(found, truth)


def test_averaging_finds_the_rotations_through_noise_and_outliers() -> None:
    truth = rotations(4)
    found = average_rotations(keyframes_with(truth, 200, 6.0, 0.15))
    assert found is not None
    assert found.camera_from_rig.shape == (4, 3, 3)
    assert found.known.all()
    assert np.allclose(np.linalg.det(found.camera_from_rig), 1)
    assert off(found.camera_from_rig, truth).max() < 2.5
    plain = average_rotations(keyframes_with(truth, 1, 6.0, 0.0))
    assert plain is not None
    assert off(plain.camera_from_rig, truth).max() > off(found.camera_from_rig, truth).max()


def test_exact_rotations_are_averaged_exactly() -> None:
    truth = rotations(5)
    found = average_rotations(keyframes_with(truth, 10, 0.0, 0.0))
    assert found is not None
    assert off(found.camera_from_rig, truth).max() < 1e-4


def test_views_without_common_frames_are_connected_by_a_third() -> None:
    truth = rotations(3)
    keyframes = keyframes_with(truth, 60, 1.0, 0.0)
    chain = [replace(i, weight=np.array([1.0, 1, 0] if n % 2 else [0.0, 1, 1])) for n, i in enumerate(keyframes)]
    found = average_rotations(chain)
    assert found is not None
    assert found.known.all()
    assert off(found.camera_from_rig, truth).max() < 1.5


def test_an_unconnected_view_is_unknown() -> None:
    truth = rotations(4)
    keyframes = [replace(i, weight=np.array([1.0, 1, 1, 0])) for i in keyframes_with(truth, 20, 1.0, 0.0)]
    found = average_rotations(keyframes)
    assert found is not None
    assert found.known.tolist() == [True, True, True, False]
    assert np.array_equal(found.camera_from_rig[3], np.eye(3))
    assert off(found.camera_from_rig[:3], truth[:3]).max() < 1


@pytest.mark.parametrize("weight", [[1.0, 0, 0], [0.0, 0, 0]])
def test_without_connected_views_there_is_no_average(weight: list[float]) -> None:
    truth = rotations(3)
    assert average_rotations([replace(i, weight=np.array(weight)) for i in keyframes_with(truth, 5, 1.0, 0.0)]) is None
    assert average_rotations([]) is None


def test_synchronisation_recovers_exact_pairs() -> None:
    truth = rotations(4)
    mean = 7.0 * np.einsum("vij,ukj->vuik", truth, truth)
    rotation, reached = synchronise(mean, np.full((4, 4), 7.0))
    assert reached.all()
    assert np.allclose(np.einsum("vij,ukj->vuik", rotation, rotation), mean / 7.0, atol=1e-9)


def test_extending_keeps_the_frame_and_adds_the_new_view() -> None:
    truth = rotations(3)
    start = CameraRotations(truth, np.ones(3), np.array([True, True, False]))
    elsewhere = rotations(1, 9)[0]
    found = extend(start, CameraRotations(truth @ elsewhere, np.ones(3), np.ones(3, bool)))
    assert found is not None
    assert found.known.all()
    assert np.allclose(found.camera_from_rig, truth)


def test_extending_without_a_common_view() -> None:
    truth = rotations(3)
    start = CameraRotations(truth, np.ones(3), np.array([True, True, False]))
    other = CameraRotations(truth, np.ones(3), np.array([False, False, True]))
    assert extend(start, other) is start
    assert extend(start, None) is start
    assert extend(None, other) is other
    assert extend(None, None) is None


def test_the_gravity_aligned_rotation_is_proper() -> None:
    rng = np.random.default_rng(2)
    for up, forward in (*rng.normal(size=(20, 2, 3)), np.array([[0, -1.0, 0], [0, 0, 1.0]])):
        frame = gravity_aligned_rotation(up, forward)
        assert np.allclose(frame @ frame.T, np.eye(3))
        assert np.linalg.det(frame) == pytest.approx(1)
        assert np.allclose(frame @ (up / np.linalg.norm(up)), [0, 1, 0])
        ahead = frame @ forward
        assert ahead[0] == pytest.approx(0)
        assert ahead[2] < 0


@pytest.mark.parametrize("up", [[0.0, 1, 0], [0.0, -1, 0], [0.0, 0, 0]])
def test_a_vertical_camera_axis_gives_a_finite_rotation(up: list[float]) -> None:
    frame = gravity_aligned_rotation(np.array(up), np.array([0.0, 1.0, 0.0]))
    assert np.isfinite(frame).all()


def test_the_vertical_is_robust_to_a_few_lying_people() -> None:
    rng = np.random.default_rng(3)
    cameras = rotations(3)
    up = np.array([0.0, 0.0, 1.0])  # of the arbitrary frame
    keyframes = []
    for n in range(60):
        seen = up + rng.normal(0, 0.05, 3) if n % 6 else np.array([1.0, 0.0, 0.0])
        keyframes.append(blank(None, np.ones(3), np.einsum("vij,j->vi", cameras, seen)))
    frame = gravity_aligned_rotation(mean_vertical(cameras, keyframes, np.ones(3, bool)), cameras[0, 2])
    assert np.degrees(np.arccos((frame @ up)[1])) < 4
    ahead = frame @ cameras[0][2]
    assert ahead[0] == pytest.approx(0, abs=1e-9)


def intrinsics_of(scene: Scene) -> Intrinsics:
    return Intrinsics.pinhole(scene.cameras.focal_px, scene.cameras.size_px)


def make_keyframes(scene: Scene, every: int = 3, lifted: Floats | None = None) -> list[Keyframe]:
    """Keyframes of a scene, with the true rotations (or others) as those of the lifter."""
    xy, score = scene.xy_px.swapaxes(0, 1)[::every], scene.score.swapaxes(0, 1)[::every]
    rotation = scene.cameras.rotation if lifted is None else lifted
    return [
        Keyframe(
            t_ns=round(n * every * 1e9 / scene.fps), xy_px=xy[n], score=score[n], inlier=np.ones_like(score[n]),
            weight=np.ones(len(rotation)), camera_from_body=rotation, up=rotation[:, :, 1],
            pelvis_depth=np.full(len(rotation), 2.0),
        )
        for n in range(len(xy))
    ]  # fmt: skip


def tilt_deg(rotation: Floats, scene: Scene) -> Floats:
    """(V,) angle between the rig's y and the room's, in each camera's axes."""
    return np.asarray(
        np.degrees(np.arccos(np.clip((rotation[:, :, 1] * scene.cameras.rotation[:, :, 1]).sum(-1), -1, 1)))
    )


@pytest.mark.parametrize("views", [3, 4])
def test_simulated_rigs_are_solved_to_a_few_degrees(engine: Engine, views: int) -> None:
    errors = []
    for seed in range(3):
        scene = film(walk(4.0), ring(views, start_deg=50.0 * seed), seed=seed)
        rng = np.random.default_rng(seed)
        wrong = rotation_from_vector(rng.normal(0, np.radians(7.0), (views, 3))) @ scene.cameras.rotation
        found = estimate_rotations(make_keyframes(scene, lifted=wrong), engine, intrinsics_of(scene), None)
        assert found is not None
        assert found.known.all()
        errors.append(float(off(found.camera_from_rig, scene.cameras.rotation)[1:].mean()))
    assert np.median(errors) < 8.0


def test_three_views_are_solved_by_their_2d_alone(engine: Engine) -> None:
    errors = []
    for seed in range(3):
        scene = film(walk(4.0), ring(3, start_deg=50.0 * seed), seed=seed)
        found = estimate_rotations(make_keyframes(scene), engine, intrinsics_of(scene), None)
        assert found is not None
        errors.append(float(off(found.camera_from_rig, scene.cameras.rotation)[1:].mean()))
    assert np.median(errors) < 2.0


def test_the_estimated_rotations_are_upright(engine: Engine) -> None:
    scene = film(walk(3.0), ring(4))
    tilted = scene.cameras.rotation @ rotations(1, 4)[0]
    keyframes = [replace(i, up=scene.cameras.rotation[:, :, 1]) for i in make_keyframes(scene, lifted=tilted)]
    found = estimate_rotations(keyframes, engine, intrinsics_of(scene), None)
    assert found is not None
    assert tilt_deg(found.camera_from_rig, scene).max() < 12
    assert (found.camera_from_rig[0].T @ np.array([0.0, 0.0, 1.0]))[2] < 0  # −z away from camera 0


def test_repeated_estimation_keeps_the_frame(engine: Engine) -> None:
    scene = film(walk(3.0), ring(4))
    first = estimate_rotations(make_keyframes(scene), engine, intrinsics_of(scene), None)
    assert first is not None
    turned = replace(first, camera_from_rig=first.camera_from_rig @ rotation_from_vector(np.array([0.0, 1.0, 0.0])))
    again = estimate_rotations(make_keyframes(scene), engine, intrinsics_of(scene), turned)
    assert again is not None
    drift = nearest_rotation((again.camera_from_rig.swapaxes(1, 2) @ turned.camera_from_rig).sum(0))
    assert angle_deg(drift, np.eye(3)) < 0.01
    assert angle_deg(again.camera_from_rig, turned.camera_from_rig).max() < 3


def test_the_mirror_image_is_detected(engine: Engine) -> None:
    scene = film(walk(3.0), ring(4))
    mirrored = FLIP @ scene.cameras.rotation @ FLIP
    assert off(mirrored, scene.cameras.rotation).max() > 60
    found = estimate_rotations(make_keyframes(scene, lifted=mirrored), engine, intrinsics_of(scene), None)
    assert found is not None
    assert off(found.camera_from_rig, scene.cameras.rotation).max() < 20


def test_a_mirrored_solution_is_corrected_and_stays_upright(engine: Engine) -> None:
    scene = film(walk(3.0), ring(4))
    mirrored = CameraRotations(FLIP @ scene.cameras.rotation @ FLIP, np.ones(4), KNOWN)
    unguessed = [replace(i, camera_from_body=None) for i in make_keyframes(scene)]
    found = estimate_rotations(unguessed, engine, intrinsics_of(scene), mirrored)
    assert found is not None
    assert off(found.camera_from_rig, scene.cameras.rotation).max() < 20
    assert tilt_deg(found.camera_from_rig, scene).max() < 15


def test_refinement_corrects_rotations_and_estimates_their_sd(engine: Engine) -> None:
    scene = film(walk(3.0), ring(4))
    wrong = scene.cameras.rotation.copy()
    wrong[2] = rotation_from_vector(np.radians([0.0, 15.0, 8.0])) @ wrong[2]
    rotation, sd_deg, out = refine_rotations(make_keyframes(scene), engine, intrinsics_of(scene), wrong, KNOWN)
    assert off(rotation, scene.cameras.rotation)[2] < 0.7 * off(wrong, scene.cameras.rotation)[2]
    assert sd_deg.shape == (4,)
    assert (sd_deg > 0).all()
    assert (sd_deg < 8).all()
    few = refine_rotations(make_keyframes(scene, every=30), engine, intrinsics_of(scene), wrong, KNOWN)[1]
    assert (few > sd_deg).all()
    assert out.body.shape == (30, J, 3)


def test_an_unknown_view_is_neither_used_nor_rotated(engine: Engine) -> None:
    scene = film(walk(2.0), ring(4))
    rotation = scene.cameras.rotation.copy()
    rotation[3] = rotations(1, 5)[0]
    known = np.array([True, True, True, False])
    found, sd_deg, _ = refine_rotations(make_keyframes(scene), engine, intrinsics_of(scene), rotation, known)
    alone = film(walk(2.0), ring(3))
    alone = Scene(alone.joints, alone.cameras, scene.xy_px[:3], scene.score[:3])
    without, _, _ = refine_rotations(make_keyframes(alone), engine, intrinsics_of(alone), rotation[:3], known[:3])
    assert np.array_equal(found[3], rotation[3])
    assert np.allclose(found[:3], without, atol=1e-3)
    assert sd_deg[3] > 90


def test_the_true_rotations_have_smaller_model_errors(engine: Engine) -> None:
    scene = film(walk(2.0), ring(4))
    given = graph_input(scene, rotation_prior_sd=1e-3)
    right = engine.run(given).model_sd
    wrong = given.ray_from_rig.copy()
    wrong[:, 1] = rotation_from_vector(np.array([0.0, 0.4, 0.0])) @ wrong[:, 1]
    turned = engine.run(replace(given, ray_from_rig=wrong.astype(np.float32))).model_sd
    assert turned[:, 1].mean() > 2 * right[:, 1].mean()
