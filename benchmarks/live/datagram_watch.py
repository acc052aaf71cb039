"""Receives the JSON datagrams of a rig, stamped by the network stack, and measures the gaps between poses."""

import json
import socket
import struct
import threading
import time
from itertools import pairwise
from typing import Self

from benchmarks.engines.stream_receiver import TIMESTAMP_OPTION
from pose_rig.errors import PoseRigError

STOP_POLL_S = 0.2


class DatagramWatch:
    """A port that receives poses, in a thread.

    Attributes:
        port: Its number.
        at_ns: When each new pose arrived, monotonic clock.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, TIMESTAMP_OPTION, 1)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(STOP_POLL_S)
        self.port: int = self._socket.getsockname()[1]
        self.at_ns: list[int] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def longest_gap_ms(self, from_ns: int, to_ns: int) -> float:
        """Returns the longest time without a new pose within a time."""
        within = [from_ns, *(at_ns for at_ns in self.at_ns if from_ns <= at_ns <= to_ns), to_ns]
        return max(after - before for before, after in pairwise(within)) / 1e6

    def close(self) -> None:
        """Stops receiving."""
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _receive(self) -> None:
        newest = -1
        while not self._stop.is_set():
            try:
                data, ancillary, _, _ = self._socket.recvmsg(1 << 16, 64)
            except TimeoutError:
                continue
            message = json.loads(data)
            if message.get("type") == "frame" and message["index"] != newest:
                newest = message["index"]
                self.at_ns.append(_stamp_ns(ancillary) + time.monotonic_ns() - time.time_ns())


def _stamp_ns(ancillary: list[tuple[int, int, bytes]]) -> int:
    """Returns the arrival that the network stack has noted, Unix time.

    Raises:
        PoseRigError: There is none.
    """
    for _, kind, stamp in ancillary:
        if kind == TIMESTAMP_OPTION:
            seconds, nanoseconds = struct.unpack("qq", stamp[:16])
            return int(seconds * 1_000_000_000 + nanoseconds)
    raise PoseRigError("Datagrams come without a time stamp.", "Run this on Linux.")
