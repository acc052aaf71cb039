"""What held-back frames say of a lifter."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pose_rig.lifting.model import Lifter, LifterConfig
from pose_rig.training import losses
from pose_rig.training.footage.dataset import Batch, PoseDataset
from pose_rig.training.training_step import Lifted
from pose_rig.training.validation import BATCH_FRAMES, ValidationMetrics, validate
from tests.training.fakes.footage import exact_walk
from tests.training.fakes.lifters import FLIP, knowing, true_lifts, true_rig


def truth() -> tuple[PoseDataset, Lifted]:
    dataset = PoseDataset([exact_walk()], "ray")
    return dataset, true_lifts(dataset.all, true_rig(exact_walk()))


def across(batch: Batch, lifted: Lifted) -> float:
    """The mean of the reprojection losses of every view's pose in every other view."""
    return float(np.mean([
        losses.reprojection(
            batch.pose_2d[:, v], batch.confidence[:, v], batch.inverse_depth[:, v],
            lifted.pose[:, u] @ lifted.view_from_canonical[:, v].mT,
        ).mean()
        for v in range(4) for u in range(4) if u != v
    ]))  # fmt: skip


def test_the_truth_scores_best_and_its_mirror_image_by_perspective_and_bends_alone() -> None:
    dataset, lifted = truth()
    mirrored = Lifted(lifted.pose * FLIP, FLIP[:, None] * lifted.view_from_canonical * FLIP, lifted.spread)
    right, wrong = (validate(knowing(each), dataset) for each in (lifted, mirrored))
    assert right.n_mpjpe < 1e-5
    assert right.pmpjpe < 1e-5
    assert right.reprojection < 1e-3
    assert wrong.reprojection > 1.3 * right.reprojection
    assert wrong.bent > right.bent + 0.005
    assert wrong.n_mpjpe > wrong.pmpjpe > 0.05


def test_how_far_rotations_are_off_shows_from_other_views_and_not_after_alignment() -> None:
    dataset, lifted = truth()
    turned = replace(lifted, view_from_canonical=lifted.view_from_canonical.clone())
    turned.view_from_canonical[:, 1] = lifted.view_from_canonical[:, 2]
    right, off = (validate(knowing(each), dataset) for each in (lifted, turned))
    assert off.reprojection > right.reprojection + 0.05
    assert off.reprojection == pytest.approx(across(dataset.all, turned), rel=1e-4)
    assert off.n_mpjpe > 0.02
    assert off.pmpjpe < 1e-5


def test_without_ground_truth_only_label_free_metrics_are_known() -> None:
    dataset, lifted = truth()
    known = validate(knowing(lifted), dataset)
    blind = validate(knowing(lifted), PoseDataset([replace(exact_walk(), truth=None)], "ray"))
    assert (blind.reprojection, blind.bent) == (known.reprojection, known.bent)
    assert blind.n_mpjpe != blind.n_mpjpe
    assert blind.pmpjpe != blind.pmpjpe


def test_the_score_is_the_error_only_in_supervised_training() -> None:
    known = ValidationMetrics(0.25, 0.5, 0.1, 0.05)
    assert known.score(supervised=True) == 0.1
    assert known.score(supervised=False) == 0.75
    assert replace(known, n_mpjpe=float("nan")).score(supervised=True) == 0.75


def test_frames_are_validated_in_batches_and_counted_once() -> None:
    torch.manual_seed(0)
    lifter = Lifter(LifterConfig(width=8, pose_blocks=1, camera_blocks=1)).eval()
    usual, odd = exact_walk(3, 30), replace(exact_walk(3, 30, 2.5), score=np.full((30, 3, 17), 0.3, np.float32))
    many = PoseDataset([usual] * 40 + [odd] * 6, "ray")
    assert BATCH_FRAMES < len(many) == 1380
    found, first, second = (
        validate(lifter, dataset) for dataset in (many, PoseDataset([usual], "ray"), PoseDataset([odd], "ray"))
    )
    assert second.reprojection < 0.5 * first.reprojection
    for name in ("reprojection", "bent", "n_mpjpe", "pmpjpe"):
        expected = (1200 * getattr(first, name) + 180 * getattr(second, name)) / 1380
        assert getattr(found, name) == pytest.approx(expected, rel=1e-4)
