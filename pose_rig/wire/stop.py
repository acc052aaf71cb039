"""The stop event of a worker."""

from typing import Protocol


class Stop(Protocol):
    """The part of ``multiprocessing.Event`` that workers use."""

    def is_set(self) -> bool:
        """Whether the worker has to exit."""
