"""The part of pickle's stack machine that puts data together.

Arguments are read by `pickletools`, which makes nothing but numbers, text and bytes of them. What each opcode does
stands in one table; what is not in it (objects of classes, extensions, persistent ids, buffers from elsewhere) is
refused.
"""

import codecs
import pickletools
from collections.abc import Callable, Iterable
from typing import IO, Any

from pose_rig.training.datasets.pickled_arrays import PickledArray, PickledDtype, array_of, encoded, scalar_of

_NDARRAY = "ndarray"  # is named as the kind of array to make, and never called
_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): PickledDtype,
    ("numpy._core.multiarray", "_reconstruct"): PickledArray,
    ("numpy._core.multiarray", "scalar"): scalar_of,
    ("numpy._core.numeric", "_frombuffer"): array_of,
    ("_codecs", "encode"): encoded,
}
_CONSTANTS = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
})  # fmt: skip
_OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}
LEAVES = (int, float, bool, str, bytes, type(None))


class RefusedError(Exception):
    """A pickle asks for something that is no data."""


class Bounded:
    """A stream that never reads beyond its end, however much an opcode says that it has.

    Args:
        file: The stream.
        left_bytes: What it has from where it stands.
    """

    def __init__(self, file: IO[bytes], left_bytes: int) -> None:
        self._file, self._left = file, left_bytes

    def read(self, count: int) -> bytes:
        """Returns the next bytes.

        Raises:
            EOFError: There are not so many.
        """
        if not 0 <= count <= self._left:
            raise EOFError("it ends in the middle of something")
        self._left -= count
        return self._file.read(count)

    def readline(self) -> bytes:
        """Returns the next line."""
        line = self._file.readline(self._left)
        self._left -= len(line)
        return line


class Machine:
    """Goes through the opcodes of one pickle.

    Attributes:
        stack: What has been pushed since the last mark.
    """

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._below: list[list[Any]] = []  # the stacks below each mark
        self._memo: dict[int, Any] = {}

    def run(self, stream: Bounded) -> Any:
        """Returns what a pickle leaves on the stack.

        Raises:
            RefusedError: It asks for something that is no data.
            ValueError, IndexError, TypeError, EOFError: It is damaged.
        """
        while True:
            name, argument = _next(stream)
            if name == "STOP":
                return self.stack.pop()
            if name in _CONSTANTS:
                self.stack.append(argument)
            elif act := _ACTS.get(name):
                act(self, argument)
            else:
                raise RefusedError(f"pickle's {name}")

    def mark(self) -> None:
        """Begins a new stack."""
        self._below.append(self.stack)
        self.stack = []

    def to_mark(self) -> list[Any]:
        """Returns what was pushed since the last mark, and goes back to the stack below."""
        found, self.stack = self.stack, self._below.pop()
        return found

    def last(self, count: int) -> tuple[Any, ...]:
        """Returns what was pushed last, in its order."""
        start = len(self.stack) - count
        if start < 0:
            raise IndexError("the stack is empty")
        found = tuple(self.stack[start:])
        del self.stack[start:]
        return found

    def fill(self, kind: type, values: Iterable[Any]) -> None:
        """Puts values, or of a dict keys and values in turn, into the container on top."""
        target = self.stack[-1]
        if type(target) is not kind:
            raise TypeError(f"values are put into a {type(target).__name__}")
        if isinstance(target, dict):
            target.update(_pairs(list(values)))
        elif isinstance(target, set):
            target.update(map(_key, values))
        elif isinstance(target, list):
            target.extend(values)

    def keep(self, place: int) -> None:
        """Remembers what is on top."""
        self._memo[place] = self.stack[-1]

    def memoize(self) -> None:
        """Remembers what is on top in the next place."""
        self.keep(len(self._memo))

    def recall(self, place: int) -> None:
        """Pushes what was remembered."""
        self.stack.append(self._memo[place])

    def name(self, module: Any, name: Any) -> None:
        """Pushes what may be called."""
        found = _KNOWN.get((str(module).replace("numpy.core.", "numpy._core."), str(name)))
        if found is None:
            raise RefusedError(f"{str(module)[:80]}.{str(name)[:80]}")
        self.stack.append(found)

    def call(self) -> None:
        """Calls one of those."""
        function, arguments = self.last(2)
        if type(arguments) is not tuple:
            raise TypeError("something is called without arguments")
        self.stack.append(function(*arguments))

    def build(self) -> None:
        """Gives an array or its dtype its state."""
        state = self.stack.pop()
        target = self.stack[-1]
        if not isinstance(target, PickledArray | PickledDtype):
            raise TypeError(f"a {type(target).__name__} is given a state")
        target.set_state(state)


def _next(stream: Bounded) -> tuple[str, Any]:
    """Returns the next opcode's name and its argument."""
    code = stream.read(1).decode("latin1")
    opcode = _OPCODES.get(code)
    if opcode is None:
        raise ValueError(f"pickle has no opcode {code!r}")
    if opcode.name == "STRING":  # of Python 2, which had no bytes: pickletools takes ASCII only
        quoted = stream.readline().strip()
        if len(quoted) < 2 or quoted[:1] not in b"'\"" or quoted[-1:] != quoted[:1]:
            raise ValueError("text is not in quotes")
        return opcode.name, codecs.escape_decode(quoted[1:-1])[0].decode("latin1")
    return opcode.name, None if opcode.arg is None else opcode.arg.reader(stream)  # type: ignore[arg-type]


def _key(value: Any) -> Any:
    """Returns a key or a member of a set: no containers but tuples of plain things, as hashes go into their depths.

    Raises:
        TypeError: It is something else.
    """
    parts = value if type(value) is tuple else (value,)
    if not all(type(part) in LEAVES for part in parts):
        raise TypeError(f"a {type(value).__name__} is used as a key")
    return value


def _pairs(values: list[Any]) -> dict[Any, Any]:
    if len(values) % 2:
        raise ValueError("a key has no value")
    return {_key(key): value for key, value in zip(values[::2], values[1::2], strict=True)}


def _push(make: Callable[[Machine], Any]) -> Callable[[Machine, Any], None]:
    def act(machine: Machine, _: Any) -> None:
        value = make(machine)  # first: it may bring another stack
        machine.stack.append(value)

    return act


def _do(act: Callable[[Machine], object]) -> Callable[[Machine, Any], None]:
    def without_argument(machine: Machine, _: Any) -> None:
        act(machine)

    return without_argument


_ACTS: dict[str, Callable[[Machine, Any], None]] = {
    "PROTO": lambda machine, _: None,
    "FRAME": lambda machine, _: None,
    "NONE": _push(lambda machine: None),
    "NEWTRUE": _push(lambda machine: True),
    "NEWFALSE": _push(lambda machine: False),
    "EMPTY_LIST": _push(lambda machine: []),
    "EMPTY_DICT": _push(lambda machine: {}),
    "EMPTY_SET": _push(lambda machine: set()),
    "EMPTY_TUPLE": _push(lambda machine: ()),
    "TUPLE1": _push(lambda machine: machine.last(1)),
    "TUPLE2": _push(lambda machine: machine.last(2)),
    "TUPLE3": _push(lambda machine: machine.last(3)),
    "MARK": _do(Machine.mark),
    "TUPLE": _push(lambda machine: tuple(machine.to_mark())),
    "LIST": _push(lambda machine: machine.to_mark()),
    "DICT": _push(lambda machine: _pairs(machine.to_mark())),
    "FROZENSET": _push(lambda machine: frozenset(map(_key, machine.to_mark()))),
    "POP": _do(lambda machine: machine.stack.pop() if machine.stack else machine.to_mark()),
    "POP_MARK": _do(Machine.to_mark),
    "DUP": _push(lambda machine: machine.stack[-1]),
    "APPEND": _do(lambda machine: machine.fill(list, machine.last(1))),
    "APPENDS": _do(lambda machine: machine.fill(list, machine.to_mark())),
    "SETITEM": _do(lambda machine: machine.fill(dict, machine.last(2))),
    "SETITEMS": _do(lambda machine: machine.fill(dict, machine.to_mark())),
    "ADDITEMS": _do(lambda machine: machine.fill(set, machine.to_mark())),
    "PUT": Machine.keep,
    "BINPUT": Machine.keep,
    "LONG_BINPUT": Machine.keep,
    "MEMOIZE": _do(Machine.memoize),
    "GET": Machine.recall,
    "BINGET": Machine.recall,
    "LONG_BINGET": Machine.recall,
    "GLOBAL": lambda machine, argument: machine.name(*argument.split(" ", 1)),
    "STACK_GLOBAL": _do(lambda machine: machine.name(*machine.last(2))),
    "REDUCE": _do(Machine.call),
    "BUILD": _do(Machine.build),
}
