"""Scores of many poses, and the tables that others published."""

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.errors import UsageError
from pose_rig.skeleton import INDEX, J
from pose_rig.training.evaluation.metrics import LIMB_TYPES, n_mpjpe_frobenius, pmpjpe
from pose_rig.training.evaluation.published import CPS, JDR, TABLES
from pose_rig.training.evaluation.scores import HALF_HEAD_PX, PAPER_JOINTS, Jdr, Scores, size_of_half_head
from tests.fusion.fakes import standing


def truth(frames: int = 5, views: int = 3) -> Floats:
    return np.asarray(standing() + np.random.default_rng(0).normal(0, 0.05, (frames, views, J, 3)))


def centred(poses: Floats) -> Floats:
    return np.asarray(poses - poses[..., :1, :])


def test_the_paper_has_all_joints_but_the_spine() -> None:
    assert len(PAPER_JOINTS) == 16
    assert INDEX["pelvis"] in PAPER_JOINTS
    assert INDEX["spine"] not in PAPER_JOINTS


def test_perfect_poses_of_another_scale_and_place() -> None:
    scores = Scores.of(0.3 * truth() + 4.0, truth())
    assert scores.mpjpe_mm is None
    assert (scores.n_mpjpe_mm, scores.pmpjpe_mm, scores.min_over_views_mm) == pytest.approx((0, 0, 0), abs=1e-6)
    assert (scores.n_pck, scores.cps) == pytest.approx((100, 300), abs=1e-6)
    assert scores.auc == pytest.approx(100 * 30 / 31)
    assert scores.count == 15


def test_the_root_counts_and_the_spine_does_not() -> None:
    predicted = centred(truth())
    predicted[:, :, INDEX["spine"]] += 9.0
    predicted[:, :, INDEX["nose"], 1] += 0.16
    assert Scores.of(predicted, truth(), metric=True).mpjpe_mm == pytest.approx(160 / 16)
    some = [INDEX["nose"], INDEX["head"]]
    assert Scores.of(predicted, truth(), some, metric=True).mpjpe_mm == pytest.approx(80)


def test_means_are_those_of_the_metrics_in_mm() -> None:
    predicted = truth() + np.random.default_rng(1).normal(0, 0.08, truth().shape)
    scores = Scores.of(predicted, truth())
    a, b = (centred(poses)[:, :, list(PAPER_JOINTS)] for poses in (predicted, truth()))
    flat = (15, 16, 3)
    assert scores.pmpjpe_mm == pytest.approx(1e3 * pmpjpe(a.reshape(flat), b.reshape(flat)).mean())
    least = n_mpjpe_frobenius(a.reshape(flat), b.reshape(flat)).reshape(5, 3).min(1).mean()
    assert scores.min_over_views_mm == pytest.approx(1e3 * least)
    assert scores.pmpjpe_mm < scores.n_mpjpe_mm


def test_unknown_poses_are_not_counted() -> None:
    predicted, true = truth() + 0.0, truth()
    predicted[0] = np.nan
    true[1, 2] = np.nan
    predicted[2, 0, 0] = np.nan  # without a root nothing is known
    scores = Scores.of(predicted, true)
    assert scores.count == 15 - 3 - 1 - 1
    assert scores.pmpjpe_mm == pytest.approx(0, abs=1e-6)
    assert scores.min_over_views_mm == pytest.approx(0, abs=1e-6)


def test_a_gap_filled_with_zeros_is_no_pose() -> None:
    true = truth()
    true[3] = 0.0
    some = truth()[[0, 1, 2, 4]]
    scores = Scores.of(truth() * [1, 1, -1], true)
    assert scores.count == 12
    assert scores.n_mpjpe_mm == pytest.approx(Scores.of(some * [1, 1, -1], some).n_mpjpe_mm)
    assert Jdr.of(truth()[..., :2], true[..., :2]).count == 12


def test_nothing_to_score_is_reported() -> None:
    with pytest.raises(UsageError, match=r"There is no pose to score\. Use footage with ground truth"):
        Scores.of(np.full((2, 2, J, 3), np.nan), truth(2, 2))
    with pytest.raises(UsageError, match=r"There is no 2D pose to score\."):
        Jdr.of(np.full((2, 2, J, 2), np.nan), truth(2, 2)[..., :2])


def test_jdr_counts_images_with_a_visible_person() -> None:
    true = 425 / 2 * truth()[..., :2]
    seen = true.copy()
    seen[0, 0] = np.nan
    seen[1, :, INDEX["r_elbow"]] = np.nan
    seen[2, :, INDEX["l_ankle"], 0] += HALF_HEAD_PX + 1
    rates = Jdr.of(seen, true, HALF_HEAD_PX)
    assert rates.count == 14
    assert rates.rates == pytest.approx((100, 100, 100 * (1 - 1.5 / 14), 100, 100 * (1 - 1.5 / 14), 100))
    assert rates.elbow == rates.rates[LIMB_TYPES.index("elbow")]


def test_a_head_is_as_large_as_the_person() -> None:
    true = truth()[..., :2]
    sizes = size_of_half_head(true.reshape(15, J, 2))
    assert size_of_half_head(3 * true.reshape(15, J, 2)) == pytest.approx(3 * sizes)
    around = centred(true)[0, 0, list(PAPER_JOINTS)]
    assert size_of_half_head(true[:1, 0] * 425 / np.linalg.norm(around)) == pytest.approx([12.8])
    near, far = (true + factor * size_of_half_head(true[:, 0])[:, None, None, None] * [1, 0] for factor in (0.9, 1.1))
    assert Jdr.of(near[:, :1], true[:, :1]).rates == (100.0,) * 6
    assert Jdr.of(far[:, :1], true[:, :1]).rates == (0.0,) * 6


def test_published_tables_are_whole() -> None:
    for table in TABLES.values():
        assert {len(row.values) for row in table.rows} == {len(table.columns)}
        assert len({row.source for row in table.rows}) == len(table.rows)
    assert set(JDR) == set(TABLES)
    assert set(CPS) < set(TABLES)
    assert {len(row.values) for rows in JDR.values() for row in rows} == {len(LIMB_TYPES)}


def test_the_papers_last_row_is_its_best() -> None:
    last = {kind: table.rows[-1].values for kind, table in TABLES.items()}
    assert last == {"human36m": (61.4, 45.9), "mpi-inf-3dhp": (94.6, 56.5, 81.9), "skipose": (115.2, 78.8, 72.4)}
    self_supervised = TABLES["human36m"].rows[1:-1]
    assert min(row.values[1] or 99 for row in self_supervised) == 46.1
