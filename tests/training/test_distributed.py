"""Shards and barrier of the processes; test_train trains with two of them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pose_rig.errors import UsageError
from pose_rig.lifting.model import Lifter, LifterConfig
from pose_rig.training.distributed import ProcessGroup, process_group
from pose_rig.training.footage.dataset import TENSORS, PoseDataset
from pose_rig.training.training_step import permutation_within_rigs
from tests.training.fakes.footage import takes

RIGS, PER_RIG = 6, 4
ROOT = Path(__file__).parents[2]
CODE = """
import sys, time
from pathlib import Path
from pose_rig.training.distributed import process_group
with process_group("cpu") as own:
    if own.is_main:
        time.sleep(0.3)
        Path(sys.argv[1]).write_text("written")
    own.barrier("cpu")
    assert Path(sys.argv[1]).read_text() == "written"
"""


@pytest.mark.parametrize("world", [1, 2, 3])
def test_shards_are_whole_rigs_and_together_the_batch(world: int) -> None:
    whole = PoseDataset(takes(), "image").sample(RIGS, PER_RIG, np.random.default_rng(0))
    shares = [ProcessGroup(rank, world).shard(whole) for rank in range(world)]
    for name in TENSORS:
        together = torch.stack([getattr(share, name).unflatten(0, (-1, PER_RIG)) for share in shares], 1)
        assert torch.equal(together.flatten(0, 2), getattr(whole, name))
    assert {share.per_rig for share in shares} == {PER_RIG}


@pytest.mark.parametrize("world", [1, 2, 3])
def test_the_permutation_of_shards_is_that_of_the_batch(world: int) -> None:
    whole = PoseDataset(takes(), "image").sample(RIGS, PER_RIG, np.random.default_rng(0))
    order = permutation_within_rigs(RIGS, PER_RIG, torch.Generator().manual_seed(0), torch.device("cpu"))
    partners = torch.arange(RIGS * PER_RIG)[order].reshape(RIGS, PER_RIG)
    for rank in range(world):
        own = ProcessGroup(rank, world)
        numbers = torch.arange(RIGS * PER_RIG).reshape(RIGS, PER_RIG)[rank::world].flatten()
        found = numbers[own.shard_permutation(order, PER_RIG)].reshape(-1, PER_RIG)
        assert torch.equal(found, partners[rank::world])
        expected = whole.pose_2d[partners[rank::world].flatten()]
        assert torch.equal(own.shard(whole).pose_2d[own.shard_permutation(order, PER_RIG)], expected)


def test_a_single_process_is_the_main_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    with process_group("cpu") as own:
        assert own == ProcessGroup(0, 1)
    assert own.is_main
    assert not ProcessGroup(1, 2).is_main
    value = torch.tensor([3.0])
    assert own.mean(value) is value
    own.barrier("cpu")
    lifter = Lifter(LifterConfig(width=8, pose_blocks=1, camera_blocks=1))
    lifter.stem.bias.grad = torch.ones(8)
    own.average_gradients(lifter)
    assert torch.equal(lifter.stem.bias.grad, torch.ones(8))


@pytest.mark.parametrize("missing", ["WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"])
def test_an_incomplete_torchrun_environment_is_reported(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    given = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(missing)
    text = rf"RANK is set, {missing} is not\. Start with torchrun, or unset RANK\."
    with pytest.raises(UsageError, match=text), process_group("cpu"):
        pass


def test_no_process_passes_the_barrier_before_the_main_process(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(CODE)
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", script, tmp_path / "file"]
    done = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, timeout=120, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
