"""The opcodes of pickle's stack machine that build plain data.

Arguments are read by `pickletools`, which returns numbers, text and bytes only. One table has the action of each
opcode; all others (instances of classes, extensions, persistent ids, out-of-band buffers) are refused.
"""

import codecs
import pickletools
from collections.abc import Callable, Iterable
from typing import IO, Any

from pose_rig.training.datasets.pickled_arrays import PickledArray, PickledDtype, array_of, encoded, scalar_of

_NDARRAY = "ndarray"  # an argument only, never called
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
    """A pickle contains something other than plain data."""


class Bounded:
    """A stream that does not read beyond its end.

    Args:
        file: The stream.
        left_bytes: Number of bytes from its position to its end.
    """

    def __init__(self, file: IO[bytes], left_bytes: int) -> None:
        self._file, self._left = file, left_bytes

    def read(self, count: int) -> bytes:
        """Returns the next bytes.

        Raises:
            EOFError: There are fewer.
        """
        if not 0 <= count <= self._left:
            raise EOFError("unexpected end of the file")
        self._left -= count
        return self._file.read(count)

    def readline(self) -> bytes:
        """Returns the next line."""
        line = self._file.readline(self._left)
        self._left -= len(line)
        return line


class Machine:
    """Executes the opcodes of one pickle.

    Attributes:
        stack: The values since the last mark.
    """

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._below: list[list[Any]] = []  # the stacks below each mark
        self._memo: dict[int, Any] = {}

    def run(self, stream: Bounded) -> Any:
        """Returns the value of a pickle.

        Raises:
            RefusedError: It contains something other than plain data.
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
        """Starts a new stack."""
        self._below.append(self.stack)
        self.stack = []

    def to_mark(self) -> list[Any]:
        """Removes the stack since the last mark and returns it."""
        found, self.stack = self.stack, self._below.pop()
        return found

    def last(self, count: int) -> tuple[Any, ...]:
        """Removes the last values and returns them in order."""
        start = len(self.stack) - count
        if start < 0:
            raise IndexError("the stack is empty")
        found = tuple(self.stack[start:])
        del self.stack[start:]
        return found

    def fill(self, kind: type, values: Iterable[Any]) -> None:
        """Adds values (of a dict: alternating keys and values) to the container on top of the stack."""
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
        """Stores the top of the stack in the memo."""
        self._memo[place] = self.stack[-1]

    def memoize(self) -> None:
        """Stores the top of the stack at the next index of the memo."""
        self.keep(len(self._memo))

    def recall(self, place: int) -> None:
        """Pushes a value of the memo."""
        self.stack.append(self._memo[place])

    def name(self, module: Any, name: Any) -> None:
        """Pushes one of the known functions and classes."""
        found = _KNOWN.get((str(module).replace("numpy.core.", "numpy._core."), str(name)))
        if found is None:
            raise RefusedError(f"{str(module)[:80]}.{str(name)[:80]}")
        self.stack.append(found)

    def call(self) -> None:
        """Calls a function with its arguments."""
        function, arguments = self.last(2)
        if type(arguments) is not tuple:
            raise TypeError("invalid arguments of a call")
        self.stack.append(function(*arguments))

    def build(self) -> None:
        """Sets the state of an array or dtype."""
        state = self.stack.pop()
        target = self.stack[-1]
        if not isinstance(target, PickledArray | PickledDtype):
            raise TypeError(f"a {type(target).__name__} has no state")
        target.set_state(state)


def _next(stream: Bounded) -> tuple[str, Any]:
    """Returns the next opcode's name and its argument."""
    code = stream.read(1).decode("latin1")
    opcode = _OPCODES.get(code)
    if opcode is None:
        raise ValueError(f"unknown opcode {code!r}")
    if opcode.name == "STRING":  # Python 2 bytes; pickletools accepts ASCII only
        quoted = stream.readline().strip()
        if len(quoted) < 2 or quoted[:1] not in b"'\"" or quoted[-1:] != quoted[:1]:
            raise ValueError("a string without quotes")
        return opcode.name, codecs.escape_decode(quoted[1:-1])[0].decode("latin1")
    return opcode.name, None if opcode.arg is None else opcode.arg.reader(stream)  # type: ignore[arg-type]


def _key(value: Any) -> Any:
    """Returns a dict key or set member: a plain value or a tuple of them, since hashing recurses into containers.

    Raises:
        TypeError: It is another type.
    """
    parts = value if type(value) is tuple else (value,)
    if not all(type(part) in LEAVES for part in parts):
        raise TypeError(f"a {type(value).__name__} cannot be a key")
    return value


def _pairs(values: list[Any]) -> dict[Any, Any]:
    if len(values) % 2:
        raise ValueError("a key without a value")
    return {_key(key): value for key, value in zip(values[::2], values[1::2], strict=True)}


def _push(make: Callable[[Machine], Any]) -> Callable[[Machine, Any], None]:
    def act(machine: Machine, _: Any) -> None:
        value = make(machine)  # first, since it may replace the stack
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
