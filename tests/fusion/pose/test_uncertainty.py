"""Stated and actual errors of joints visible in fewer than two views."""

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.pose.uncertainty import RELATIVE_DISTANCE_SD, SINGLE_VIEW_SD_M, inflate_covariance
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.graph import Engine
from pose_rig.simulation.noise import detect
from pose_rig.skeleton import INDEX, JOINTS, J
from tests.fusion.fakes import config, standing, unsolved
from tests.fusion.simulated import LENGTH_M, calibration, images, stroll

FPS = 15.0
WALK = stroll(6.0, FPS)
VIEWS = 3
CAMERAS = calibration(VIEWS)
SMALL = np.tile(0.01**2 * np.eye(3), (J, 1, 1))
STANDING = standing() + np.array([0.0, 0.9, 0.0])


def of(*parts: str) -> list[int]:
    return [i for joint, i in INDEX.items() if joint.split("_")[-1] in parts]


def fused(engine: Engine, score: Floats, motion: Floats = WALK) -> list[PoseEstimate]:
    """Poses of a motion in a known rig, detected with scores (V,T,J)."""
    made = Estimator(
        config(VIEWS), engine, BackgroundCompute(solve=unsolved), RigSolution(CAMERAS, LENGTH_M, WALK, 1.0, 1.0, np.inf)
    )
    for view in range(VIEWS):
        made.set_camera(view, (1280, 720), "rig17")
    seen = detect(images(motion, CAMERAS).swapaxes(0, 1), FPS, np.random.default_rng(0))
    out = []
    for index in range(len(motion)):
        t_ns, there = round(index * 1e9 / FPS), seen.score[:, index] * score[:, index]
        xy = seen.xy_px[:, index]
        samples = [Sample(t_ns, xy[v][None], there[v][None]) if there[v].any() else None for v in range(VIEWS)]
        out.append(made.step(t_ns, samples))
    return out


def normalised(out: list[PoseEstimate], joints: list[int], motion: Floats = WALK) -> float:
    """Root mean square error of joints per axis, in stated standard deviations; ideally 1."""
    error = np.stack([o.xyz_raw for o in out])[:, joints] - motion[:, joints]
    covariance = np.stack([o.covariance for o in out])[:, joints]
    return float(np.sqrt((np.einsum("tji,tjik,tjk->tj", error, np.linalg.inv(covariance), error) / 3).mean()))


@pytest.mark.parametrize(
    ("hidden", "guessed"),
    [
        (("knee", "ankle"), ("knee",)),
        (("knee", "ankle"), ("ankle",)),
        (("ankle",), ("ankle",)),
    ],
)
def test_the_sd_of_a_hidden_joint_agrees_with_its_error(
    engine: Engine, hidden: tuple[str, ...], guessed: tuple[str, ...]
) -> None:
    score = np.ones((VIEWS, len(WALK), J))
    score[..., of(*hidden)] = 0.0
    out = fused(engine, score)
    assert all((o.score[of(*guessed)] == 0).all() for o in out)
    assert 0.4 < normalised(out, of(*guessed)) < 1.6


def test_raised_hidden_hands_have_a_large_sd(engine: Engine) -> None:
    raised, forearm = WALK.copy(), LENGTH_M[5]
    raised[:, of("wrist")] = raised[:, of("elbow")] + np.array([0.0, forearm, 0.0])
    score = np.ones((VIEWS, len(WALK), J))
    score[..., of("wrist")] = 0.0
    out = fused(engine, score, raised)
    assert 0.4 < normalised(out, of("wrist"), raised) < 2.5


def test_a_joint_visible_in_one_camera_is_uncertain_in_depth(engine: Engine) -> None:
    score = np.ones((VIEWS, len(WALK), J))
    score[1:, :, of("knee", "ankle")] = 0.0
    assert 0.4 < normalised(fused(engine, score), of("knee", "ankle")) < 1.8


def test_a_person_visible_in_one_camera_is_uncertain_in_distance(engine: Engine) -> None:
    score = np.ones((VIEWS, len(WALK), J))
    score[1:] = 0.0
    out = fused(engine, score)
    assert all(o.mode == "solved" for o in out)
    assert 0.2 < normalised(out, of("pelvis", "shoulder", "hip", "head")) < 2.0


def test_visible_joints_keep_their_covariance() -> None:
    stated = inflate_covariance(SMALL, STANDING, np.ones((VIEWS, J)), CAMERAS.centre)
    assert np.array_equal(stated, SMALL)


def test_hidden_bones_add_up() -> None:
    inlier = np.ones((VIEWS, J))
    inlier[:, of("knee", "ankle")] = 0.0
    sd = np.sqrt(np.trace(inflate_covariance(SMALL, STANDING, inlier, CAMERAS.centre), axis1=1, axis2=2) / 3)
    thigh, shank = 0.42, 0.40
    assert sd[of("knee")] == pytest.approx(0.21 * thigh, rel=0.05)
    assert sd[of("ankle")] == pytest.approx(0.21 * thigh + 0.19 * shank, rel=0.05)
    inlier[:, of("knee")] = 1.0
    sd = np.sqrt(np.trace(inflate_covariance(SMALL, STANDING, inlier, CAMERAS.centre), axis1=1, axis2=2) / 3)
    assert sd[of("ankle")] == pytest.approx(0.19 * shank, rel=0.05)
    assert sd[np.delete(np.arange(J), of("ankle"))] == pytest.approx(0.01)


def test_an_ear_determines_the_nose() -> None:
    inlier = np.ones((VIEWS, J))
    inlier[:, INDEX["nose"]] = 0.0
    assert np.array_equal(inflate_covariance(SMALL, STANDING, inlier, CAMERAS.centre), SMALL)
    inlier[:, INDEX["head"]] = 0.0
    stated = inflate_covariance(SMALL, STANDING, inlier, CAMERAS.centre)
    assert np.trace(stated[INDEX["nose"]]) > 10 * np.trace(SMALL[0])


def test_an_outlier_does_not_count_as_visible() -> None:
    inlier = np.ones((VIEWS, J))
    inlier[:, INDEX["l_wrist"]] = 0.02
    stated = inflate_covariance(SMALL, STANDING, inlier, CAMERAS.centre)
    assert np.trace(stated[INDEX["l_wrist"]]) > 100 * np.trace(SMALL[0])


def test_one_view_is_uncertain_along_its_ray() -> None:
    inlier = np.ones((VIEWS, J))
    inlier[1:, INDEX["r_wrist"]] = 0.0
    ray = STANDING[INDEX["r_wrist"]] - CAMERAS.centre[0]
    along = ray / np.linalg.norm(ray)
    stated = inflate_covariance(SMALL, STANDING, inlier, CAMERAS.centre)[INDEX["r_wrist"]]
    assert along @ stated @ along == pytest.approx(0.01**2 + SINGLE_VIEW_SD_M**2)
    assert np.trace(stated) == pytest.approx(3 * 0.01**2 + SINGLE_VIEW_SD_M**2)
    inlier[1:] = 0.0
    stated = inflate_covariance(SMALL, STANDING, inlier, CAMERAS.centre)
    far = np.linalg.norm(STANDING[0] - CAMERAS.centre[0])
    expected = np.full(len(JOINTS), RELATIVE_DISTANCE_SD * far)
    assert np.sqrt(np.trace(stated, axis1=1, axis2=2)) == pytest.approx(expected, rel=0.01)
