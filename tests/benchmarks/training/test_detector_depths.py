"""Depths of a walk, whose world landmarks are right, wrong or not known."""

from pathlib import Path

import numpy as np

from benchmarks.accuracy.reference import Reference
from benchmarks.accuracy.world_landmarks import View, stored
from benchmarks.contract import Figure, Report
from benchmarks.training.detector_depths import Depths, add_figures, depths
from pose_rig.skeleton import LIMBS
from tests.benchmarks.accuracy.test_world_landmarks import landmarks_of, take
from tests.fusion.fakes import ring, walk


def figures(found: Depths) -> dict[str, Figure]:
    report = Report("b", {})
    add_figures(report, found)
    return {figure.name: figure for figure in report.figures}


def measured(folder: Path, factor: float) -> Depths:
    """Camera 0, whose detector estimates the true depths times a factor."""
    path = take(folder / "t.npz")
    view, truth = next(stored(path, "full")), Reference.load(path)
    in_camera = landmarks_of(walk(0.5) @ ring(2).rotation[0].T)
    in_camera -= in_camera[:, [23, 24]].mean(1, keepdims=True)
    world = in_camera * [1.0, 1.0, factor]
    return depths(View("0", view.size_px, view.t_ns, view.xy_px, view.score, world), 0, truth)


def test_true_depths_have_next_to_no_error(tmp_path: Path) -> None:
    found = measured(tmp_path, 1.0)
    assert found.true.shape == (15, len(LIMBS))
    assert np.abs(found.estimated - found.true).max() < 0.05  # along the ray, not along the axis of the camera
    assert figures(found)["ankle: correlation"].median > 0.95


def test_negated_depths_are_on_the_wrong_side(tmp_path: Path) -> None:
    shown = figures(measured(tmp_path, -1.0))
    assert shown["wrong side, true depth from 0.1"].median > 90
    assert shown["knee: correlation"].median < -0.5


def test_views_without_depths_or_with_another_person_do_not_count(tmp_path: Path) -> None:
    path = take(tmp_path / "t.npz")
    truth = Reference.load(path)
    assert len(depths(next(stored(path, "lite")), 0, truth).true) == 0
    second = list(stored(path, "full"))[1]  # begins with three frames of somebody else
    assert len(depths(second, 1, truth).true) == 12
