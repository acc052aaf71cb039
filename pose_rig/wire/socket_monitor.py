"""Socket monitoring: reconnects where libzmq gives up, and counts refused connections (``zmq_socket_monitor``)."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

MAX_EVENTS_PER_READ = 4096  # takes about 20 ms; a flood of connections must not delay poses
CHECK_INTERVAL_S = 0.1
RECONNECT_AFTER_S = 2.0  # libzmq reconnects within 0.1 s if it reconnects at all
HANDSHAKE_TIMEOUT_S = 1.0  # a handshake takes milliseconds
CONNECTION_ENDED = (
    zmq.EVENT_DISCONNECTED,
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
    zmq.EVENT_HANDSHAKE_FAILED_AUTH,
)
HANDSHAKE_FAILED = CONNECTION_ENDED[1:]
CONNECTION_ACTIVE = (
    zmq.EVENT_CONNECTED,
    zmq.EVENT_CONNECT_DELAYED,
    zmq.EVENT_CONNECT_RETRIED,
    zmq.EVENT_HANDSHAKE_SUCCEEDED,
)
BIND_EVENTS = (zmq.EVENT_ACCEPTED, zmq.EVENT_HANDSHAKE_SUCCEEDED)
_monitor_ids = count()


class SocketMonitor:
    """Monitors the connections of one socket.

    A socket that connects is connected again after an answer that is not ZMTP or fails authentication: libzmq retries
    for ever where no process listens, but never after such an answer, which another program may give while a worker is
    being restarted. For a socket that binds, connections whose handshake fails are counted (wrong key, no key, another
    protocol): libzmq does not report which handshake belongs to which connection, so handshakes are matched to
    connections in order, and a connection left unmatched for `HANDSHAKE_TIMEOUT_S` has failed.

    Args:
        socket: Has neither bound nor connected yet.
        bind: Whether it is going to bind; otherwise it connects.

    Attributes:
        rejected: Handshakes that the other end has refused since the socket connected, as seen by `reconnect`.
    """

    def __init__(self, socket: "zmq.Socket[Any]", *, bind: bool) -> None:
        endpoint = f"inproc://monitor-{next(_monitor_ids)}"
        socket.monitor(endpoint, sum(BIND_EVENTS if bind else CONNECTION_ENDED + CONNECTION_ACTIVE))
        self._socket = socket
        self._events = socket.context.socket(zmq.PAIR)
        self._events.setsockopt(zmq.LINGER, 0)
        self._events.setsockopt(zmq.RCVHWM, 0)  # with a limit, libzmq's I/O thread would block when it is reached
        self._events.connect(endpoint)
        self._bind = bind
        self._handshaking_since_s: deque[float] = deque()
        self._refused = self.rejected = 0
        self._ended_s: dict[str, float] = {}
        self._checked_s = 0.0

    @property
    def refused(self) -> int:
        """Connections refused since the socket was bound."""
        if not self._bind:
            return 0
        now_s = time.monotonic()
        for event, _ in self._read():
            if event == zmq.EVENT_ACCEPTED:
                self._handshaking_since_s.append(now_s)
            elif self._handshaking_since_s:
                self._handshaking_since_s.popleft()
        while self._handshaking_since_s and self._handshaking_since_s[0] < now_s - HANDSHAKE_TIMEOUT_S:
            self._handshaking_since_s.popleft()
            self._refused += 1
        return self._refused

    def reconnect(self) -> None:
        """Connects again where a connection has ended for good; checks at most every `CHECK_INTERVAL_S`."""
        now_s = time.monotonic()
        if self._bind or now_s - self._checked_s < CHECK_INTERVAL_S:
            return
        self._checked_s = now_s
        for event, endpoint in self._read():
            self.rejected += event in HANDSHAKE_FAILED
            if event in CONNECTION_ENDED:
                self._ended_s[endpoint] = now_s
            else:
                self._ended_s.pop(endpoint, None)
        for endpoint in [endpoint for endpoint, t_s in self._ended_s.items() if now_s - t_s > RECONNECT_AFTER_S]:
            del self._ended_s[endpoint]
            with suppress(zmq.ZMQError):  # libzmq may have dropped the endpoint already
                self._socket.disconnect(endpoint)  # or libzmq ignores the new connection as a duplicate
            self._socket.connect(endpoint)

    def close(self) -> None:
        """Stops monitoring; must come before the socket is closed, and may be repeated."""
        if not self._events.closed:
            self._socket.disable_monitor()
            self._events.close()

    def _read(self) -> Iterator[tuple[int, str]]:
        """Yields the event (``zmq.EVENT_…``) and the endpoint of what has happened since the last call."""
        for _ in range(MAX_EVENTS_PER_READ):
            if self._events.closed or not self._events.poll(0):
                return
            event = parse_monitor_message(self._events.recv_multipart())
            yield int(event["event"]), event["endpoint"].decode()
