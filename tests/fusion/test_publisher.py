"""Messages of the fusion to subscribers and to the recorder."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from pose_rig.fusion.publisher import Publisher
from pose_rig.wire.bus import Receiver, Sender
from pose_rig.wire.encoding import encode
from pose_rig.wire.messages import Health, Message, Refined2D
from pose_rig.wire.records import Gap, Learned, Marker
from tests.ports import free_endpoint

MARK = 4


def marker(number: int) -> Marker:
    return Marker(t_ns=number, number=number, text="")


def numbers(messages: list[Message]) -> list[int]:
    """Returns the numbers of markers, and minus how many a gap says are missing."""
    out = []
    for message in messages:
        assert isinstance(message, Marker | Gap)
        out.append(message.number if isinstance(message, Marker) else -message.missing)
    return out


class Ends:
    """A publisher whose recorder may connect late, and both receivers."""

    def __init__(self, *, waits: bool) -> None:
        self.endpoint = free_endpoint()
        self.stop = threading.Event()
        listeners = Sender("tcp://127.0.0.1:0", bind=True)
        self.publisher = Publisher(
            listeners, Sender(self.endpoint, "lossless", send_hwm=MARK), waits=waits, stopped=self.stop.is_set
        )
        self.listener = Receiver(listeners.endpoint)
        self.recorder: Receiver | None = None

    def record(self) -> None:
        self.recorder = Receiver(self.endpoint, "lossless", bind=True)

    def recorded(self, count: int) -> list[Message]:
        """Returns the next messages that the recorder gets."""
        assert self.recorder is not None
        got: list[Message] = []
        deadline_s = time.monotonic() + 10
        while len(got) < count and time.monotonic() < deadline_s:
            got += self.recorder.receive(20)
        return got

    def close(self) -> None:
        self.publisher.close()
        self.listener.close()
        if self.recorder is not None:
            self.recorder.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends(waits=False)
    yield made
    made.close()


def wait_for_subscriber(ends: Ends) -> None:
    """Waits until the subscriber receives what is published."""
    deadline_s = time.monotonic() + 10
    while not ends.listener.receive(10):
        assert time.monotonic() < deadline_s
        ends.publisher.send(Health(worker="fusion", t_ns=0, state="starting"))


def test_subscribers_and_recorder_get_the_same_bytes(ends: Ends) -> None:
    ends.record()
    wait_for_subscriber(ends)
    ends.publisher.send(marker(7))
    received: list[tuple[Message, bytes]] = []
    while not any(isinstance(message, Marker) for message, _ in received):
        received += ends.listener.receive_with_bytes(1000)
    assert received[-1][1] == encode(marker(7))
    assert ends.recorder is not None
    recorded: list[tuple[Message, bytes]] = []
    while not any(isinstance(message, Marker) for message, _ in recorded):
        recorded += ends.recorder.receive_with_bytes(1000)
    assert recorded[-1][1] == encode(marker(7))


def test_a_message_that_is_only_recorded_is_not_published(ends: Ends) -> None:
    ends.record()
    wait_for_subscriber(ends)
    ends.publisher.record(Learned(work="solving", asked=3))
    ends.publisher.send(marker(1))
    recorded = [type(message) for message in ends.recorded(3)]
    assert recorded[-2:] == [Learned, Marker]
    assert not any(isinstance(message, Learned) for message in ends.listener.receive(300))


def test_an_invalid_message_is_counted_and_the_next_one_sent(ends: Ends) -> None:
    ends.record()
    wrong = Refined2D(
        camera="left", index=0, t_ns=0, xy=np.full((17, 2), np.nan, np.float32), inlier=np.ones(17, np.float32)
    )
    ends.publisher.send(wrong)
    ends.publisher.record(wrong)
    ends.publisher.send(marker(1))
    assert numbers(ends.recorded(1)) == [1]
    assert ends.publisher.bad == 2
    assert ends.publisher.last_error == "Message on topic 'refined/left': field 'xy' is not finite."


def test_without_a_recorder_messages_are_only_published() -> None:
    with Sender("tcp://127.0.0.1:0", bind=True) as sender, Receiver(sender.endpoint) as listener:
        publisher = Publisher(sender, None, waits=True, stopped=lambda: False)
        with closing(publisher):
            deadline_s = time.monotonic() + 10
            while not (got := listener.receive(10)):
                assert time.monotonic() < deadline_s
                publisher.record(marker(1))
                publisher.send(marker(2))
        assert numbers(got)[0] == 2


def test_a_recorder_that_is_behind_delays_nothing_and_gets_a_gap(ends: Ends) -> None:
    began = time.monotonic()
    for number in range(1, 101):
        ends.publisher.set_time(number)
        ends.publisher.record(marker(number))
    assert time.monotonic() - began < 5
    ends.record()
    first = ends.recorded(MARK)
    kept = numbers(first)
    assert kept == list(range(1, len(kept) + 1))
    ends.publisher.set_time(101)
    ends.publisher.record(marker(101))
    gap, after = ends.recorded(2)
    assert isinstance(gap, Gap)
    assert (gap.source, gap.what, gap.reason) == ("fusion", "messages", "the recorder was behind")
    assert (gap.from_ns, gap.t_ns, gap.missing) == (kept[-1], 101, 100 - kept[-1])
    assert numbers([after]) == [101]
    ends.publisher.record(marker(102))
    assert numbers(ends.recorded(1)) == [102]  # sent once


def test_a_gap_at_the_end_is_sent_too(ends: Ends) -> None:
    for number in range(1, 21):
        ends.publisher.record(marker(number))
    ends.record()
    kept = numbers(ends.recorded(MARK))
    ends.publisher.close()
    assert numbers(ends.recorded(1)) == [len(kept) - 20]


def keep_all(ends: Ends, count: int) -> None:
    for number in range(count):
        ends.publisher.record(marker(number))


def test_files_wait_for_the_recorder() -> None:
    ends = Ends(waits=True)
    sending = threading.Thread(target=keep_all, args=(ends, 50))
    sending.start()
    sending.join(0.3)
    assert sending.is_alive()  # without a recorder so far
    ends.record()
    assert numbers(ends.recorded(50)) == list(range(50))
    sending.join(10)
    ends.close()


def test_a_stop_ends_waiting_for_the_recorder() -> None:
    ends = Ends(waits=True)
    sending = threading.Thread(target=keep_all, args=(ends, 20))
    sending.start()
    sending.join(0.3)
    assert sending.is_alive()
    ends.stop.set()
    sending.join(10)
    assert not sending.is_alive()
    ends.close()
