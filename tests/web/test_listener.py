"""Connections that end while they begin."""

import asyncio
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pose_rig.web.certificate import load_root, server_context
from pose_rig.web.listener import Listener, bound_sockets

DEADLINE_S = 60.0


class Echo(asyncio.Protocol):
    """Answers with what it receives; the first of its connections has the listener refuse it at that moment."""

    listener: Listener

    def __init__(self, connections: list[asyncio.BaseTransport]) -> None:
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connections.append(transport)
        if len(self._connections) == 1:
            self.listener.drop_oldest()

    def data_received(self, data: bytes) -> None:
        transport = self._connections[-1]
        assert isinstance(transport, asyncio.Transport)
        transport.write(data)


@pytest.mark.parametrize("waits", [False, True])
def test_a_connection_that_is_dropped_as_its_handshake_ends_leaves_nothing_behind(
    tmp_path: Path, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pose_rig.web.listener.SHUTDOWN_TIMEOUT_S", 10 * DEADLINE_S)
    root = load_root(tmp_path)
    trusting = ssl.create_default_context(cadata=root.certificate.public_bytes(Encoding.PEM).decode())

    async def check() -> None:
        made: list[asyncio.BaseTransport] = []
        listener = Echo.listener = Listener(server_context(root, ("127.0.0.1",)), lambda: Echo(made))
        bound = bound_sockets(("127.0.0.1",), 0)
        port = bound[0].getsockname()[1]
        listener.listen(bound)
        async with asyncio.timeout(DEADLINE_S):
            reader, first = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
            first.write(b"x")
            await reader.read(1)
            if not waits:
                first.transport.abort()
            for _ in range(3):  # with the number of the socket that was closed
                reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
                writer.write(b"x")
                assert await reader.read(1) == b"x"
                writer.close()
                await writer.wait_closed()
            await listener.close()  # does not wait until the end of the connection times out
            first.transport.abort()
        assert len(made) == 4

    asyncio.run(check())


def test_a_listener_that_closes_before_a_connection_begins_closes_its_socket(tmp_path: Path) -> None:
    async def check() -> None:
        listener = Listener(server_context(load_root(tmp_path), ("127.0.0.1",)), lambda: Echo([]))
        bound = bound_sockets(("127.0.0.1",), 0)
        port = bound[0].getsockname()[1]
        listener.listen(bound)
        async with asyncio.timeout(DEADLINE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await listener.close()
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()

    asyncio.run(check())
