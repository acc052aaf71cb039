"""Connecting again where libzmq gives up: after a stranger answered in the place of a worker.

A worker that is being restarted leaves its port free for a moment. libzmq tries again for ever where nobody listens,
but never after an answer that is not the protocol, or not by the keys of this run.
"""

import time
from contextlib import suppress
from typing import Any

import zmq

from pose_rig.wire.socket_events import SocketEvents

LOOK_EVERY_S = 0.1
PATIENCE_S = 2.0  # libzmq tries again within 0.1 s if it does at all
ENDED = (
    zmq.EVENT_DISCONNECTED,
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
    zmq.EVENT_HANDSHAKE_FAILED_AUTH,
)
GOING_ON = (zmq.EVENT_CONNECTED, zmq.EVENT_CONNECT_DELAYED, zmq.EVENT_CONNECT_RETRIED, zmq.EVENT_HANDSHAKE_SUCCEEDED)


class Reconnection:
    """Watches what becomes of the connections of a socket.

    Args:
        socket: One that is about to connect.
    """

    def __init__(self, socket: "zmq.Socket[Any]") -> None:
        self._socket, self._events = socket, SocketEvents(socket, ENDED + GOING_ON)
        self._ended_s: dict[str, float] = {}
        self._looked_s = 0.0

    def look(self) -> None:
        """Connects again what has ended for good; called with every message, it looks now and then."""
        now_s = time.monotonic()
        if now_s - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = now_s
        for event, endpoint in self._events.take():
            if event in ENDED:
                self._ended_s[endpoint] = now_s
            else:
                self._ended_s.pop(endpoint, None)
        for endpoint in [endpoint for endpoint, then_s in self._ended_s.items() if now_s - then_s > PATIENCE_S]:
            del self._ended_s[endpoint]
            with suppress(zmq.ZMQError):  # it is forgotten already
                self._socket.disconnect(endpoint)  # otherwise it counts as connected
            self._socket.connect(endpoint)

    def close(self) -> None:
        """Ends the watch; comes before the socket is closed."""
        self._events.close()
