"""The messages of a session, at the pace of the recording or as fast as they are read."""

import time

from pose_rig.session.reader import Session
from pose_rig.wire.jobs import ReplayJob, Stop
from pose_rig.wire.messages import Health, Keypoints2D, Message

STOP_POLL_S = 0.1


class Playback:
    """When messages of a session are due.

    Args:
        realtime: At the pace of the recording; otherwise at once.
        stop: Ends every wait.
    """

    def __init__(self, realtime: bool, stop: Stop) -> None:
        self._realtime, self._stop = realtime, stop
        self._start_ns: int | None = None  # monotonic clock − rig clock

    def due(self, t_ns: int) -> bool:
        """Whether a time of the rig clock has come."""
        return self._left_s(t_ns) <= 0

    def wait(self, t_ns: int) -> None:
        """Waits until a time of the rig clock has come."""
        while (left_s := self._left_s(t_ns)) > 0 and not self._stop.is_set():
            time.sleep(min(left_s, STOP_POLL_S))

    def _left_s(self, t_ns: int) -> float:
        if not self._realtime:
            return 0.0
        if self._start_ns is None:
            self._start_ns = time.monotonic_ns() - t_ns
        return (self._start_ns + t_ns - time.monotonic_ns()) / 1e9


class CameraSource:
    """The keypoints of one camera, read like a `pose_rig.wire.bus.Receiver`; a `Health` message ends them.

    Args:
        job: Which session, and which part of it.
        camera: Its name.
        playback: When they are due.
    """

    def __init__(self, job: ReplayJob, camera: str, playback: Playback) -> None:
        self._session = Session(job.path)
        self._camera, self._playback = camera, playback
        self._messages = self._session.messages((Keypoints2D.TOPIC + camera,), job.from_s, job.to_s)
        self._next: Message | None = None
        self._ended = False

    def receive(self, timeout_ms: int, max_messages: int = 1) -> list[Message]:
        """Returns the next messages that are due; waits up to ``timeout_ms`` for the first."""
        found: list[Message] = []
        while len(found) < max_messages and not self._ended:
            self._next = self._next or next(self._messages, None)
            if self._next is None:
                self._ended = True
                found.append(Health(worker=self._camera, t_ns=time.monotonic_ns(), state="ended"))
            elif self._playback.due(getattr(self._next, "t_ns", 0)):
                found.append(self._next)
                self._next = None
            elif found or timeout_ms <= 0:
                break
            else:
                time.sleep(timeout_ms / 1000)
                timeout_ms = 0
        return found

    @property
    def warnings(self) -> list[str]:
        """What was wrong with the session, for display."""
        return self._session.warnings

    def close(self) -> None:
        """Closes the file."""
        self._session.close()
