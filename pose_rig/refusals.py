"""How many connections a socket has turned away."""

import time
from collections import deque
from itertools import count
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

PATIENCE_S = 1.0  # for a handshake, which takes milliseconds
MOST_AT_ONCE = 4096  # events that one look takes in, lest a flood of connections holds poses up; some 20 ms
_numbers = count()


class Refusals:
    """Counts those who connected to a socket and never finished the handshake: another key, none, another protocol.

    libzmq tells of every connection and of every handshake that succeeded, but not which belong together; so the
    handshakes are taken off the connections in their order, and what is left for `PATIENCE_S` has failed.

    Args:
        socket: One that binds; what it bound before does not count.
    """

    def __init__(self, socket: "zmq.Socket[Any]") -> None:
        place = f"inproc://refusals-{next(_numbers)}"
        socket.monitor(place, zmq.EVENT_ACCEPTED | zmq.EVENT_HANDSHAKE_SUCCEEDED)
        self._socket = socket
        self._events = socket.context.socket(zmq.PAIR)
        self._events.setsockopt(zmq.LINGER, 0)
        self._events.setsockopt(zmq.RCVHWM, 0)  # libzmq would wait for room, and everything with it
        self._events.connect(place)
        self._waiting: deque[float] = deque()
        self._count = 0

    @property
    def count(self) -> int:
        """How many there were until now."""
        now_s = time.monotonic()
        for _ in range(MOST_AT_ONCE):
            if self._events.closed or not self._events.poll(0):
                break
            if parse_monitor_message(self._events.recv_multipart())["event"] == zmq.EVENT_ACCEPTED:
                self._waiting.append(now_s)
            elif self._waiting:
                self._waiting.popleft()
        while self._waiting and self._waiting[0] < now_s - PATIENCE_S:
            self._waiting.popleft()
            self._count += 1
        return self._count

    def close(self) -> None:
        """Ends the counting; comes before the socket is closed."""
        if not self._events.closed:
            self._socket.disable_monitor()
            self._events.close()
