from dataclasses import replace

import numpy as np
import pytest
import torch

from pose_rig.errors import UsageError
from pose_rig.skeleton import INDEX, J
from pose_rig.training.datasets.morphing import Morphing, MorphingConfig, morph, train_morphing
from pose_rig.training.footage.footage import Footage, GroundTruth
from tests.training.datasets.world import shoot

SIZES = [(1000, 1000)] * 4
SHIFT_PX = {"l_hip": (12.0, -20.0), "r_hip": (-12.0, -20.0), "head": (0.0, -25.0)}
QUICK = MorphingConfig(width=64, epochs=25, learning_rate=1e-3, milestones=(15, 20))


def detected(start_deg: float = 0.0) -> Footage:
    """A detector that has hips and head elsewhere than the labels, by a constant share of the person's size."""
    xy = shoot(1.0, SIZES, start_deg).xy_px
    size = np.linalg.norm(xy - xy[:, :, :1], axis=(2, 3), keepdims=True)
    wrong = xy.copy()
    for name, shift in SHIFT_PX.items():
        wrong[:, :, INDEX[name]] -= np.array(shift) * size[:, :, 0] / 1000
    trunk = [INDEX[name] for name in ("l_hip", "r_hip", "l_shoulder", "r_shoulder")]
    wrong[:, :, INDEX["spine"]] = wrong[:, :, trunk].mean(2)
    return Footage(
        "S1 Walking",
        "S1",
        wrong.astype(np.float32),
        np.ones(wrong.shape[:3], np.float32),
        np.array(SIZES, np.float32),
        np.full(4, 900, np.float32),
        truth=GroundTruth(np.zeros((*xy.shape[:3], 3), np.float32), xy.astype(np.float32)),
    )


def off_px(footage: Footage, joint: str, truth: Footage) -> float:
    assert truth.truth is not None
    at = INDEX[joint]
    return float(np.linalg.norm(footage.xy_px[:, :, at] - truth.truth.xy_px[:, :, at], axis=-1).mean())


@pytest.fixture(scope="module")
def network() -> Morphing:
    trained, errors = train_morphing([detected()], QUICK)
    assert len(errors) == QUICK.epochs
    assert errors[-1] < 0.02 * errors[0]
    return trained


def test_a_constant_offset_is_learned_for_other_views(network: Morphing) -> None:
    other = detected(start_deg=33)
    morphed = morph(other, network)
    for joint in SHIFT_PX:
        assert off_px(morphed, joint, other) < 0.35 * off_px(other, joint, other)
    assert off_px(morphed, "l_wrist", other) < 4
    assert off_px(morphed, "spine", other) < off_px(other, "spine", other)


def test_scores_ground_truth_and_invisible_joints_are_unchanged(network: Morphing) -> None:
    footage = detected()
    score = footage.score.copy()
    score[:, :, INDEX["l_wrist"]] = 0
    score[:, 2] = 0
    score[5, 1, INDEX["l_shoulder"]] = 0
    morphed = morph(replace(footage, score=score), network)
    assert morphed.score is score
    assert morphed.truth is footage.truth
    np.testing.assert_array_equal(morphed.xy_px[score == 0], footage.xy_px[score == 0])
    assert not np.array_equal(morphed.xy_px[5, 1, INDEX["l_hip"]], footage.xy_px[5, 1, INDEX["l_hip"]])
    np.testing.assert_array_equal(morphed.xy_px[5, 1, INDEX["spine"]], footage.xy_px[5, 1, INDEX["spine"]])


def test_the_network_comes_frozen_and_the_same_each_time(network: Morphing) -> None:
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    short = replace(QUICK, epochs=1)
    first, second = (train_morphing([detected()], short)[1] for _ in range(2))
    assert first == second


def test_defaults_are_those_of_the_paper() -> None:
    assert MorphingConfig() == MorphingConfig(1024, 100, 32, 1e-4, 1e-5, (40, 80, 95), 0)
    shapes = {name: tuple(value.shape) for name, value in Morphing().state_dict().items()}
    assert shapes["stem.weight"] == (1024, 32)
    assert shapes["head.weight"] == (32, 1024)
    assert sum(len(shape) == 2 for shape in shapes.values()) == 2 + 2 * 2
    assert Morphing(8)(torch.zeros(3, 32)).shape == (3, 32)


def test_morphing_needs_labels() -> None:
    with pytest.raises(UsageError, match="There is no 2D ground truth"):
        train_morphing([replace(detected(), truth=None)], QUICK)
    unseen = replace(detected(), score=np.zeros((50, 4, J), np.float32))
    with pytest.raises(UsageError, match="needs a subject with 2D labels"):
        train_morphing([unseen], QUICK)
