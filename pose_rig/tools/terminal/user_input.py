"""What the user does during a run: Ctrl-C, SIGTERM, a closed terminal or the q key stop it; the m key sets a marker."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class UserInput:
    """Requests of the user to stop the run and to set markers.

    Args:
        on_second_stop: Called when a second signal arrives, which means: stop at once.
    """

    def __init__(self, on_second_stop: Callable[[], None]) -> None:
        self._on_second_stop = on_second_stop
        self._stop_requested = False
        self._markers = 0
        self._read_key: Callable[[], str] = str

    @property
    def stop_requested(self) -> bool:
        """Whether the user wants to stop."""
        self._read_keys()
        return self._stop_requested

    def request_stop(self) -> None:
        """Has the run stop, as the q key does."""
        self._stop_requested = True

    def take_markers(self) -> int:
        """Returns how many markers the user set since the last call."""
        self._read_keys()
        markers, self._markers = self._markers, 0
        return markers

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Handles signals and keys within a block; restores the terminal afterwards."""
        before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            with _keyboard() as self._read_key:
                yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _read_keys(self) -> None:
        while key := self._read_key().lower():
            self._stop_requested |= key == "q"
            self._markers += key == "m"

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stop_requested:
            self._on_second_stop()
        self._stop_requested = True


@contextlib.contextmanager
def _keyboard() -> Iterator[Callable[[], str]]:
    """Yields a function that returns the next pressed key, or an empty string at once if there is none."""
    if not sys.stdin or not sys.stdin.isatty():
        yield str
    elif sys.platform == "win32":
        import msvcrt

        yield lambda: msvcrt.getwch() if msvcrt.kbhit() else ""
    else:
        with _raw_terminal(sys.stdin.fileno()) as read_key:
            yield read_key


if sys.platform != "win32":
    import select
    import termios
    import tty

    @contextlib.contextmanager
    def _raw_terminal(terminal: int) -> Iterator[Callable[[], str]]:
        if not _in_foreground(terminal):  # a background process that changes the terminal is suspended
            yield str
            return
        before = termios.tcgetattr(terminal)
        tty.setcbreak(terminal)

        def read_key() -> str:
            ready = select.select([terminal], [], [], 0)[0]
            return os.read(terminal, 1).decode("ascii", "ignore") if ready else ""

        try:
            yield read_key
        finally:
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)

    def _in_foreground(terminal: int) -> bool:
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        except OSError:  # a terminal of another session
            return False
