"""Sending and receiving messages over ZeroMQ.

Two kinds of lane. *Live* (PUB → SUB): never blocks, old messages are dropped. *Lossless* (PUSH → PULL), for files read
with pace ``all``: the sender waits when the receiver is behind.
"""

from types import TracebackType
from typing import Literal, Self

import zmq

from pose_rig.encoding import MAX_BYTES, decode, encode
from pose_rig.errors import MessageError, UsageError
from pose_rig.messages import Message

Lane = Literal["live", "lossless"]
# Measured: HWM 1 yields data seconds old (the newest is dropped at the mark), 16 keeps the median age under 10 ms.
LIVE_RECEIVE_MARK = 64
LIVE_SEND_MARK = 16
LOSSLESS_MARK = 64

_context = zmq.Context.instance


class Sender:
    """The sending end of a lane.

    Args:
        endpoint: ``tcp://HOST:PORT``; port 0 with ``bind`` takes a free one.
        lane: Live drops, lossless waits.
        bind: Wait for receivers here; otherwise connect to one.
        mark: Messages that a lossless lane holds.
    """

    def __init__(self, endpoint: str, lane: Lane = "live", *, bind: bool = False, mark: int = LOSSLESS_MARK) -> None:
        self._socket: zmq.Socket[bytes] = _context().socket(zmq.PUB if lane == "live" else zmq.PUSH)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SNDHWM, LIVE_SEND_MARK if lane == "live" else mark)
        self.endpoint = _attach(self._socket, endpoint, bind)

    def send(self, message: Message, timeout_ms: int = -1) -> bool:
        """Sends a message; returns False if a lossless lane had no room within ``timeout_ms`` (−1 = wait).

        Raises:
            MessageError: The message breaks its own rules.
        """
        return self.send_bytes(encode(message), timeout_ms)

    def send_bytes(self, data: bytes, timeout_ms: int = -1) -> bool:
        """Sends a message that is encoded already; otherwise like `send`."""
        if self._socket.getsockopt(zmq.TYPE) == zmq.PUSH and not self._socket.poll(timeout_ms, zmq.POLLOUT):
            return False
        self._socket.send(data)
        return True

    def drain(self, timeout_ms: int) -> None:
        """Closes the lane after giving what is still queued ``timeout_ms`` to leave."""
        self._socket.close(linger=timeout_ms)

    def close(self) -> None:
        """Closes the lane; what is queued is dropped."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Receiver:
    """The receiving end of a lane. Bytes that are not messages are counted in ``bad``, never raised.

    Args:
        endpoint: ``tcp://HOST:PORT``; port 0 with ``bind`` takes a free one.
        lane: As the sender's.
        bind: Wait for senders here; otherwise connect to one.
        topics: Topic prefixes wanted (live lanes only).
        largest: Bytes; who sends more is cut off.
    """

    def __init__(
        self,
        endpoint: str,
        lane: Lane = "live",
        *,
        bind: bool = False,
        topics: tuple[str, ...] = ("",),
        largest: int = MAX_BYTES,
    ) -> None:
        self._socket: zmq.Socket[bytes] = _context().socket(zmq.SUB if lane == "live" else zmq.PULL)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.MAXMSGSIZE, largest)
        self._socket.setsockopt(zmq.RCVHWM, LIVE_RECEIVE_MARK if lane == "live" else LOSSLESS_MARK)
        if lane == "live":
            for topic in topics:
                self._socket.subscribe(topic)
        self.endpoint = _attach(self._socket, endpoint, bind)
        self.bad = 0
        self.last_error = ""

    def connect(self, endpoint: str) -> None:
        """Receives from one more sender.

        Raises:
            UsageError: There can be none.
        """
        _attach(self._socket, endpoint, bind=False)

    def receive(self, timeout_ms: int, most: int = 256) -> list[Message]:
        """Returns what has arrived, oldest first, waiting up to ``timeout_ms`` (−1 = for ever) for the first."""
        return [message for message, _ in self.receive_with_bytes(timeout_ms, most)]

    def receive_with_bytes(self, timeout_ms: int, most: int = 256) -> list[tuple[Message, bytes]]:
        """Returns like `receive`, each message with the bytes that it came in."""
        messages: list[tuple[Message, bytes]] = []
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
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _attach(socket: "zmq.Socket[bytes]", endpoint: str, bind: bool) -> str:
    try:
        if bind:
            socket.bind(endpoint.replace(":0", ":*") if endpoint.endswith(":0") else endpoint)
            return socket.getsockopt_string(zmq.LAST_ENDPOINT)
        socket.connect(endpoint)
        return endpoint
    except zmq.ZMQError as error:
        socket.close()
        raise UsageError(
            f"Cannot {'listen on' if bind else 'connect to'} {endpoint}: {error.strerror}.",
            "Is another rig running? Choose another port with --port, 0 for any free one.",
        ) from error
