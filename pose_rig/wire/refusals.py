"""How many connections a socket has turned away."""

import time
from collections import deque
from typing import Any

import zmq

from pose_rig.wire.socket_events import SocketEvents

PATIENCE_S = 1.0  # for a handshake, which takes milliseconds


class Refusals:
    """Counts those who connected to a socket and never finished the handshake: another key, none, another protocol.

    libzmq tells of every connection and of every handshake that succeeded, but not which belong together; so the
    handshakes are taken off the connections in their order, and what is left for `PATIENCE_S` has failed.

    Args:
        socket: One that is about to bind.
    """

    def __init__(self, socket: "zmq.Socket[Any]") -> None:
        self._events = SocketEvents(socket, (zmq.EVENT_ACCEPTED, zmq.EVENT_HANDSHAKE_SUCCEEDED))
        self._waiting: deque[float] = deque()
        self._count = 0

    @property
    def count(self) -> int:
        """How many there were until now."""
        now_s = time.monotonic()
        for event, _ in self._events.take():
            if event == zmq.EVENT_ACCEPTED:
                self._waiting.append(now_s)
            elif self._waiting:
                self._waiting.popleft()
        while self._waiting and self._waiting[0] < now_s - PATIENCE_S:
            self._waiting.popleft()
            self._count += 1
        return self._count

    def close(self) -> None:
        """Ends the counting; comes before the socket is closed."""
        self._events.close()
