"""The value of a pickle as plain containers and arrays, of bounded depth and size.

A list may contain another list twice; thirty levels of this unpack to a billion elements. So sizes are counted without
sharing.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.training.datasets.pickle_machine import LEAVES
from pose_rig.training.datasets.pickled_arrays import PickledArray

MAX_DEPTH = 32


def resolved(value: Any, max_bytes: int) -> Any:  # noqa: C901 - one case per type
    """Returns a value of the machine with numpy arrays.

    Args:
        value: The value.
        max_bytes: Largest allowed size.

    Raises:
        ValueError: It is larger, nested too deeply, or contains something other than data.
    """
    known: dict[int, tuple[Any, int]] = {}  # by id: result, and size without sharing

    def resolve(value: Any, depth: int) -> tuple[Any, int]:
        if type(value) in LEAVES or isinstance(value, np.generic | bytearray):
            return value, 8 + (len(value) if isinstance(value, str | bytes | bytearray) else 0)
        if isinstance(value, np.ndarray):
            return value, 8 + value.nbytes
        if id(value) not in known:
            if depth > MAX_DEPTH:
                raise ValueError(f"it is nested more than {MAX_DEPTH} deep, or contains itself")
            result, size = container(value, depth + 1)
            if size > max_bytes:
                raise ValueError(f"it would unpack to more than {max_bytes / 1e6:.0f} MB")
            known[id(value)] = result, size
        return known[id(value)]

    def container(value: Any, depth: int) -> tuple[Any, int]:
        if type(value) is dict:
            parts = {key: resolve(part, depth) for key, part in value.items()}
            return {key: part for key, (part, _) in parts.items()}, 8 + sum(16 + size for _, size in parts.values())
        if type(value) in (set, frozenset):
            return value, 8 + 8 * len(value)
        if type(value) in (list, tuple):
            found = [resolve(part, depth) for part in value]
            return type(value)(part for part, _ in found), 8 + sum(size for _, size in found)
        if isinstance(value, PickledArray) and value.value is not None:
            return value.value, 8 + value.value.nbytes
        if isinstance(value, PickledArray) and value.objects is not None:
            found = [resolve(part, depth) for part in value.objects]
            return _of_objects([part for part, _ in found], value), 8 + sum(8 + size for _, size in found)
        raise ValueError("it contains something other than data")

    return resolve(value, 0)[0]


def _of_objects(parts: list[Any], array: PickledArray) -> NDArray[Any]:
    out = np.empty(len(parts), object)
    for i, part in enumerate(parts):  # one by one: numpy would stack arrays of equal shape
        out[i] = part
    return out.reshape(array.shape, order=array.order)
