"""Messages with images of a live run, which no recording contains: thumbnails for the live page, frames of phones."""

from typing import Annotated, ClassVar, Literal

import msgspec

from pose_rig.wire.messages import MAX_COORDINATE_PX, Array, Count, Message, Real, SizePx, TimeNs

MAX_PHONE_BYTES = 1 << 22  # a JPEG of 1280×720 has 0.2 MB
PhoneFormat = Literal["jpeg", "h264-key", "h264-delta"]
ShortText = Annotated[str, msgspec.Meta(max_length=64)]


class Thumbnail(Message, frozen=True, kw_only=True, eq=False):
    """A small image of one camera and what was detected in it.

    Attributes:
        camera: Name of the camera.
        t_ns: Capture time.
        size_px: (width, height) of the image that ``xy`` refers to.
        landmarks: Landmark schema, as in `Keypoints2D`.
        xy: (P,K,2) px.
        score: (P,K) 0–1.
        jpeg: The image, reduced; empty where the source has keypoints only.
    """

    TOPIC: ClassVar[str] = "thumbnail/"
    TOPIC_FIELD: ClassVar[str] = "camera"
    ARRAYS: ClassVar[dict[str, tuple[str | int, ...]]] = {"xy": ("P", "K", 2), "score": ("P", "K")}
    RANGES: ClassVar[dict[str, tuple[float, float]]] = {
        "xy": (-MAX_COORDINATE_PX, MAX_COORDINATE_PX), "score": (0, 1),
    }  # fmt: skip

    camera: str
    t_ns: TimeNs
    size_px: SizePx
    landmarks: str
    xy: Array
    score: Array
    jpeg: bytes = b""


class PhoneFrame(Message, frozen=True, kw_only=True, eq=False):
    """An encoded image of a phone.

    Attributes:
        camera: Name of the camera that the phone is.
        index: Number of the image since the phone connected; gaps are lost images.
        t_ns: Capture time, rig clock.
        size_px: (width, height) of the image, before it is rotated.
        rotation_deg: By which it is to be rotated clockwise.
        format: ``h264-key``: decoding can start here.
        data: JPEG, or one access unit in Annex B form.
        phone: Identifies the phone.
        name: Its model, for display.
        fps: Frames per second that it intends to send.
    """

    TOPIC: ClassVar[str] = "phone/"
    TOPIC_FIELD: ClassVar[str] = "camera"

    camera: str
    index: Count
    t_ns: TimeNs
    size_px: SizePx
    rotation_deg: Literal[0, 90, 180, 270] = 0
    format: PhoneFormat
    data: Annotated[bytes, msgspec.Meta(max_length=MAX_PHONE_BYTES)]
    phone: ShortText
    name: ShortText = ""
    fps: Real = 30.0
