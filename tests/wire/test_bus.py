import threading
import time
from contextlib import closing

import numpy as np
import pytest
import zmq

from pose_rig.errors import UsageError
from pose_rig.wire.authentication import generate_keys
from pose_rig.wire.bus import PART_BYTES, SUB_RCVHWM, Receiver, Sender
from pose_rig.wire.encoding import MAX_VIDEO_BYTES, encode
from pose_rig.wire.messages import Health, Keypoints2D, Message
from pose_rig.wire.records import VideoFrame
from tests.untrusted_clients import ZMTP_3, is_closed, tcp_client

LOOPBACK = "tcp://127.0.0.1:0"


def health(frames: int, worker: str = "cam0") -> Health:
    return Health(worker=worker, t_ns=0, state="running", frames=frames)


def frames_of(receiver: Receiver, timeout_ms: int) -> list[int]:
    messages = receiver.receive(timeout_ms)
    assert all(isinstance(message, Health) for message in messages)
    return [message.frames for message in messages if isinstance(message, Health)]


def connect(sender: Sender, receiver: Receiver) -> None:
    """Sends until a message arrives, as a subscription takes time, then empties the queue."""
    deadline = time.monotonic() + 5
    while not receiver.receive(20):
        assert time.monotonic() < deadline
        sender.send(health(0))
    while receiver.receive(50):
        pass


def test_a_message_arrives_whole() -> None:
    keypoints = Keypoints2D(
        camera="left",
        index=3,
        t_ns=5,
        size_px=(640, 480),
        landmarks="coco17",
        xy=np.arange(34, dtype=np.float32).reshape(1, 17, 2),
        score=np.ones((1, 17), np.float32),
    )
    with Receiver(LOOPBACK, "lossless", bind=True) as receiver, Sender(receiver.endpoint, "lossless") as sender:
        assert sender.send(keypoints)
        (got,) = receiver.receive(2000)
    assert isinstance(got, Keypoints2D)
    assert (got.camera, got.index, got.t_ns, got.size_px) == ("left", 3, 5, (640, 480))
    np.testing.assert_array_equal(got.xy, keypoints.xy)


def test_a_publisher_never_blocks_and_the_subscriber_gets_the_beginning_of_a_flood() -> None:
    with Sender(LOOPBACK, bind=True) as sender, Receiver(sender.endpoint) as receiver:
        connect(sender, receiver)
        start = time.monotonic()
        for count in range(1, 200_001):
            sender.send(health(count))
        assert time.monotonic() - start < 15
        got = []
        while new := frames_of(receiver, 200):
            got += new
    assert 0 < len(got) < 200_000
    assert got == sorted(got)


def test_a_publisher_without_subscribers_never_blocks() -> None:
    with Sender(LOOPBACK, bind=True) as sender:
        assert all(sender.send(health(count)) for count in range(1000))


def test_a_subscriber_that_keeps_up_gets_the_newest() -> None:
    with Sender(LOOPBACK, bind=True) as sender, Receiver(sender.endpoint) as receiver:
        connect(sender, receiver)
        for count in range(1, 4):
            sender.send(health(count))
            assert frames_of(receiver, 2000) == [count]


def test_a_lossless_sender_drops_nothing_for_a_slow_receiver() -> None:
    count = 20 * SUB_RCVHWM
    with Receiver(LOOPBACK, "lossless", bind=True) as receiver, Sender(receiver.endpoint, "lossless") as sender:
        thread = threading.Thread(target=lambda: [sender.send(health(i)) for i in range(count)])
        thread.start()
        got: list[int] = []
        while len(got) < count and (
            new := [m.frames for m in receiver.receive(2000, max_messages=7) if isinstance(m, Health)]
        ):
            got += new
            time.sleep(0.001)
        thread.join()
    assert got == list(range(count))


def test_a_lossless_sender_reports_a_full_queue() -> None:
    with Sender("tcp://127.0.0.1:9", "lossless") as sender:  # nobody listens on the discard port
        sent = [sender.send(health(i), timeout_ms=10) for i in range(100)]
    assert not sent[-1]


def test_linger_delivers_queued_messages() -> None:
    with Receiver(LOOPBACK, "lossless", bind=True) as receiver:
        sender = Sender(receiver.endpoint, "lossless")
        for i in range(10):
            sender.send(health(i))
        sender.close(linger_ms=2000)
        got: list[int] = []
        while len(got) < 10 and (new := frames_of(receiver, 2000)):
            got += new
    assert got == list(range(10))


def test_only_subscribed_topics_arrive() -> None:
    with Sender(LOOPBACK, bind=True) as sender, Receiver(sender.endpoint, topics=("health/right",)) as receiver:
        deadline = time.monotonic() + 5
        messages: list[Message] = []
        while not messages and time.monotonic() < deadline:
            sender.send(health(1, "left"))
            sender.send(health(2, "right"))
            messages = receiver.receive(20)
        assert {message.topic for message in messages} == {"health/right"}


@pytest.mark.parametrize("parts", [[b"\xff\xfe random"], [b"pose\0\xc1"], [b""], [b"pose\0", b"second part"]])
def test_bad_bytes_are_counted_and_the_next_message_is_read(parts: list[bytes]) -> None:
    stranger: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUSH)
    with Receiver(LOOPBACK, "lossless", bind=True) as receiver, stranger:
        stranger.setsockopt(zmq.LINGER, 0)
        stranger.connect(receiver.endpoint)
        stranger.send_multipart(parts)
        assert receiver.receive(2000) == []
        assert receiver.bad == 1
        assert receiver.last_error.startswith("Message on topic ")
        with Sender(receiver.endpoint, "lossless") as sender:
            sender.send(health(7))
            assert frames_of(receiver, 2000) == [7]


def test_a_taken_port_is_named_with_a_remedy() -> None:
    with Sender(LOOPBACK, bind=True) as sender:
        with pytest.raises(UsageError, match=rf"^Cannot listen on {sender.endpoint}: Address") as caught:
            Sender(sender.endpoint, bind=True)
        assert "--port" in caught.value.remedy


def test_an_invalid_endpoint_is_named() -> None:
    with pytest.raises(UsageError, match=r"^Cannot connect to nowhere: "):
        Receiver("nowhere")


@pytest.mark.parametrize("size", [PART_BYTES - 100, PART_BYTES, 3 * PART_BYTES + 1])
def test_a_long_message_arrives_whole(size: int) -> None:
    image = VideoFrame(
        camera="left",
        index=1,
        t_ns=1,
        size_px=(8, 8),
        format="jpeg",
        keyframe=True,
        data=bytes(range(256)) * (size // 256),
    )
    with (
        Receiver(LOOPBACK, "lossless", bind=True, max_bytes=MAX_VIDEO_BYTES) as receiver,
        Sender(receiver.endpoint, "lossless") as sender,
    ):
        assert sender.send(image)
        ((got, data),) = receiver.receive_with_bytes(2000)
    assert isinstance(got, VideoFrame)
    assert got.data == image.data
    assert data == encode(image)


def test_a_longer_message_than_wanted_is_counted_and_the_next_one_is_read() -> None:
    with Receiver(LOOPBACK, "lossless", bind=True, max_bytes=PART_BYTES) as receiver:
        with Sender(receiver.endpoint, "lossless") as sender:
            sender.send_bytes(encode(health(1)) + bytes(PART_BYTES))
            sender.send(health(2))
            got: list[int] = []
            while not got:
                got = frames_of(receiver, 2000)
        assert got == [2]
        assert receiver.bad == 1


def test_a_peer_without_keys_can_have_one_part_kept_only() -> None:
    """Not one message, which may be an image of 32 MB."""
    with (
        Receiver(LOOPBACK, "lossless", bind=True, keys=generate_keys(), max_bytes=MAX_VIDEO_BYTES) as receiver,
        closing(tcp_client(receiver.endpoint, ZMTP_3.replace(b"NULL" + bytes(1), b"CURVE"))) as untrusted,
    ):
        untrusted.sendall(b"\x06" + (MAX_VIDEO_BYTES // 2).to_bytes(8, "big"))
        assert is_closed(untrusted)
