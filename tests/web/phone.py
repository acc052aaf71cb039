"""A phone: what its page sends and receives."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import cv2
import numpy as np

from pose_rig.web.phone_messages import HEADER
from tests.web.rig import DEADLINE_S, Page, WebRig, opened


def jpeg(level: int = 100, size: tuple[int, int] = (64, 48)) -> bytes:
    """Returns a grey image."""
    return cv2.imencode(".jpg", np.full((size[1], size[0], 3), level, np.uint8))[1].tobytes()


def image_bytes(
    index: int,
    capture_ms: float,
    data: bytes,
    *,
    kind: int = 1,
    rotation_deg: int = 0,
    size: tuple[int, int] = (64, 48),
) -> bytes:
    """Returns the binary message of an image."""
    return HEADER.pack(kind, 0, rotation_deg, *size, index, capture_ms) + data


class Phone(Page):
    """A phone whose clock is ``ahead_ms`` ahead of that of this machine."""

    ahead_ms = 0.0

    def now_ms(self) -> float:
        return time.monotonic() * 1e3 + self.ahead_ms

    async def hello(self, phone: str = "a-phone-0001", **more: Any) -> dict[str, Any]:
        """Introduces itself and returns the answer."""
        fields = {"type": "hello", "id": phone, "name": "Pixel 8", "size": [64, 48], "fps": 30, "codec": "jpeg"}
        await self.send(**(fields | more))
        return await self.until("refused" if more.get("refused") else "accepted")

    async def set_clock(self, exchanges: int = 5) -> None:
        """Exchanges clocks."""
        for _ in range(exchanges):
            sent = self.now_ms()
            await self.send(type="clock", sent=sent)
            answer = await self.until("clock")
            assert math.isclose(answer["sent"], sent)
            await self.send(type="clock-result", sent=sent, rig_ms=answer["rig_ms"], received=self.now_ms())

    async def send_image(self, index: int, level: int = 100, **more: Any) -> int:
        """Sends an image; returns its capture time by this machine's clock, ns."""
        captured_ns = time.monotonic_ns()
        data = image_bytes(index, captured_ns * 1e-6 + self.ahead_ms, jpeg(level), **more)
        await self.socket.send_bytes(data)
        return captured_ns


@asynccontextmanager
async def phone(rig: WebRig, ahead_ms: float = 0.0) -> AsyncIterator[Phone]:
    """Yields a connected phone."""
    async with opened(rig, rig.job.tokens.camera) as page:
        one = Phone(page.socket)
        one.ahead_ms = ahead_ms
        yield one


async def until_true(condition: Any, timeout_s: float = DEADLINE_S) -> None:
    """Waits for a condition."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)
