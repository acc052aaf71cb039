"""OSC datagrams in which only the numbers change.

Addresses, names and types of a frame are always the same, so python-osc encodes them once; a frame then writes its
numbers into the bytes. Everything in OSC is a multiple of four bytes long, so a datagram is also an array of floats.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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


class Datagram:
    """One bundle of messages, to be sent again and again.

    Args:
        lines: Its messages.

    Attributes:
        data: The bytes.
        floats: The same as float32, in the order of the network; what is written here is sent.
        integers: The same as int32.
        first: (L) for each line the word at which its numbers begin.
    """

    def __init__(self, lines: Sequence[Line]) -> None:
        bundle = OscBundleBuilder(IMMEDIATELY)
        first, at = [], BUNDLE_HEAD
        for line in lines:
            message = line.build()
            bundle.add_content(message)  # type: ignore[no-untyped-call, unused-ignore]
            at += SIZE + message.size
            first.append(at // WORD - line.numbers)
        self.data = bytearray(bundle.build().dgram)
        self.floats: NDArray[np.float32] = np.frombuffer(self.data, ">f4")
        self.integers: NDArray[np.int32] = np.frombuffer(self.data, ">i4")
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
