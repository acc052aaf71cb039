"""Counters of what was sent to one target."""

import time
from collections import deque
from collections.abc import Sequence
from typing import Literal

from pose_rig.streaming.address import Address
from pose_rig.wire.messages import Target

DatagramKind = Literal["vmc", "vrchat", "json"]
Kind = DatagramKind | Literal["websocket"]
RATE_WINDOW_S = 2.0
ERROR_SHOWN_S = 5.0  # after the last error


class TargetStats:
    """Counts frames, datagrams and errors of a target.

    Args:
        kind: Protocol.
        address: Address of the target.
        profile: VMC profile, or axes.
    """

    def __init__(self, kind: Kind, address: Address, profile: str) -> None:
        self._kind: Kind = kind
        self._address, self._profile = address, profile
        self._recent: deque[float] = deque()
        self._frames = self._datagrams = self._octets = self._failures = 0
        self._unreachable = 0
        self._error, self._error_s = "", 0.0

    def sent(self, datagrams: Sequence[bytes | memoryview]) -> None:
        """Counts a frame."""
        now_s = time.monotonic()
        self._recent.append(now_s)
        while self._recent[0] < now_s - RATE_WINDOW_S:
            self._recent.popleft()
        self._frames += 1
        self._datagrams += len(datagrams)
        self._octets += sum(map(len, datagrams))

    def failed(self, error: str) -> None:
        """Counts an error, given as one sentence."""
        self._failures += 1
        self._error, self._error_s = error, time.monotonic()

    def unreachable(self) -> None:
        """Counts a frame for which no program had the port open."""
        self._unreachable += 1

    def message(
        self, last: Sequence[bytes | memoryview], *, clients: int | None = None, clients_ever: int | None = None
    ) -> Target:
        """Returns the counters as a message.

        Args:
            last: Datagrams of the last frame.
            clients: Number of connected clients; None for datagrams.
            clients_ever: Number of clients since the start; None for datagrams.
        """
        now_s = time.monotonic()
        recent = [sent_s for sent_s in self._recent if sent_s > now_s - RATE_WINDOW_S]
        seconds = recent[-1] - recent[0] if len(recent) > 1 else 0.0
        return Target(
            kind=self._kind,
            address=str(self._address),
            profile=self._profile,
            rate_hz=(len(recent) - 1) / seconds if seconds else 0.0,
            frames=self._frames,
            datagrams=self._datagrams,
            octets=self._octets,
            failures=self._failures,
            clients=clients,
            error=self._error if now_s - self._error_s < ERROR_SHOWN_S else "",
            last=tuple(bytes(datagram) for datagram in last),
            unheard=self._unreachable,
            clients_ever=clients_ever,
        )
