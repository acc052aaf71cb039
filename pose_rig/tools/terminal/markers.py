"""Markers that the user sets while recording."""

from types import TracebackType
from typing import Self

from pose_rig.tools.workers.plan import Recording
from pose_rig.wire.bus import Sender
from pose_rig.wire.records import Marker

FAREWELL_MS = 500
NO_ROOM = "The recorder took no marker."


class MarkerSender:
    """Numbers markers and hands them to the recorder.

    Args:
        recording: Where the recorder is reached; None = nothing is recorded.
    """

    def __init__(self, recording: Recording | None) -> None:
        self._sender = Sender(recording.input, "lossless", keys=recording.keys) if recording else None
        self._count = 0

    def mark(self, t_ns: int, elapsed_s: float) -> str:
        """Marks an instant, and returns what to tell the user.

        Args:
            t_ns: The instant, rig clock.
            elapsed_s: The same for people.
        """
        if self._sender is None:
            return "Nothing is recorded: --record take.mcap keeps markers."
        self._count += 1
        text = f"marker {self._count}"
        sent = self._sender.send(Marker(t_ns=t_ns, number=self._count, text=text), 0)
        return f"{text.capitalize()} at {elapsed_s:.1f} s." if sent else NO_ROOM

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sender is not None:
            self._sender.close(linger_ms=FAREWELL_MS)
