"""Data parallel training: as many processes as `torchrun` starts, every one with its share of each batch."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from pose_rig.errors import UsageError
from pose_rig.training.footage.dataset import TENSORS, Batch


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """Which process this is, of how many."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this one writes and speaks."""
        return self.rank == 0

    def share(self, batch: Batch) -> Batch:
        """Returns this process' rigs of a batch."""
        if self.world == 1:
            return batch
        rows = self._rows(len(batch.flat) // batch.per_rig, batch.per_rig, batch.flat.device)
        return replace(batch, **{name: getattr(batch, name)[rows] for name in TENSORS})

    def order(self, order: Tensor, per_rig: int) -> Tensor:
        """Returns this process' part of a permutation inside rigs, counted from its own first instant."""
        rigs = len(order) // per_rig
        rows = self._rows(rigs, per_rig, order.device)
        inside = order[rows] % per_rig
        own = torch.arange(len(rows) // per_rig, device=order.device).repeat_interleave(per_rig)
        return own * per_rig + inside

    def average(self, model: nn.Module) -> None:
        """Replaces the gradients by their mean over all processes."""
        if self.world == 1:
            return
        for weight in model.parameters():
            if weight.grad is not None:
                torch.distributed.all_reduce(weight.grad)
                weight.grad /= self.world

    def mean(self, values: Tensor) -> Tensor:
        """Returns the mean of a tensor over all processes."""
        if self.world > 1:
            values = values.clone()
            torch.distributed.all_reduce(values)
            values /= self.world
        return values

    def wait(self, device: str) -> None:
        """Returns when all processes are here."""
        float(self.mean(torch.zeros((), device=device)))  # a number: the host waits too

    def _rows(self, rigs: int, per_rig: int, device: torch.device) -> Tensor:
        chosen = torch.arange(self.rank, rigs, self.world, device=device)
        return (chosen[:, None] * per_rig + torch.arange(per_rig, device=device)).flatten()


@contextmanager
def ranks(device: str) -> Iterator[ProcessGroup]:
    """Yields which process this is; joins the others if `torchrun` started it.

    Raises:
        UsageError: The environment is half of `torchrun`'s.
    """
    if "RANK" not in os.environ:
        yield ProcessGroup()
        return
    if missing := [name for name in ("WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]:
        raise UsageError(f"RANK is set, {missing[0]} is not.", "Start with torchrun, or unset RANK.")
    torch.distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield ProcessGroup(torch.distributed.get_rank(), torch.distributed.get_world_size())
    finally:
        torch.distributed.destroy_process_group()
