import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle import OscBundle

from pose_rig.streaming.osc import MOST_BYTES, Line, Packets, split

words = st.lists(st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=12), max_size=2).map(tuple)
lines = st.lists(
    st.builds(
        Line,
        st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=20).map("/".__add__),
        words,
        st.integers(0, 13),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@given(lines, st.integers(0, 1000))
def test_numbers_written_into_the_bytes_are_those_that_are_read(of: list[Line], begin: int) -> None:
    packets = Packets([of[:3], of[3:]] if len(of) > 3 else [of])
    for line, first in zip(of, packets.first, strict=True):
        numbers = packets.integers if line.whole else packets.floats
        numbers[first : first + line.numbers] = np.arange(begin, begin + line.numbers)
    read = [message for datagram in packets.datagrams for message in OscBundle(bytes(datagram))]
    assert [message.address for message in read] == [line.address for line in of]
    for line, message in zip(of, read, strict=True):
        assert message.params == [*line.words, *range(begin, begin + line.numbers)]
        wanted = int if line.whole else float
        assert all(type(number) is wanted for number in message.params[len(line.words) :])


@given(st.integers(1, 120))
def test_what_is_split_fits_and_is_whole(count: int) -> None:
    of = [Line("/VMC/Ext/Bone/Pos", (f"Bone{number}",), 7) for number in range(count)]
    groups = split(of)
    assert [line for group in groups for line in group] == of
    sizes = [len(datagram) for datagram in Packets(groups).datagrams]
    assert max(sizes) <= MOST_BYTES
    assert min(sizes[:-1], default=MOST_BYTES) > MOST_BYTES - 100  # nor are they split without need
