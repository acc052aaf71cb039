import time
from contextlib import closing

import cv2
import numpy as np

from pose_rig.capture.source import Detections
from pose_rig.capture.thumbnails import ThumbnailSender
from pose_rig.wire.authentication import Keys, generate_keys
from pose_rig.wire.bus import Receiver
from pose_rig.wire.live_images import Thumbnail

PEOPLE = Detections.from_arrays(np.full((1, 17, 2), 300.0), np.full((1, 17), 0.5))
IMAGE = np.full((720, 1280, 3), 90, np.uint8)


def received(sender: ThumbnailSender, receiver: Receiver, until_s: float) -> list[Thumbnail]:
    """Offers images for some time, and returns the thumbnails that arrived."""
    found: list[Thumbnail] = []
    deadline_s = time.monotonic() + until_s
    while time.monotonic() < deadline_s and not found:
        sender.offer(IMAGE, PEOPLE, t_ns=7, size_px=(1280, 720), landmarks="coco17")
        found += [message for message in receiver.receive(20) if isinstance(message, Thumbnail)]
    return found


def web(keys: Keys, endpoint: str = "tcp://127.0.0.1:0", topics: tuple[str, ...] = ()) -> Receiver:
    return Receiver(endpoint, bind=True, keys=keys, topics=topics)


def test_thumbnails_are_sent_only_while_they_are_wanted() -> None:
    keys = generate_keys()
    with web(keys) as receiver, closing(ThumbnailSender("left", receiver.endpoint, keys)) as sender:
        assert received(sender, receiver, 0.5) == []
        receiver.set_topics((Thumbnail.TOPIC,))
        (thumbnail,) = received(sender, receiver, 10.0)
        assert (thumbnail.camera, thumbnail.t_ns, thumbnail.size_px) == ("left", 7, (1280, 720))
        assert thumbnail.xy.shape == (1, 17, 2)
        image = cv2.imdecode(np.frombuffer(thumbnail.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        assert image.shape == (180, 320, 3)
        receiver.set_topics(())
        while sender._sender.wanted:
            time.sleep(0.01)
        receiver.receive(100)
        assert received(sender, receiver, 0.3) == []


def test_a_receiver_that_ended_wants_nothing_any_more() -> None:
    keys = generate_keys()
    first = web(keys, topics=(Thumbnail.TOPIC,))
    with closing(ThumbnailSender("left", first.endpoint, keys)) as sender:
        assert received(sender, first, 10.0)
        endpoint = first.endpoint
        first.close()
        deadline_s = time.monotonic() + 10.0
        while sender._sender.wanted and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert not sender._sender.wanted
        with web(keys, endpoint) as second:  # restarted, with no page open
            assert received(sender, second, 0.5) == []
            second.set_topics((Thumbnail.TOPIC,))
            assert received(sender, second, 10.0)


def test_a_source_without_images_sends_keypoints() -> None:
    keys = generate_keys()
    with (
        web(keys, topics=(Thumbnail.TOPIC,)) as receiver,
        closing(ThumbnailSender("sim0", receiver.endpoint, keys)) as sender,
    ):
        found: list[Thumbnail] = []
        while not found:
            sender.offer(None, PEOPLE, t_ns=7, size_px=(1280, 720), landmarks="coco17")
            found += [message for message in receiver.receive(20) if isinstance(message, Thumbnail)]
        assert found[0].jpeg == b""
