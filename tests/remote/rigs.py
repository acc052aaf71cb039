"""The rig's end of remote cameras in a thread, a clock that differs from that of the rig, and messages of a camera."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from pose_rig.remote.gateway import main
from pose_rig.wire.authentication import Keys, generate_keys
from pose_rig.wire.bus import Receiver
from pose_rig.wire.encoding import MAX_VIDEO_BYTES
from pose_rig.wire.jobs import GatewayJob
from pose_rig.wire.messages import Health, Keypoints2D, Message
from tests.ports import free_endpoint

SHIFT_NS, RATE = 3_700_000_000, 50e-6


class OtherClock:
    """A monotonic clock that is 3.7 s ahead and 50 ppm too fast."""

    def __init__(self, shift_ns: int = SHIFT_NS, rate: float = RATE) -> None:
        self.shift_ns, self._rate, self._base_ns = shift_ns, rate, time.monotonic_ns()

    def monotonic_ns(self) -> int:
        return self.of(time.monotonic_ns())

    def sleep(self, seconds: float, /) -> None:
        time.sleep(seconds / (1 + self._rate))

    def of(self, rig_ns: int) -> int:
        """Returns what it shows at a time of the rig's clock."""
        return rig_ns + self.shift_ns + round((rig_ns - self._base_ns) * self._rate)


@dataclass
class Start:
    value: int = 0


@dataclass
class Rig:
    """What a rig has received.

    Attributes:
        endpoint: Where remote cameras connect.
        keys: What they have to hold.
        start: When files start.
        fusion: Messages to the fusion process.
        recorder: Messages to the recorder.
        pages: Receives thumbnails for pages once it subscribes to them.
        health: Of the worker itself.
    """

    endpoint: str
    keys: Keys
    start: Start
    _receivers: Sequence[Receiver]
    pages: Receiver
    fusion: list[Message] = field(default_factory=list)
    recorder: list[Message] = field(default_factory=list)
    health: list[Message] = field(default_factory=list)

    def receive(self, *, recorder: bool = True) -> None:
        """Receives what has arrived; without the recorder, as if that one was behind."""
        for receiver, got in zip(self._receivers, (self.fusion, self.recorder, self.health), strict=True):
            if recorder or got is not self.recorder:
                got += receiver.receive(0)

    def newest(self, worker: str) -> Health | None:
        """Returns the newest health of a worker."""
        found = [one for one in (*self.fusion, *self.health) if isinstance(one, Health) and one.worker == worker]
        return found[-1] if found else None


@contextmanager
def running(*cameras: str, video: bool = False, endpoint: str = "", keys: Keys | None = None) -> Iterator[Rig]:
    """Yields a rig that expects remote cameras; it may be given the endpoint and the keys of an earlier one."""
    own, stop, start = generate_keys(), threading.Event(), Start()
    keys, endpoint, output = keys or generate_keys(), endpoint or free_endpoint(), free_endpoint()
    local = "tcp://127.0.0.1:0"
    with (
        Receiver(local, bind=True, keys=own) as fusion,
        Receiver(local, "lossless", bind=True, keys=own, max_bytes=MAX_VIDEO_BYTES) as recorder,
        Receiver(local, bind=True, keys=own, topics=()) as pages,
    ):
        images = recorder.endpoint if video else ""
        job = GatewayJob(cameras, endpoint, keys, fusion.endpoint, output, images, pages.endpoint, own)
        thread = threading.Thread(target=main, args=(job, stop, start))
        thread.start()
        try:
            with Receiver(output, keys=own) as health:
                yield Rig(endpoint, keys, start, (fusion, recorder, health), pages)
        finally:
            stop.set()
            thread.join()


def until(holds: Callable[[], object], *steps: Callable[[], None], within_s: float = 30.0) -> None:
    """Repeats steps until something holds."""
    deadline_s = time.monotonic() + within_s
    while True:
        for step in steps:
            step()
        if holds():
            return
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def keypoints(camera: str, t_ns: int, index: int = 0) -> Keypoints2D:
    return Keypoints2D(
        camera=camera, index=index, t_ns=t_ns, size_px=(640, 480), landmarks="coco17",
        xy=np.full((1, 17, 2), 9.0, np.float32), score=np.ones((1, 17), np.float32),
    )  # fmt: skip
