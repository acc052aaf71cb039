import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle import OscBundle

from pose_rig.streaming.osc import MAX_DATAGRAM_BYTES, DatagramBuffer, MessageLayout, split

words = st.lists(st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=12), max_size=2).map(tuple)
lines = st.lists(
    st.builds(
        MessageLayout,
        st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=20).map("/".__add__),
        words,
        st.integers(0, 13),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@given(lines, st.integers(0, 1000))
def test_numbers_written_into_the_bytes_are_those_that_are_read(of: list[MessageLayout], begin: int) -> None:
    packets = DatagramBuffer([of[:3], of[3:]] if len(of) > 3 else [of])
    for line, first in zip(of, packets.first, strict=True):
        numbers = packets.integers if line.integers else packets.floats
        numbers[first : first + line.numbers] = np.arange(begin, begin + line.numbers)
    read = [message for datagram in packets.datagrams for message in OscBundle(bytes(datagram))]
    assert [message.address for message in read] == [line.address for line in of]
    for line, message in zip(of, read, strict=True):
        assert message.params == [*line.strings, *range(begin, begin + line.numbers)]
        wanted = int if line.integers else float
        assert all(type(number) is wanted for number in message.params[len(line.strings) :])


@given(st.integers(1, 120))
def test_groups_fit_into_datagrams_and_are_complete(count: int) -> None:
    of = [MessageLayout("/VMC/Ext/Bone/Pos", (f"Bone{number}",), 7) for number in range(count)]
    groups = split(of)
    assert [line for group in groups for line in group] == of
    sizes = [len(datagram) for datagram in DatagramBuffer(groups).datagrams]
    assert max(sizes) <= MAX_DATAGRAM_BYTES
    assert min(sizes[:-1], default=MAX_DATAGRAM_BYTES) > MAX_DATAGRAM_BYTES - 100  # nor are they split without need
