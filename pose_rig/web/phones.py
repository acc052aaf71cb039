"""The phones that are cameras: their connections, clocks and images."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from pose_rig.config import CameraConfig
from pose_rig.installer import installer
from pose_rig.video.h264_support import has_h264
from pose_rig.web.client import ENDED, Outbox, RateLimit, dismiss, open_socket, send_until_gone
from pose_rig.web.live_state import LiveState
from pose_rig.web.page_json import text
from pose_rig.web.phone_clock import PhoneClock
from pose_rig.web.phone_messages import (
    MAX_FRAME_BYTES,
    ClockRequest,
    ClockResult,
    Codec,
    Hello,
    PhoneImage,
    PhoneStatus,
    PhoneText,
    decode_text,
    parse_image,
)
from pose_rig.web.phone_places import PhonePlaces
from pose_rig.wire.live_images import PhoneFrame

HELLO_TIMEOUT_S = 5.0
CREDIT = 2  # images in flight: one is received while the next one is encoded
MAX_FPS, MAX_SIDE_PX = 30.0, 1280
PACE = 0.8  # of the period: so soon after an image the next one is asked for
MAX_AGE_NS = 5_000_000_000  # older images belong to a phone that was asleep
STATE_INTERVAL_S = 0.5
REPLACED = "This phone has connected again."
UNPRINTABLE = re.compile(r"[^\x20-\x7e\u00a1-\uffff]")


@dataclass(eq=False, slots=True)
class Phone:
    """One connected phone.

    Attributes:
        hello: How it introduced itself.
        camera: The camera that it is.
        socket: Its connection.
        outbox: What is waiting to be sent to it.
        clock: Its clock.
        status: Its newest status.
        index: Number of its next image.
        newest_ns: Capture time of its newest image, rig clock.
    """

    hello: Hello
    camera: CameraConfig
    socket: web.WebSocketResponse
    outbox: Outbox = field(default_factory=Outbox)
    clock: PhoneClock = field(default_factory=PhoneClock)
    status: PhoneStatus = field(default_factory=PhoneStatus)
    index: int = 0
    newest_ns: int = 0
    credited_s: float = 0.0

    @property
    def name(self) -> str:
        """Its model, printable."""
        return UNPRINTABLE.sub("?", self.hello.name)

    @property
    def fps(self) -> float:
        """Frames per second that it is asked for."""
        return min(self.hello.fps, self.camera.fps or MAX_FPS)


class Phones:
    """All phones of a run.

    Args:
        cameras: The cameras that are phones.
        places: Which phone is which of them.
        state: What is known of the run.
        publish: Called with each image.

    Attributes:
        refused: Phones and messages that were refused.
        dropped: Images that were not used.
    """

    def __init__(
        self,
        cameras: tuple[CameraConfig, ...],
        places: PhonePlaces,
        state: LiveState,
        publish: Callable[[PhoneFrame], object],
    ) -> None:
        self.refused = self.dropped = 0
        self._cameras = {camera.name: camera for camera in cameras}
        self._places, self._state, self._publish = places, state, publish
        self._connected: dict[str, Phone] = {}
        self._seen: dict[str, Phone] = {}  # also those that have left
        self._codec: Codec = "h264" if has_h264() else "jpeg"
        self._sent_state_s = 0.0

    def __len__(self) -> int:
        return len(self._connected)

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serves a phone until it disconnects."""
        socket = await open_socket(request, MAX_FRAME_BYTES)
        hello = await self._hello(socket)
        if hello is None:
            self.refused += 1
            await socket.close(code=WSCloseCode.POLICY_VIOLATION)
            return socket
        camera = self._place(hello)
        if camera is None:
            self.refused += 1
            await socket.send_str(self._refusal())
            await socket.close(code=WSCloseCode.TRY_AGAIN_LATER)
            return socket
        phone = Phone(hello, self._cameras[camera], socket)
        self._connect(phone)
        sending = asyncio.create_task(self._send(request, phone))
        try:
            await self._receive(phone)
        finally:
            sending.cancel()
            self._disconnect(phone)
        return socket

    async def close(self) -> None:
        """Says to every phone that the run has ended."""
        await asyncio.gather(*(dismiss(phone.socket, ENDED) for phone in self._connected.values()))

    def tick(self) -> None:
        """Sends the state of the rig to every phone, twice a second."""
        now_s = time.monotonic()
        if now_s - self._sent_state_s < STATE_INTERVAL_S:
            return
        self._sent_state_s = now_s
        for name, phone in self._connected.items():
            report = self._state.workers.get(name)
            fields = {
                "type": "state", "mode": self._state.mode(), "sentence": self._state.sentence(),
                "fps": round(report.health.rate_hz, 1) if report else 0.0, "detected": self._state.detects(name),
            }  # fmt: skip
            phone.outbox.put("state", text(fields))

    def status_fields(self) -> dict[str, dict[str, Any]]:
        """Returns the state of every phone that has been connected, by camera."""
        return {
            name: {
                "name": phone.name,
                "connected": self._connected.get(name) is phone,
                "battery": phone.status.battery,
                "charging": phone.status.charging,
                "fps": round(phone.status.fps, 1),
                "hidden": phone.status.hidden,
                "clock_ms": phone.clock.uncertainty_ms,
            }
            for name, phone in self._seen.items()
        }

    async def _hello(self, socket: web.WebSocketResponse) -> Hello | None:
        """Returns the first message of a phone; None if it sends none in time, or another one."""
        try:
            message = await socket.receive(timeout=HELLO_TIMEOUT_S)
            decoded = decode_text(message.data) if message.type is WSMsgType.TEXT else None
        except (TimeoutError, msgspec.DecodeError, RecursionError):
            return None
        return decoded if isinstance(decoded, Hello) else None

    def _place(self, hello: Hello) -> str | None:
        others = {name for name, phone in self._connected.items() if phone.hello.id != hello.id}
        return self._places.camera_of(hello.id, others)

    def _refusal(self) -> str:
        count = len(self._cameras)
        return text({
            "type": "refused",
            "cause": f"{'The place is' if count == 1 else f'All {count} places are'} taken by other phones.",
            "remedy": f"Start the rig with --phones {count + 1}, or close the page on another phone.",
        })  # fmt: skip

    def _connect(self, phone: Phone) -> None:
        name = phone.camera.name
        if (earlier := self._connected.get(name)) is not None:
            asyncio.get_running_loop().create_task(dismiss(earlier.socket, REPLACED))
        else:
            self._state.add_event(f"{name}: {phone.name or 'a phone'} has joined.")
        self._connected[name] = self._seen[name] = phone
        side_px = max(phone.camera.size_px) if phone.camera.size_px else MAX_SIDE_PX
        codec = self._codec if phone.hello.codec == "h264" else "jpeg"
        fields = {
            "type": "accepted", "camera": name, "fps": phone.fps, "max_side_px": side_px, "credit": CREDIT,
            "codec": codec,
        }  # fmt: skip
        if codec != phone.hello.codec:
            fields["note"] = f"H.264 needs PyAV on the rig's machine: {installer().with_extra('video')}."
        phone.outbox.add(text(fields))

    def _disconnect(self, phone: Phone) -> None:
        name = phone.camera.name
        if self._connected.get(name) is phone:
            del self._connected[name]
            self._state.add_event(f"{name}: {phone.name or 'the phone'} has left.")

    async def _send(self, request: web.BaseRequest, phone: Phone) -> None:
        if await send_until_gone(request, phone.socket, phone.outbox):
            self.refused += 1

    async def _receive(self, phone: Phone) -> None:
        texts, images = RateLimit(), RateLimit(2 * phone.fps, 2 * phone.fps)
        async for message in phone.socket:
            limit = images if message.type is WSMsgType.BINARY else texts
            if not limit.allows(time.monotonic()):
                self.refused += 1
                await phone.socket.close(code=WSCloseCode.POLICY_VIOLATION)
                return
            try:
                self._take(phone, message)
            except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
                self.refused += 1

    def _take(self, phone: Phone, message: WSMessage) -> None:
        if message.type is WSMsgType.BINARY:
            self._give_credit(phone)
            self._take_image(phone, parse_image(message.data))
        else:
            self._take_text(phone, decode_text(message.data))

    def _take_text(self, phone: Phone, message: PhoneText) -> None:
        if isinstance(message, ClockRequest):
            rig_ms = phone.clock.answer_ms(message.sent)
            phone.outbox.add(text({"type": "clock", "sent": message.sent, "rig_ms": rig_ms}))
        elif isinstance(message, ClockResult):
            self.refused += not phone.clock.confirm(message.sent, message.received)
        elif isinstance(message, PhoneStatus):
            phone.status = message

    def _take_image(self, phone: Phone, image: PhoneImage) -> None:
        """Publishes an image with the time of the rig, or drops it."""
        now_ns = time.monotonic_ns()
        captured_ns = phone.clock.rig_ns(image.capture_ms)
        t_ns = 0 if captured_ns is None else min(captured_ns, now_ns)
        index, phone.index = phone.index, phone.index + 1
        if not max(phone.newest_ns, now_ns - MAX_AGE_NS) < t_ns:
            self.dropped += 1
            return
        phone.newest_ns = t_ns
        self._publish(
            PhoneFrame(
                camera=phone.camera.name, index=index, t_ns=t_ns, size_px=image.size_px,
                rotation_deg=image.rotation_deg, format=image.format, data=image.data, phone=phone.hello.id,
                name=phone.name, fps=phone.fps,
            )
        )  # fmt: skip

    def _give_credit(self, phone: Phone) -> None:
        """Asks for one more image, no sooner than the wanted rate allows."""
        now_s = time.monotonic()
        phone.credited_s = max(now_s, phone.credited_s + PACE / phone.fps)
        credit = text({"type": "credit", "n": 1})
        asyncio.get_running_loop().call_later(phone.credited_s - now_s, phone.outbox.add, credit)
