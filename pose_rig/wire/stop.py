"""How a worker hears that it shall end."""

from typing import Protocol


class Stop(Protocol):
    """What we use of ``multiprocessing.Event``."""

    def is_set(self) -> bool:
        """Whether to stop."""
