"""Pictures of cameras as a session keeps them: in the form that viewers want, and in no other."""

from foxglove_schemas_protobuf.CompressedImage_pb2 import CompressedImage
from foxglove_schemas_protobuf.CompressedVideo_pb2 import CompressedVideo
from google.protobuf.message import DecodeError

from pose_rig.session.draw.cameras import camera_frame
from pose_rig.session.draw.drawing import Drawn, timestamp
from pose_rig.wire.records import VideoFrame

SPS = 7  # kind of NAL unit
START_CODE = b"\x00\x00\x01"
HEAD_BYTES = 64  # a keyframe's parameter sets come first, at most behind a delimiter


def picture(frame: VideoFrame, unix_from_rig_ns: int) -> Drawn:
    """Returns a recorded picture on its camera's topic; its bytes are not touched.

    Args:
        frame: The picture.
        unix_from_rig_ns: What turns its instant into the time of day.
    """
    t_ns = frame.t_ns + unix_from_rig_ns
    kind = CompressedVideo if frame.format == "h264" else CompressedImage
    message = kind(
        timestamp=timestamp(t_ns),
        frame_id=camera_frame(frame.camera),
        data=frame.data,
        format=frame.format,
    )
    return Drawn(video_topic(frame.camera), t_ns, message)


def video_frame(
    camera: str, index: int, t_ns: int, size_px: tuple[int, int], data: bytes, schema: str
) -> VideoFrame | None:
    """Returns a picture as it was sent, from what `picture` made of it; None if it is damaged.

    Args:
        camera: Name of the camera.
        index: Number of the frame.
        t_ns: Its instant, rig clock.
        size_px: Image (width, height).
        data: The message.
        schema: Its type: ``foxglove.CompressedVideo`` or ``foxglove.CompressedImage``.
    """
    is_video = schema == CompressedVideo.DESCRIPTOR.full_name
    message = CompressedVideo() if is_video else CompressedImage()
    try:
        message.ParseFromString(data)
    except DecodeError:
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
    """Returns the topic of a camera's pictures."""
    return f"/camera/{camera}/image"


def _has_sps(data: bytes) -> bool:
    """Returns whether a sequence parameter set lies among the first units: decoding may begin here."""
    units = data[:HEAD_BYTES].split(START_CODE)[1:]
    return any(unit and unit[0] & 0x1F == SPS for unit in units)
