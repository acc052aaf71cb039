"""Sending and receiving messages over ZeroMQ.

Two kinds of lane. *Live* (PUB → SUB): never blocks, old messages are dropped. *Lossless* (PUSH → PULL), for files read
with pace ``all``: the sender waits when the receiver is behind.

With `Keys` only the workers of the same run can take part (`pose_rig.wire.authentication`). Without them anybody can;
that is for listeners outside the rig, and nothing is ever received from them.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

import zmq

from pose_rig.config import Keys
from pose_rig.errors import MessageError, UsageError
from pose_rig.wire import authentication
from pose_rig.wire.encoding import MAX_BYTES, decode, encode
from pose_rig.wire.messages import Message
from pose_rig.wire.reconnection import Reconnection
from pose_rig.wire.refusals import Refusals

Lane = Literal["live", "lossless"]
# Measured: HWM 1 yields data seconds old (the newest is dropped at the mark), 16 keeps the median age under 10 ms.
LIVE_RECEIVE_MARK = 64
LIVE_SEND_MARK = 16
LOSSLESS_MARK = 64
CURVE_BYTES = 1024  # of a handshake of the workers, and more than their subscriptions need
# Subscriptions of strangers. libzmq keeps each byte as a node of a tree, in the thread that sends. Measured: a flood of
# them held a message up for 6 s with libzmq's own values, for 20 ms with these.
OPEN_BYTES = 256
OPEN_MARK = 1  # subscriptions of one connection that are looked at before each message

_context = zmq.Context.instance


class Sender:
    """The sending end of a lane.

    Args:
        endpoint: ``tcp://HOST:PORT``; port 0 with ``bind`` takes a free one.
        lane: Live drops, lossless waits.
        bind: Wait for receivers here; otherwise connect to one.
        keys: Those of this run; None = anybody may receive.
        mark: Messages that a lossless lane holds.
    """

    def __init__(
        self,
        endpoint: str,
        lane: Lane = "live",
        *,
        bind: bool = False,
        keys: Keys | None = None,
        mark: int = LOSSLESS_MARK,
    ) -> None:
        self._socket: zmq.Socket[bytes] = _context().socket(zmq.PUB if lane == "live" else zmq.PUSH)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SNDHWM, LIVE_SEND_MARK if lane == "live" else mark)
        self._refusals = Refusals(self._socket) if bind else None
        self._reconnection = None if bind else Reconnection(self._socket)
        self.endpoint = self._attach(endpoint, bind, keys)

    @property
    def refused(self) -> int:
        """How many connections were turned away."""
        return self._refusals.count if self._refusals else 0

    def open_to_all(self, endpoint: str) -> str:
        """Lets anybody receive at one more place; returns it.

        Raises:
            UsageError: It is taken.
        """
        return self._attach(endpoint, bind=True, keys=None)

    def send(self, message: Message, timeout_ms: int = -1) -> bool:
        """Sends a message; returns False if a lossless lane had no room within ``timeout_ms`` (−1 = wait).

        Raises:
            MessageError: The message breaks its own rules.
        """
        return self.send_bytes(encode(message), timeout_ms)

    def send_bytes(self, data: bytes, timeout_ms: int = -1) -> bool:
        """Sends a message that is encoded already; otherwise like `send`."""
        if self._reconnection:
            self._reconnection.look()
        if self._socket.getsockopt(zmq.TYPE) == zmq.PUSH and not self._socket.poll(timeout_ms, zmq.POLLOUT):
            return False
        self._socket.send(data)
        return True

    def drain(self, timeout_ms: int) -> None:
        """Closes the lane after giving what is still queued ``timeout_ms`` to leave."""
        for watch in (self._refusals, self._reconnection):
            if watch:
                watch.close()
        self._socket.close(linger=timeout_ms)

    def close(self) -> None:
        """Closes the lane; what is queued is dropped."""
        self.drain(0)

    def _attach(self, endpoint: str, bind: bool, keys: Keys | None) -> str:
        stranger = bind and keys is None
        self._socket.setsockopt(zmq.MAXMSGSIZE, OPEN_BYTES if stranger else CURVE_BYTES)
        self._socket.setsockopt(zmq.RCVHWM, OPEN_MARK if stranger else LIVE_RECEIVE_MARK)
        return _attach(self._socket, endpoint, bind, keys, self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def published(output: str, inside: str, keys: Keys | None) -> Sender:
    """Returns a live lane for anybody at ``output``, and for the workers of this run at ``inside`` unless it is empty.

    What the workers hear does not come from ``output``: another program can listen there while ours is restarted.

    Raises:
        UsageError: One of them is taken.
    """
    if not inside:
        return Sender(output, bind=True)
    sender = Sender(inside, bind=True, keys=keys)
    sender.open_to_all(output)
    return sender


class Receiver:
    """The receiving end of a lane. Bytes that are not messages are counted in ``bad``, never raised.

    Args:
        endpoint: ``tcp://HOST:PORT``; port 0 with ``bind`` takes a free one.
        lane: As the sender's.
        bind: Wait for senders here; otherwise connect to one.
        keys: Those of this run; None = anybody may send.
        topics: Topic prefixes wanted (live lanes only).
        largest: Bytes; who sends more is cut off.
    """

    def __init__(
        self,
        endpoint: str,
        lane: Lane = "live",
        *,
        bind: bool = False,
        keys: Keys | None = None,
        topics: tuple[str, ...] = ("",),
        largest: int = MAX_BYTES,
    ) -> None:
        self._socket: zmq.Socket[bytes] = _context().socket(zmq.SUB if lane == "live" else zmq.PULL)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.MAXMSGSIZE, largest + CURVE_BYTES)
        self._socket.setsockopt(zmq.RCVHWM, LIVE_RECEIVE_MARK if lane == "live" else LOSSLESS_MARK)
        if lane == "live":
            for topic in topics:
                self._socket.subscribe(topic)
        self._keys = keys
        self._refusals = Refusals(self._socket) if bind else None
        self._reconnection = None if bind else Reconnection(self._socket)
        self.endpoint = _attach(self._socket, endpoint, bind, keys, self.close)
        self.bad = 0
        self.last_error = ""

    @property
    def refused(self) -> int:
        """How many connections were turned away."""
        return self._refusals.count if self._refusals else 0

    def connect(self, endpoint: str) -> None:
        """Receives from one more sender, of the same run if the first one was.

        Raises:
            UsageError: There can be none.
        """
        _attach(self._socket, endpoint, False, self._keys, self.close)

    def receive(self, timeout_ms: int, most: int = 256) -> list[Message]:
        """Returns what has arrived, oldest first, waiting up to ``timeout_ms`` (−1 = for ever) for the first."""
        return [message for message, _ in self.receive_with_bytes(timeout_ms, most)]

    def receive_with_bytes(self, timeout_ms: int, most: int = 256) -> list[tuple[Message, bytes]]:
        """Returns like `receive`, each message with the bytes that it came in."""
        messages: list[tuple[Message, bytes]] = []
        if self._reconnection:
            self._reconnection.look()
        if not self._socket.poll(timeout_ms):
            return messages
        for _ in range(most):
            try:
                parts = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            try:
                if len(parts) != 1:
                    raise MessageError("?", "payload", f"came in {len(parts)} parts")
                messages.append((decode(parts[0]), parts[0]))
            except MessageError as error:
                self.bad += 1
                self.last_error = error.cause
        return messages

    def close(self) -> None:
        """Closes the lane."""
        for watch in (self._refusals, self._reconnection):
            if watch:
                watch.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _attach(
    socket: "zmq.Socket[bytes]", endpoint: str, bind: bool, keys: Keys | None, close: Callable[[], None]
) -> str:
    """Binds or connects a socket and returns where; closes it if that cannot be."""
    try:
        if bind:
            authentication.serve(socket, keys) if keys else authentication.open_to_all(socket)
            socket.bind(endpoint.replace(":0", ":*") if endpoint.endswith(":0") else endpoint)
            return socket.getsockopt_string(zmq.LAST_ENDPOINT)
        if keys:
            authentication.call(socket, keys)
        socket.connect(endpoint)
        return endpoint
    except zmq.ZMQError as error:
        close()
        raise UsageError(
            f"Cannot {'listen on' if bind else 'connect to'} {endpoint}: {error.strerror}.",
            "Is another rig running? Choose another port with --port, 0 for any free one.",
        ) from error
