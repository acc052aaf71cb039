"""Data parallel training: every process of `torchrun` trains on its shard of each batch."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import torch
from torch import Tensor, nn

from pose_rig.errors import UsageError
from pose_rig.training.footage.dataset import TENSORS, Batch

TIMEOUT = timedelta(hours=6)  # one may still be reading long sessions while the others wait


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """Rank of this process, and the number of processes."""

    rank: int = 0
    world_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0

    def shard(self, batch: Batch) -> Batch:
        """Returns the rigs of a batch that belong to this process."""
        if self.world_size == 1:
            return batch
        rows = self._rows(len(batch.pose_2d) // batch.per_rig, batch.per_rig, batch.pose_2d.device)
        return replace(batch, processes=self.world_size, **{name: getattr(batch, name)[rows] for name in TENSORS})

    def shard_permutation(self, permutation: Tensor, per_rig: int) -> Tensor:
        """Returns the part of a permutation within rigs that belongs to this process, as indices into its shard."""
        rows = self._rows(len(permutation) // per_rig, per_rig, permutation.device)
        inside = permutation[rows] % per_rig
        rigs = torch.arange(len(rows) // per_rig, device=permutation.device).repeat_interleave(per_rig)
        return rigs * per_rig + inside

    def average_gradients(self, model: nn.Module) -> None:
        """Replaces the gradients by their mean over all processes."""
        if self.world_size == 1:
            return
        for weight in model.parameters():
            if weight.grad is not None:
                torch.distributed.all_reduce(weight.grad)
                weight.grad /= self.world_size

    def mean(self, values: Tensor) -> Tensor:
        """Returns the mean of a tensor over all processes."""
        if self.world_size > 1:
            values = values.clone()
            torch.distributed.all_reduce(values)
            values /= self.world_size
        return values

    def barrier(self, device: str) -> None:
        """Returns when all processes have called it."""
        float(self.mean(torch.zeros((), device=device)))  # float: wait on the host too

    def _rows(self, rigs: int, per_rig: int, device: torch.device) -> Tensor:
        chosen = torch.arange(self.rank, rigs, self.world_size, device=device)
        return (chosen[:, None] * per_rig + torch.arange(per_rig, device=device)).flatten()


@contextmanager
def process_group(device: str) -> Iterator[ProcessGroup]:
    """Joins the processes that `torchrun` started, if it did.

    Raises:
        UsageError: Some of the environment variables of `torchrun` are missing.
    """
    if "RANK" not in os.environ:
        yield ProcessGroup()
        return
    if missing := [name for name in ("WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]:
        raise UsageError(f"RANK is set, {missing[0]} is not.", "Start with torchrun, or unset RANK.")
    torch.distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo", timeout=TIMEOUT)
    try:
        yield ProcessGroup(torch.distributed.get_rank(), torch.distributed.get_world_size())
    finally:
        torch.distributed.destroy_process_group()
