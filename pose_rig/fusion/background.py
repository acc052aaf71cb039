"""Work that takes seconds, off the path of the poses."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, Generic, TypeVar

from pose_rig.errors import PoseRigError

T = TypeVar("T")


class Background(Generic[T]):
    """Runs one piece of work at a time.

    Args:
        executor: Where; None = at once, which makes runs repeatable.

    Attributes:
        fault: Why the last piece of work failed, empty if it did not.
    """

    def __init__(self, executor: Executor | None) -> None:
        self._executor = executor
        self._future: Future[T | None] | None = None
        self._heard = True
        self.fault = ""

    @property
    def busy(self) -> bool:
        """Whether work is under way or its result has not been taken."""
        return self._future is not None

    def start(self, work: Callable[..., T | None], *arguments: Any) -> None:
        """Begins a piece of work; nothing may be under way."""
        self._heard = True
        if self._executor is not None:
            self._future = self._executor.submit(work, *arguments)
        else:
            done: Future[T | None] = Future()
            done.set_result(work(*arguments))
            self._future = done

    def take(self) -> T | None:
        """Returns the result once, as soon as it is there."""
        if self._future is None or not self._future.done():
            return None
        future, self._future = self._future, None
        try:
            result = future.result()
        except PoseRigError as error:
            self.fault = error.cause
            return None
        self.fault = ""
        return result if self._heard else None

    def forget(self) -> None:
        """Lets the result of what is under way go unheard."""
        self._heard = False
