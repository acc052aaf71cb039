"""Padded sizes and their blocks of memory."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pose_rig.graph import ONNX_INPUTS, ONNX_OUTPUTS, GraphOutput
from pose_rig.lifting.engine import OrtEngine
from pose_rig.lifting.example import example
from pose_rig.lifting.shapes import (
    ALIGNMENT,
    MAX_CANDIDATES,
    MAX_HYPOTHESES,
    MAX_VIEWS,
    Sizes,
    TooLargeError,
    arrays,
    block_size,
    cut,
    fill,
    fill_with_zeros,
)  # fmt: skip


@pytest.mark.parametrize(
    ("given", "padded"),
    [
        (Sizes(1, 1, 1), Sizes(1, 1, 1)),
        (Sizes(3, 1, 4), Sizes(4, 1, 4)),
        (Sizes(33, 136, 8), Sizes(64, 256, 8)),  # 8 cameras with 16 people each, one hypothesis more per person
        (Sizes(MAX_CANDIDATES, MAX_HYPOTHESES, MAX_VIEWS), Sizes(MAX_CANDIDATES, MAX_HYPOTHESES, MAX_VIEWS)),
        (Sizes(0, 1, 2), Sizes(1, 1, 2)),
    ],
)
def test_sizes_are_padded_to_powers_of_two(given: Sizes, padded: Sizes) -> None:
    assert given.padded() == padded


@pytest.mark.parametrize("sizes", [Sizes(MAX_CANDIDATES + 1, 1, 1), Sizes(1, MAX_HYPOTHESES + 1, 1), Sizes(1, 1, 17)])
def test_larger_ones_are_refused(sizes: Sizes) -> None:
    with pytest.raises(TooLargeError, match="at most"):
        sizes.padded()


@pytest.mark.parametrize("sizes", [Sizes(1, 1, 1), Sizes(7, 5, 3)])
def test_tensors_do_not_overlap(sizes: Sizes) -> None:
    for slots, names in ((sizes.inputs, ONNX_INPUTS), (sizes.outputs, ONNX_OUTPUTS)):
        block = np.zeros(block_size(slots), np.uint8)
        views = arrays(block, slots)
        assert tuple(views) == names
        assert all(slot.offset % ALIGNMENT == 0 for slot in slots)
        for number, view in enumerate(views.values(), 1):
            view[...] = number
        assert [float(view.min()) for view in views.values()] == list(range(1, len(names) + 1))


def test_padding_does_not_change_the_outputs() -> None:
    """With another input before it, whose rest is behind the padding."""
    engine = OrtEngine()
    sizes = Sizes(16, 4, 4)
    inputs = arrays(np.zeros(block_size(sizes.inputs), np.uint8), sizes.inputs)
    fill_with_zeros(inputs)
    session = engine._session
    outputs = arrays(np.zeros(block_size(sizes.outputs), np.uint8), sizes.outputs)
    for hypotheses in (4, 3, 1):
        given = example(4, hypotheses, np.random.default_rng(hypotheses))
        fill(inputs, given)
        for name, value in zip(ONNX_OUTPUTS, session.run(list(ONNX_OUTPUTS), _fed(session, inputs)), strict=True):
            outputs[name][...] = value
        got, want = cut(outputs, Sizes.of(given)), engine.run(given)
        for field in fields(GraphOutput):
            assert getattr(got, field.name).shape == getattr(want, field.name).shape
        assert np.abs(got.body - want.body).max() < 1e-5
        assert np.abs(got.refined - want.refined).max() < 1e-5


def test_the_padding_alone_is_finite() -> None:
    sizes = Sizes(2, 2, 3)
    inputs = arrays(np.zeros(block_size(sizes.inputs), np.uint8), sizes.inputs)
    fill_with_zeros(inputs)
    session = OrtEngine()._session
    assert all(np.isfinite(value).all() for value in session.run(None, _fed(session, inputs)))


def _fed(session: Any, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The inputs that a graph has."""
    return {node.name: inputs[node.name] for node in session.get_inputs()}
