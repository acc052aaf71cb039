"""Programs outside the rig can subscribe, and nothing that they send costs memory or delays a message."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from typing import Any

import pytest
import zmq

from pose_rig.errors import UsageError
from pose_rig.wire import public_port
from pose_rig.wire.public_port import MAX_PEERS, MAX_PENDING, PublicPort
from tests.untrusted_clients import is_closed, port_of, subscriber, subscription, tcp_client

LOOPBACK = "tcp://127.0.0.1:0"
MESSAGE = b"pose\0" + bytes(1000)


@pytest.fixture
def port() -> Iterator[PublicPort]:
    with closing(PublicPort(LOOPBACK)) as opened:
        yield opened


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def libzmq(port: PublicPort, topic: bytes = b"", kind: int = zmq.SUB) -> "zmq.Socket[bytes]":
    made: zmq.Socket[Any] = zmq.Context.instance().socket(kind)
    made.setsockopt(zmq.LINGER, 0)
    made.setsockopt(zmq.HEARTBEAT_IVL, 100)
    made.connect(port.endpoint)
    if kind == zmq.SUB:
        made.subscribe(topic)
    else:
        made.send(b"\x01" + topic)
    return made


def receives(port: PublicPort, subscribed: "zmq.Socket[bytes]", message: bytes = MESSAGE) -> bool:
    port.send(message)
    return bool(subscribed.poll(20)) and subscribed.recv() == message


@pytest.mark.parametrize("kind", [zmq.SUB, zmq.XSUB])
def test_subscribers_of_libzmq_get_their_topics(port: PublicPort, kind: int) -> None:
    with libzmq(port, b"pose", kind) as poses, libzmq(port, b"health/", kind) as health:
        until(lambda: receives(port, poses))
        until(lambda: receives(port, health, b"health/fusion\0" + bytes(300)))
        while poses.poll(50):
            assert poses.recv() == MESSAGE
        assert port.refused == 0


def test_heartbeats_are_answered(port: PublicPort) -> None:
    with libzmq(port) as subscribed:
        until(lambda: receives(port, subscribed))
        with closing(subscribed.get_monitor_socket(zmq.EVENT_DISCONNECTED)) as monitor:
            end_s = time.monotonic() + 0.5
            while time.monotonic() < end_s:
                port.send(b"rig\0")
                time.sleep(0.02)
            assert not monitor.poll(0)
            subscribed.disable_monitor()


def test_a_message_that_never_ends_is_disconnected_and_counted(port: PublicPort) -> None:
    with closing(subscriber(port.endpoint)) as peer:
        with suppress(OSError):
            peer.sendall(b"\x01\x64" + bytes(100))
        assert is_closed(peer)
    until(lambda: port.refused == 1)


def test_a_flood_of_subscriptions_is_disconnected_and_counted(port: PublicPort) -> None:
    with closing(subscriber(port.endpoint)) as peer:
        with suppress(OSError):
            for number in range(1000):
                peer.sendall(subscription(b"%d" % number))
        assert is_closed(peer)
    until(lambda: port.refused == 1)


def test_unfinished_handshakes_make_room_for_others(port: PublicPort) -> None:
    with ExitStack() as held, libzmq(port) as subscribed:
        for _ in range(3 * MAX_PENDING):
            held.enter_context(closing(tcp_client(port.endpoint, b"\xff")))
        until(lambda: receives(port, subscribed))
        until(lambda: port.refused >= 2 * MAX_PENDING)
        assert len(port._peers) <= MAX_PENDING + 1


def test_unfinished_handshakes_are_disconnected(port: PublicPort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_port, "HANDSHAKE_TIMEOUT_S", 0.1)
    with closing(tcp_client(port.endpoint, b"\xff\x00")) as peer:
        assert is_closed(peer)
    until(lambda: port.refused == 1)


def test_the_number_of_peers_is_limited(port: PublicPort) -> None:
    with ExitStack() as held:
        peers = [held.enter_context(closing(subscriber(port.endpoint))) for _ in range(MAX_PEERS + 5)]
        for peer in peers:
            with suppress(OSError):
                peer.sendall(subscription(b""))
        until(lambda: port.refused == 5)
        assert len(port._peers) == MAX_PEERS


def test_a_subscriber_that_reads_nothing_is_disconnected_and_delays_no_other(
    port: PublicPort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_port, "READ_TIMEOUT_S", 0.3)
    with closing(subscriber(port.endpoint)) as slow, libzmq(port) as quick:
        slow.sendall(subscription(b""))
        until(lambda: receives(port, quick))
        longest_s = 0.0
        while not port.refused:
            began_s = time.monotonic()
            port.send(MESSAGE * 20)
            longest_s = max(longest_s, time.monotonic() - began_s)
            quick.poll(20)
            while quick.poll(0):
                quick.recv()
        assert longest_s < 0.5
        until(lambda: receives(port, quick))


def test_messages_arrive_whole_after_some_were_dropped(port: PublicPort) -> None:
    """A reader that falls behind for a while misses messages, and gets no damaged ones."""
    with libzmq(port) as behind:
        until(lambda: receives(port, behind))
        for number in range(20_000):
            port.send(b"pose\0%06d" % number + bytes(3000))
        got = []
        while behind.poll(100):
            got.append(behind.recv())
        assert len(got) > 0
        assert all(len(message) in (3011, len(MESSAGE)) for message in got)
        until(lambda: receives(port, behind))


def test_closing_sends_what_was_begun(port: PublicPort) -> None:
    with libzmq(port) as subscribed:
        until(lambda: receives(port, subscribed))
        port.send(b"last\0" + bytes(5_000_000))
        port.close(2.0)
        got = b""
        while not got.startswith(b"last"):
            assert subscribed.poll(5000)
            got = subscribed.recv()
        assert len(got) == 5_000_005


def test_a_port_in_use_is_an_error(port: PublicPort) -> None:
    with pytest.raises(UsageError, match=f"^Cannot listen on {port.endpoint}: Address"):
        PublicPort(port.endpoint)


def test_a_port_is_free_as_soon_as_it_is_closed() -> None:
    first = PublicPort(LOOPBACK)
    with closing(subscriber(first.endpoint)):
        first.close()
        with closing(PublicPort(first.endpoint)) as again:
            assert port_of(again.endpoint) == port_of(first.endpoint)


def test_web_pages_cannot_subscribe(port: PublicPort) -> None:
    with closing(tcp_client(port.endpoint, b"POST / HTTP/1.1\r\n\r\n\x02\0\x01")) as page:
        assert is_closed(page)
    with closing(socket.create_connection(("127.0.0.1", port_of(port.endpoint)))):
        until(lambda: port.refused == 1)
