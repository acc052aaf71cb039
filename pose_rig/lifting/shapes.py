"""Sizes of the graph's tensors, padded to few different ones, and their places in one block of memory.

A GPU runs a recorded sequence of kernels much faster than single ones, and a recording is for fixed sizes. So inputs
are padded to powers of two; candidates and hypotheses are independent, so that this changes no result. All inputs are
copied to the GPU as one block, and all outputs back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.config import MAX_CAMERAS
from pose_rig.graph import ONNX_INPUTS, ONNX_OUTPUTS, GraphInput, GraphOutput
from pose_rig.skeleton import J

MAX_VIEWS = MAX_CAMERAS
MAX_HYPOTHESES = 272  # of 16 cameras with 16 people each, one camera's candidate exchanged; and up to 120 keyframes
MAX_CANDIDATES = 2048  # of 120 keyframes in 16 views
ALIGNMENT = 256  # bytes; what CUDA's own allocations have

Bytes = NDArray[np.uint8]


class TooLargeError(Exception):
    """The input is larger than an engine for fixed ranges of sizes can take."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A tensor in a block of memory.

    Attributes:
        name: As in the ONNX file.
        shape: Of the tensor.
        dtype: Of its elements.
        offset: From the beginning of the block, bytes.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int

    @property
    def size(self) -> int:
        """Bytes."""
        return prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Sizes:
    """Numbers of candidates C, hypotheses H and views V."""

    candidates: int
    hypotheses: int
    views: int

    @classmethod
    def of(cls, given: GraphInput) -> "Sizes":
        """Returns the sizes of an input."""
        return cls(len(given.norm), *given.assignment.shape)

    def padded(self) -> "Sizes":
        """Returns the next larger sizes for which graphs are recorded.

        Raises:
            TooLargeError: There are none.
        """
        if self.views > MAX_VIEWS:
            raise TooLargeError(f"{self.views} views; at most {MAX_VIEWS}")
        return Sizes(_padded(self.candidates, MAX_CANDIDATES), _padded(self.hypotheses, MAX_HYPOTHESES), self.views)

    @cached_property
    def inputs(self) -> tuple[Slot, ...]:
        """The places of the inputs in their block."""
        c, h, v = self.candidates, self.hypotheses, self.views
        shapes = ((c, J, 2), (c, J), (c,), (h, v), (h, v), (h, v, 3, 3), (h, v), (h, 1), (c, J, 2))
        integers = {"pick"}
        return _slots(ONNX_INPUTS, shapes, integers)

    @cached_property
    def outputs(self) -> tuple[Slot, ...]:
        """The places of the outputs in their block."""
        c, h, v = self.candidates, self.hypotheses, self.views
        shapes = (
            (c, J, 3), (c, 3), (h, v, J, 2), (h, J, 3), (h, v, 3, 3), (h, v, J), (h, v), (h, v), (h, v, 2), (h, v, 3),
            (h, v, 9),
        )  # fmt: skip
        return _slots(ONNX_OUTPUTS, shapes, set())


def block_size(slots: tuple[Slot, ...]) -> int:
    """Returns the size of a block, bytes."""
    return slots[-1].offset + _aligned(slots[-1].size)


def arrays(block: Bytes, slots: tuple[Slot, ...]) -> dict[str, NDArray[Any]]:
    """Returns the tensors in a block, as views of it."""
    return {
        slot.name: block[slot.offset : slot.offset + slot.size].view(slot.dtype).reshape(slot.shape) for slot in slots
    }


def fill_with_zeros(inputs: Mapping[str, NDArray[Any]]) -> None:
    """Sets the inputs to candidates and views that are not visible, so that padding has finite outputs."""
    for array in inputs.values():
        array[...] = 0
    inputs["freedom"][...] = 1
    inputs["rotation"][...] = np.eye(3)


def fill(inputs: Mapping[str, NDArray[Any]], given: GraphInput) -> None:
    """Copies an input to the beginning of the padded one; what is behind it keeps what it had."""
    for name, array in given.onnx().items():
        inputs[name][: len(array)] = array


def cut(outputs: Mapping[str, NDArray[Any]], sizes: Sizes) -> GraphOutput:
    """Returns a copy of the outputs without the padding."""
    of_candidates = {"lifted", "upright"}
    return GraphOutput(
        *(
            outputs[name][: sizes.candidates if name in of_candidates else sizes.hypotheses].copy()
            for name in ONNX_OUTPUTS
        )
    )


def _padded(count: int, maximum: int) -> int:
    if count > maximum:
        raise TooLargeError(f"{count} rows; at most {maximum}")
    return min(1 << max(count - 1, 0).bit_length(), maximum)


def _slots(names: tuple[str, ...], shapes: tuple[tuple[int, ...], ...], integers: set[str]) -> tuple[Slot, ...]:
    slots: list[Slot] = []
    offset = 0
    for name, shape in zip(names, shapes, strict=True):
        slot = Slot(name, shape, np.dtype(np.int64 if name in integers else np.float32), offset)
        slots.append(slot)
        offset += _aligned(slot.size)
    return tuple(slots)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
