"""Where the messages of the fusion go: to subscribers, and to the recorder if there is one."""

from collections.abc import Callable

from pose_rig.errors import MessageError
from pose_rig.wire.bus import Sender
from pose_rig.wire.encoding import encode
from pose_rig.wire.messages import Message
from pose_rig.wire.records import Gap
from pose_rig.wire.services import FUSION

RECORDER_HWM = 4096  # messages: about ten seconds of eight cameras, for a disk that blocks
STOP_POLL_MS = 100
LINGER_MS = 500  # for the last messages


class Publisher:
    """Publishes messages, and sends them to the recorder in order.

    Args:
        subscribers: A PUB socket.
        recorder: A PUSH socket; None = nothing is recorded.
        waits: Whether to wait for a recorder that is behind; otherwise messages that it cannot take are counted, and
            sent to it as a `Gap` as soon as it can take one.
        stopped: Whether to stop waiting.

    Attributes:
        recording: Whether messages are sent to the recorder, if there is one.
        bad: Messages that were not sent because a value is out of bounds.
        last_error: Why the last of them was not.
    """

    def __init__(
        self, subscribers: Sender, recorder: Sender | None, *, waits: bool, stopped: Callable[[], bool]
    ) -> None:
        self._subscribers, self._recorder = subscribers, recorder
        self._waits, self._stopped = waits, stopped
        self.recording = recorder is not None
        self.bad = 0
        self.last_error = ""
        self._missing = 0
        self._whole_until_ns = self._now_ns = 0

    @property
    def refused(self) -> int:
        """How many connections of subscribers were refused."""
        return self._subscribers.refused

    def set_time(self, t_ns: int) -> None:
        """Sets the time of the rig clock, for gaps."""
        self._now_ns = t_ns

    def send(self, message: Message) -> None:
        """Publishes and records a message."""
        if data := self._encoded(message):
            self._subscribers.send_bytes(data)
            self._record(data)

    def publish(self, message: Message) -> None:
        """Publishes a message without recording it."""
        if data := self._encoded(message):
            self._subscribers.send_bytes(data)

    def record(self, message: Message) -> None:
        """Records a message without publishing it."""
        if self.recording and (data := self._encoded(message)):
            self._record(data)

    def close(self) -> None:
        """Closes both sockets after the queued messages, or after `LINGER_MS`."""
        self._send_gap()
        for sender in (self._subscribers, self._recorder):
            if sender is not None:
                sender.close(linger_ms=LINGER_MS)

    def _encoded(self, message: Message) -> bytes:
        try:
            return encode(message)
        except MessageError as error:
            self.bad += 1
            self.last_error = error.cause
            return b""

    def _record(self, data: bytes) -> None:
        if not self.recording:
            return
        self._send_gap()
        if self._missing or not self._push(data):
            self._missing += 1
        else:
            self._whole_until_ns = self._now_ns

    def _send_gap(self) -> None:
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
        while not self._recorder.send_bytes(data, STOP_POLL_MS):
            if self._stopped():
                return False
        return True
