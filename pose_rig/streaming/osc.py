"""OSC datagrams with a fixed layout, in which only the numbers change from frame to frame.

python-osc encodes addresses, names and types once; a frame then writes its numbers into the bytes. Everything in OSC is
a multiple of four bytes long, so the datagrams are also an array of floats.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

MAX_DATAGRAM_BYTES = 1400  # the VMC protocol allows 1500, of which network headers take about 50
WORD_BYTES = 4
BUNDLE_HEADER_BYTES, SIZE_BYTES = 16, 4  # "#bundle" and a time tag; the size in front of each message


@dataclass(frozen=True, slots=True)
class MessageLayout:
    """Layout of one OSC message.

    Attributes:
        address: OSC address.
        strings: String arguments, which come first.
        numbers: Count of number arguments after them.
        integers: Whether these are int32 instead of float32.
    """

    address: str
    strings: tuple[str, ...] = ()
    numbers: int = 0
    integers: bool = False

    def build(self) -> OscMessage:
        """Returns the message with all numbers 0."""
        builder = OscMessageBuilder(self.address)
        for string in self.strings:
            builder.add_arg(string, OscMessageBuilder.ARG_TYPE_STRING)
        kind = OscMessageBuilder.ARG_TYPE_INT if self.integers else OscMessageBuilder.ARG_TYPE_FLOAT
        for _ in range(self.numbers):
            builder.add_arg(0 if self.integers else 0.0, kind)
        return builder.build()


class DatagramBuffer:
    """The datagrams of a frame, one OSC bundle each, in one block of memory that every frame overwrites.

    Args:
        groups: Messages of each datagram.

    Attributes:
        datagrams: Bytes of each datagram, in order.
        floats: The whole memory as big-endian float32; what is written here is sent.
        integers: The same memory as big-endian int32.
        first: (L) for each message the word at which its numbers start.
    """

    def __init__(self, groups: Sequence[Sequence[MessageLayout]]) -> None:
        memory, ends, first = bytearray(), [0], []
        for messages in groups:
            bundle = OscBundleBuilder(IMMEDIATELY)
            at = len(memory) + BUNDLE_HEADER_BYTES
            for layout in messages:
                message = layout.build()
                bundle.add_content(message)
                at += SIZE_BYTES + message.size
                first.append(at // WORD_BYTES - layout.numbers)
            memory += bundle.build().dgram
            ends.append(len(memory))
        view = memoryview(memory)
        self.datagrams = [view[begin:end] for begin, end in pairwise(ends)]
        self.floats: NDArray[np.float32] = np.frombuffer(memory, ">f4")
        self.integers: NDArray[np.int32] = np.frombuffer(memory, ">i4")
        self.first: NDArray[np.int64] = np.array(first, np.int64)


def split(messages: Sequence[MessageLayout], max_bytes: int = MAX_DATAGRAM_BYTES) -> list[list[MessageLayout]]:
    """Returns the messages in order, in groups that fit into one datagram each."""
    groups: list[list[MessageLayout]] = [[]]
    size = BUNDLE_HEADER_BYTES
    for message in messages:
        added = SIZE_BYTES + message.build().size
        if groups[-1] and size + added > max_bytes:
            groups.append([])
            size = BUNDLE_HEADER_BYTES
        groups[-1].append(message)
        size += added
    return groups
