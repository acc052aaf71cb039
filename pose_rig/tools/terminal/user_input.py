"""How a user ends a run: Ctrl-C, SIGTERM, a closed terminal, or the q key; and marks an instant with m."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class UserInput:
    """Notes that the user wants to stop; asking twice means at once.

    Args:
        hurry: Called when the user asks again.
    """

    def __init__(self, hurry: Callable[[], None]) -> None:
        self._hurry = hurry
        self._asked = False
        self._marks = 0
        self._key_pressed: Callable[[], str] = str

    @property
    def asked(self) -> bool:
        """Whether the user has asked."""
        self._listen()
        return self._asked

    def marks(self) -> int:
        """Returns how often the user marked an instant since the last call."""
        self._listen()
        marks, self._marks = self._marks, 0
        return marks

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Catches the signals and the key; the terminal is as before afterwards."""
        before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            with _keyboard() as self._key_pressed:
                yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _listen(self) -> None:
        while key := self._key_pressed().lower():
            self._asked |= key == "q"
            self._marks += key == "m"

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            self._hurry()
        self._asked = True


@contextlib.contextmanager
def _keyboard() -> Iterator[Callable[[], str]]:
    """Gives a function that returns the keys pressed since the last call, never waiting."""
    if not sys.stdin or not sys.stdin.isatty():
        yield str
    elif sys.platform == "win32":
        import msvcrt

        yield lambda: msvcrt.getwch() if msvcrt.kbhit() else ""
    else:
        with _raw_terminal(sys.stdin.fileno()) as pressed:
            yield pressed


if sys.platform != "win32":
    import select
    import termios
    import tty

    @contextlib.contextmanager
    def _raw_terminal(terminal: int) -> Iterator[Callable[[], str]]:
        if not _in_foreground(terminal):  # touching the terminal from the background would suspend us
            yield str
            return
        before = termios.tcgetattr(terminal)
        tty.setcbreak(terminal)
        try:
            yield (
                lambda: (
                    os.read(terminal, 1).decode("ascii", "ignore") if select.select([terminal], [], [], 0)[0] else ""
                )
            )
        finally:
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)

    def _in_foreground(terminal: int) -> bool:
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        except OSError:  # a terminal, but that of another session
            return False
