"""What phones send: text in JSON, images in binary (docs/wire.md)."""

import struct
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from pose_rig.wire.live_images import MAX_PHONE_BYTES, PhoneFormat
from pose_rig.wire.messages import MAX_IMAGE_SIDE_PX, SidePx

HEADER = struct.Struct("<BBHHHId")  # kind, 0, rotation, width, height, index, capture time
MAX_FRAME_BYTES = HEADER.size + MAX_PHONE_BYTES
FORMATS: dict[int, PhoneFormat] = {1: "jpeg", 2: "h264-key", 3: "h264-delta"}
MAX_MS = 1e12  # 30 years

Codec = Literal["jpeg", "h264"]
Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=MAX_MS)]
PhoneId = Annotated[str, msgspec.Meta(pattern=r"^[\w-]{8,64}$")]
Name = Annotated[str, msgspec.Meta(max_length=64)]


class Hello(msgspec.Struct, tag_field="type", tag="hello", frozen=True):
    """A phone introduces itself.

    Attributes:
        id: Random, the same after a reload.
        name: Its model, for display.
        size: (width, height) of its images.
        fps: Frames per second of its camera.
        codec: What it prefers to send.
    """

    id: PhoneId
    name: Name = ""
    size: tuple[SidePx, SidePx] = (640, 480)
    fps: Annotated[float, msgspec.Meta(gt=0, le=1000)] = 30.0
    codec: Codec = "jpeg"


class ClockRequest(msgspec.Struct, tag_field="type", tag="clock", frozen=True):
    """A phone asks for the time of the rig; ``sent`` is the time of its own clock, ms."""

    sent: Milliseconds


class ClockResult(msgspec.Struct, tag_field="type", tag="clock-result", frozen=True):
    """The answer ``rig_ms`` to the request of ``sent`` was received at ``received`` of the phone's clock, ms."""

    sent: Milliseconds
    rig_ms: Milliseconds
    received: Milliseconds


class PhoneStatus(msgspec.Struct, tag_field="type", tag="status", frozen=True):
    """The state of a phone.

    Attributes:
        battery: 0–1, None where the browser does not know it.
        charging: Whether it is being charged.
        fps: Frames per second that it sends.
        hidden: Whether its page is in the background.
    """

    battery: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    charging: bool | None = None
    fps: Annotated[float, msgspec.Meta(ge=0, le=1000)] = 0.0
    hidden: bool = False


PhoneText = Hello | ClockRequest | ClockResult | PhoneStatus
decode_text = msgspec.json.Decoder(PhoneText).decode


@dataclass(frozen=True, slots=True)
class PhoneImage:
    """An encoded image as a phone sends it.

    Attributes:
        format: As in `pose_rig.wire.live_images.PhoneFrame`.
        rotation_deg: As there.
        size_px: As there.
        capture_ms: Capture time by the phone's clock.
        data: The encoded image.
    """

    format: PhoneFormat
    rotation_deg: Literal[0, 90, 180, 270]
    size_px: tuple[int, int]
    capture_ms: float
    data: bytes


def parse_image(message: bytes) -> PhoneImage:
    """Returns the image in a binary message.

    Raises:
        ValueError: It is not valid.
    """
    if len(message) <= HEADER.size:
        raise ValueError("An image has no content.")
    kind, _, rotation_deg, width, height, _, capture_ms = HEADER.unpack_from(message)
    if kind not in FORMATS:
        raise ValueError(f"Images of kind {kind} are unknown.")
    if rotation_deg not in (0, 90, 180, 270):
        raise ValueError(f"A rotation of {rotation_deg}° is not a multiple of 90°.")
    if not (0 < width <= MAX_IMAGE_SIDE_PX and 0 < height <= MAX_IMAGE_SIDE_PX):
        raise ValueError(f"{width}×{height} is not the size of an image.")
    if not 0 <= capture_ms <= MAX_MS:  # NaN is not
        raise ValueError("A capture time is not valid.")
    return PhoneImage(FORMATS[kind], rotation_deg, (width, height), capture_ms, message[HEADER.size :])
