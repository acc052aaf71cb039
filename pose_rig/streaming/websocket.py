"""Clients that connect for JSON: engines without a UDP socket, browsers.

The server runs in a thread of its own. Every client has one place for the newest frame: who reads slowly finds that
older ones are gone, and the rig never waits.
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
from pose_rig.streaming.json_frames import Schema, frame
from pose_rig.streaming.live_pose import LivePose
from pose_rig.streaming.newcomer import Newcomer
from pose_rig.streaming.traffic import Traffic
from pose_rig.streaming.web_client import Client, Wish
from pose_rig.wire.messages import Target

MOST_CLIENTS = 8
MOST_BYTES = 4096  # of a client's message
MOST_WAITING = 4  # of a client's messages that were not read yet
# Of frames on their way to a client, in the system and here; it would keep megabytes for one that sleeps, and show it
# minutes of the past. Some ten frames.
BUFFER_BYTES = 1 << 15
PATIENCE_S = 5.0  # a client that does not answer for so long, takes nothing of what it is sent, or asks for nothing
CLOSING_S = 0.5
# Web pages that come from this machine. A page from elsewhere runs on this machine too, and must not see its owner.
OWN_PAGES = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")
ERROR_REMEDY = 'Send {"axes": "unity", "refined": true, "rate": 30} or a part of it (docs/wire.md).'


class WebSocketServer:
    """Serves JSON to clients.

    Args:
        address: Where to listen.
        origins: Web pages beyond those of this machine that may connect.
        patience_s: For clients that do not answer, take nothing or ask for nothing.

    Raises:
        UsageError: It cannot listen there.
    """

    def __init__(self, address: Address, origins: tuple[str, ...] = (), patience_s: float = PATIENCE_S) -> None:
        self.traffic = Traffic("websocket", address, "")
        self._address, self._origins = address, origins
        self._patience_s = patience_s
        self._clients: set[Client] = set()
        self._ever = 0
        self._unfinished: dict[ServerConnection, None] = {}
        self._last = b""
        self._schemas = {name: Schema(axes) for name, axes in AXES.items()}
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
        """Where it listens."""
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._clients)

    def send(self, pose: LivePose, now_ns: int) -> None:
        """Offers a pose to every client; never waits."""
        wishes: set[tuple[str, bool]] = {
            (client.wish.axes.name, client.wish.refined) for client in tuple(self._clients)
        }
        if not wishes or pose.index < 0:
            return
        said = {axes: self._schemas[axes].of(pose) for axes, _ in wishes}
        seen = {(axes, refined): frame(pose, AXES[axes], refined=refined) for axes, refined in wishes}
        self.traffic.sent(list(seen.values()))
        self._last = next(iter(seen.values()))
        self._loop.call_soon_threadsafe(self._deliver, said, seen, now_ns)

    def targets(self) -> list[Target]:
        """Returns how it stands."""
        self.traffic.keep([self._last] if self._last else [])
        return [self.traffic.target(self.clients, self._ever)]

    def close(self) -> None:
        """Says goodbye to the clients, and ends the thread."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _deliver(self, said: dict[str, bytes], seen: dict[tuple[str, bool], bytes], now_ns: int) -> None:
        for client in self._clients:
            wish = client.wish.axes.name, client.wish.refined
            if wish in seen:  # otherwise it has changed its mind meanwhile
                client.offer(said[wish[0]], seen[wish], now_ns)

    async def _listen(self) -> Server:
        try:
            return await serve(
                self._serve_one,
                self._address.host,
                self._address.port,
                origins=[None, OWN_PAGES, *self._origins],  # type: ignore[list-item]  # names are plain strings
                process_request=self._greet,
                process_response=self._turned_away,
                create_connection=partial(Newcomer, self._unfinished, self.traffic.failed),  # type: ignore[arg-type]
                open_timeout=self._patience_s,
                compression=None,  # costs more than it saves on a local network
                max_size=MOST_BYTES,
                max_queue=MOST_WAITING,
                write_limit=BUFFER_BYTES,
                ping_interval=self._patience_s,
                ping_timeout=self._patience_s,
                close_timeout=CLOSING_S,
                server_header=None,
                logger=_quiet(),
            )
        except OSError as error:
            raise UsageError(
                f"Cannot listen for WebSocket clients on {self._address}: {error.strerror or error}.",
                "Is another rig running? Choose another port with --websocket.",
            ) from error

    async def _stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    def _greet(self, connection: ServerConnection, request: Request) -> Response | None:
        """Returns why a client is turned away; None if it is not."""
        self._unfinished.pop(connection, None)
        if self.clients >= MOST_CLIENTS:
            self.traffic.failed(f"There was no room for client {MOST_CLIENTS + 1}.")
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, f"There are {MOST_CLIENTS} clients already.\n")
        try:
            Wish.in_address(request.path)
        except ValueError as error:
            self.traffic.failed(f"A client asked for what there is not: {error}")
            return connection.respond(HTTPStatus.BAD_REQUEST, f"{error}\n")
        return None

    def _turned_away(self, connection: ServerConnection, request: Request, response: Response) -> None:
        del connection
        if response.status_code == HTTPStatus.FORBIDDEN:
            self.traffic.failed(
                f"A page of {request.headers.get('Origin', '?')[:80]!r} was turned away; --origin lets it in."
            )

    async def _serve_one(self, connection: ServerConnection) -> None:
        client = Client(Wish.in_address(connection.request.path if connection.request else "/"))
        connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        self._clients.add(client)
        self._ever += 1
        sending = asyncio.create_task(self._send(connection, client))
        try:
            async for text in connection:
                if complaint := _hear(client, text):
                    self.traffic.failed(f"A client said what makes no sense: {complaint}")
                    await self._say(connection, _error(complaint))
        except ConnectionClosed:
            return  # it went without a word, or sent too much at once
        finally:
            self._clients.discard(client)
            sending.cancel()

    async def _send(self, connection: ServerConnection, client: Client) -> None:
        """Sends a client what it is offered until it is gone."""
        try:
            while True:
                for text in await client.next():
                    await self._say(connection, text)
        except ConnectionClosed:
            return  # whoever reads from it finds out too, and ends

    async def _say(self, connection: ServerConnection, text: bytes) -> None:
        """Sends a client something; one that takes nothing for too long is let go, for others want its place."""
        try:
            async with asyncio.timeout(self._patience_s):
                await connection.send(text, text=True)
        except TimeoutError:
            self.traffic.failed(f"A client took nothing for {self._patience_s:g} s, and was let go.")
            connection.transport.abort()


def _hear(client: Client, text: str | bytes) -> str:
    """Does what a client asks for; returns what is wrong with it, empty if nothing is."""
    try:
        client.want(client.wish.changed(msgspec.json.decode(text, type=dict[str, Any])))
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        return str(error)[:200]
    return ""


def _error(cause: str) -> bytes:
    return msgspec.json.encode({"type": "error", "cause": cause, "remedy": ERROR_REMEDY})


def _quiet() -> logging.Logger:
    """Returns a logger that keeps what broken clients do out of the terminal; it is counted."""
    logger = logging.getLogger("pose_rig.websocket")
    logger.setLevel(logging.CRITICAL)
    return logger
