"""Lifter and fusion module as one module."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from pose_rig.lifting.example import example
from pose_rig.lifting.model import Lifter, LifterConfig
from pose_rig.lifting.rig_graph import RigGraph

QUARTER_TURN = (0.0, 0.0, 1.0, 0.0, 1.0, 0.0, -1.0, 0.0, 0.0)
CONFIG = LifterConfig(16, 1, 1)


class CopiesToDevice(TorchFunctionMode):
    """Collects the calls that copy values of the host to the device: new tensors, lists as indices, other devices."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None) -> Any:
        out = func(*args, **(kwargs or {}))
        index = args[1] if func is torch.Tensor.__getitem__ else ()
        listed = any(isinstance(part, list) for part in (index if isinstance(index, tuple) else (index,)))
        device = getattr(args[0], "device", None) if args else None
        moved = isinstance(out, torch.Tensor) and device is not None and device != out.device
        if func in {torch.tensor, torch.as_tensor} or listed or moved:
            self.found.append(f"{func.__name__} {args[1:]}")
        return out


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        replace(CONFIG, rotation="axis_angle"),
        replace(CONFIG, depth=True),
        replace(CONFIG, mirrored=True, body_from_canonical=QUARTER_TURN),
    ],
)
def test_after_the_first_run_nothing_but_the_input_is_copied_to_the_device(config: LifterConfig) -> None:
    """A copy from memory that is not pinned cannot be recorded in a CUDA graph, and would wait in every run."""
    graph = RigGraph(Lifter(config)).to("meta").eval()
    given = example(3, 2, np.random.default_rng(0))
    inputs = [torch.from_numpy(array).to("meta") for array in given.onnx().values()]
    with torch.no_grad():
        graph(*inputs)
        with CopiesToDevice() as copies:
            graph(*inputs)
    assert copies.found == []
