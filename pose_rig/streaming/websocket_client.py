"""A WebSocket client: its connection, its options, and the newest frame queued for it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request

from pose_rig.streaming.axes import AXES, RIG, Axes
from pose_rig.streaming.send_timer import SendTimer

MAX_PENDING_HANDSHAKES = 32  # a handshake takes milliseconds
MAX_RATE_HZ = 1000


class Connection(ServerConnection):
    """A connection that drops the oldest pending handshake when there are too many.

    Args:
        pending: All connections before their request, oldest first; this one is added, and removed by the server when
            its request arrives.
        failed: Called with a sentence for each connection that closes before its request.
        args, kwargs: Those that the server passes to every connection.
    """

    def __init__(
        self, pending: "dict[ServerConnection, None]", failed: Callable[[str], None], *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._pending, self._failed = pending, failed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Drops the oldest pending handshake if there are too many."""
        super().connection_made(transport)
        self._pending[self] = None
        if len(self._pending) > MAX_PENDING_HANDSHAKES:
            oldest = next(iter(self._pending))
            self._handshake_failed(oldest)
            oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Counts a connection that closed before its request."""
        if self in self._pending:
            self._handshake_failed(self)
        super().connection_lost(exc)

    def _handshake_failed(self, connection: ServerConnection) -> None:
        del self._pending[connection]
        self._failed("A client did not finish its handshake.")


def has_token(request: Request, token: str) -> bool:
    """Returns whether a request has a token: ``?token=`` in its path, or ``Authorization: Bearer``."""
    try:
        given = parse_qs(urlsplit(request.path).query).get("token", [])
    except ValueError:  # brackets that belong to no address
        given = []
    given += [value.removeprefix("Bearer ") for value in request.headers.get_all("Authorization")]
    return any(compare_digest(one.encode(errors="replace"), token.encode()) for one in given)


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """Options of a client.

    Attributes:
        axes: Axes of its frames.
        refined: Whether frames include the 2D poses.
        rate_hz: Maximum frames per second; 0 = all.
    """

    axes: Axes = RIG
    refined: bool = False
    rate_hz: float = 0.0

    def updated(self, changes: Mapping[str, Any]) -> "ClientOptions":
        """Returns the options with changes that a client sent.

        Raises:
            ValueError: An option is unknown or has an invalid value.
        """
        if unknown := sorted(changes.keys() - {"axes", "refined", "rate"}):
            raise ValueError(f"Unknown option {unknown[0]!r}.")
        name, rate = changes.get("axes", self.axes.name), changes.get("rate")
        refined = changes.get("refined", self.refined)
        if not isinstance(name, str) or name not in AXES:
            raise ValueError(f"Unknown axes {name!r}; choose from {', '.join(AXES)}.")
        if rate is not None and (
            isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= MAX_RATE_HZ
        ):
            raise ValueError(f"`rate` must be above 0 and at most {MAX_RATE_HZ}; got {rate!r}.")
        if not isinstance(refined, bool):
            raise ValueError(f"`refined` must be true or false; got {refined!r}.")
        return ClientOptions(AXES[name], refined, self.rate_hz if rate is None else float(rate))

    @classmethod
    def from_path(cls, path: str) -> "ClientOptions":
        """Returns the options in the query of the path that a client connects to.

        Raises:
            ValueError: An option is unknown or has an invalid value.
        """
        query: dict[str, Any] = {key: values[-1] for key, values in parse_qs(urlsplit(path).query).items()}
        query.pop("token", None)
        if "refined" in query:
            query["refined"] = {"1": True, "true": True, "0": False, "false": False}.get(query["refined"], "")
        if "rate" in query:
            try:
                query["rate"] = float(query["rate"])
            except ValueError:
                raise ValueError(f"`rate` must be a number; got {query['rate']!r}.") from None
        return cls().updated(query)


class Client:
    """A queue of one frame for a connected client: a newer frame replaces one that was not sent yet.

    Args:
        options: Its options.

    Attributes:
        options: Its current options; change them with `set_options`.
    """

    def __init__(self, options: ClientOptions) -> None:
        self._queued = b"", b""  # schema and frame
        self._sent_schema = b""
        self._available = asyncio.Event()
        self.set_options(options)

    def set_options(self, options: ClientOptions) -> None:
        """Applies new options from the next frame on."""
        self.options = options
        self._timer = SendTimer(options.rate_hz) if options.rate_hz else None

    def put(self, schema: bytes, frame: bytes, now_ns: int) -> None:
        """Queues a frame and its schema, unless the rate of the client is exceeded."""
        if self._timer is not None:
            if not self._timer.ready(now_ns, new=True):
                return
            self._timer.sent(now_ns, new=True)
        self._queued = schema, frame
        self._available.set()

    async def get(self) -> list[bytes]:
        """Returns the queued frame as soon as there is one, after its schema if that changed."""
        await self._available.wait()
        self._available.clear()
        schema, frame = self._queued
        if schema == self._sent_schema:
            return [frame]
        self._sent_schema = schema
        return [schema, frame]
