"""A process that receives datagrams and records their arrival times, as stamped by the network stack."""

import json
import multiprocessing
import socket
import struct
import time
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event

TIMESTAMP_OPTION = getattr(socket, "SO_TIMESTAMPNS", 35)  # Linux; Python has no name for it yet


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Frames that arrived at one port.

    Attributes:
        at_ns: Arrival of the last datagram of each frame, monotonic clock.
        frames: JSON only: index of the pose, its capture timestamp, and its age in the frame (ms).
    """

    at_ns: list[int] = field(default_factory=list)
    frames: list[tuple[int, int, float]] = field(default_factory=list)


class Receivers:
    """Receivers on ports of this machine."""

    def __init__(self, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._stop, self._ready = context.Event(), context.SimpleQueue()
        self._results: multiprocessing.queues.SimpleQueue[list[Arrivals]] = context.SimpleQueue()
        self._process = context.Process(target=_receive, args=(count, self._stop, self._ready, self._results))
        self._process.start()
        self.ports: list[int] = self._ready.get()

    def finish(self) -> list[Arrivals]:
        """Stops the process, and returns the arrivals at each port."""
        self._stop.set()
        results = self._results.get()
        self._process.join()
        return results


def _receive(count: int, stop: Event, ready: object, results: object) -> None:
    sockets = []
    for _ in range(count):
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        receiver.setsockopt(socket.SOL_SOCKET, TIMESTAMP_OPTION, 1)
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        sockets.append(receiver)
    ready.put([receiver.getsockname()[1] for receiver in sockets])  # type: ignore[attr-defined]
    arrivals = [Arrivals() for _ in sockets]
    while not stop.is_set():
        monotonic_from_unix_ns = time.monotonic_ns() - time.time_ns()
        for receiver, arrived in zip(sockets, arrivals, strict=True):
            _drain(receiver, arrived, monotonic_from_unix_ns)
        time.sleep(0.05)  # timestamps are the system's, so there is no need to wake for each datagram
    for receiver in sockets:
        receiver.close()
    results.put(arrivals)  # type: ignore[attr-defined]


def _drain(receiver: socket.socket, arrived: Arrivals, monotonic_from_unix_ns: int) -> None:
    while True:
        try:
            data, ancillary, _, _ = receiver.recvmsg(65536, 64)
        except BlockingIOError:
            return
        seconds, nanoseconds = struct.unpack("ll", ancillary[0][2][:16])
        at_ns = seconds * 1_000_000_000 + nanoseconds + monotonic_from_unix_ns
        if data.startswith(b"{"):
            message = json.loads(data)
            if message["type"] == "frame":
                arrived.at_ns.append(at_ns)
                arrived.frames.append((message["index"], message["t_ns"], message["age_ms"]))
        elif b"/VMC/Ext/T\0" in data or b"/tracking" in data:
            arrived.at_ns.append(at_ns)
