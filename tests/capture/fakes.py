"""A fake capture device, clips and a web server."""

import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from pose_rig.arrays import Image
from tests.http_server import Page, serve

SIZE = (64, 48)
FPS = 25.0
FRAMES = 12


def make_image(index: int, size: tuple[int, int] = SIZE) -> Image:
    """Returns an image whose grey level encodes the frame number, with a white top left corner."""
    image = np.full((size[1], size[0], 3), 15 * index + 20, np.uint8)
    image[: size[1] // 3, : size[0] // 3] = 255
    return image


def write_clip(path: Path, frames: int = FRAMES, size: tuple[int, int] = SIZE) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, size)
    assert writer.isOpened()
    for index in range(frames):
        writer.write(make_image(index, size))
    writer.release()
    return path


def turn_clip(path: Path) -> None:
    """Sets the track's matrix to a rotation by 90° clockwise, as an upright phone does."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version 0
    struct.pack_into(">9i", data, at, 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def write_matroska(path: Path, times_ms: Sequence[float]) -> Path:
    """Writes a video with these timestamps."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=25, options={"g": "5"})
        stream.width, stream.height = SIZE
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for index, t_ms in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(make_image(index % FRAMES), format="bgr24")
            frame.pts, frame.time_base = round(t_ms), Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def set_pixel_aspect(source: Path, target: Path, aspect: Fraction) -> Path:
    """Copies a clip with another pixel aspect ratio."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        stream.sample_aspect_ratio = aspect
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return target


def hide_first(source: Path, target: Path, frames: int) -> Path:
    """Copies a clip with an edit list that hides the first frames, as cutting without encoding does."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None and packet.pts is not None:
                shift = round(frames / FPS / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, stream
                new.mux(packet)
    return target


class FakeDevice:
    """A capture device with 100 frames per second.

    Args:
        grants: ``CAP_PROP_…`` → value that overrides the requested one.
        lost_after: Number of grabs before the device is lost.
        frozen_after: Number of grabs before they block.
        image: Constant image.
        opens: Whether the device can be opened.
    """

    def __init__(
        self,
        grants: dict[int, float] | None = None,
        *,
        lost_after: int | None = None,
        frozen_after: int | None = None,
        image: Any = None,
        opens: bool = True,
    ) -> None:
        self.settings: dict[int, float] = {}
        self.grants = grants or {}
        self.lost_after, self.frozen_after, self.image, self.opens = lost_after, frozen_after, image, opens
        self.grabbed = 0
        self.grab_ns: list[int] = []
        self.released = threading.Event()
        self.thaw = threading.Event()

    def isOpened(self) -> bool:  # noqa: N802
        return self.opens

    def grab(self) -> bool:
        if self.grabbed == self.lost_after:
            return False
        if self.grabbed == self.frozen_after:
            self.thaw.wait(10)
            return False
        time.sleep(0.01)
        self.grabbed += 1
        self.grab_ns.append(time.monotonic_ns())
        return True

    def retrieve(self) -> tuple[bool, Any]:
        time.sleep(0.005)  # decoding
        return True, self.image if self.image is not None else make_image(self.grabbed % 12)

    def get(self, prop: int, /) -> float:
        return self.grants.get(prop, self.settings.get(prop, 0.0))

    def set(self, prop: int, value: float, /) -> bool:
        self.settings[prop] = value
        return prop not in self.grants

    def release(self) -> None:
        self.released.set()

    def opener(self, target: str | int, backend: int, params: Sequence[int] = ()) -> "FakeDevice":
        return self


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    """Serves the files of a folder, an endless ``/live.mjpg`` and a ``/short.mjpg``; yields its URL."""
    with serve() as site:
        site.folder = folder
        for name, frames in (("live", 3000), ("short", 100)):
            kind = "multipart/x-mixed-replace; boundary=frame"
            site.pages[f"/{name}.mjpg"] = Page(kind=kind, ranges=False, chunks=partial(_jpeg_parts, frames))
        yield site.url


def _jpeg_parts(frames: int) -> Iterator[bytes]:
    for index in range(frames):
        jpeg = cv2.imencode(".jpg", make_image(index % 12))[1].tobytes()
        yield f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode() + jpeg + b"\r\n"
        time.sleep(0.01)
