"""From footage to scores: the shipped weights on a walk before known cameras, and untrained ones."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pose_rig.errors import UsageError
from pose_rig.lifting.checkpoint import load
from pose_rig.lifting.engine import DEFAULT_WEIGHTS
from pose_rig.lifting.model import Lifter, LifterConfig
from pose_rig.simulation.takes import project
from pose_rig.skeleton import INDEX, J
from pose_rig.training.evaluation.evaluation import Evaluation, evaluate, lift, refine
from pose_rig.training.evaluation.scores import Jdr, Scores
from pose_rig.training.footage.dataset import lifter_input
from pose_rig.training.footage.footage import Footage, GroundTruth
from tests.fusion.fakes import film, ring, walk

VIEWS, EVERY = 4, 6


@pytest.fixture(scope="module")
def shipped() -> Lifter:
    return load(DEFAULT_WEIGHTS)[0]


def footage(views: int = VIEWS, noise: float = 0.0) -> Footage:
    """Two seconds of a walk before a ring of cameras, every sixth frame."""
    cameras, joints = ring(views), walk(2.0)[::EVERY]
    scene = film(joints, cameras, noise=noise)
    xy, local = project(cameras, joints)
    return Footage(
        name="walk",
        subject="walker",
        xy_px=scene.xy_px.swapaxes(0, 1).astype(np.float32),
        score=scene.score.swapaxes(0, 1).astype(np.float32),
        size_px=cameras.size_px.astype(np.float32),
        focal_px=cameras.focal_px.astype(np.float32),
        truth=GroundTruth(local.swapaxes(0, 1).astype(np.float32), xy.swapaxes(0, 1).astype(np.float32)),
    )


def truth(take: Footage) -> GroundTruth:
    assert take.truth is not None
    return take.truth


def rates(measured: Evaluation) -> tuple[Jdr, Jdr]:
    assert measured.detected is not None
    assert measured.refined is not None
    return measured.detected, measured.refined


def untrained(config: LifterConfig) -> Lifter:
    torch.manual_seed(0)
    return Lifter(config).eval()


def test_lifts_are_poses_in_the_cameras_axes(shipped: Lifter) -> None:
    take = footage()
    lifted = lift(shipped, take)
    assert lifted.shape == (10, VIEWS, J, 3)
    assert lifted[:, :, 0] == pytest.approx(0, abs=1e-6)
    scores = Scores.of(lifted, truth(take).joints)
    assert scores.n_mpjpe_mm < 90  # in other axes they are several hundred
    assert scores.pmpjpe_mm < 60
    turned = Scores.of(np.roll(lifted, 1, axis=1), truth(take).joints)
    assert turned.n_mpjpe_mm > 1.5 * scores.n_mpjpe_mm


def test_a_camera_on_its_side_lifts_to_poses_on_their_side(shipped: Lifter) -> None:
    take = footage(2)
    middle = 0.5 * take.size_px[:, None]
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]], np.float32)
    turned = replace(take, xy_px=(take.xy_px - middle) @ quarter.T + middle[:, :, ::-1], size_px=take.size_px[:, ::-1])
    upright, side = lift(shipped, take), lift(shipped, turned)
    assert side[..., :2] == pytest.approx(upright[..., :2] @ quarter.T, abs=1e-4)
    assert side[..., 2] == pytest.approx(upright[..., 2], abs=1e-4)


def test_a_lifter_of_the_image_frame_gets_the_image_frame() -> None:
    lifter, take = untrained(LifterConfig(width=16, frame="image")), footage(2)
    seen = lifter_input(take, "image")
    with torch.no_grad():
        canonical, rotation, _ = lifter(
            torch.tensor(seen.pose_2d.reshape(-1, J, 2), dtype=torch.float32),
            torch.tensor(seen.confidence.reshape(-1, J), dtype=torch.float32),
        )
    expected = (canonical @ rotation.transpose(1, 2)).numpy().reshape(10, 2, J, 3)
    assert lift(lifter, take) == pytest.approx(expected, abs=1e-6)


def test_without_detections_there_is_no_pose(shipped: Lifter) -> None:
    take = footage()
    take.score[2, 1] = 0.0
    lifted, refined = lift(shipped, take), refine(shipped, take)
    for poses in (lifted, refined):
        assert np.isnan(poses[2, 1]).all()
        assert np.isfinite(np.delete(poses.reshape(-1, poses[0, 0].size), 2 * VIEWS + 1, axis=0)).all()
    assert evaluate("w", shipped, "d", [take]).scores.count == 10 * VIEWS - 1


def test_all_views_together_find_a_lost_wrist(shipped: Lifter) -> None:
    take, wrist = footage(noise=0.002), INDEX["l_wrist"]
    take.xy_px[:, 0, wrist] += 60.0
    take.score[:, 0, wrist] = 0.4
    missed = [np.linalg.norm(xy[:, 0, wrist] - truth(take).xy_px[:, 0, wrist], axis=-1) for xy in
              (take.xy_px, refine(shipped, take))]  # fmt: skip
    assert np.median(missed[1]) < 0.4 * np.median(missed[0])


@pytest.mark.parametrize("frame", ["ray", "image"])
def test_what_an_untrained_lifter_makes_nothing_of_stays_as_detected(frame: str) -> None:
    lifter = untrained(LifterConfig(width=16, frame="ray" if frame == "ray" else "image"))
    take = footage(noise=0.01)
    # its rotations explain nothing: the gate leaves the detections as they are, back in the pixels they came from
    assert np.abs(refine(lifter, take) - take.xy_px).max() < 0.05


def test_takes_of_different_rigs_are_evaluated_together(shipped: Lifter) -> None:
    one, two = footage(2, noise=0.01), footage(3, noise=0.01)
    both, alone = evaluate("w", shipped, "d", [one, two]), [evaluate("w", shipped, "d", [take]) for take in (one, two)]
    assert (both.weights, both.dataset) == ("w", "d")
    assert both.scores.count == rates(both)[0].count == 10 * 2 + 10 * 3
    weighted = (20 * alone[0].scores.n_mpjpe_mm + 30 * alone[1].scores.n_mpjpe_mm) / 50
    assert both.scores.n_mpjpe_mm == pytest.approx(weighted)
    assert rates(both)[1].wrist == pytest.approx((20 * rates(alone[0])[1].wrist + 30 * rates(alone[1])[1].wrist) / 50)


def test_input_that_is_the_ground_truth_has_no_detection_rates(shipped: Lifter) -> None:
    take = footage()
    exact = replace(take, xy_px=truth(take).xy_px.copy())
    exact.score[0] = 0.0
    found = evaluate("w", shipped, "d", [exact])
    assert (found.detected, found.refined) == (None, None)
    exact.xy_px[5, 1, 3] += 1.0
    assert evaluate("w", shipped, "d", [exact]).detected is not None


def test_a_single_camera_is_evaluated(shipped: Lifter) -> None:
    alone = evaluate("w", shipped, "d", [footage(1, noise=0.005)])
    assert alone.scores.count == 10
    assert np.isfinite([alone.scores.pmpjpe_mm, *rates(alone)[1].rates]).all()
    assert rates(alone)[1].hip > 90


def test_without_ground_truth_nothing_is_evaluated(shipped: Lifter) -> None:
    with pytest.raises(UsageError, match=r"walk has no ground truth\. Evaluate on takes with true poses"):
        evaluate("w", shipped, "d", [replace(footage(), truth=None)])
    with pytest.raises(UsageError, match=r"nowhere has no footage\."):
        evaluate("w", shipped, "nowhere", [])
