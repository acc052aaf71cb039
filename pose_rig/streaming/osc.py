"""OSC datagrams in which only the numbers change.

Addresses, names and types of a frame are always the same, so python-osc encodes them once; a frame then writes its
numbers into the bytes. Everything in OSC is a multiple of four bytes long, so datagrams are also an array of floats.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

MOST_BYTES = 1400  # the VMC protocol says within 1500, of which networks take some 50
WORD = 4
BUNDLE_HEAD, SIZE = 16, 4  # "#bundle" and its time; before each message its size


@dataclass(frozen=True, slots=True)
class Line:
    """One OSC message.

    Attributes:
        address: Its address.
        words: Strings, which come first.
        numbers: How many numbers follow.
        whole: Whether these are integers.
    """

    address: str
    words: tuple[str, ...] = ()
    numbers: int = 0
    whole: bool = False

    def build(self) -> OscMessage:
        """Returns the message, its numbers 0."""
        builder = OscMessageBuilder(self.address)
        for word in self.words:
            builder.add_arg(word, OscMessageBuilder.ARG_TYPE_STRING)
        kind = OscMessageBuilder.ARG_TYPE_INT if self.whole else OscMessageBuilder.ARG_TYPE_FLOAT
        for _ in range(self.numbers):
            builder.add_arg(0 if self.whole else 0.0, kind)
        return builder.build()


class Packets:
    """The datagrams of a frame, to be sent again and again: one bundle each, side by side in one piece of memory.

    Args:
        groups: The messages of each.

    Attributes:
        datagrams: The bytes of each, in their order.
        floats: All of it as float32 in the order of the network; what is written here is sent.
        integers: The same as int32.
        first: (L) for each message the word at which its numbers begin.
    """

    def __init__(self, groups: Sequence[Sequence[Line]]) -> None:
        whole, ends, first = bytearray(), [0], []
        for lines in groups:
            bundle = OscBundleBuilder(IMMEDIATELY)
            at = len(whole) + BUNDLE_HEAD
            for line in lines:
                message = line.build()
                bundle.add_content(message)
                at += SIZE + message.size
                first.append(at // WORD - line.numbers)
            whole += bundle.build().dgram
            ends.append(len(whole))
        view = memoryview(whole)
        self.datagrams = [view[begin:end] for begin, end in pairwise(ends)]
        self.floats: NDArray[np.float32] = np.frombuffer(whole, ">f4")
        self.integers: NDArray[np.int32] = np.frombuffer(whole, ">i4")
        self.first: NDArray[np.int64] = np.array(first, np.int64)


def split(lines: Sequence[Line], most_bytes: int = MOST_BYTES) -> list[list[Line]]:
    """Returns the lines in their order, in groups that fit into a datagram each."""
    groups: list[list[Line]] = [[]]
    size = BUNDLE_HEAD
    for line in lines:
        own = SIZE + line.build().size
        if groups[-1] and size + own > most_bytes:
            groups.append([])
            size = BUNDLE_HEAD
        groups[-1].append(line)
        size += own
    return groups
