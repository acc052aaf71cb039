"""Serves the pages over plain HTTP on loopback, and speaks their protocols with a simulated rig."""

import asyncio
import contextlib
import json
import struct
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Any

import cv2
import numpy as np
from aiohttp import WSMsgType, web

import pose_rig
from pose_rig.simulation.cameras import look_at
from pose_rig.streaming.axes import AXES
from pose_rig.streaming.json_frames import frame, schema
from tests.streaming.live import live
from tests.streaming.people import ALL, person

PAGES = Path(pose_rig.__file__).parent / "web" / "pages"
SUBJECT = person(5, seconds=20.0)
SIZE_PX, FOCAL_PX = (640, 480), 560.0
NAMES = ("desk", "door", "phone1", "window")
HZ = 60
LIMIT_S = 60.0
BUFFER_BYTES = 1 << 16  # of a connection, as of the real server: a page that is behind gets newer frames, not old ones
BESIDE_M = np.array([0.9, 0.0, 0.0])
# MediaPipe's landmarks that are joints of rig17
LANDMARKS = {0: 9, 11: 11, 12: 14, 13: 12, 14: 15, 15: 13, 16: 16, 23: 4, 24: 1, 25: 5, 26: 2, 27: 6, 28: 3}
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; connect-src 'self'; worker-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
)
HEADER = struct.Struct("<BBHHHId")


@dataclass
class Seen:
    """What the pages sent.

    Attributes:
        paths: Paths requested.
        messages: JSON messages of live pages and phones.
        frames: Headers and payloads of the frames of phones.
        live: Connections of live pages so far.
        phones: Connections of phones so far.
    """

    paths: list[str] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    frames: list[tuple[tuple[int, ...], bytes]] = field(default_factory=list)
    live: int = 0
    phones: int = 0


class PageServer:
    """Serves ``/control/``, ``/watch/`` and ``/camera/`` like a rig.

    Attributes:
        seen: What the pages sent.
        mode: Mode of the rig.
        tracking: 0 while no person is in view.
        refuse: What the next phones are refused with: cause and remedy.
        codec: Codec that phones are asked for, empty: their own.
        credit: Frames of phones that may be in flight; 0: none are taken.
        note: Note of the second camera.
        recorded: Whether this is a replay.
        no_images: Why cameras have no images, by name.
        people: How many people are tracked; the second one stands beside the first, to the left of camera 0.
    """

    def __init__(self) -> None:
        self.seen = Seen()
        self.mode: Any = "solved"
        self.tracking, self.credit, self.note, self.codec = 1, 2, "", ""
        self.refuse: tuple[str, str] | None = None
        self.recording = self.recorded = False
        self.no_images: dict[str, str] = {}
        self.people = 1
        self.port = 0
        self._sockets: dict[web.WebSocketResponse, web.Request] = {}
        self._loop = asyncio.new_event_loop()
        self._cameras = [_camera(i) for i in range(len(NAMES))]
        self._started = threading.Event()
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()))
        self._thread.start()
        assert self._started.wait(LIMIT_S)

    def address(self, token: str) -> str:
        """Returns the address of a page."""
        return f"http://127.0.0.1:{self.port}/{token}/"

    @property
    def connections(self) -> int:
        """How many pages are connected."""
        return len(self._sockets)

    def say(self, message: dict[str, Any]) -> None:
        """Sends a message to all pages."""

        async def send() -> None:
            for socket in list(self._sockets):
                await socket.send_json(message)

        asyncio.run_coroutine_threadsafe(send(), self._loop).result(LIMIT_S)

    def drop(self) -> None:
        """Cuts all connections."""

        async def cut() -> None:
            self._cut()

        asyncio.run_coroutine_threadsafe(cut(), self._loop).result(LIMIT_S)

    def close(self) -> None:
        """Ends the server."""
        stop = self._stop
        assert stop is not None
        self._loop.call_soon_threadsafe(stop.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        app = web.Application()
        app.router.add_get("/{token}/socket", self._socket)
        app.router.add_get("/{token}/{path:.*}", self._file)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        self._started.set()
        await self._stop.wait()
        self._cut()
        await runner.cleanup()

    def _cut(self) -> None:
        for request in self._sockets.values():
            if request.transport is not None:
                request.transport.abort()

    async def _file(self, request: web.Request) -> web.Response:
        self.seen.paths.append(request.path)
        token, path = request.match_info["token"], request.match_info["path"]
        file = PAGES / (path or ("phone.html" if token == "camera" else "live.html"))  # noqa: S105
        if token not in {"watch", "control", "camera"} or not file.is_file():
            return web.Response(status=404)
        headers = {
            "Content-Security-Policy": POLICY,
            "Content-Type": TYPES.get(file.suffix, "application/octet-stream"),
        }
        return web.Response(body=file.read_bytes(), headers=headers)

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=1 << 23)
        await socket.prepare(request)
        connection = socket.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(SOL_SOCKET, SO_SNDBUF, BUFFER_BYTES)
        self._sockets[socket] = request
        token = request.match_info["token"]
        sender = asyncio.ensure_future(
            self._send_to_phone(socket) if token == "camera" else self._send(socket, token == "control")  # noqa: S105
        )
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    await self._text(socket, json.loads(message.data))
                elif message.type == WSMsgType.BINARY:
                    head = HEADER.unpack_from(message.data)
                    self.seen.frames.append((head, message.data[HEADER.size :]))
                    await socket.send_json({"type": "credit", "n": 1})
        finally:
            self._sockets.pop(socket)
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await sender
        return socket

    async def _text(self, socket: web.WebSocketResponse, message: dict[str, Any]) -> None:
        self.seen.messages.append(message)
        if message["type"] == "command":
            if message["name"] in {"record", "stop-recording"}:
                self.recording = message["name"] == "record"
            await socket.send_json(
                {"type": "answer", "to": message["id"], "ok": True, "text": f"{message['name']} done"}
            )
        elif message["type"] == "clock":
            rig_ms = asyncio.get_running_loop().time() * 1e3
            await socket.send_json({"type": "clock", "sent": message["sent"], "rig_ms": rig_ms})
        elif message["type"] == "hello":
            await self._greet(socket)

    async def _greet(self, socket: web.WebSocketResponse) -> None:
        self.seen.phones += 1
        if self.refuse:
            cause, remedy = self.refuse
            await socket.send_json({"type": "refused", "cause": cause, "remedy": remedy})
            return
        accepted = {"type": "accepted", "camera": "phone1", "fps": 30, "max_side_px": 1280, "credit": self.credit}
        await socket.send_json(accepted | ({"codec": self.codec} if self.codec else {}))

    async def _send_to_phone(self, socket: web.WebSocketResponse) -> None:
        while True:
            sentence = "Step back until your whole body is in view." if self.mode != "solved" else ""
            state = {
                "type": "state",
                "mode": self.mode,
                "sentence": sentence,
                "fps": 29.6,
                "detected": self.mode != "cold",
            }
            await socket.send_json(state)
            await asyncio.sleep(0.5)

    async def _send(self, socket: web.WebSocketResponse, control: bool) -> None:
        self.seen.live += 1
        axes = AXES["rig"]
        hello = {
            "type": "hello",
            "version": 1,
            "control": control,
            "program": "pose-rig 0.1.0",
            "cameras": NAMES,
            "people": self.people,
        }
        what = {"live": not self.recorded, "recorded": self.recorded, "no_images": self.no_images}
        await socket.send_json({**hello, **what})
        mode = ""
        async for i in _ticks():
            score = np.ones(len(ALL)) * 0.9
            score[[13, 16][i // 240 % 2]] = 0.0
            more = {"mode": self.mode, "tracking": self.tracking, "score": score, "age_ms": 84.0}
            pose = live(SUBJECT, i % len(SUBJECT.t_ns), cameras=dict.fromkeys(NAMES, SIZE_PX), **more)
            if self.people > 1:
                other = replace(pose, person=1, xyz=pose.xyz + BESIDE_M, height_m=1.65, height_assumed=False)
                pose = replace(pose, people=(pose, other))
            if mode != f"{self.mode} {self.people}":
                mode = f"{self.mode} {self.people}"
                await socket.send_str(schema(pose, axes).decode())
            await socket.send_str(frame(pose, axes).decode())
            if i % 15 == 0:
                await socket.send_json(self._rig())
            if i % HZ == 0:
                await socket.send_json(self._status(i / HZ))
            if i % 6 == 0:
                for name, camera in zip(NAMES, self._cameras, strict=True):
                    xyz = SUBJECT.xyz[i % len(SUBJECT.t_ns)]
                    keypoints = _keypoints(name, camera, xyz)
                    if self.people > 1:
                        both = [keypoints, _keypoints(name, camera, xyz + BESIDE_M)]
                        fields = [{"raw": one["raw"], "refined": one["refined"]} for one in both]
                        keypoints["people"] = [{"person": i, **each} for i, each in enumerate(fields)]
                    await socket.send_json(keypoints)
                    if name not in self.no_images:
                        await socket.send_bytes(b"\x01" + bytes([len(name)]) + name.encode() + _jpeg(name, i))

    def _rig(self) -> dict[str, Any]:
        solved = self.mode == "solved"
        cameras = [
            {
                "name": name,
                "rotation": rotation.ravel().tolist() if self.mode != "cold" else None,
                "translation_m": translation.tolist() if solved else None,
                "focal_px": FOCAL_PX,
                "size_px": SIZE_PX,
                "health": 0.9,
                "agreement": 0.93 if self.mode != "cold" else None,
                "time_offset_s": 0.0123 * i,
                "time_offset_sd_s": 0.002 if i else None,
                "moving": False,
                "note": self.note if i == 1 else "",
            }
            for i, (name, (rotation, translation)) in enumerate(zip(NAMES, self._cameras, strict=True))
        ]
        height = {"height_m": SUBJECT.height_m, "height_assumed": True}
        return {"type": "rig", "mode": self.mode, "note": "", **height, "cameras": cameras}

    def _status(self, seconds: float) -> dict[str, Any]:
        health = {
            "state": "running",
            "age_ms": 71.0,
            "dropped": 0,
            "restarts": 0,
            "error": "",
            "detail": "",
            "refused": 0,
        }
        workers = [{"worker": name, "rate_hz": 29.7, **health} for name in NAMES if not self.recorded]
        workers.append({**health, "worker": "fusion", "rate_hz": 60.0, "age_ms": 84.0})
        recording = {"on": True, "path": "take.mcap", "seconds": seconds} if self.recording else None
        phone = {"name": "Pixel 8", "connected": True, "battery": 0.84, "charging": False}
        status = {"type": "status", "workers": workers, "recording": recording, "sentence": ""}
        return {**status, "phones": {"phone1": phone}}


@contextmanager
def page_server() -> Iterator[PageServer]:
    """Yields a server that is closed afterwards."""
    server = PageServer()
    try:
        yield server
    finally:
        server.close()


async def _ticks() -> AsyncIterator[int]:
    """Yields 0, 1, …, `HZ` times a second; on a busy machine more slowly, without catching up."""
    loop = asyncio.get_running_loop()
    due, i = loop.time(), 0
    while True:
        yield i
        i += 1
        due = max(due + 1 / HZ, loop.time())
        await asyncio.sleep(due - loop.time())


def _camera(i: int) -> tuple[Any, Any]:
    """Returns rotation and translation of camera_from_rig of one of four cameras in a circle."""
    angle = 0.5 + i * np.pi / 2
    position = np.array([3.1 * np.sin(angle), 1.2 + 0.3 * i, 3.1 * np.cos(angle)])
    rotation = np.asarray(look_at(position, np.array([0.0, 0.95, 0.0])))
    return rotation, -rotation @ position


def _keypoints(name: str, camera: tuple[Any, Any], xyz: Any) -> dict[str, Any]:
    rotation, translation = camera
    local = xyz @ rotation.T + translation
    xy = FOCAL_PX * local[:, :2] / local[:, 2:] + np.array(SIZE_PX) / 2
    raw = np.zeros((33, 3))
    for landmark, joint in LANDMARKS.items():
        raw[landmark] = (*(xy[joint] + np.random.default_rng(landmark).normal(0, 6, 2)), 0.9)
    refined = np.concatenate([xy, np.ones((len(xy), 1))], 1)
    return {
        "type": "keypoints",
        "camera": name,
        "size_px": SIZE_PX,
        "raw": raw.round(1).tolist(),
        "refined": refined.round(1).tolist(),
        "landmarks": "mediapipe33",
        "t_ns": 0,
    }


def _jpeg(name: str, i: int) -> bytes:
    image = np.full((240, 320, 3), (74, 70, 66), np.uint8)
    image[150:] = (94, 102, 110)
    cv2.putText(image, f"{name} {i}", (10, 228), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (220, 220, 220), 1, cv2.LINE_AA)
    return cv2.imencode(".jpg", image)[1].tobytes()
