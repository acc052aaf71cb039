"""A client of a live page in tests."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

DEADLINE_S = 60.0


@asynccontextmanager
async def https_client(tls: ssl.SSLContext) -> AsyncIterator[aiohttp.ClientSession]:
    """Yields a client; at the end its connections are closed, not just about to be.

    aiohttp does not wait for the end of TLS, for which the server is needed.
    """
    used: list[socket.socket] = []

    def new_socket(address: tuple[Any, ...]) -> socket.socket:
        used.append(socket.socket(*address[:3]))
        return used[-1]

    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls, socket_factory=new_socket)) as session:
            yield session
    finally:
        async with asyncio.timeout(DEADLINE_S):
            while any(one.fileno() >= 0 for one in used):
                await asyncio.sleep(0.01)
