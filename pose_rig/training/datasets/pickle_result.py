"""What a pickle held, in plain containers and arrays, of bounded depth and size.

A list that stands in a list twice costs a pickle nothing, but whoever makes an array of it pays for it twice, and
after thirty levels a billion times. So sizes are counted as if nothing was shared.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.training.datasets.pickle_machine import LEAVES
from pose_rig.training.datasets.pickled_arrays import PickledArray

DEEPEST = 32  # subjects, actions, cameras, arrays of arrays


class _Resolver:
    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._known: dict[int, tuple[Any, int]] = {}  # what something became, and how large it is if nothing is shared

    def of(self, value: Any, depth: int = 0) -> tuple[Any, int]:
        if type(value) in LEAVES or isinstance(value, np.generic | bytearray):
            return value, 8 + (len(value) if isinstance(value, str | bytes | bytearray) else 0)
        if isinstance(value, np.ndarray):
            return value, 8 + value.nbytes
        if id(value) not in self._known:
            if depth > DEEPEST:
                raise ValueError(f"it is nested more than {DEEPEST} deep, or holds itself")
            result, size = self._container(value, depth + 1)
            if size > self._most:
                raise ValueError(f"it would unpack to more than {self._most / 1e6:.0f} MB")
            self._known[id(value)] = result, size
        return self._known[id(value)]

    def _container(self, value: Any, depth: int) -> tuple[Any, int]:
        if type(value) is dict:
            parts = {key: self.of(part, depth) for key, part in value.items()}
            return {key: part for key, (part, _) in parts.items()}, 8 + sum(16 + size for _, size in parts.values())
        if type(value) in (set, frozenset):
            return value, 8 + 8 * len(value)
        if type(value) in (list, tuple):
            found = [self.of(part, depth) for part in value]
            return type(value)(part for part, _ in found), 8 + sum(size for _, size in found)
        if isinstance(value, PickledArray) and value.value is not None:
            return value.value, 8 + value.value.nbytes
        if isinstance(value, PickledArray) and value.objects is not None:
            found = [self.of(part, depth) for part in value.objects]
            return _of_objects([part for part, _ in found], value), 8 + sum(8 + size for _, size in found)
        raise ValueError("it has something else than data")


def resolved(value: Any, most_bytes: int) -> Any:
    """Returns what the machine left, its arrays as arrays.

    Args:
        value: What the machine left.
        most_bytes: How large it may be.

    Raises:
        ValueError: It is larger, nested too deeply, or has something else than data.
    """
    return _Resolver(most_bytes).of(value)[0]


def _of_objects(parts: list[Any], array: PickledArray) -> NDArray[Any]:
    out = np.empty(len(parts), object)
    for i, part in enumerate(parts):  # one by one: numpy would make more axes of arrays of equal shape
        out[i] = part
    return out.reshape(array.shape, order=array.order)
