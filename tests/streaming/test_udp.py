import socket
from contextlib import closing

import pytest

from pose_rig.errors import UsageError
from pose_rig.streaming.address import Address
from pose_rig.streaming.udp import UdpTarget
from tests.ports import free_port


def test_datagrams_arrive_in_order_from_one_socket() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(2.0)
        with closing(UdpTarget("vmc", Address("127.0.0.1", receiver.getsockname()[1], "unity"))) as target:
            for _ in range(3):
                target.send([b"one", memoryview(b"two")])
            got = [receiver.recvfrom(100) for _ in range(6)]
            state = target.stats.message(())
    assert [data for data, _ in got] == [b"one", b"two"] * 3
    assert len({source for _, source in got}) == 1
    assert (state.frames, state.datagrams, state.octets, state.failures) == (3, 6, 18, 0)
    assert (state.kind, state.profile, state.error, state.clients) == ("vmc", "unity", "", None)
    assert (state.unheard, state.clients_ever) == (0, None)


def test_a_closed_port_is_reported_and_no_datagram_is_lost() -> None:
    port = free_port(socket.SOCK_DGRAM)
    with closing(UdpTarget("vmc", Address("127.0.0.1", port))) as target:
        for _ in range(4):
            target.send([b"a", b"b"])
        assert target.stats.message(()).error == f"Nothing listens on 127.0.0.1:{port}."
        assert (target.stats.message(()).frames, target.stats.message(()).unheard) == (4, 4)  # "b" reports "a"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:  # now subject does
            receiver.bind(("127.0.0.1", port))
            receiver.settimeout(2.0)
            target.send([b"c", b"d"])
            assert [receiver.recv(10), receiver.recv(10)] == [b"c", b"d"]


def test_a_datagram_that_cannot_be_sent_is_counted_and_the_next_is_sent() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(2.0)
        port = receiver.getsockname()[1]
        with closing(UdpTarget("json", Address("127.0.0.1", port))) as target:
            target.send([bytes(70000), b"small"])
            assert receiver.recv(10) == b"small"
            state = target.stats.message(())
    assert state.failures == 1
    assert state.error.startswith(f"Sending to 127.0.0.1:{port} failed: ")


def test_an_unknown_host_is_reported() -> None:
    with pytest.raises(UsageError) as error:
        UdpTarget("vmc", Address("no such host", 39539))
    assert error.value.cause == "Unknown host 'no such host'."
