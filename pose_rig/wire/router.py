"""The connection of remote cameras to a rig: ROUTER and DEALER of ZeroMQ's guide, always with keys.

Both directions are best-effort: no call blocks, and messages are dropped while the other end is gone or behind. Nothing
is queued while there is no connection, so that what arrives after a pause is new.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress

import zmq

from pose_rig.errors import MessageError
from pose_rig.wire.authentication import Keys
from pose_rig.wire.bus import MAX_CURVE_BYTES, PART_BYTES, SUB_RCVHWM, MonitoredSocket, parts_of
from pose_rig.wire.encoding import decode, encode
from pose_rig.wire.messages import Message

SNDHWM = 16  # messages
# A peer that sends nothing is pinged; one that does not answer is gone. A machine that sleeps or has lost its network
# cannot close its connection.
HEARTBEAT_MS, HEARTBEAT_TIMEOUT_MS = 1000, 3000
HANDSHAKE_TIMEOUT_MS = 3000  # of connections that send nothing
CONNECT_TIMEOUT_MS = 2000
RECONNECT_MS, MAX_RECONNECT_MS = 100, 1000
SESSION_BYTES = 16
MAX_MESSAGES = 256  # in a row


class _PeerSocket(MonitoredSocket):
    """A ROUTER or DEALER.

    Attributes:
        bad: Invalid messages received.
        last_error: Why the last of them was invalid.
    """

    def __init__(self, kind: int, endpoint: str, bind: bool, keys: Keys) -> None:
        super().__init__(kind, bind, keys)
        for option, value in {
            zmq.MAXMSGSIZE: PART_BYTES + MAX_CURVE_BYTES,
            zmq.RCVHWM: SUB_RCVHWM,
            zmq.SNDHWM: SNDHWM,
            zmq.HEARTBEAT_IVL: HEARTBEAT_MS,
            zmq.HEARTBEAT_TIMEOUT: HEARTBEAT_TIMEOUT_MS,
            zmq.HEARTBEAT_TTL: HEARTBEAT_TIMEOUT_MS,
            zmq.HANDSHAKE_IVL: HANDSHAKE_TIMEOUT_MS,
            zmq.IPV6: int("[" in endpoint),
        }.items():
            self._socket.setsockopt(option, value)
        self.bad = 0
        self.last_error = ""

    def _received(self, addressed: int) -> Iterator[list[bytes]]:
        """Yields of each received message the ``addressed`` first parts, and all others joined."""
        self._monitor.reconnect()
        for _ in range(MAX_MESSAGES):
            try:
                parts = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            if len(parts) > addressed:
                yield [*parts[:addressed], b"".join(parts[addressed:])]
            else:
                self._reject(MessageError("?", "payload", f"came in {len(parts)} parts"))

    def _decoded(self, data: bytes) -> Message | None:
        try:
            return decode(data)
        except MessageError as error:
            self._reject(error)
            return None

    def _reject(self, error: MessageError) -> None:
        self.bad += 1
        self.last_error = error.cause


class Router(_PeerSocket):
    """The end of the rig, to which any number of cameras connect.

    Args:
        endpoint: ``tcp://HOST:PORT``; port 0 takes a free one.
        keys: Those that the cameras have to hold.
    """

    def __init__(self, endpoint: str, keys: Keys) -> None:
        super().__init__(zmq.ROUTER, endpoint, True, keys)
        self._socket.setsockopt(zmq.ROUTER_HANDOVER, 1)  # a camera that connects again replaces its old connection
        self.endpoint = self._attach(endpoint, bind=True, keys=keys)

    def receive(self) -> Iterator[tuple[bytes, Message, bytes]]:
        """Yields the session, the message and its bytes of what has been received; see `wait`."""
        for session, data in self._received(1):
            if message := self._decoded(data):
                yield session, message, data

    def send(self, session: bytes, message: Message) -> None:
        """Sends a message to one camera; drops it if the camera is gone or behind."""
        with suppress(zmq.Again, zmq.ZMQError):
            self._socket.send_multipart([session, *parts_of(encode(message))], zmq.NOBLOCK)


class Dealer(_PeerSocket):
    """The end of a camera.

    Args:
        endpoint: ``tcp://HOST:PORT`` of the rig.
        keys: Those of the rig.
        session: Identifies this camera process over reconnections; `new_session` makes one.
    """

    def __init__(self, endpoint: str, keys: Keys, session: bytes) -> None:
        super().__init__(zmq.DEALER, endpoint, False, keys)
        self._socket.setsockopt(zmq.ROUTING_ID, session)
        for option, value in {
            zmq.IMMEDIATE: 1,
            zmq.CONNECT_TIMEOUT: CONNECT_TIMEOUT_MS,
            zmq.RECONNECT_IVL: RECONNECT_MS,
            zmq.RECONNECT_IVL_MAX: MAX_RECONNECT_MS,
        }.items():
            self._socket.setsockopt(option, value)
        self.endpoint = self._attach(endpoint, bind=False, keys=keys)

    def receive(self) -> Iterator[Message]:
        """Yields what has been received; see `wait`."""
        for (data,) in self._received(0):
            if message := self._decoded(data):
                yield message

    def send(self, message: Message) -> bool:
        """Sends a message; returns False if it was dropped: there is no connection, or the rig is behind.

        Raises:
            MessageError: A field is invalid.
        """
        try:
            self._socket.send_multipart(parts_of(encode(message)), zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True


def new_session() -> bytes:
    """Returns a random session; ZeroMQ reserves those that begin with a zero byte."""
    return b"c" + secrets.token_bytes(SESSION_BYTES - 1)


def wait(sockets: Sequence[MonitoredSocket], timeout_ms: int) -> None:
    """Waits until one of several sockets has received something."""
    poller = zmq.Poller()
    for socket in sockets:
        socket.register(poller)
    poller.poll(timeout_ms)
