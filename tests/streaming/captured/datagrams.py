"""Datagrams of the real streaming process: real ZeroMQ in, real UDP out."""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from pose_rig.config import StreamConfig
from pose_rig.streaming.process import main
from pose_rig.wire.authentication import Keys, generate_keys
from pose_rig.wire.bus import Receiver, Sender
from pose_rig.wire.jobs import StreamJob
from pose_rig.wire.messages import Message, Streams
from tests.ports import free_port
from tests.streaming.live import HZ, pose3d
from tests.streaming.people import Person


@dataclass(frozen=True, slots=True)
class ReceivedDatagram:
    """A received datagram: arrival (s), source address, bytes."""

    at_s: float
    source: tuple[str, int]
    data: bytes


class DatagramReceiver:
    """A receiver on a free port."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.port = int(self._socket.getsockname()[1])
        self.datagrams: list[ReceivedDatagram] = []
        self._stopping = False
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while not self._stopping:
            try:
                data, source = self._socket.recvfrom(65536)
            except TimeoutError:
                continue
            self.datagrams.append(ReceivedDatagram(time.monotonic(), source, data))

    def close(self) -> None:
        """Stops it; ``datagrams`` is complete then."""
        self._stopping = True
        self._thread.join()
        self._socket.close()


class Rig:
    """The streaming process in a thread, and the rig that it subscribes to."""

    def __init__(self, poses: Sender, published: Receiver) -> None:
        self._poses, self._published = poses, published

    def play(self, subject: Person, count: int, *, first: int = 0, hz: float = HZ) -> None:
        """Publishes poses in real time."""
        begin = time.monotonic()
        for i in range(count):
            t_ns = time.monotonic_ns()
            self.publish(pose3d(subject, first + i, t_ns=t_ns))
            time.sleep(max(0.0, begin + (i + 1) / hz - time.monotonic()))

    def publish(self, message: Message) -> None:
        """Publishes a message."""
        self._poses.send(message)

    def reports(self) -> list[Message]:
        """Returns the reports of the process since the last call, and its next one."""
        published = self._published.receive(0)
        newest: list[Message] = []
        while not any(isinstance(message, Streams) for message in newest):
            newest += self._published.receive(3000)
        return published + newest


@contextmanager
def running(stream: StreamConfig, people: int = 1) -> Iterator[Rig]:
    """Runs the process, and waits until it has subscribed."""
    keys = generate_keys()
    with Sender("tcp://127.0.0.1:0", bind=True, keys=keys) as poses:
        yield from _running(stream, poses, f"tcp://127.0.0.1:{free_port()}", keys, people)


def _running(stream: StreamConfig, poses: Sender, output: str, keys: Keys, people: int) -> Iterator[Rig]:
    stop = threading.Event()
    with Receiver(output) as published:
        job = StreamJob(stream, poses.endpoint, output, keys=keys, people=people)
        thread = threading.Thread(target=main, args=(job, stop))
        thread.start()
        try:
            assert published.receive(5000), "the process published nothing"
            time.sleep(0.1)  # until its subscription has arrived
            yield Rig(poses, published)
        finally:
            stop.set()
            thread.join()


def captured(
    profiles: Sequence[str], subject: Person, count: int, avatar: str = ""
) -> dict[str, list[ReceivedDatagram]]:
    """Returns the VMC datagrams of a subject, one receiver for each profile."""
    with ExitStack() as stack:
        receivers = {profile: stack.enter_context(closing(DatagramReceiver())) for profile in profiles}
        addresses = tuple(f"127.0.0.1:{receiver.port}/{profile}" for profile, receiver in receivers.items())
        with running(StreamConfig(vmc=addresses, avatar=avatar)) as rig:
            rig.play(subject, count)
            time.sleep(0.1)
    return {profile: receiver.datagrams for profile, receiver in receivers.items()}
