"""Images of cameras as they are stored in a session: as `foxglove.*` messages only."""

from foxglove_schemas_protobuf.CompressedImage_pb2 import CompressedImage
from foxglove_schemas_protobuf.CompressedVideo_pb2 import CompressedVideo
from google.protobuf.message import DecodeError

from pose_rig.session.draw.cameras import camera_frame
from pose_rig.session.draw.viewer_messages import ViewerMessage, timestamp
from pose_rig.wire.records import VideoFrame

Image = CompressedVideo | CompressedImage
SPS = 7  # NAL unit type
START_CODE = b"\x00\x00\x01"
HEADER_BYTES = 64  # a keyframe begins with its parameter sets, at most after a delimiter


def image_message(frame: VideoFrame, unix_from_rig_ns: int) -> ViewerMessage:
    """Returns an encoded frame as a message for viewers; its bytes are unchanged."""
    unix_ns = frame.t_ns + unix_from_rig_ns
    kind = CompressedVideo if frame.format == "h264" else CompressedImage
    message = kind(
        timestamp=timestamp(unix_ns),
        frame_id=camera_frame(frame.camera),
        data=frame.data,
        format=frame.format,
    )
    return ViewerMessage(video_topic(frame.camera), unix_ns, message)


def video_frame(
    camera: str, index: int, t_ns: int, size_px: tuple[int, int], data: bytes, schema: str
) -> VideoFrame | None:
    """Returns the frame of a message of `image_message`; None if it is damaged.

    ``schema`` is its type, ``foxglove.CompressedVideo`` or ``foxglove.CompressedImage``; ``t_ns`` is on the rig clock.
    Older sessions name the type of a camera's first image for all, also where it has changed from H.264 to JPEG.
    """
    is_video = schema == CompressedVideo.DESCRIPTOR.full_name
    message = _parsed(CompressedVideo(), data) if is_video else None
    is_video = message is not None
    message = message or _parsed(CompressedImage(), data)
    if message is None:
        return None
    return VideoFrame(
        camera=camera,
        index=index,
        t_ns=t_ns,
        size_px=size_px,
        format="h264" if is_video else "jpeg",
        keyframe=not is_video or _has_sps(message.data),
        data=message.data,
    )


def video_topic(camera: str) -> str:
    """Returns the topic of a camera's video."""
    return f"/camera/{camera}/image"


def _parsed(empty: Image, data: bytes) -> Image | None:
    try:
        empty.ParseFromString(data)
    except DecodeError:
        return None
    return empty


def _has_sps(data: bytes) -> bool:
    """Returns whether the first units contain a sequence parameter set: decoding can begin here."""
    units = data[:HEADER_BYTES].split(START_CODE)[1:]
    return any(unit and unit[0] & 0x1F == SPS for unit in units)
