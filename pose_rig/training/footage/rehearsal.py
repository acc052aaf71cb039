"""Simulated views beside the footage, so that the lifter does not forget whom it has not seen lately."""

import numpy as np
import torch
from torch import Tensor

from pose_rig.simulation.motion import PosePool
from pose_rig.training.footage.simulated_views import SimulatedViewSampler

REUSE = 3  # simulating costs as much as learning: each view is shown this often, in other company
CHUNK = 16  # steps' worth of views drawn together


class Rehearsal:
    """Draws simulated views; what comes at a step depends on the seed and the step alone, so runs can be resumed.

    Args:
        pool: Postures to draw from.
        size: Views per step.
        seed: Of all chance.
        device: Where to.
    """

    def __init__(self, pool: PosePool, size: int, seed: int, device: str) -> None:
        self._pool, self._size, self._seed, self._device = pool, size, seed, device
        self._number = -1
        self._chunk: dict[str, Tensor] = {}

    def at(self, step: int) -> dict[str, Tensor]:
        """Returns the views of a step: ``flat``, ``confidence``, ``shape``, ``canonical``, ``rotation``."""
        number, place = divmod(step, CHUNK * REUSE)
        if number != self._number:
            batch = SimulatedViewSampler(self._pool, [self._seed, number]).draw(self._size * CHUNK)
            self._chunk = {
                name: torch.from_numpy(getattr(batch, name)).to(self._device) for name in batch.__dataclass_fields__
            }
            self._number = number
        turn, part = divmod(place, CHUNK)
        order = np.random.default_rng([self._seed, number, turn]).permutation(self._size * CHUNK)
        rows = torch.from_numpy(order[part * self._size : (part + 1) * self._size]).to(self._device)
        return {name: value[rows] for name, value in self._chunk.items()}
