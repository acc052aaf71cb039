"""Where the messages of the fusion go: to whoever listens, and to the recorder if there is one."""

from collections.abc import Callable

from pose_rig.errors import MessageError
from pose_rig.wire.bus import Sender
from pose_rig.wire.encoding import encode
from pose_rig.wire.messages import Message
from pose_rig.wire.records import Gap
from pose_rig.wire.services import FUSION

RECORDER_MARK = 4096  # messages; some ten seconds of eight cameras, should a disk think for so long
PATIENCE_MS = 100  # between looks at whether to stop
FAREWELL_MS = 500  # for the last messages to leave


class Publisher:
    """Publishes, and hands to the recorder in the order in which things happened.

    Args:
        listeners: A PUB socket.
        recorder: A PUSH socket; None = nothing is recorded.
        waits: Whether to wait for a recorder that is behind; otherwise what it cannot take is counted, and told to it
            as a `Gap` as soon as it can take something again.
        stopped: Whether to wait no longer.

    Attributes:
        bad: Messages that broke their own rules and were not sent.
        last_error: What was wrong with the last of them.
    """

    def __init__(self, listeners: Sender, recorder: Sender | None, *, waits: bool, stopped: Callable[[], bool]) -> None:
        self._listeners, self._recorder = listeners, recorder
        self._waits, self._stopped = waits, stopped
        self.bad = 0
        self.last_error = ""
        self._missing = 0
        self._whole_until_ns = self._now_ns = 0

    @property
    def refused(self) -> int:
        """How many connections of listeners were turned away."""
        return self._listeners.refused

    def at(self, t_ns: int) -> None:
        """Says what the rig clock shows, for gaps."""
        self._now_ns = t_ns

    def send(self, message: Message) -> None:
        """Publishes a message, and has it recorded."""
        if data := self._encoded(message):
            self._listeners.send_bytes(data)
            self._keep(data)

    def keep(self, message: Message) -> None:
        """Has a message recorded that listeners have no use for."""
        if self._recorder is not None and (data := self._encoded(message)):
            self._keep(data)

    def close(self) -> None:
        """Closes both ways after giving what is still queued some time to leave."""
        self._tell_gap()
        for sender in (self._listeners, self._recorder):
            if sender is not None:
                sender.close(linger_ms=FAREWELL_MS)

    def _encoded(self, message: Message) -> bytes:
        try:
            return encode(message)
        except MessageError as error:
            self.bad += 1
            self.last_error = error.cause
            return b""

    def _keep(self, data: bytes) -> None:
        if self._recorder is None:
            return
        self._tell_gap()
        if self._missing or not self._push(data):
            self._missing += 1
        else:
            self._whole_until_ns = self._now_ns

    def _tell_gap(self) -> None:
        if not self._missing:
            return
        gap = Gap(
            source=FUSION,
            what="messages",
            from_ns=self._whole_until_ns,
            t_ns=max(self._now_ns, self._whole_until_ns),
            missing=self._missing,
            reason="the recorder was behind",
        )
        if self._push(encode(gap)):
            self._missing = 0

    def _push(self, data: bytes) -> bool:
        if self._recorder is None:
            return False
        if not self._waits:
            return self._recorder.send_bytes(data, 0)
        while not self._recorder.send_bytes(data, PATIENCE_MS):
            if self._stopped():
                return False
        return True
