"""WebSocket server that sends poses as JSON to engines without UDP sockets and to browsers.

The server runs in its own thread. Every client has a queue of one frame: a slow client skips frames, and the rig never
waits.
"""

import asyncio
import logging
import re
import socket
import threading
from functools import partial
from http import HTTPStatus
from typing import Any

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from pose_rig.errors import UsageError
from pose_rig.streaming.address import Address
from pose_rig.streaming.axes import AXES
from pose_rig.streaming.json_frames import SchemaCache, frame
from pose_rig.streaming.live_pose import LivePose
from pose_rig.streaming.target_stats import TargetStats
from pose_rig.streaming.websocket_client import Client, ClientOptions, Connection, has_token
from pose_rig.wire.messages import Target

MAX_CLIENTS = 8
MAX_MESSAGE_BYTES = 4096  # from a client
MAX_QUEUED_MESSAGES = 4  # from a client, not read yet
# Frames in flight to a client, in the system and here: about ten. Megabytes would pile up for a suspended client, which
# would then show minutes of old frames.
SEND_BUFFER_BYTES = 1 << 15
TIMEOUT_S = 5.0  # for a client's handshake, pongs and reads
CLOSE_TIMEOUT_S = 0.5
# Origins of pages served by this machine. Pages from elsewhere run in a browser here too, and must not see the person.
LOCAL_ORIGINS = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")
ERROR_REMEDY = 'Send {"axes": "unity", "refined": true, "rate": 30} or a part of it (docs/wire.md).'


class WebSocketServer:
    """Serves JSON to clients.

    Args:
        address: Address to listen on.
        origins: Origins of web pages that may connect, in addition to those of this machine.
        timeout_s: For a client's handshake, pongs and reads.
        token: Clients need it, in the query of their URL or as a bearer token; empty = they need none.

    Raises:
        UsageError: It cannot listen on that address.
    """

    def __init__(
        self, address: Address, origins: tuple[str, ...] = (), timeout_s: float = TIMEOUT_S, token: str = ""
    ) -> None:
        self.stats = TargetStats("websocket", address, "")
        self.person = None  # its frames have all people
        self._address, self._origins = address, origins
        self._timeout_s, self._token = timeout_s, token
        self._clients: set[Client] = set()
        self._clients_ever = 0
        self._pending: dict[ServerConnection, None] = {}
        self._last = b""
        self._schemas = {name: SchemaCache(axes) for name, axes in AXES.items()}
        self._loop = asyncio.new_event_loop()
        try:
            self._server = self._loop.run_until_complete(self._listen())
        except UsageError:
            self._loop.close()
            raise
        self._thread = threading.Thread(target=self._loop.run_forever, name="websocket", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Port that it listens on."""
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def clients(self) -> int:
        """Number of connected clients."""
        return len(self._clients)

    def send(self, pose: LivePose, now_ns: int) -> None:
        """Queues a pose for every client; never blocks."""
        formats: set[tuple[str, bool]] = {
            (client.options.axes.name, client.options.refined) for client in tuple(self._clients)
        }
        if not formats or pose.index < 0:
            return
        schemas = {axes: self._schemas[axes].get(pose) for axes, _ in formats}
        frames = {(axes, refined): frame(pose, AXES[axes], refined=refined) for axes, refined in formats}
        self.stats.sent(list(frames.values()))
        self._last = next(iter(frames.values()))
        self._loop.call_soon_threadsafe(self._queue, schemas, frames, now_ns)

    def targets(self) -> list[Target]:
        """Returns the counters of the server."""
        last = [self._last] if self._last else []
        return [self.stats.message(last, clients=self.clients, clients_ever=self._clients_ever)]

    def close(self) -> None:
        """Closes the connections and stops the thread."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _queue(self, schemas: dict[str, bytes], frames: dict[tuple[str, bool], bytes], now_ns: int) -> None:
        for client in self._clients:
            key = client.options.axes.name, client.options.refined
            if key in frames:  # otherwise its options have changed since
                client.put(schemas[key[0]], frames[key], now_ns)

    async def _listen(self) -> Server:
        try:
            return await serve(
                self._serve_client,
                self._address.host,
                self._address.port,
                origins=[None, LOCAL_ORIGINS, *self._origins],  # type: ignore[list-item]  # origins are plain strings
                process_request=self._check_request,
                process_response=self._count_forbidden,
                create_connection=partial(Connection, self._pending, self.stats.failed),  # type: ignore[arg-type]
                open_timeout=self._timeout_s,
                compression=None,  # costs more than it saves on a local network
                max_size=MAX_MESSAGE_BYTES,
                max_queue=MAX_QUEUED_MESSAGES,
                write_limit=SEND_BUFFER_BYTES,
                ping_interval=self._timeout_s,
                ping_timeout=self._timeout_s,
                close_timeout=CLOSE_TIMEOUT_S,
                server_header=None,
                logger=_quiet_logger(),
            )
        except OSError as error:
            raise UsageError(
                f"Cannot listen for WebSocket clients on {self._address}: {error.strerror or error}.",
                "Is another rig running? Choose another port with --websocket.",
            ) from error

    async def _stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    def _check_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Returns the response to a rejected request; None to accept it."""
        self._pending.pop(connection, None)
        if self._token and not has_token(request, self._token):
            self.stats.failed("A client without the token was rejected.")
            return connection.respond(HTTPStatus.UNAUTHORIZED, "A token is needed: ?token=…\n")
        if self.clients >= MAX_CLIENTS:
            self.stats.failed(f"A client was rejected: {MAX_CLIENTS} are connected already.")
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, f"At most {MAX_CLIENTS} clients can connect.\n")
        try:
            ClientOptions.from_path(request.path)
        except ValueError as error:
            self.stats.failed(f"A client was rejected: {error}")
            return connection.respond(HTTPStatus.BAD_REQUEST, f"{error}\n")
        return None

    def _count_forbidden(self, connection: ServerConnection, request: Request, response: Response) -> None:
        del connection
        if response.status_code == HTTPStatus.FORBIDDEN:
            origin = request.headers.get("Origin", "?")[:80]
            self.stats.failed(f"A page with origin {origin!r} was rejected; --origin accepts it.")

    async def _serve_client(self, connection: ServerConnection) -> None:
        client = Client(ClientOptions.from_path(connection.request.path if connection.request else "/"))
        connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._clients.add(client)
        self._clients_ever += 1
        sending = asyncio.create_task(self._send_frames(connection, client))
        try:
            async for text in connection:
                if cause := _apply_options(client, text):
                    self.stats.failed(f"A client sent an invalid request: {cause}")
                    await self._send_text(connection, _error(cause))
        except ConnectionClosed:
            return  # closed without a close frame, or it sent too much at once
        finally:
            self._clients.discard(client)
            sending.cancel()

    async def _send_frames(self, connection: ServerConnection, client: Client) -> None:
        """Sends queued frames until the client disconnects."""
        try:
            while True:
                for text in await client.get():
                    await self._send_text(connection, text)
        except ConnectionClosed:
            return  # the reading task gets the same exception and ends

    async def _send_text(self, connection: ServerConnection, text: bytes) -> None:
        """Sends a message; a client that reads nothing until the timeout is disconnected to free its place."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await connection.send(text, text=True)
        except TimeoutError:
            self.stats.failed(f"A client was disconnected: it read nothing for {self._timeout_s:g} s.")
            connection.transport.abort()


def _apply_options(client: Client, text: str | bytes) -> str:
    """Applies the options that a client sent; returns what is wrong with them, or an empty string."""
    try:
        client.set_options(client.options.updated(msgspec.json.decode(text, type=dict[str, Any])))
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        return str(error)[:200]
    return ""


def _error(cause: str) -> bytes:
    return msgspec.json.encode({"type": "error", "cause": cause, "remedy": ERROR_REMEDY})


def _quiet_logger() -> logging.Logger:
    """Returns a logger that keeps client errors out of the terminal; they are counted instead."""
    logger = logging.getLogger("pose_rig.websocket")
    logger.setLevel(logging.CRITICAL)
    return logger
