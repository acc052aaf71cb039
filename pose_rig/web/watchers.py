"""The browsers that show the live page."""

import asyncio
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Annotated

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from pose_rig.web.client import ENDED, Outbox, RateLimit, dismiss, open_socket, send_until_gone
from pose_rig.web.page_json import PROTOCOL_VERSION, text
from pose_rig.wire.jobs import WebJob
from pose_rig.wire.tokens import Access

MAX_WATCHERS = 8
MAX_MESSAGE_BYTES = 4096
MAX_VALUE_CHARACTERS = 200
NOT_ALLOWED = "This address only shows the run. The one with the buttons is in the terminal."


class WatchRequest(msgspec.Struct, tag_field="type", tag="watch", frozen=True):
    """Whether a page shows the images of the cameras."""

    cameras: bool


class CommandRequest(msgspec.Struct, tag_field="type", tag="command", frozen=True):
    """A button of the page: its name, its value, the person it is for, and the number that the answer repeats."""

    id: int
    name: str
    value: float | Annotated[str, msgspec.Meta(max_length=MAX_VALUE_CHARACTERS)] | None = None
    person: int = 0

    def text(self) -> str:
        """Returns the value as text, empty without one."""
        return "" if self.value is None else str(self.value)


_decode = msgspec.json.Decoder(WatchRequest | CommandRequest).decode
RunCommand = Callable[[CommandRequest], str]


@dataclass(eq=False, slots=True)
class Watcher:
    """One page.

    Attributes:
        socket: Its connection.
        control: Whether it may send commands.
        outbox: What is waiting to be sent to it.
        schema: The schema of poses that it was sent last.
        cameras: Whether it shows the images of the cameras.
    """

    socket: web.WebSocketResponse
    control: bool
    outbox: Outbox = field(default_factory=Outbox)
    schema: str = ""
    cameras: bool = False


class Watchers:
    """All pages that are open.

    Args:
        job: The run: what a page has to know of it at first.
        run_command: Runs a command; returns why it cannot be run, or an empty text.
        changed: Called when a page was opened, closed or shows something else.

    Attributes:
        refused: Pages and messages that were refused.
    """

    def __init__(self, job: WebJob, *, run_command: RunCommand, changed: Callable[[], None]) -> None:
        self.refused = 0
        self._job = job
        self._run_command, self._changed = run_command, changed
        self._open: set[Watcher] = set()
        self._dropped = 0  # of pages that were closed

    def __len__(self) -> int:
        return len(self._open)

    @property
    def shows_cameras(self) -> bool:
        """Whether any page shows the images of the cameras."""
        return any(watcher.cameras for watcher in self._open)

    @property
    def dropped(self) -> int:
        """Messages that slow pages were not sent."""
        return self._dropped + sum(watcher.outbox.dropped for watcher in self._open)

    def put(self, kind: Hashable, data: str | bytes, *, cameras: bool = False) -> None:
        """Sends every page a message that replaces the earlier one of its kind.

        Args:
            kind: Its kind.
            data: Text or bytes.
            cameras: Only to pages that show the images of the cameras.
        """
        for watcher in self._open:
            if watcher.cameras or not cameras:
                watcher.outbox.put(kind, data)

    def put_pose(self, schema: str, frame: str) -> None:
        """Sends every page a frame, after its schema if that changed."""
        for watcher in self._open:
            if watcher.schema != schema:
                watcher.schema = schema
                watcher.outbox.add(schema)
            watcher.outbox.put("pose", frame)

    def add_event(self, line: str) -> None:
        """Sends every page a line for its log."""
        for watcher in self._open:
            watcher.outbox.add(text({"type": "event", "text": line}))

    async def close(self) -> None:
        """Says to every page that the run has ended."""
        await asyncio.gather(*(dismiss(watcher.socket, ENDED) for watcher in self._open))

    async def serve(self, request: web.BaseRequest, access: Access) -> web.StreamResponse:
        """Serves a page until it is closed."""
        socket = await open_socket(request, MAX_MESSAGE_BYTES)
        if len(self._open) >= MAX_WATCHERS:
            self.refused += 1
            await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"Too many pages are open.")
            return socket
        watcher = Watcher(socket, control=access == "control")
        watcher.outbox.add(self._hello(watcher))
        self._open.add(watcher)
        self._changed()
        sending = asyncio.create_task(self._send(request, socket, watcher))
        try:
            await self._receive(socket, watcher)
        finally:
            sending.cancel()
            self._open.discard(watcher)
            self._dropped += watcher.outbox.dropped
            self._changed()
        return socket

    def _hello(self, watcher: Watcher) -> str:
        config = self._job.config
        return text({
            "type": "hello", "version": PROTOCOL_VERSION, "control": watcher.control,
            "program": f"pose-rig {version('pose-rig')}", "cameras": [camera.name for camera in config.camera],
            "people": config.people, "live": self._job.live, "recorded": self._job.recorded,
            "no_images": self._job.no_images,
        })  # fmt: skip

    async def _send(self, request: web.BaseRequest, socket: web.WebSocketResponse, watcher: Watcher) -> None:
        if await send_until_gone(request, socket, watcher.outbox):
            self.refused += 1

    async def _receive(self, socket: web.WebSocketResponse, watcher: Watcher) -> None:
        limit = RateLimit()
        async for message in socket:
            if message.type is not WSMsgType.TEXT or not limit.allows(time.monotonic()):
                self.refused += 1
                await socket.close(code=WSCloseCode.POLICY_VIOLATION)
                return
            try:
                self._take(watcher, _decode(message.data))
            except (msgspec.DecodeError, RecursionError):
                self.refused += 1

    def _take(self, watcher: Watcher, request: WatchRequest | CommandRequest) -> None:
        if isinstance(request, WatchRequest):
            watcher.cameras = request.cameras
            self._changed()
            return
        wrong = self._run_command(request) if watcher.control else NOT_ALLOWED
        self.refused += not watcher.control
        watcher.outbox.add(text({"type": "answer", "to": request.id, "ok": not wrong, "text": wrong or "sent"}))
