import pickle
import socket
import threading
import time
from contextlib import closing, suppress

import numpy as np
import pytest
import zmq

from pose_rig.errors import UsageError
from pose_rig.wire.authentication import Keys, generate_keys
from pose_rig.wire.bus import MAX_CURVE_BYTES, MAX_PUBLIC_BYTES, Delivery, Receiver, Sender, bind_publisher
from pose_rig.wire.messages import Health
from tests.untrusted_clients import ZMTP_3, attacker, is_closed, subscriber, subscription, tcp_client
from tests.wire.waiting import until

RNG = np.random.default_rng(0)

LOOPBACK = "tcp://127.0.0.1:0"
ENDED = Health(worker="left", t_ns=1, state="ended")
OWN = Health(worker="left", t_ns=2, state="running")


@pytest.fixture(scope="module")
def keys() -> Keys:
    return generate_keys()


@pytest.mark.parametrize("delivery", ["best-effort", "lossless"])
def test_only_the_same_run_can_send_and_others_are_counted(keys: Keys, delivery: Delivery) -> None:
    with (
        Receiver(LOOPBACK, delivery, bind=True, keys=keys) as receiver,
        Sender(receiver.endpoint, delivery, keys=keys) as sender,
        attacker([receiver.endpoint], keys.public) as untrusted,
    ):
        received = []

        def attack() -> bool:
            untrusted.send(ENDED)
            sender.send(OWN)
            received.extend(receiver.receive(10))
            return len(received) > 5 and receiver.refused >= 3

        untrusted.post(ENDED)
        until(attack)
        assert {message.t_ns for message in received if isinstance(message, Health)} == {OWN.t_ns}
        assert receiver.bad == 0


def test_a_client_that_knows_only_the_public_key_is_refused(keys: Keys) -> None:
    """CURVE by itself accepts them."""
    untrusted = Keys(*zmq.curve_keypair())
    with (
        Receiver(LOOPBACK, "lossless", bind=True, keys=keys) as receiver,
        Sender(receiver.endpoint, "lossless") as plain,
    ):
        made = plain._socket.context.socket(zmq.PUSH)
        with closing(made):
            made.setsockopt(zmq.LINGER, 0)
            made.curve_publickey, made.curve_secretkey = untrusted.public, untrusted.secret
            made.curve_serverkey = keys.public
            made.connect(receiver.endpoint)
            with suppress(zmq.Again):  # it may be refused already: then there is no one to send to
                made.send(b"health/left\0", zmq.NOBLOCK)
            until(lambda: receiver.refused >= 1)
            assert receiver.receive(0) == []
            assert receiver.bad == 0


def test_messages_of_another_program_on_a_workers_port_are_not_received(keys: Keys) -> None:
    with Sender(LOOPBACK, bind=True) as other, Receiver(other.endpoint, keys=keys, topics=("health/",)) as receiver:
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline:
            other.send(ENDED)
            assert receiver.receive(10) == []


@pytest.mark.parametrize("delivery", ["best-effort", "lossless"])
@pytest.mark.parametrize("answer", [ZMTP_3, b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(80)])
def test_reconnects_after_another_program_has_left_the_port(keys: Keys, answer: bytes, delivery: Delivery) -> None:
    """libzmq by itself never reconnects after an answer of another program."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        endpoint = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        sender = Sender(endpoint, delivery, keys=keys)
        answered, _ = other.accept()
        answered.sendall(answer)
        assert is_closed(answered)
        answered.close()
    with sender, Receiver(endpoint, delivery, bind=True, keys=keys) as receiver:

        def received_one() -> bool:
            sender.send(OWN, 10)
            return bool(receiver.receive(10))

        until(received_one)


def test_a_sender_that_is_blocked_reconnects_too(keys: Keys) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        endpoint = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        sender = Sender(endpoint, "lossless", keys=keys, send_hwm=2)
        answered, _ = other.accept()
        while sender.send(OWN, 0):  # until there is no more room
            pass
        blocked = threading.Thread(target=sender.send, args=(ENDED,))
        blocked.start()
        answered.sendall(ZMTP_3)
        assert is_closed(answered)
        answered.close()
    with sender, Receiver(endpoint, "lossless", bind=True, keys=keys) as receiver:
        until(lambda: ENDED.t_ns in [message.t_ns for message in receiver.receive(10) if isinstance(message, Health)])
        blocked.join()


def test_a_publisher_has_a_public_and_an_authenticated_endpoint(keys: Keys) -> None:
    with bind_publisher(LOOPBACK, LOOPBACK, keys) as sender:
        public = sender.bind_public(LOOPBACK)
        with (
            Receiver(public) as anyone,
            Receiver(sender.endpoint, keys=keys) as worker,
            Receiver(sender.endpoint) as without_keys,
        ):
            got = {"anyone": 0, "worker": 0}

            def received_one() -> bool:
                sender.send(OWN)
                got["anyone"] += len(anyone.receive(10))
                got["worker"] += len(worker.receive(10))
                return min(got.values()) > 3

            until(received_one)
            assert without_keys.receive(0) == []
            until(lambda: sender.refused)


def test_a_web_page_cannot_even_subscribe() -> None:
    """It can speak ZMTP 1.0 only: its first byte is that of an HTTP method."""
    with (
        Sender(LOOPBACK, bind=True) as sender,
        closing(tcp_client(sender.endpoint, b"POST / HTTP/1.1\r\n\r\n\x02\0\x01")) as page,
    ):
        assert is_closed(page)
        until(lambda: sender.refused == 1)


@pytest.mark.parametrize(("size", "is_disconnected"), [(MAX_PUBLIC_BYTES // 2, False), (10_000_000, True)])
def test_a_large_subscription_is_disconnected_and_a_usual_one_is_not(size: int, is_disconnected: bool) -> None:
    with Sender(LOOPBACK, bind=True) as sender, closing(subscriber(sender.endpoint)) as untrusted:
        untrusted.settimeout(5.0 if is_disconnected else 0.5)
        _send_until_closed(untrusted, subscription(RNG.bytes(size)))
        assert is_closed(untrusted) == is_disconnected
        sender.send(OWN)


def test_a_flood_of_subscriptions_does_not_delay_a_message() -> None:
    flood = b"".join(subscription(RNG.bytes(200)) for _ in range(100_000))
    with Sender(LOOPBACK, bind=True) as sender, closing(subscriber(sender.endpoint)) as untrusted:
        flooding = threading.Thread(target=_send_until_closed, args=(untrusted, flood))
        flooding.start()
        max_delay_s, end_s = 0.0, time.monotonic() + 1.5
        while time.monotonic() < end_s:
            began_s = time.monotonic()
            sender.send(OWN)
            max_delay_s = max(max_delay_s, time.monotonic() - began_s)
            time.sleep(0.005)
    flooding.join()
    assert max_delay_s < 0.5


def _send_until_closed(connection: socket.socket, data: bytes) -> None:
    with suppress(OSError):
        connection.sendall(data)


def test_the_message_size_is_limited_on_every_socket(keys: Keys) -> None:
    with Sender(LOOPBACK, bind=True) as public, Sender(LOOPBACK, bind=True, keys=keys) as inside:
        assert public._socket.getsockopt(zmq.MAXMSGSIZE) == MAX_PUBLIC_BYTES
        assert inside._socket.getsockopt(zmq.MAXMSGSIZE) == MAX_CURVE_BYTES


def test_keys_are_new_every_time_and_never_shown(keys: Keys) -> None:
    assert generate_keys() != keys
    assert repr(keys) == "Keys()"
    assert pickle.loads(pickle.dumps(keys)) == keys  # noqa: S301 - as a process that is started gets them


def test_an_endpoint_in_use_is_an_error(keys: Keys) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(UsageError, match=f"^Cannot listen on {taken}: Address"):
            bind_publisher(taken, LOOPBACK, keys)
        with pytest.raises(UsageError, match=f"^Cannot listen on {taken}: Address"):
            bind_publisher(LOOPBACK, taken, keys)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "[::]", "*", "localhost"])  # noqa: S104
def test_other_machines_need_keys(host: str) -> None:
    with pytest.raises(UsageError, match=r"without a key: every program in the network could connect\. Use 127"):
        Sender(f"tcp://{host}:0", bind=True)
    with pytest.raises(UsageError, match="without a key"):
        Receiver(f"tcp://{host}:0", "lossless", bind=True)


def test_with_keys_other_machines_may_connect(keys: Keys) -> None:
    with Receiver("tcp://0.0.0.0:0", bind=True, keys=keys) as receiver:
        assert receiver.endpoint.startswith("tcp://0.0.0.0:")


def test_a_client_that_is_refused_knows_it(keys: Keys) -> None:
    with (
        Receiver(LOOPBACK, bind=True, keys=keys) as receiver,
        Sender(receiver.endpoint, keys=generate_keys()) as refused,
        Sender(receiver.endpoint, keys=keys) as accepted,
    ):

        def is_known() -> bool:
            refused.send(OWN)
            accepted.send(OWN)
            return refused.rejected > 0 and receiver.refused > 0

        until(is_known)
        assert accepted.rejected == 0
