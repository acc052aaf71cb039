"""A phone as a camera: the web worker receives its images, this source decodes the newest of them."""

import time
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pose_rig.arrays import Image
from pose_rig.capture.source import Frame, SourceInfo
from pose_rig.config import CameraConfig
from pose_rig.wire.authentication import Keys
from pose_rig.wire.bus import Receiver
from pose_rig.wire.encoding import LIMITS
from pose_rig.wire.live_images import PhoneFrame

SIZE_PX = (1280, 720)  # until a phone has sent an image
FPS = 30.0
LOST_AFTER_S = 1.5  # without an image
ROTATIONS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


@dataclass(frozen=True, slots=True)
class PhoneInput:
    """Where the images of phones come from: the web worker publishes them at ``endpoint``."""

    endpoint: str
    keys: Keys | None


class PhoneSource:
    """A phone as a `Source`: it waits for one, and for the same one again when its screen was locked.

    Args:
        camera: The camera that the phone is.
        images: Where its images come from.
    """

    def __init__(self, camera: CameraConfig, images: PhoneInput) -> None:
        topic = f"{PhoneFrame.TOPIC}{camera.name}\0"  # with its end: phone1 is not phone10
        self._receiver = Receiver(
            images.endpoint, keys=images.keys, topics=(topic,), max_bytes=LIMITS[PhoneFrame.TOPIC]
        )
        self._decoder = PhoneDecoder()
        self._newest: PhoneFrame | None = None
        self._received_s: float | None = None
        self._first_index = 0  # of this connection of the phone
        self._received_index = -1
        size_px = camera.size_px or SIZE_PX
        self.info = SourceInfo(camera.name, "waiting for a phone", size_px, camera.fps or FPS)

    @property
    def fault(self) -> str:
        """One sentence while a phone that has sent images sends none."""
        if self._received_s is None or time.monotonic() - self._received_s < LOST_AFTER_S:
            return ""
        return "The phone sends nothing any more: unlock its screen, or open its page again."

    def poll(self, timeout_s: float) -> bool:
        """Waits up to ``timeout_s`` for an image; there is no error where none comes."""
        if self._newest is None:
            self._take(round(timeout_s * 1000))
        return self._newest is not None

    def read(self) -> Frame | None:
        """Returns the newest image; there is no end."""
        self._take(0)
        while self._newest is None:
            self._take(100)
        message, self._newest = self._newest, None
        image = self._decoder.image(message)
        width, height = message.size_px
        size_px = (height, width) if message.rotation_deg in (90, 270) else (width, height)
        return Frame(self._first_index + message.index, message.t_ns, size_px, image, None)

    def close(self) -> None:
        """Closes the socket."""
        self._receiver.close()

    def _take(self, timeout_ms: int) -> None:
        for message in self._receiver.receive(timeout_ms):
            if isinstance(message, PhoneFrame):
                self._add(message)

    def _add(self, message: PhoneFrame) -> None:
        self._received_s = time.monotonic()
        if message.index <= self._received_index or message.phone != self.info.identity:
            self._first_index += self._received_index + 1  # it has connected again, or it is another one
            self._describe(message)
        self._received_index = message.index
        self._decoder.add(message)
        self._newest = message

    def _describe(self, message: PhoneFrame) -> None:
        width, height = message.size_px
        form = "JPEG" if message.format == "jpeg" else "H.264"
        detail = f"{message.name or 'phone'}, {width}×{height} {form} at {message.fps:.4g}/s"
        self.info = SourceInfo(message.phone, detail, message.size_px, message.fps)


class PhoneDecoder:
    """Decodes the images of one phone: of JPEG only what is asked for, of H.264 every access unit, in order."""

    def __init__(self) -> None:
        self._video: Any = None
        self._next_index = 0
        self._decoded: tuple[int, Image | None] = (-1, None)

    def add(self, message: PhoneFrame) -> None:
        """Takes the next image; after a lost or damaged access unit the next ones are empty, up to a keyframe."""
        if message.format == "jpeg":
            self._video = None
            return
        if message.format == "h264-key":
            from pose_rig.video.h264_decoder import H264Decoder  # imports PyAV, which the web worker has checked

            self._video = H264Decoder()
        elif message.index != self._next_index:
            self._video = None
        self._next_index = message.index + 1
        image = self._video.decode(message.data) if self._video is not None else None
        self._video = self._video if image is not None else None
        self._decoded = message.index, image

    def image(self, message: PhoneFrame) -> Image | None:
        """Returns the last added image, (H,W,3) uint8 BGR, upright; None if it is damaged or of another size."""
        if message.format == "jpeg":
            image: Any = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR) if message.data else None
        else:
            index, image = self._decoded
            image = image if index == message.index else None
        if image is None or image.shape[1::-1] != message.size_px:
            return None
        return cv2.rotate(image, ROTATIONS[message.rotation_deg]) if message.rotation_deg else image  # type: ignore[no-any-return]
