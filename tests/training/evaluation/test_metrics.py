"""Metrics against answers that can be worked out by hand."""

from collections.abc import Callable

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.geometry import rotation_from_vector
from pose_rig.skeleton import INDEX, MIRROR, J
from pose_rig.training.evaluation.metrics import (
    auc,
    cps,
    jdr,
    min_over_views,
    mpjpe,
    n_mpjpe,
    n_mpjpe_frobenius,
    n_pck,
    pmpjpe,
)
from tests.fusion.fakes import standing

Metric = Callable[[Floats, Floats], Floats]
TURN = rotation_from_vector(np.array([0.3, -0.8, 0.4]))
ALL = (mpjpe, n_mpjpe, n_mpjpe_frobenius, pmpjpe, n_pck, auc, cps)


def poses(count: int = 6) -> Floats:
    return np.asarray(standing() + np.random.default_rng(1).normal(0, 0.1, (count, J, 3)))


def off_by(*errors_m: float) -> tuple[Floats, Floats]:
    """A pose and the same with joints moved so far, by pairs that leave root, scale and rotation as they were."""
    target = np.zeros((1, 2 * len(errors_m), 3))
    target[0, :, 0] = np.repeat(np.arange(1.0, len(errors_m) + 1), 2)
    target[0, 1::2] *= -1
    moved = target.copy()
    moved[0, ::2, 1] += errors_m
    moved[0, 1::2, 1] += errors_m
    return moved, target


def test_mpjpe_is_the_mean_distance() -> None:
    a = poses()
    assert mpjpe(a, a) == pytest.approx(0)
    assert mpjpe(a + np.array([0.03, 0.04, 0]), a) == pytest.approx(0.05)
    assert mpjpe(*off_by(0.1, 0.2)) == pytest.approx([0.15])


def test_each_metric_ignores_its_alignment() -> None:
    a = poses()
    for scaling in (n_mpjpe, n_mpjpe_frobenius):
        assert scaling(3.0 * a, a) == pytest.approx(0, abs=1e-12)
        assert scaling(a @ TURN.T, a).min() > 0.05
    assert pmpjpe(0.2 * a @ TURN.T + [1, 2, 3], a) == pytest.approx(0, abs=1e-9)
    assert cps(0.2 * a @ TURN.T + [1, 2, 3], a) == pytest.approx(300, abs=1e-6)


def test_metrics_of_known_errors() -> None:
    a = np.zeros((1, 2, 3))
    a[0, :, 0] = [-1, 1]
    b = a + np.array([0, 0.5, 0])
    assert n_mpjpe(b, a) == pytest.approx(np.linalg.norm([1 - 1 / 1.25, 0.4]))
    assert pmpjpe(b, a) == pytest.approx(0, abs=1e-12)


def test_the_two_scales_differ_as_they_should() -> None:
    target, predicted = np.array([[[1.0, 0, 0], [-1, 0, 0]]]), np.array([[[1.0, 1, 0], [-1, -1, 0]]])
    assert n_mpjpe(predicted, target) == pytest.approx(np.sqrt(0.5))  # ⟨x,y⟩/⟨y,y⟩ = 1/2
    assert n_mpjpe_frobenius(predicted, target) == pytest.approx(np.hypot(1 - np.sqrt(0.5), np.sqrt(0.5)))


def test_least_squares_is_the_best_scale_for_squares() -> None:
    a, b = poses(), poses() @ TURN.T
    scale = (a * b).sum((1, 2)) / (a**2).sum((1, 2))

    def cost(factor: float) -> Floats:
        return np.asarray(((factor * scale[:, None, None] * a - b) ** 2).sum((1, 2)))

    assert n_mpjpe(a, b) == pytest.approx(mpjpe(scale[:, None, None] * a, b))
    assert (cost(1.0) < np.minimum(cost(0.99), cost(1.01))).all()


def test_no_scale_turns_a_pose_inside_out() -> None:
    a = poses()
    for scaling in (n_mpjpe, n_mpjpe_frobenius):
        assert scaling(-a, a).min() > 0.3
    assert n_pck(-a, a).max() < 50


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mirror_image_is_not_aligned(axis: int) -> None:
    a = poses()
    flip = np.ones(3)
    flip[axis] = -1
    assert pmpjpe(a * flip, a).min() > 0.02
    assert cps(a * flip, a).max() < 270
    assert pmpjpe((a * flip)[:, list(MIRROR)] * flip, a).min() > 0.02  # nor left for right


def test_a_flat_pose_has_no_mirror_image() -> None:
    flat = poses() * [1, 1, 0]
    assert pmpjpe(flat * [1, 1, -1] @ TURN.T, flat) == pytest.approx(0, abs=1e-9)


def test_pmpjpe_is_the_least_there_is() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(50, J, 3)), rng.normal(size=(50, J, 3))
    turns = rotation_from_vector(rng.normal(size=(50, 3)))
    squares = [
        ((found - (b - b.mean(1, keepdims=True))) ** 2).sum((1, 2))
        for found in (_best(a, b), *(k * (a - a.mean(1, keepdims=True)) @ turns.swapaxes(1, 2) for k in (0.1, 0.3)))
    ]
    assert (squares[0] < squares[1]).all()
    assert (squares[0] < squares[2]).all()


def _best(a: Floats, b: Floats) -> Floats:
    """Procrustes by brute formula: the covariance's singular vectors, the last sign such that det = +1."""
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    out = []
    for one, other in zip(a, b, strict=True):
        u, s, vt = np.linalg.svd(other.T @ one)
        signs = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
        out.append((s * signs).sum() / (one**2).sum() * one @ (u @ np.diag(signs) @ vt).T)
    assert pmpjpe(a, b) == pytest.approx(mpjpe(np.stack(out), b))
    return np.stack(out)


def at_distances(*distances_mm: float) -> tuple[Floats, Floats]:
    """A pose whose joints are moved so far across; they are a kilometre out, so that no scale brings them nearer."""
    target = np.zeros((1, len(distances_mm), 3))
    target[0, :, 0] = 1000.0
    moved = target.copy()
    moved[0, :, 1] = 1e-3 * np.array(distances_mm)
    return moved, target


def test_pck_counts_what_is_nearer_than_150_mm() -> None:
    assert n_pck(*at_distances(0, 149, 151, 400)) == pytest.approx([50.0], abs=1e-9)


def test_auc_is_the_mean_over_31_thresholds_nearer_than_which() -> None:
    assert auc(*at_distances(0.001, 0.001)) == pytest.approx([100 * 30 / 31])
    assert auc(*at_distances(148, 148)) == pytest.approx([100 * 1 / 31])
    assert auc(*at_distances(1, 500)) == pytest.approx([100 * 15 / 31])


def test_cps_is_what_the_worst_joint_leaves_of_300() -> None:
    a = poses(2)
    predicted = a.copy()
    predicted[1, INDEX["l_wrist"]] += [0, 0, 2.0]
    score = cps(predicted, a)
    assert score[0] == pytest.approx(300)
    aligned = _best(predicted, a)
    farthest = 1e3 * np.linalg.norm(aligned - (a - a.mean(1, keepdims=True)), axis=-1).max(-1)
    assert score == pytest.approx(np.maximum(300 - farthest, 0))
    # the area under the share of correct poses, in steps of 0.1 mm
    theta = np.arange(0, 300, 0.1)
    assert score.mean() == pytest.approx((farthest[:, None] <= theta).mean(0).sum() * 0.1, abs=0.2)


def test_a_hopeless_pose_scores_nothing() -> None:
    a = poses()
    far = np.random.default_rng(0).normal(0, 1, a.shape)
    assert cps(far, 3 * a).tolist() == [0.0] * 6


def test_min_over_views_takes_the_best_view_of_each_frame() -> None:
    target = np.stack([poses(3), poses(3)], 1)
    predicted = 2.0 * target
    predicted[0, 0] = target[0, 0] @ TURN.T
    predicted[1, :] = target[1] @ TURN.T
    predicted[2, 0] = np.nan
    least = min_over_views(predicted, target)
    assert least[[0, 2]] == pytest.approx(0, abs=1e-12)
    assert least[1] == pytest.approx(n_mpjpe_frobenius(target[1] @ TURN.T, target[1]).min())
    predicted[0] = np.nan
    assert np.isnan(min_over_views(predicted, target)).tolist() == [True, False, False]


def test_jdr_merges_left_and_right() -> None:
    truth = np.zeros((2, J, 2))
    seen = truth.copy()
    seen[0, INDEX["l_wrist"], 0] = 12.9
    seen[0, INDEX["r_knee"], 1] = 12.8  # half a head counts
    seen[1, [INDEX["l_hip"], INDEX["r_hip"]]] = np.nan
    seen[1, INDEX["nose"]] = 99  # not one of the six
    assert jdr(seen, truth, 12.8).tolist() == [[100, 100, 100, 100, 100, 50], [0, 100, 100, 100, 100, 100]]
    assert jdr(seen, truth, np.array([13.0, 1.0]))[0].tolist() == [100.0] * 6


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize(
    ("predicted", "target"),
    [
        (np.zeros((3, J, 3)), poses(3)),
        (poses(3), np.zeros((3, J, 3))),
        (np.zeros((3, J, 3)), np.zeros((3, J, 3))),
        (np.ones((3, 1, 3)), np.full((3, 1, 3), 2.0)),
        (poses(3)[:, :2], poses(3)[:, 2:4]),
    ],
    ids=["collapsed", "no target", "nothing", "one joint", "two joints"],
)
def test_degenerate_poses_are_finite(metric: Metric, predicted: Floats, target: Floats) -> None:
    out = metric(predicted, target)
    assert out.shape == (3,)
    assert np.isfinite(out).all()
    assert (out >= 0).all()


def test_a_collapsed_pose_is_as_far_off_as_the_joints_are_out() -> None:
    a = poses(2)
    assert n_mpjpe(np.zeros_like(a), a) == pytest.approx(np.linalg.norm(a, axis=-1).mean(-1))
    centred = a - a.mean(1, keepdims=True)
    assert pmpjpe(np.zeros_like(a), a) == pytest.approx(np.linalg.norm(centred, axis=-1).mean(-1))
