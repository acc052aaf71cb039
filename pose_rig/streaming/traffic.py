"""What went to one target so far."""

import time
from collections import deque
from collections.abc import Sequence
from typing import Literal

from pose_rig.streaming.address import Address
from pose_rig.wire.messages import Target

DatagramKind = Literal["vmc", "vrchat", "json"]
Kind = DatagramKind | Literal["websocket"]
WINDOW_S = 2.0
ERROR_SHOWN_S = 5.0  # after the last one


class Traffic:
    """Counts what is sent, and what goes wrong.

    Args:
        kind: The protocol.
        address: Where to.
        profile: Whose rules the sender keeps, or which axes.
    """

    def __init__(self, kind: Kind, address: Address, profile: str) -> None:
        self._kind: Kind = kind
        self._address, self._profile = address, profile
        self._recent: deque[float] = deque()
        self._frames = self._datagrams = self._octets = self._failures = 0
        self._unheard = 0
        self._error, self._error_s = "", 0.0
        self._last: tuple[bytes, ...] = ()

    def sent(self, datagrams: Sequence[bytes | memoryview]) -> None:
        """Counts a frame; ``datagrams`` may be written over afterwards."""
        now_s = time.monotonic()
        self._recent.append(now_s)
        while self._recent[0] < now_s - WINDOW_S:
            self._recent.popleft()
        self._frames += 1
        self._datagrams += len(datagrams)
        self._octets += sum(map(len, datagrams))

    def keep(self, datagrams: Sequence[bytes | memoryview]) -> None:
        """Keeps the last frame, for whoever watches."""
        self._last = tuple(bytes(datagram) for datagram in datagrams)

    def failed(self, error: str) -> None:
        """Counts something that went wrong, in one sentence."""
        self._failures += 1
        self._error, self._error_s = error, time.monotonic()

    def not_heard(self) -> None:
        """Counts a frame that nobody listened to."""
        self._unheard += 1

    def target(self, clients: int | None = None, clients_ever: int | None = None) -> Target:
        """Returns how it stands, with the number of clients, now and ever, where there may be any."""
        now_s = time.monotonic()
        recent = [then for then in self._recent if then > now_s - WINDOW_S]
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
            last=self._last,
            unheard=self._unheard,
            clients_ever=clients_ever,
        )
