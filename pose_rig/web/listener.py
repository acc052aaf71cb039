"""Accepts TLS connections within limits: of connections, of handshakes, and of the time that each may take."""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from weakref import WeakSet

from pose_rig.errors import PoseRigError, UsageError

MAX_CONNECTIONS = 96  # 16 phones, 8 pages, each with some connections for its files
MAX_PENDING = 32  # without a valid request; a handshake takes some hundredths of a second
HANDSHAKE_TIMEOUT_S = 5.0
SHUTDOWN_TIMEOUT_S = 1.0
BACKLOG = 64
CLOSE_S, CLOSE_STEP_S = 0.4, 0.01  # transports close their sockets in callbacks
PAUSE_S = 0.2  # when the system has no more sockets


class Listener:
    """Listening sockets and the connections that they accepted.

    Args:
        context: TLS settings.
        protocol: Makes the protocol of a connection.

    Attributes:
        refused: Connections that were refused or failed their handshake.
    """

    def __init__(self, context: ssl.SSLContext, protocol: Callable[[], asyncio.Protocol]) -> None:
        self.refused = 0
        self._context, self._protocol = context, protocol
        self._sockets: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._open: set[asyncio.Task[None]] = set()
        self._connections: WeakSet[socket.socket] = WeakSet()
        self._pending: dict[asyncio.Protocol, asyncio.Task[None]] = {}  # oldest first

    def listen(self, sockets: Sequence[socket.socket]) -> None:
        """Accepts the connections of bound sockets, which it closes at the end."""
        for listening in sockets:
            listening.listen(BACKLOG)
            listening.setblocking(False)
            self._sockets.append(listening)
            self._accepting.append(asyncio.create_task(self._accept(listening)))

    def accept(self, protocol: asyncio.Protocol | None) -> None:
        """Marks a connection as one that has sent a valid request; others are closed where there are too many."""
        if protocol is not None:
            self._pending.pop(protocol, None)

    async def close(self) -> None:
        """Stops listening, and ends all connections."""
        tasks = [*self._accepting, *self._open]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for listening in self._sockets:
            listening.close()
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + CLOSE_S
        while any(one.fileno() >= 0 for one in self._connections) and loop.time() < deadline_s:
            await asyncio.sleep(CLOSE_STEP_S)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError:  # no more file descriptors, or the connection has ended already
                await asyncio.sleep(PAUSE_S)
                continue
            if len(self._open) - len(self._pending) >= MAX_CONNECTIONS:
                self.refused += 1
                connection.close()
                continue
            if len(self._pending) >= MAX_PENDING:
                self.drop_oldest()
            self._connections.add(connection)
            inner = self._protocol()
            watched = Watched(inner)
            task = asyncio.create_task(self._serve(connection, watched))
            self._open.add(task)
            self._pending[inner] = task
            task.add_done_callback(partial(self._ended, connection, watched))

    def _ended(self, connection: socket.socket, watched: "Watched", task: asyncio.Task[None]) -> None:
        self._open.discard(task)
        self._pending.pop(watched.inner, None)
        if not watched.has_transport:  # the task was cancelled before it began
            connection.close()
            return
        # The transport closes it: were it closed here, the next connection might get its number while the loop still
        # takes that for the transport's. After a handshake it would wait for the client, unless this ends both ways.
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    def drop_oldest(self) -> None:
        """Ends the connection that has been without a valid request for longest."""
        oldest = next(iter(self._pending))
        self._pending.pop(oldest).cancel()
        self.refused += 1

    async def _serve(self, connection: socket.socket, watched: "Watched") -> None:
        """Lives as long as a connection."""
        watched.has_transport = True
        connection.setblocking(False)
        with suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                lambda: watched,
                connection,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S,
                ssl_shutdown_timeout=SHUTDOWN_TIMEOUT_S,
            )
        except (OSError, ssl.SSLError, TimeoutError):
            self.refused += 1
            return
        try:
            await watched.lost.wait()
        finally:
            transport.abort()


class Watched(asyncio.Protocol):
    """A protocol that passes everything on, and sets an event when its connection ends.

    Args:
        inner: The protocol that it passes everything to.

    Attributes:
        inner: As above.
        lost: The event.
        has_transport: Whether a transport has the socket, and closes it.
    """

    def __init__(self, inner: asyncio.Protocol) -> None:
        self.inner = inner
        self.lost = asyncio.Event()
        self.has_transport = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Passes it on."""
        self.inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Passes it on, and sets the event."""
        self.lost.set()
        self.inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Passes it on."""
        self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Passes it on."""
        return self.inner.eof_received()

    def pause_writing(self) -> None:
        """Passes it on."""
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        """Passes it on."""
        self.inner.resume_writing()


def bound_sockets(
    hosts: Sequence[str], port: int, *, reuse: bool = os.name == "posix", restarted: bool = False
) -> list[socket.socket]:
    """Returns sockets bound to a port of each host.

    Args:
        hosts: Host names or addresses.
        port: The port.
        reuse: Accept a port that others have bound too, if none of them listens and all allow it.
        restarted: Whether it was bound to these before; a port in use is then taken for a passing fault.

    Raises:
        UsageError: A host is not of this machine, or the port is in use.
        PoseRigError: The port is in use after a restart.
    """
    bound: list[socket.socket] = []
    try:
        for host in hosts:
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            bound.append(socket.socket(family, socket.SOCK_STREAM))
            bound[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(reuse))
            bound[-1].bind(address)
    except OSError as error:
        for one in bound:
            one.close()
        raise _refusal(host, port, error, restarted) from error
    return bound


def _refusal(host: str, port: int, error: OSError, restarted: bool) -> PoseRigError:
    cause = f"Cannot listen on {host}:{port}: {error.strerror or error}."
    if restarted:
        return PoseRigError(cause, "It is tried again.")
    if error.errno == errno.EADDRINUSE:
        return UsageError(cause, "Choose another port with --web-port, 0 for any free one.")
    return UsageError(cause, "--host takes an address of this machine; 0.0.0.0 means all of them.")
