"""numpy's dtypes and arrays in pickles, without numpy's own unpickling.

The state of a pickled dtype or array can be crafted to read any memory. Here a dtype is one of a few codes, and an
array is a copy of exactly as many bytes as it has.
"""

import math
import re
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pose_rig.npz import check_text

_CODE = re.compile(r"[biuf][1248]|[SU]\d{1,6}")  # as in numpy's pickles, without the byte order
MAX_AXES = 32
Order = Literal["C", "F"]


class PickledDtype:
    """A dtype: its code, and later its byte order.

    Args:
        code: ``f4``, ``U5``, or ``O8`` for objects.

    Raises:
        ValueError: The code is another one.
    """

    def __init__(self, code: Any, *_flags: Any) -> None:
        self.objects = code in ("O", "O8", "O4")
        self._code = code
        self._order = "="
        if not self.objects and not (isinstance(code, str) and _CODE.fullmatch(code)):
            raise ValueError(f"dtype({str(code)[:40]!r}) is not a plain data type")

    def set_state(self, state: Any) -> None:
        """Sets the byte order, and checks that the dtype has no fields and the size of its code."""
        if not isinstance(state, tuple) or len(state) < 8 or not isinstance(state[0], int):
            raise ValueError("invalid state of a data type")
        order, parts = state[1], state[2:5]
        if order not in ("<", ">", "|", "=") or any(part is not None for part in parts):
            raise ValueError("a data type with fields is not a plain data type")
        if not self.objects and state[5] not in (-1, self.plain.itemsize):
            raise ValueError("invalid size of a data type")
        self._order = order

    @property
    def plain(self) -> np.dtype[Any]:
        """The dtype.

        Raises:
            ValueError: It is of objects.
        """
        if self.objects:
            raise ValueError("dtype('O') is not a plain data type")
        return np.dtype(f"{self._order}{self._code}")  # TypeError for e.g. b8


class PickledArray:
    """An array; its state follows later in the pickle.

    Attributes:
        value: The array of numbers or text; None for objects, and before the state is set.
        objects: The elements of an array of objects.
        shape: Its shape.
        order: Its memory order.
    """

    def __init__(self, *_kind: Any) -> None:
        self.value: NDArray[Any] | None = None
        self.objects: list[Any] | None = None
        self.shape: tuple[int, ...] = ()
        self.order: Order = "C"

    def set_state(self, state: Any) -> None:
        """Sets shape, dtype, order and content."""
        if self.value is not None or self.objects is not None:
            raise ValueError("the state of an array is set twice")
        if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], PickledDtype):
            raise ValueError("invalid state of an array")
        _, shape, dtype, fortran, content = state
        self.shape, self.order = checked_shape(shape), "F" if fortran else "C"
        if not dtype.objects:
            self.value = array_of(content, dtype, self.shape, self.order)
        elif isinstance(content, list) and len(content) == math.prod(self.shape):
            self.objects = content
        else:
            raise ValueError(f"an array of objects needs a list of {math.prod(self.shape)}")


def checked_shape(shape: Any) -> tuple[int, ...]:
    """Returns the shape of an array.

    Raises:
        ValueError: It is not a shape.
    """
    sides = (shape,) if isinstance(shape, int) else shape
    if not isinstance(sides, tuple) or len(sides) > MAX_AXES:
        raise ValueError("an array has no shape")
    if any(type(side) is not int or side < 0 for side in sides):
        raise ValueError(f"an array has the shape {str(sides)[:80]}")
    return sides


def array_of(content: Any, dtype: Any, shape: Any, order: Any) -> NDArray[Any]:
    """Returns an array from a copy of bytes.

    Raises:
        ValueError: Their number does not match dtype and shape.
    """
    data = content.encode("latin1") if isinstance(content, str) else content  # Python 2
    if not isinstance(data, bytes | bytearray) or not isinstance(dtype, PickledDtype) or order not in ("C", "F"):
        raise ValueError("an array is not made of bytes")
    plain, sides = dtype.plain, checked_shape(shape)
    if len(data) != math.prod(sides) * plain.itemsize:
        raise ValueError(f"an array of {str(sides)[:80]} has {len(data)} bytes")
    if not data:
        return np.zeros(sides, plain)
    array: NDArray[Any] = np.frombuffer(bytearray(data), plain).reshape(sides, order=order)
    check_text(array)
    return array


def scalar_of(dtype: Any, content: Any) -> Any:
    """Returns a numpy scalar from bytes; errors as `array_of`."""
    return array_of(content, dtype, (1,), "C")[0]


def encoded(text: Any, encoding: Any = "latin1") -> bytes:
    """Returns the bytes that protocol 2 writes as text.

    Raises:
        ValueError: The encoding is another one.
    """
    if encoding != "latin1" or not isinstance(text, str):
        raise ValueError(f"bytes are encoded as latin1, not {str(encoding)[:40]!r}")
    return text.encode("latin1")
