"""Connections whose handshake is not finished yet: few at a time."""

import asyncio
from collections.abc import Callable
from typing import Any

from websockets.asyncio.server import ServerConnection

MOST_UNFINISHED = 32  # a handshake takes milliseconds


class Newcomer(ServerConnection):
    """A connection that lets the oldest one go that does not finish its handshake, if there are too many of them.

    Args:
        unfinished: All of them, oldest first; this one is added, and taken out by whoever hears its request.
        failed: Is told when one goes before that.
        given: What the server tells every connection.
    """

    def __init__(
        self, unfinished: "dict[ServerConnection, None]", failed: Callable[[str], None], *given: Any, **more: Any
    ) -> None:
        super().__init__(*given, **more)
        self._unfinished, self._failed = unfinished, failed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Makes room."""
        super().connection_made(transport)
        self._unfinished[self] = None
        if len(self._unfinished) > MOST_UNFINISHED:
            oldest = next(iter(self._unfinished))
            self._give_up(oldest)
            oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Counts who never said what it wants."""
        if self in self._unfinished:
            self._give_up(self)
        super().connection_lost(exc)

    def _give_up(self, connection: ServerConnection) -> None:
        del self._unfinished[connection]
        self._failed("A client did not finish its handshake.")
