import pickle
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Literal

import numpy as np
import pytest
import zmq

from pose_rig.config import Keys
from pose_rig.errors import UsageError
from pose_rig.wire.authentication import fresh_keys
from pose_rig.wire.bus import CURVE_BYTES, OPEN_BYTES, Receiver, Sender, published
from pose_rig.wire.messages import Health
from tests.strangers import ZMTP_3, attacker, is_closed, pushed, subscriber, subscription

RNG = np.random.default_rng(0)

LOOPBACK = "tcp://127.0.0.1:0"
ENDED = Health(worker="left", t_ns=1, state="ended")
OWN = Health(worker="left", t_ns=2, state="running")


@pytest.fixture(scope="module")
def keys() -> Keys:
    return fresh_keys()


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("lane", ["live", "lossless"])
def test_a_worker_hears_its_own_run_alone_and_counts_the_others(keys: Keys, lane: Literal["live", "lossless"]) -> None:
    with (
        Receiver(LOOPBACK, lane, bind=True, keys=keys) as receiver,
        Sender(receiver.endpoint, lane, keys=keys) as sender,
        attacker([receiver.endpoint], keys.public) as stranger,
    ):
        heard = []

        def attack() -> bool:
            stranger.send(ENDED)
            sender.send(OWN)
            heard.extend(receiver.receive(10))
            return len(heard) > 5 and receiver.refused >= 3

        stranger.post(ENDED)
        until(attack)
        assert {message.t_ns for message in heard if isinstance(message, Health)} == {OWN.t_ns}
        assert receiver.bad == 0


def test_who_knows_the_public_key_alone_is_refused(keys: Keys) -> None:
    """What CURVE does by itself is to accept them."""
    stranger = Keys(*fresh_keys_of_another())
    with (
        Receiver(LOOPBACK, "lossless", bind=True, keys=keys) as receiver,
        Sender(receiver.endpoint, "lossless") as plain,
    ):
        made = plain._socket.context.socket(zmq.PUSH)
        with closing(made):
            made.setsockopt(zmq.LINGER, 0)
            made.curve_publickey, made.curve_secretkey = stranger.public, stranger.secret
            made.curve_serverkey = keys.public
            made.connect(receiver.endpoint)
            made.send(b"health/left\0")
            until(lambda: receiver.refused >= 1)
            assert receiver.receive(0) == []
            assert receiver.bad == 0


def fresh_keys_of_another() -> tuple[bytes, bytes]:
    return zmq.curve_keypair()


def test_a_rival_who_listens_where_a_worker_should_is_not_heard(keys: Keys) -> None:
    with Sender(LOOPBACK, bind=True) as rival, Receiver(rival.endpoint, keys=keys, topics=("health/",)) as receiver:
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline:
            rival.send(ENDED)
            assert receiver.receive(10) == []


@pytest.mark.parametrize("lane", ["live", "lossless"])
@pytest.mark.parametrize("answer", [ZMTP_3, b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(80)])
def test_a_rival_who_goes_leaves_the_way_free(keys: Keys, answer: bytes, lane: Literal["live", "lossless"]) -> None:
    """libzmq would never connect again to where somebody else has answered."""
    with socket.create_server(("127.0.0.1", 0)) as rival:
        endpoint = f"tcp://127.0.0.1:{rival.getsockname()[1]}"
        sender = Sender(endpoint, lane, keys=keys)
        answered, _ = rival.accept()
        answered.sendall(answer)
        assert is_closed(answered)
        answered.close()
    with sender, Receiver(endpoint, lane, bind=True, keys=keys) as receiver:

        def told() -> bool:
            sender.send(OWN, 10)
            return bool(receiver.receive(10))

        until(told)


def test_one_lane_is_open_to_all_at_one_place_and_to_workers_at_another(keys: Keys) -> None:
    with published(LOOPBACK, LOOPBACK, keys) as sender:
        public = sender.open_to_all(LOOPBACK)
        with (
            Receiver(public) as anybody,
            Receiver(sender.endpoint, keys=keys) as worker,
            Receiver(sender.endpoint) as spy,
        ):
            got = {"anybody": 0, "worker": 0}

            def told() -> bool:
                sender.send(OWN)
                got["anybody"] += len(anybody.receive(10))
                got["worker"] += len(worker.receive(10))
                return min(got.values()) > 3

            until(told)
            assert spy.receive(0) == []
            until(lambda: sender.refused)


def test_a_web_page_cannot_even_subscribe() -> None:
    """It can speak ZMTP 1.0 only: its first byte is that of an HTTP method."""
    with (
        Sender(LOOPBACK, bind=True) as sender,
        closing(pushed(sender.endpoint, b"POST / HTTP/1.1\r\n\r\n\x02\0\x01")) as page,
    ):
        assert is_closed(page)
        until(lambda: sender.refused == 1)


@pytest.mark.parametrize(("size", "is_cut"), [(OPEN_BYTES // 2, False), (10_000_000, True)])
def test_a_large_subscription_is_cut_off_and_a_usual_one_is_not(size: int, is_cut: bool) -> None:
    with Sender(LOOPBACK, bind=True) as sender, closing(subscriber(sender.endpoint)) as stranger:
        stranger.settimeout(5.0 if is_cut else 0.5)
        _send_what_goes(stranger, subscription(RNG.bytes(size)))
        assert is_closed(stranger) == is_cut
        sender.send(OWN)


def test_a_flood_of_subscriptions_does_not_hold_a_message_up() -> None:
    flood = b"".join(subscription(RNG.bytes(200)) for _ in range(100_000))
    with Sender(LOOPBACK, bind=True) as sender, closing(subscriber(sender.endpoint)) as stranger:
        flooding = threading.Thread(target=_send_what_goes, args=(stranger, flood))
        flooding.start()
        slowest_s, until_s = 0.0, time.monotonic() + 1.5
        while time.monotonic() < until_s:
            began_s = time.monotonic()
            sender.send(OWN)
            slowest_s = max(slowest_s, time.monotonic() - began_s)
            time.sleep(0.005)
    flooding.join()
    assert slowest_s < 0.5


def _send_what_goes(connection: socket.socket, data: bytes) -> None:
    with suppress(OSError):
        connection.sendall(data)


def test_what_a_peer_may_send_is_bounded_on_every_socket(keys: Keys) -> None:
    with Sender(LOOPBACK, bind=True) as open_to_all, Sender(LOOPBACK, bind=True, keys=keys) as inside:
        assert open_to_all._socket.getsockopt(zmq.MAXMSGSIZE) == OPEN_BYTES
        assert inside._socket.getsockopt(zmq.MAXMSGSIZE) == CURVE_BYTES


def test_keys_are_new_every_time_and_never_shown(keys: Keys) -> None:
    assert fresh_keys() != keys
    assert repr(keys) == "Keys()"
    assert pickle.loads(pickle.dumps(keys)) == keys  # noqa: S301 - as a process that is started gets them


def test_the_rig_fails_where_another_program_listens_already(keys: Keys) -> None:
    with socket.create_server(("127.0.0.1", 0)) as rival:
        taken = f"tcp://127.0.0.1:{rival.getsockname()[1]}"
        with pytest.raises(UsageError, match=f"^Cannot listen on {taken}: Address"):
            published(taken, LOOPBACK, keys)
        with pytest.raises(UsageError, match=f"^Cannot listen on {taken}: Address"):
            published(LOOPBACK, taken, keys)
