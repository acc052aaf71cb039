"""Only what subscribers send has an effect; anything else is an error, after a bounded number of bytes."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_rig.wire.zmtp import (
    COMMAND,
    GREETING,
    LONG,
    MAX_FRAME_BYTES,
    MAX_TOPICS,
    MORE,
    READY,
    ProtocolError,
    SubscriberProtocol,
    frame,
)

READY_SUB = frame(READY.replace(b"PUB", b"SUB"), COMMAND)


def ready() -> SubscriberProtocol:
    protocol = SubscriberProtocol()
    protocol.receive(GREETING + READY_SUB)
    return protocol


def test_a_handshake_in_single_bytes_and_a_subscription() -> None:
    protocol = SubscriberProtocol()
    assert protocol.take_answers() == GREETING
    for byte in GREETING + READY_SUB + frame(b"\x01pose"):
        assert not protocol.topics
        protocol.receive(bytes((byte,)))
    assert protocol.is_ready
    assert protocol.take_answers() == frame(READY, COMMAND)
    assert protocol.topics == (b"pose",)
    assert protocol.wants(b"pose\0payload")
    assert not protocol.wants(b"rig\0payload")
    protocol.receive(frame(b"\0pose"))
    assert not protocol.wants(b"pose\0payload")


def test_a_subscription_to_nothing_in_particular_wants_everything() -> None:
    protocol = ready()
    assert not protocol.wants(b"rig\0")
    protocol.receive(frame(b"\x01"))
    assert protocol.wants(b"rig\0")


def test_commands_of_zmtp_3_1() -> None:
    protocol = ready()
    protocol.take_answers()
    protocol.receive(frame(b"\x09SUBSCRIBErig", COMMAND) + frame(b"\x04PING\0\x0ahello", COMMAND))
    assert protocol.topics == (b"rig",)
    assert protocol.take_answers() == frame(b"\x04PONGhello", COMMAND)
    protocol.receive(frame(b"\x06CANCELrig", COMMAND) + frame(b"\x07UNKNOWN", COMMAND))
    assert not protocol.topics


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"\xff" + bytes(9),
        b"\xff" + bytes(8) + b"\x7f\x01",
        GREETING.replace(b"NULL", b"PLAI"),
        GREETING + frame(b"\x05HELLO", COMMAND),
        GREETING + frame(READY, 0),
        GREETING + frame(READY, COMMAND),  # a publisher
        GREETING + frame(b"\x05READY", COMMAND),
        GREETING + frame(b"\x05READY\x0bSocket-Type\xff\xff\xff\xff", COMMAND),
        GREETING + frame(b"\x05READY\x0bSocket", COMMAND),
        GREETING + READY_SUB + frame(b"\x02what"),
        GREETING + READY_SUB + frame(b""),
        GREETING + READY_SUB + frame(b"\x01pose", MORE),
        GREETING + READY_SUB + frame(b"\x01pose", 1 << 5),
        GREETING + READY_SUB + bytes((LONG,)) + struct.pack(">Q", MAX_FRAME_BYTES + 1),
        GREETING + READY_SUB + b"".join(frame(b"\x01%d" % number) for number in range(MAX_TOPICS + 1)),
    ],
)
def test_what_no_subscriber_sends_is_an_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        SubscriberProtocol().receive(data)


@given(st.lists(st.binary(max_size=300)), st.booleans(), st.integers(0, 99))
def test_no_bytes_do_anything_else(parts: list[bytes], greeted: bool, at: int) -> None:
    protocol = SubscriberProtocol()
    with suppress(ProtocolError):
        if greeted:
            data = bytearray(GREETING + READY_SUB + frame(b"\x01pose"))
            protocol.receive(bytes(data[:at]))
            protocol.receive(bytes(data[at:]))
        for part in parts:
            protocol.receive(part)
            assert len(protocol._received) <= GREETING_AND_FRAME
    assert len(protocol.topics) <= MAX_TOPICS


GREETING_AND_FRAME = 64 + 9 + MAX_FRAME_BYTES + 300


@pytest.mark.parametrize("size", [0, 255, 256, 70_000])
def test_a_frame_has_its_size(size: int) -> None:
    framed = frame(bytes(size))
    head = 2 if size < 256 else 9
    assert len(framed) == head + size
    assert int.from_bytes(framed[1:head]) == size
