"""What a receiver gets: the real process, real ZeroMQ in, real datagrams out, caught by a socket."""

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
class Caught:
    """One datagram: when it came (s), from where, and what it says."""

    at_s: float
    source: tuple[str, int]
    data: bytes


class Catcher:
    """A receiver on a port of its own."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.port = int(self._socket.getsockname()[1])
        self.caught: list[Caught] = []
        self._ending = False
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while not self._ending:
            try:
                data, source = self._socket.recvfrom(65536)
            except TimeoutError:
                continue
            self.caught.append(Caught(time.monotonic(), source, data))

    def close(self) -> None:
        """Ends it; ``caught`` is complete then."""
        self._ending = True
        self._thread.join()
        self._socket.close()


class Rig:
    """A process that feeds engines, in a thread, and the rig that it listens to."""

    def __init__(self, poses: Sender, said: Receiver) -> None:
        self._poses, self._said = poses, said

    def play(self, somebody: Person, count: int, *, first: int = 0, hz: float = HZ) -> None:
        """Says poses in real time."""
        begin = time.monotonic()
        for i in range(count):
            t_ns = time.monotonic_ns()
            self.say(pose3d(somebody, first + i, t_ns=t_ns))
            time.sleep(max(0.0, begin + (i + 1) / hz - time.monotonic()))

    def say(self, message: Message) -> None:
        """Says anything."""
        self._poses.send(message)

    def heard(self) -> list[Message]:
        """Returns what the process has said of itself since the last time, and its next report."""
        said = self._said.receive(0)
        fresh: list[Message] = []
        while not any(isinstance(message, Streams) for message in fresh):
            fresh += self._said.receive(3000)
        return said + fresh


@contextmanager
def running(stream: StreamConfig) -> Iterator[Rig]:
    """Runs the process, and makes sure that it hears before it is left to the test."""
    keys = generate_keys()
    with Sender("tcp://127.0.0.1:0", bind=True, keys=keys) as poses:
        yield from _running(stream, poses, f"tcp://127.0.0.1:{free_port()}", keys)


def _running(stream: StreamConfig, poses: Sender, output: str, keys: Keys) -> Iterator[Rig]:
    stop = threading.Event()
    with Receiver(output) as said:
        job = StreamJob(stream, poses.endpoint, output, keys=keys)
        thread = threading.Thread(target=main, args=(job, stop))
        thread.start()
        try:
            assert said.receive(5000), "the process says nothing"
            time.sleep(0.1)  # for its subscription to arrive
            yield Rig(poses, said)
        finally:
            stop.set()
            thread.join()


def captured(profiles: Sequence[str], somebody: Person, count: int, avatar: str = "") -> dict[str, list[Caught]]:
    """Returns the datagrams of a person who was played to receivers of VMC, one of each profile, all at once."""
    with ExitStack() as stack:
        catchers = {profile: stack.enter_context(closing(Catcher())) for profile in profiles}
        addresses = tuple(f"127.0.0.1:{catcher.port}/{profile}" for profile, catcher in catchers.items())
        with running(StreamConfig(vmc=addresses, avatar=avatar)) as rig:
            rig.play(somebody, count)
            time.sleep(0.1)
    return {profile: catcher.caught for profile, catcher in catchers.items()}
