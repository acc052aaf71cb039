"""What training speed is measured on, and how figures are made; nothing here measures time."""

from importlib import import_module

import pytest
import torch

from benchmarks.training.train_speed import OURS, interleaved, our_loss, ratios, refinements, views_of
from benchmarks.training.training_batches import RIGS, batch_of, for_loops, lifter, lifts
from pose_rig.lifting.csm import fuse
from pose_rig.skeleton import LIMBS
from pose_rig.training import heatmap_voting


def test_it_has_help(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["train_speed", "--help"])
    with pytest.raises(SystemExit) as end:
        import_module("benchmarks.training.train_speed").main()
    assert end.value.code == 0
    assert "python -m benchmarks.training.train_speed" in capsys.readouterr().out


def test_actions_alternate() -> None:
    done: list[str] = []
    times = interleaved({"a": lambda: done.append("a"), "b": lambda: done.append("b")}, "cpu", 1, 2)
    assert done == ["a", "b"] * 3
    assert {name: len(values) for name, values in times.items()} == {"a": 2, "b": 2}
    assert ratios([6.0, 8.0], [2.0, 4.0]) == [3.0, 2.0]


def test_all_joints_are_visible_and_some_have_low_confidence() -> None:
    batch = batch_of(16, 3, "cpu")
    assert batch.pose_2d.shape[:2] == (16, 3)
    assert (batch.confidence > 0).any(-1).all()
    unsure = (batch.confidence[..., list(LIMBS)] < heatmap_voting.MIN_CONFIDENCE).float().mean()
    assert 0.1 < unsure < 0.6
    given = for_loops(batch)
    assert given.pose_2d.shape[0] == 48
    assert len(set(given.subject.tolist())) == RIGS


def test_lifts_match_the_detections_and_refinement_helps() -> None:
    batch = batch_of(16, 4, "cpu")
    given = lifts(batch)
    image = (given.canonical @ given.rotation.transpose(-1, -2))[..., :2]
    seen = batch.confidence > 0
    torch.testing.assert_close(image[seen], batch.pose_2d[seen], atol=1e-5, rtol=0)
    unsure = batch.confidence < heatmap_voting.MIN_CONFIDENCE
    unsure[..., [j for j in range(17) if j not in LIMBS]] = False
    refined = heatmap_voting.corrected(given.pose_2d, given.confidence, given.rotation, given.canonical)

    def off(pose_2d: torch.Tensor) -> float:
        return float(torch.linalg.vector_norm(pose_2d - batch.true_pose[..., :2], dim=-1)[unsure].mean())

    assert off(refined) < 0.7 * off(given.pose_2d)
    fused = fuse(views_of(given), torch.full((16, 4), 0.1))
    assert off(fused.refined) < 0.9 * off(given.pose_2d)


def test_all_refinements_keep_the_shape() -> None:
    given = lifts(batch_of(8, 2, "cpu"))
    for refine in refinements(given, compiled=False).values():
        refined = refine()
        assert isinstance(refined, torch.Tensor)
        assert refined.shape == given.pose_2d.shape
        assert refined.isfinite().all()


@pytest.mark.parametrize("name", OURS)
def test_our_losses_are_finite(name: str) -> None:
    assert our_loss(lifter(16, "cpu"), batch_of(16, 3, "cpu"), name).isfinite()
