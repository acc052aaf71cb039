"""Receives the poses of a rig as any program may, and measures their gaps."""

import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from pose_rig.wire.bus import Receiver
from pose_rig.wire.messages import Health, Pose3D, Streams
from pose_rig.wire.services import STREAMS_PORT_OFFSET


@dataclass(frozen=True, slots=True)
class Arrival:
    """One pose.

    Attributes:
        at_ns: When it arrived here, monotonic clock.
        published_ns: When the fusion published it.
        index: Time step.
    """

    at_ns: int
    published_ns: int
    index: int


class PoseWatch:
    """Subscribes to the public ports of a rig, in a thread.

    Args:
        poses: Endpoint of the poses; the streams worker has the next port.

    Attributes:
        arrivals: All poses so far.
        health: The newest of each worker.
        streams: The newest status of the outputs; None before the first.
    """

    def __init__(self, poses: str) -> None:
        host, _, port = poses.rpartition(":")
        self._endpoints = poses, f"{host}:{int(port) + STREAMS_PORT_OFFSET}"
        self.arrivals: list[Arrival] = []
        self.health: dict[str, Health] = {}
        self.streams: Streams | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def longest_gap_ms(self, from_ns: int, to_ns: int, *, published: bool = False) -> float:
        """Returns the longest time without a pose within a time: as they arrived here, or as they were published."""
        times = [arrival.published_ns if published else arrival.at_ns for arrival in self.arrivals]
        within = [from_ns, *(time_ns for time_ns in times if from_ns <= time_ns <= to_ns), to_ns]
        return max(after - before for before, after in pairwise(within)) / 1e6

    @property
    def refused(self) -> int:
        """Connections, clients and messages that the rig has refused, as far as its public reports say."""
        targets = self.streams.targets if self.streams else ()
        return sum(one.refused for one in self.health.values()) + sum(target.failures for target in targets)

    def close(self) -> None:
        """Stops receiving."""
        self._stop.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _receive(self) -> None:
        with Receiver(self._endpoints[0], topics=("pose", "health/", "streams")) as receiver:
            receiver.connect(self._endpoints[1])
            while not self._stop.is_set():
                for message in receiver.receive(50):
                    self._add(message, time.monotonic_ns())

    def _add(self, message: object, now_ns: int) -> None:
        if isinstance(message, Pose3D):
            self.arrivals.append(Arrival(now_ns, message.t_ns + message.age_ns, message.index))
        elif isinstance(message, Health):
            self.health[message.worker] = message
        elif isinstance(message, Streams):
            self.streams = message
