"""A web worker in this process, and another worker of its run that publishes whatever a test wants."""

import asyncio
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from cryptography.hazmat.primitives.serialization import Encoding

from pose_rig.config import PHONE, CameraConfig, Config
from pose_rig.web.certificate import load_root
from pose_rig.web.process import main
from pose_rig.wire.authentication import Keys, generate_keys
from pose_rig.wire.bus import Receiver, Sender
from pose_rig.wire.jobs import WebJob
from pose_rig.wire.messages import Health, Message
from pose_rig.wire.services import LOOPBACK
from pose_rig.wire.tokens import Tokens
from tests.ports import free_port
from tests.web.https_client import https_client

DEADLINE_S = 90.0


@dataclass
class WebRig:
    """A running web worker.

    Attributes:
        job: What it was started with.
        fusion: The publisher that it receives from.
        own: Receives what it publishes.
        stop: Ends it.
        received: The messages so far.
    """

    job: WebJob
    fusion: Sender
    own: Receiver
    stop: threading.Event
    received: list[Message] = field(default_factory=list)

    def url(self, token: str = "", path: str = "") -> str:
        return f"https://{LOOPBACK}:{self.job.port}/{token or self.job.tokens.watch}/{path}"

    def tls(self) -> ssl.SSLContext:
        """Returns the settings of a client that trusts the root of this machine only."""
        root = load_root(Path(self.job.folder)).certificate.public_bytes(Encoding.PEM).decode()
        return ssl.create_default_context(cadata=root)

    def until(self, wanted: Callable[[Message], bool]) -> Message:
        """Receives until a message is as wanted."""
        deadline_s = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline_s:
            for message in self.own.receive(50):
                self.received.append(message)
                if wanted(message):
                    return message
        raise AssertionError(f"not received: {self.received[-3:]}")

    def health(self, wanted: Callable[[Health], bool]) -> Health:
        message = self.until(lambda message: isinstance(message, Health) and wanted(message))
        assert isinstance(message, Health)
        return message


def web_job(folder: Path, keys: Keys, source: str, *, phones: int = 0, people: int = 1, restarts: int = 0) -> WebJob:
    cameras = [CameraConfig(source="0", name="cam0")]
    cameras += [CameraConfig(source=PHONE, name=f"phone{number + 1}") for number in range(phones)]
    at = [f"tcp://{LOOPBACK}:{free_port()}" for _ in range(3)]
    return WebJob(
        config=Config(camera=tuple(cameras), view=True, phones=phones, people=people), live=True, hosts=(LOOPBACK,),
        names=(LOOPBACK, "localhost"), port=free_port(), tokens=Tokens.random(), folder=str(folder), inputs=(source,),
        output=at[0], thumbnails=at[1], phones=at[2], keys=keys, restarts=restarts,
    )  # fmt: skip


@contextmanager
def running(folder: Path, *, phones: int = 0, people: int = 1) -> Iterator[WebRig]:
    """Runs a web worker; the failure of its thread fails the test."""
    keys, stop = generate_keys(), threading.Event()
    failures: list[BaseException] = []
    with Sender(f"tcp://{LOOPBACK}:0", bind=True, keys=keys) as fusion:
        job = web_job(folder, keys, fusion.endpoint, phones=phones, people=people)

        def run() -> None:
            try:
                main(job, stop)
            except BaseException as error:
                failures.append(error)
                raise

        thread = threading.Thread(target=run)
        thread.start()
        try:
            with Receiver(job.output, keys=keys) as own:
                rig = WebRig(job, fusion, own, stop)
                rig.health(lambda health: health.state == "running")
                yield rig
        finally:
            stop.set()
            thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert failures == []


class Page:
    """A WebSocket client, which remembers what it received."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.texts: list[dict[str, Any]] = []
        self.binary: list[bytes] = []

    async def until(self, kind: str, wanted: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """Receives until a JSON message of a kind is as wanted."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                message = await self.socket.receive()
                if message.type is aiohttp.WSMsgType.BINARY:
                    self.binary.append(message.data)
                elif message.type is aiohttp.WSMsgType.TEXT:
                    fields: dict[str, Any] = msgspec.json.decode(message.data)
                    self.texts.append(fields)
                    if fields["type"] == kind and wanted(fields):
                        return fields
                else:
                    raise AssertionError(f"closed: {message}")

    async def until_binary(self) -> bytes:
        """Receives until a binary message."""
        async with asyncio.timeout(DEADLINE_S):
            while not self.binary:
                message = await self.socket.receive()
                if message.type is aiohttp.WSMsgType.BINARY:
                    self.binary.append(message.data)
                elif message.type is not aiohttp.WSMsgType.TEXT:
                    raise AssertionError(f"closed: {message}")
        return self.binary[-1]

    async def send(self, **fields: Any) -> None:
        await self.socket.send_str(msgspec.json.encode(fields).decode())


@asynccontextmanager
async def opened(rig: WebRig, token: str, **how: Any) -> AsyncIterator[Page]:
    """Yields a connected client, whose TLS is verified."""
    async with https_client(rig.tls()) as session, session.ws_connect(rig.url(token, "socket"), **how) as page:
        yield Page(page)


def run_async(work: Awaitable[None]) -> None:
    """Runs a coroutine in a loop of its own."""

    async def bounded() -> None:
        async with asyncio.timeout(2 * DEADLINE_S):
            await work

    asyncio.run(bounded())
