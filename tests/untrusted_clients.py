"""Clients that are not part of a rig, and what they send to its ports."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import zmq

from pose_rig.wire.encoding import encode
from pose_rig.wire.messages import Message

ZMTP_3 = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
_READY = b"\x05READY\x0bSocket-Type\x00\x00\x00\x03SUB"


def port_of(endpoint: str) -> int:
    return int(endpoint.rsplit(":", 1)[1])


def http_request(messages: Sequence[Message]) -> bytes:
    """Returns an HTTP request whose body an old libzmq (ZMTP 1.0) would read as messages."""
    head = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n"
    # it reads the first letter as the length of the first frame: a header is padded so that the body follows it
    head += b"X: " + b"a" * (ord("P") + 1 - len(head) - 7) + b"\r\n\r\n"
    frames = (b"\xff" + (len(data) + 1).to_bytes(8, "big") + b"\0" + data for data in map(encode, messages))
    return head + b"".join(frames)


def tcp_client(endpoint: str, data: bytes) -> socket.socket:
    """Returns a TCP connection on which bytes were sent."""
    connection = socket.create_connection(("127.0.0.1", port_of(endpoint)), timeout=5)
    connection.sendall(data)
    return connection


def subscriber(endpoint: str) -> socket.socket:
    """Returns a TCP connection after a ZMTP 3 handshake."""
    connection = tcp_client(endpoint, ZMTP_3)
    connection.sendall(b"\x04" + bytes([len(_READY)]) + _READY)
    received = b""
    while b"Socket-Type" not in received:
        received += connection.recv(1)
    connection.recv(64)
    return connection


def subscription(topic: bytes) -> bytes:
    return b"\x02" + (len(topic) + 1).to_bytes(8, "big") + b"\x01" + topic


def is_closed(connection: socket.socket) -> bool:
    """Returns whether the peer closes a connection before its timeout."""
    try:
        while connection.recv(1 << 16):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


@contextmanager
def attacker(endpoints: Sequence[str], public_key: bytes | None = None) -> Iterator["Attacker"]:
    """Connects to every endpoint with every sending socket type: without keys, and with other keys."""
    context: zmq.Context[Any] = zmq.Context()
    made = Attacker(context, endpoints, public_key)
    try:
        yield made
    finally:
        made.close()
        context.term()


class Attacker:
    """Sends messages that a rig must not receive."""

    def __init__(self, context: "zmq.Context[Any]", endpoints: Sequence[str], public_key: bytes | None) -> None:
        own = zmq.curve_keypair()
        self._endpoints = endpoints
        self._sockets = []
        for endpoint in endpoints:
            for kind in (zmq.PUB, zmq.PUSH):
                for key in (None, own[0], public_key):
                    made = context.socket(kind)
                    made.setsockopt(zmq.LINGER, 0)
                    if key:
                        made.curve_publickey, made.curve_secretkey, made.curve_serverkey = *own, key
                    made.connect(endpoint)
                    self._sockets.append(made)

    def send(self, *messages: Message) -> None:
        """Sends messages to every endpoint with every socket."""
        for made in self._sockets:
            for message in messages:
                try:
                    made.send(encode(message), zmq.NOBLOCK)
                except zmq.Again:
                    continue

    def post(self, *messages: Message) -> None:
        """Sends messages in HTTP requests."""
        for endpoint in self._endpoints:
            with suppress(OSError):  # the endpoint may be closed
                tcp_client(endpoint, http_request(messages)).close()

    def close(self) -> None:
        for made in self._sockets:
            made.close()
