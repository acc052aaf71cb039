"""Markers that the user sets while recording."""

from typing import Self

from pose_rig.wire.bus import Sender
from pose_rig.wire.jobs import RecordJob
from pose_rig.wire.records import Marker

LINGER_MS = 500


class MarkerSender:
    """Numbers markers and sends them to the recorder.

    Args:
        recording: Job of the recorder; None = nothing is recorded.
    """

    def __init__(self, recording: RecordJob | None) -> None:
        self._sender = Sender(recording.input, "lossless", keys=recording.keys) if recording else None
        self._count = 0

    def send(self, t_ns: int, elapsed_s: float) -> str:
        """Sends a marker at a time of the rig clock, ``elapsed_s`` after the start; returns a message for the user."""
        if self._sender is None:
            return "Nothing is recorded: markers need --record take.mcap."
        self._count += 1
        text = f"marker {self._count}"
        sent = self._sender.send(Marker(t_ns=t_ns, number=self._count, text=text), 0)
        return f"{text.capitalize()} at {elapsed_s:.1f} s." if sent else "The recorder did not accept the marker."

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._sender is not None:
            self._sender.close(linger_ms=LINGER_MS)
