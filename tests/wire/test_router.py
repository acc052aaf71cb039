import socket
from contextlib import closing

import pytest
import zmq

from pose_rig.errors import UsageError
from pose_rig.wire.authentication import Keys, generate_keys
from pose_rig.wire.bus import PART_BYTES
from pose_rig.wire.encoding import encode
from pose_rig.wire.messages import Health, Message
from pose_rig.wire.records import VideoFrame
from pose_rig.wire.remote_messages import TimeReply, TimeRequest
from pose_rig.wire.router import HANDSHAKE_TIMEOUT_MS, SESSION_BYTES, Dealer, Router, new_session, wait
from tests.untrusted_clients import ZMTP_3, is_closed, tcp_client
from tests.wire.waiting import until

LOOPBACK = "tcp://127.0.0.1:0"
REQUEST = TimeRequest(camera="hall", host="laptop", sent_ns=5)
REPLY = TimeReply(sent_ns=5, received_ns=7, answered_ns=8, start_ns=3, video=True, refusal="No.")


@pytest.fixture(scope="module")
def keys() -> Keys:
    return generate_keys()


def received(router: Router, sender: Dealer, message: Message = REQUEST) -> tuple[bytes, Message, bytes]:
    """Returns the first message that arrives, which is sent until then."""
    found: list[tuple[bytes, Message, bytes]] = []

    def arrived() -> bool:
        sender.send(message)
        wait([router, sender], 20)
        list(sender.receive())
        found.extend(router.receive())
        return bool(found)

    until(arrived)
    return found[0]


def test_a_camera_asks_and_the_rig_replies(keys: Keys) -> None:
    session = new_session()
    assert len(session) == SESSION_BYTES
    with Router(LOOPBACK, keys) as router, Dealer(router.endpoint, keys, session) as dealer:
        sender, message, data = received(router, dealer)
        assert (sender, data) == (session, encode(REQUEST))
        assert message.topic == "time-request/hall"
        replies: list[Message] = []

        def replied() -> bool:
            router.send(session, REPLY)
            wait([dealer], 20)
            replies.extend(dealer.receive())
            return bool(replies)

        until(replied)
        assert encode(replies[0]) == encode(REPLY)
        router.send(b"unknown", REPLY)  # nothing happens


def test_without_the_key_nothing_arrives_and_it_is_counted(keys: Keys) -> None:
    with (
        Router(LOOPBACK, keys) as router,
        Dealer(router.endpoint, generate_keys(), new_session()) as wrong,
        Dealer(router.endpoint, keys, new_session()) as right,
    ):

        def counted() -> bool:
            assert not wrong.send(REQUEST)
            list(wrong.receive())
            list(router.receive())
            return router.refused > 0 and wrong.rejected > 0

        until(counted)
        received(router, right)
        assert right.rejected == 0


def test_a_rig_that_restarts_is_found_again_and_gets_nothing_old(keys: Keys) -> None:
    first = Router(LOOPBACK, keys)
    with Dealer(first.endpoint, keys, new_session()) as dealer:
        received(first, dealer)
        first.close()
        until(lambda: not dealer.send(Health(worker="hall", t_ns=1, state="running")))  # not even queued
        with Router(first.endpoint, keys) as second:
            _, message, _ = received(second, dealer)
            assert isinstance(message, TimeRequest)


def test_a_camera_that_connects_again_replaces_its_old_connection(keys: Keys) -> None:
    session = new_session()
    with Router(LOOPBACK, keys) as router, Dealer(router.endpoint, keys, session) as first:
        received(router, first)
        with Dealer(router.endpoint, keys, session) as second:
            assert received(router, second)[0] == session


def test_what_is_no_message_is_counted(keys: Keys) -> None:
    with Router(LOOPBACK, keys) as router, Dealer(router.endpoint, keys, new_session()) as dealer:
        received(router, dealer)
        dealer._socket.send_multipart([b"a", b"b"])
        dealer._socket.send(b"pose\0 no message")
        until(lambda: list(router.receive()) == [] and router.bad == 2)
        assert router.last_error


def test_an_image_arrives_whole(keys: Keys) -> None:
    image = VideoFrame(
        camera="hall", index=1, t_ns=1, size_px=(8, 8), format="jpeg", keyframe=True, data=bytes(3 * PART_BYTES)
    )
    with Router(LOOPBACK, keys) as router, Dealer(router.endpoint, keys, new_session()) as dealer:
        _, message, data = received(router, dealer, image)
        assert isinstance(message, VideoFrame)
        assert data == encode(image)


def test_a_peer_without_the_key_can_have_one_part_kept_only(keys: Keys) -> None:
    """Not one message, which may be an image of 32 MB."""
    curve = ZMTP_3.replace(b"NULL" + bytes(1), b"CURVE")
    with Router(LOOPBACK, keys) as router, closing(tcp_client(router.endpoint, curve)) as untrusted:
        untrusted.settimeout(HANDSHAKE_TIMEOUT_MS / 2000)
        untrusted.sendall(b"\x06" + (2 * PART_BYTES).to_bytes(8, "big"))
        assert is_closed(untrusted)


def test_connections_that_say_nothing_are_closed(keys: Keys) -> None:
    with Router(LOOPBACK, keys) as router:
        assert router._socket.getsockopt(zmq.HANDSHAKE_IVL) == HANDSHAKE_TIMEOUT_MS
        port = int(router.endpoint.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            until(lambda: router.refused == 1)


def test_an_endpoint_that_is_not_ours_is_an_error(keys: Keys) -> None:
    with pytest.raises(UsageError, match="Cannot listen on"):
        Router("tcp://192.0.2.1:0", keys)
