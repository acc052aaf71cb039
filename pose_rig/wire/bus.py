"""Sending and receiving messages over ZeroMQ.

Two patterns of ZeroMQ's guide. Publish-subscribe (PUB → SUB), *best-effort*: never blocks, messages are dropped at the
high-water mark. Pipeline (PUSH → PULL), *lossless*, for files that are read with pace ``all`` and for the recorder: the
sender blocks while the receiver is behind.

With `Keys` only the workers of the same run can connect (`pose_rig.wire.authentication`). Without them every program
can; such a socket only publishes, to programs of this machine outside the rig: it binds to loopback only.
"""

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Literal, Self

import zmq

from pose_rig.errors import MessageError, UsageError
from pose_rig.wire import authentication
from pose_rig.wire.authentication import Keys
from pose_rig.wire.encoding import MAX_BYTES, decode, encode
from pose_rig.wire.messages import Message
from pose_rig.wire.public_port import PublicPort
from pose_rig.wire.services import LOOPBACK
from pose_rig.wire.socket_monitor import SocketMonitor

Delivery = Literal["best-effort", "lossless"]
# High-water marks, messages. Measured: RCVHWM 1 yields data that are seconds old (the newest message is dropped at the
# mark), 16 keeps the median age under 10 ms.
SUB_RCVHWM = 64
PUB_SNDHWM = 16
PIPELINE_HWM = 64
ON_DEMAND_HWM = 4
# Longer messages travel in parts: a peer without keys can have that much kept before its handshake fails, not 32 MB.
PART_BYTES = 1 << 16
HANDSHAKE_TIMEOUT_MS = 5000  # libzmq's default is 30 s
MAX_CURVE_BYTES = 1024  # of a handshake of the workers, and more than their subscriptions need
# Subscriptions of other programs. libzmq keeps each byte as a node of a tree, in the thread that sends. Measured: a
# flood of them delayed a message by 6 s with libzmq's defaults, by 20 ms with these.
MAX_PUBLIC_BYTES = 256
CHECK_INTERVAL_MS = 100  # of the connection of a sender that is blocked
PUBLIC_RCVHWM = 1  # subscriptions of one connection that are handled before each message

_context = zmq.Context.instance


def is_loopback(endpoint: str) -> bool:
    """Returns whether only programs of this machine can connect to an endpoint, ``tcp://HOST:PORT``."""
    host = endpoint.removeprefix("tcp://").rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name, which may become any address
        return False


def not_loopback(endpoint: str) -> UsageError:
    """Returns why an endpoint needs keys."""
    return UsageError(
        f"Cannot listen on {endpoint} without a key: every program in the network could connect.",
        f"Use {LOOPBACK}. Cameras of other machines connect with a key: pose-rig camera.",
    )


def parts_of(data: bytes) -> list[bytes]:
    """Returns the parts in which a message travels."""
    return [data[at : at + PART_BYTES] for at in range(0, len(data), PART_BYTES)]


class MonitoredSocket:
    """A ZeroMQ socket with a monitor. ``endpoint`` is where it is bound or connected first."""

    endpoint: str

    def __init__(self, kind: int, bind: bool, keys: Keys | None) -> None:
        self._socket: zmq.Socket[bytes] = _context().socket(kind)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_TIMEOUT_MS)
        self._monitor = SocketMonitor(self._socket, bind=bind)
        self._keys = keys

    @property
    def refused(self) -> int:
        """Connections of others that this socket has refused since the start."""
        return self._monitor.refused

    @property
    def rejected(self) -> int:
        """How often the other end has refused this socket since the start: its keys are others."""
        return self._monitor.rejected

    def register(self, poller: zmq.Poller) -> None:
        """Makes a poller wait for received messages."""
        poller.register(self._socket, zmq.POLLIN)

    def close(self, linger_ms: int = 0) -> None:
        """Closes the socket.

        Args:
            linger_ms: How long queued messages may still take to be sent; 0 drops them.
        """
        self._monitor.close()
        self._socket.close(linger=linger_ms)

    def _attach(self, endpoint: str, *, bind: bool, keys: Keys | None) -> str:
        """Binds or connects the socket and returns the endpoint; closes the socket if that fails."""
        socket = self._socket
        if bind and not keys and not is_loopback(endpoint):
            self.close()
            raise not_loopback(endpoint)
        try:
            if bind:
                authentication.require_keys(socket, keys) if keys else authentication.allow_any(socket)
                socket.bind(endpoint.replace(":0", ":*") if endpoint.endswith(":0") else endpoint)
                return socket.getsockopt_string(zmq.LAST_ENDPOINT)
            if keys:
                authentication.use_keys(socket, keys)
            socket.connect(endpoint)
            return endpoint
        except zmq.ZMQError as error:
            self.close()
            raise UsageError(
                f"Cannot {'listen on' if bind else 'connect to'} {endpoint}: {error.strerror}.",
                "If another rig is running, choose another port with --port, or 0 for a free one."
                if bind
                else "An endpoint is tcp://HOST:PORT.",
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Sender(MonitoredSocket):
    """A PUB or PUSH socket.

    Args:
        endpoint: ``tcp://HOST:PORT``; port 0 with ``bind`` takes a free one.
        delivery: ``best-effort`` (PUB) drops, ``lossless`` (PUSH) blocks.
        bind: Bind to the endpoint; otherwise connect to it.
        keys: Keys of this run; None = every program may receive.
        send_hwm: High-water mark of a lossless sender, messages.
    """

    def __init__(
        self,
        endpoint: str,
        delivery: Delivery = "best-effort",
        *,
        bind: bool = False,
        keys: Keys | None = None,
        send_hwm: int = PIPELINE_HWM,
    ) -> None:
        self._lossless = delivery == "lossless"
        self._public: PublicPort | None = None
        super().__init__(zmq.PUSH if self._lossless else zmq.PUB, bind, keys)
        self._socket.setsockopt(zmq.SNDHWM, send_hwm if self._lossless else PUB_SNDHWM)
        self.endpoint = self._attach(endpoint, bind=bind, keys=keys)

    def bind_public(self, endpoint: str) -> str:
        """Opens an endpoint where every program may receive, and returns it; at most one.

        Raises:
            UsageError: The endpoint is in use.
        """
        if not is_loopback(endpoint):
            raise not_loopback(endpoint)
        self._public = PublicPort(endpoint)
        return self._public.endpoint

    @property
    def refused(self) -> int:
        """Connections refused since the start."""
        return super().refused + (self._public.refused if self._public else 0)

    def close(self, linger_ms: int = 0) -> None:
        """Closes the socket; as in `MonitoredSocket`."""
        super().close(linger_ms)
        if self._public is not None:
            self._public.close(linger_ms / 1000)

    def send(self, message: Message, timeout_ms: int = -1) -> bool:
        """Sends a message; returns False if a lossless sender was blocked for ``timeout_ms`` (−1 = no limit).

        Raises:
            MessageError: A field is invalid.
        """
        return self.send_bytes(encode(message), timeout_ms)

    def send_bytes(self, data: bytes, timeout_ms: int = -1) -> bool:
        """Sends an encoded message; otherwise like `send`."""
        self._monitor.reconnect()
        if self._public is not None:
            self._public.send(data)
        if self._lossless:
            return self._send_to_receiver(parts_of(data), timeout_ms)
        self._socket.send_multipart(parts_of(data))
        return True

    def _send_to_receiver(self, parts: Sequence[bytes], timeout_ms: int) -> bool:
        """Sends a message when there is room; never blocks in libzmq, which would not connect again meanwhile."""
        deadline_s = time.monotonic() + timeout_ms / 1000 if timeout_ms >= 0 else float("inf")
        while True:
            left_ms = max(1000 * (deadline_s - time.monotonic()), 0.0)
            if self._socket.poll(int(min(left_ms, CHECK_INTERVAL_MS)), zmq.POLLOUT):
                with suppress(zmq.Again):  # the connection has ended since
                    self._socket.send_multipart(parts, zmq.NOBLOCK)
                    return True
            if not left_ms:
                return False
            self._monitor.reconnect()

    def _attach(self, endpoint: str, *, bind: bool, keys: Keys | None) -> str:
        public = bind and keys is None
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_PUBLIC_BYTES if public else MAX_CURVE_BYTES)
        self._socket.setsockopt(zmq.RCVHWM, PUBLIC_RCVHWM if public else SUB_RCVHWM)
        return super()._attach(endpoint, bind=bind, keys=keys)


class OnDemandSender(MonitoredSocket):
    """An XPUB socket that connects to a receiver (SUB) and knows whether it subscribes at present.

    Args:
        endpoint: ``tcp://HOST:PORT``.
        keys: Keys of this run.
    """

    def __init__(self, endpoint: str, keys: Keys | None) -> None:
        super().__init__(zmq.XPUB, False, keys)
        self._socket.setsockopt(zmq.SNDHWM, ON_DEMAND_HWM)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_CURVE_BYTES)
        self._socket.setsockopt(zmq.IMMEDIATE, 1)  # subscriptions end with their connection
        self._topics: set[bytes] = set()
        self.endpoint = self._attach(endpoint, bind=False, keys=keys)

    @property
    def wanted(self) -> bool:
        """Whether the receiver subscribes to anything."""
        self._monitor.reconnect()
        while self._socket.poll(0):
            data = self._socket.recv()
            (self._topics.add if data[:1] == b"\1" else self._topics.discard)(data[1:])
        return bool(self._topics)

    def send(self, message: Message) -> None:
        """Sends a message; it is dropped where the receiver is slow.

        Raises:
            MessageError: A field is invalid.
        """
        self._socket.send_multipart(parts_of(encode(message)))


def bind_publisher(public: str, internal: str, keys: Keys | None) -> Sender:
    """Returns a publisher for every program at ``public``, and for the workers of this run at ``internal``.

    The workers do not subscribe to ``public``: another program may bind to it while our publisher is being restarted.

    Args:
        public: Endpoint without authentication.
        internal: Endpoint that requires the keys; empty = none.
        keys: Keys of this run.

    Raises:
        UsageError: An endpoint is in use.
    """
    if not internal:
        return Sender(public, bind=True)
    sender = Sender(internal, bind=True, keys=keys)
    try:
        sender.bind_public(public)
    except UsageError:
        sender.close()
        raise
    return sender


class Receiver(MonitoredSocket):
    """A SUB or PULL socket. Invalid messages are counted, never raised.

    Args:
        endpoint: ``tcp://HOST:PORT``; port 0 with ``bind`` takes a free one.
        delivery: That of the sender.
        bind: Bind to the endpoint; otherwise connect to it.
        keys: Keys of this run; None = every program may send.
        topics: Topic prefixes to subscribe to (SUB only).
        max_bytes: Larger messages are invalid.

    Attributes:
        bad: Invalid messages received.
        last_error: Why the last of them was invalid.
    """

    def __init__(
        self,
        endpoint: str,
        delivery: Delivery = "best-effort",
        *,
        bind: bool = False,
        keys: Keys | None = None,
        topics: tuple[str, ...] = ("",),
        max_bytes: int = MAX_BYTES,
    ) -> None:
        lossless = delivery == "lossless"
        super().__init__(zmq.PULL if lossless else zmq.SUB, bind, keys)
        self._max_bytes = max_bytes
        self._socket.setsockopt(zmq.MAXMSGSIZE, PART_BYTES + MAX_CURVE_BYTES)
        self._socket.setsockopt(zmq.RCVHWM, PIPELINE_HWM if lossless else SUB_RCVHWM)
        self._topics: frozenset[str] = frozenset()
        if not lossless:
            self.set_topics(topics)
        self.endpoint = self._attach(endpoint, bind=bind, keys=keys)
        self.bad = 0
        self.last_error = ""

    def connect(self, endpoint: str) -> None:
        """Connects to one more sender, with the same keys.

        Raises:
            UsageError: The endpoint is not valid.
        """
        self._attach(endpoint, bind=False, keys=self._keys)

    def set_topics(self, topics: Iterable[str]) -> None:
        """Subscribes to these topic prefixes instead of those before (SUB only)."""
        wanted = frozenset(topics)
        for topic in wanted - self._topics:
            self._socket.subscribe(topic)
        for topic in self._topics - wanted:
            self._socket.unsubscribe(topic)
        self._topics = wanted

    def receive(self, timeout_ms: int, max_messages: int = 256) -> list[Message]:
        """Returns the received messages, oldest first; waits up to ``timeout_ms`` (−1 = no limit) for the first."""
        return [message for message, _ in self.receive_with_bytes(timeout_ms, max_messages)]

    def receive_with_bytes(self, timeout_ms: int, max_messages: int = 256) -> list[tuple[Message, bytes]]:
        """Returns like `receive`, each message with its encoded bytes."""
        messages: list[tuple[Message, bytes]] = []
        self._monitor.reconnect()
        if not self._socket.poll(timeout_ms):
            return messages
        for _ in range(max_messages):
            try:
                parts = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            try:
                data = parts[0] if len(parts) == 1 else b"".join(parts)
                if len(data) > self._max_bytes:
                    raise MessageError("?", "payload", f"has {len(data)} bytes")
                messages.append((decode(data), data))
            except MessageError as error:
                self.bad += 1
                self.last_error = error.cause
        return messages
