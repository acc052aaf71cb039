"""What libzmq tells of the connections of a socket."""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

MOST_AT_ONCE = 4096  # events that one look takes in, lest a flood of connections holds poses up; some 20 ms
_numbers = count()


class SocketEvents:
    """The events of one socket, from now on.

    Args:
        socket: It has neither bound nor connected yet.
        wanted: Which events (``zmq.EVENT_…``).
    """

    def __init__(self, socket: "zmq.Socket[Any]", wanted: Iterable[int]) -> None:
        place = f"inproc://events-{next(_numbers)}"
        socket.monitor(place, sum(wanted))
        self._socket = socket
        self._events = socket.context.socket(zmq.PAIR)
        self._events.setsockopt(zmq.LINGER, 0)
        self._events.setsockopt(zmq.RCVHWM, 0)  # libzmq would wait for room, and everything with it
        self._events.connect(place)

    def take(self) -> Iterator[tuple[int, str]]:
        """Yields the event and the endpoint of all that has happened; nothing any more once it is closed."""
        for _ in range(MOST_AT_ONCE):
            if self._events.closed or not self._events.poll(0):
                return
            event = parse_monitor_message(self._events.recv_multipart())
            yield int(event["event"]), event["endpoint"].decode()

    def close(self) -> None:
        """Ends it; comes before the socket is closed, and may come again."""
        if not self._events.closed:
            self._socket.disable_monitor()
            self._events.close()
