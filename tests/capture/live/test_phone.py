from collections.abc import Iterator
from contextlib import closing
from typing import Any

import cv2
import numpy as np
import pytest

from pose_rig.arrays import Image
from pose_rig.capture.phone import PhoneDecoder, PhoneInput, PhoneSource
from pose_rig.capture.source_factory import open_source
from pose_rig.config import PHONE, CameraConfig
from pose_rig.errors import UsageError
from pose_rig.video.h264_encoder import H264Encoder
from pose_rig.wire.authentication import generate_keys
from pose_rig.wire.bus import Sender
from pose_rig.wire.live_images import PhoneFrame
from tests.capture.fakes import SIZE, make_image

CAMERA = CameraConfig(source=PHONE, name="phone1")


def image_message(index: int, data: bytes, **more: Any) -> PhoneFrame:
    fields: dict[str, Any] = {
        "camera": "phone1",
        "t_ns": index * 33,
        "size_px": SIZE,
        "format": "jpeg",
        "phone": "phone-0001",
    }
    return PhoneFrame(index=index, data=data, **(fields | more))


def jpeg(image: Image) -> bytes:
    return cv2.imencode(".jpg", image)[1].tobytes()


def h264(count: int) -> Iterator[PhoneFrame]:
    encoder = H264Encoder(SIZE)
    for index in range(count):
        encoded = encoder.encode(index, make_image(index % 12))
        yield image_message(index, encoded.data, format="h264-key" if encoded.keyframe else "h264-delta")


def test_a_phone_is_opened_where_there_are_phones_only() -> None:
    with pytest.raises(UsageError, match="Phones are cameras of a live run only"):
        open_source(CAMERA, "realtime", lambda: 0)


def test_the_newest_image_is_given_and_a_second_connection_continues_the_numbers() -> None:
    keys = generate_keys()
    with Sender("tcp://127.0.0.1:0", bind=True, keys=keys) as sender:
        source = open_source(CAMERA, "realtime", lambda: 0, phones=PhoneInput(sender.endpoint, keys))
        assert isinstance(source, PhoneSource)
        with closing(source):
            while not source.poll(0.01):  # until it has subscribed
                sender.send(image_message(0, jpeg(make_image(0))))
            for index in (1, 2, 3):
                sender.send(image_message(index, jpeg(make_image(index))))
            frame = source.read()
            while frame is not None and frame.index < 3:
                frame = source.read()
            assert frame is not None
            assert frame.image is not None
            assert (frame.index, frame.t_ns, frame.size_px) == (3, 99, SIZE)
            assert abs(int(frame.image[-1, -1, 0]) - 65) <= 2
            for index in (0, 1):
                sender.send(image_message(index, jpeg(make_image(0)), camera="phone10"))  # of another camera
                sender.send(image_message(index, jpeg(make_image(index)), phone="phone-0002", name="Other"))
            frames = [source.read()]
            while frames[-1] is not None and frames[-1].index < 5:
                frames.append(source.read())
            assert source.info.identity == "phone-0002"
            assert source.info.detail == "Other, 64×48 JPEG at 30/s"
            assert source.fault == ""


@pytest.mark.parametrize(("rotation_deg", "corner"), [(0, (0, 0)), (90, (0, -1)), (180, (-1, -1)), (270, (-1, 0))])
def test_images_are_rotated_clockwise(rotation_deg: int, corner: tuple[int, int]) -> None:
    image = PhoneDecoder().image(image_message(0, jpeg(make_image(0)), rotation_deg=rotation_deg))
    assert image is not None
    assert image.shape[:2] == (SIZE if rotation_deg in (90, 270) else SIZE[::-1])
    assert image[corner][0] > 240  # the white corner is top left in the image as it was sent


@pytest.mark.parametrize("data", [b"", b"no JPEG", jpeg(make_image(0))[:200], jpeg(make_image(0, (32, 32)))])
def test_a_damaged_image_and_one_of_another_size_are_empty(data: bytes) -> None:
    assert PhoneDecoder().image(image_message(0, data)) is None


def test_video_is_decoded_in_order_and_starts_again_at_a_keyframe_after_a_gap() -> None:
    decoder = PhoneDecoder()
    messages = list(h264(6))
    assert [message.format for message in messages] == ["h264-key", *["h264-delta"] * 5]
    shown: list[bool] = []
    for message in [*messages[:3], *messages[4:], *messages[:2]]:  # the fourth is lost; then it starts again
        decoder.add(message)
        shown.append(decoder.image(message) is not None)
    assert shown == [True, True, True, False, False, True, True]
    image = decoder.image(messages[1])
    assert image is not None
    assert abs(int(image[-1, -1, 0]) - 35) <= 4
    damaged = image_message(2, b"\0\0\1" + bytes(np.arange(60, dtype=np.uint8)), format="h264-delta")
    decoder.add(damaged)
    assert decoder.image(damaged) is None
