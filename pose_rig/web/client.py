"""One connected WebSocket client: what is waiting to be sent to it, and the limits that it is held to."""

import asyncio
import socket
from collections import deque
from collections.abc import Hashable

from aiohttp import web

from pose_rig.web.page_json import text

SEND_TIMEOUT_S = 5.0  # a client that reads nothing for so long is disconnected
HEARTBEAT_S = 10.0  # a client that does not answer a ping within half of this is disconnected
SEND_BUFFER_BYTES = 1 << 17  # above that in flight, newer messages replace waiting ones
MAX_LINES = 64  # messages that must not replace each other
DISMISS_S = 0.2  # for the last words to a client
ENDED = "The run has ended."
MESSAGES_PER_S, MAX_BURST = 30.0, 60.0  # of a client, apart from frames


class Outbox:
    """What is waiting to be sent to a client; a newer message of the same kind replaces one that was not sent yet.

    Attributes:
        dropped: Messages that were replaced or left out.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._newest: dict[Hashable, str | bytes] = {}
        self._lines: deque[str | bytes] = deque()
        self._available = asyncio.Event()

    def put(self, kind: Hashable, data: str | bytes) -> None:
        """Adds a message that replaces the earlier one of its kind."""
        self.dropped += kind in self._newest
        self._newest[kind] = data
        self._available.set()

    def add(self, data: str | bytes) -> None:
        """Adds a message that replaces no other; the oldest is left out where too many wait."""
        if len(self._lines) >= MAX_LINES:
            self._lines.popleft()
            self.dropped += 1
        self._lines.append(data)
        self._available.set()

    async def take(self) -> list[str | bytes]:
        """Returns everything that waits, as soon as there is something; messages that replace no other come first."""
        await self._available.wait()
        self._available.clear()
        taken = [*self._lines, *self._newest.values()]
        self._lines.clear()
        self._newest.clear()
        return taken


class RateLimit:
    """Limits how many messages a client may send.

    Args:
        per_s: Messages per second.
        burst: Messages at once.
    """

    def __init__(self, per_s: float = MESSAGES_PER_S, burst: float = MAX_BURST) -> None:
        self._per_s, self._burst = per_s, burst
        self._left = burst
        self._checked_s: float | None = None

    def allows(self, now_s: float) -> bool:
        """Counts a message; returns whether it is within the limit."""
        if self._checked_s is not None:
            self._left = min(self._left + (now_s - self._checked_s) * self._per_s, self._burst)
        self._checked_s = now_s
        allowed = self._left >= 1
        self._left -= allowed
        return allowed


async def open_socket(request: web.BaseRequest, max_bytes: int) -> web.WebSocketResponse:
    """Returns the accepted WebSocket of a request.

    Args:
        request: The request.
        max_bytes: A client that sends a longer message is disconnected.
    """
    answer = web.WebSocketResponse(
        heartbeat=HEARTBEAT_S, timeout=1.0, compress=False, max_msg_size=max_bytes, writer_limit=SEND_BUFFER_BYTES
    )
    await answer.prepare(request)
    if (connection := answer.get_extra_info("socket")) is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)  # else megabytes on loopback
    return answer


async def send_all(connection: web.WebSocketResponse, outbox: Outbox, timeout_s: float = SEND_TIMEOUT_S) -> None:
    """Sends what is put into an outbox until the client disconnects.

    Raises:
        TimeoutError: The client read nothing for ``timeout_s``.
        ConnectionError: It has disconnected.
    """
    while True:
        for data in await outbox.take():
            async with asyncio.timeout(timeout_s):
                await (connection.send_str(data) if isinstance(data, str) else connection.send_bytes(data))


async def send_until_gone(request: web.BaseRequest, connection: web.WebSocketResponse, outbox: Outbox) -> bool:
    """Sends what is put into an outbox until the client is gone; returns whether it was disconnected for not reading.

    Args:
        request: That of the connection.
        connection: The client.
        outbox: Its messages.
    """
    try:
        await send_all(connection, outbox)
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        return True
    except ConnectionError:
        pass  # the receiving task ends as well
    return False


async def dismiss(connection: web.WebSocketResponse, why: str) -> None:
    """Ends a connection with a sentence."""
    try:
        async with asyncio.timeout(DISMISS_S):
            await connection.send_str(text({"type": "bye", "text": why}))
            await connection.close()
    except (TimeoutError, ConnectionError):
        return
