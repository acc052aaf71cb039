"""Receives messages of other workers in a thread and hands them to an event loop."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from pose_rig.wire.bus import Receiver
from pose_rig.wire.messages import Message

WAIT_MS = 50  # topics change, and the thread ends, after at most this


class MessageThread:
    """A thread that owns a receiver.

    Args:
        receiver: Used and closed by the thread only.
        loop: The event loop.
        take: Called in the event loop with the messages, oldest first.
        topics: Topic prefixes to receive at first.
    """

    def __init__(
        self,
        receiver: Receiver,
        loop: asyncio.AbstractEventLoop,
        take: Callable[[Sequence[Message]], None],
        topics: Iterable[str],
    ) -> None:
        self._receiver, self._loop, self._take = receiver, loop, take
        self._topics = frozenset(topics)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="messages", daemon=True)
        self._thread.start()

    @property
    def bad(self) -> int:
        """Invalid messages received."""
        return self._receiver.bad

    def set_topics(self, topics: Iterable[str]) -> None:
        """Receives these topic prefixes from now on."""
        self._topics = frozenset(topics)

    def close(self) -> None:
        """Ends the thread."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        topics: frozenset[str] = frozenset()
        with self._receiver:
            while not self._ending.is_set():
                if topics != self._topics:
                    topics = self._topics
                    self._receiver.set_topics(topics)
                if messages := self._receiver.receive(WAIT_MS):
                    with suppress(RuntimeError):  # the loop has ended
                        self._loop.call_soon_threadsafe(self._take, messages)
