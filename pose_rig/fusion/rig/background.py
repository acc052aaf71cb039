"""Work that takes seconds, off the path of the poses."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pose_rig.errors import PoseRigError
from pose_rig.fusion.calibration.self_solve import RigSolution, SolveTask, self_solve

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BackgroundCompute:
    """Where a rig does what takes long.

    Attributes:
        executor: Runs it beside the poses; None = at once, which makes runs repeatable.
        solve: Solves a rig; may wait for another process.
        replayed: Whether a run is gone through again, in which it is known when what was learned.
    """

    executor: Executor | None = None
    solve: Callable[[SolveTask], RigSolution | str] = self_solve
    replayed: bool = False


class Background(Generic[T]):
    """Runs one piece of work at a time.

    Args:
        executor: Where; None = at once, which makes runs repeatable.
        replayed: Take results only when `expect` says so, waiting for them if need be.

    Attributes:
        fault: Why the last piece of work failed, empty if it did not.
    """

    def __init__(self, executor: Executor | None, *, replayed: bool = False) -> None:
        self._executor = executor
        self._future: Future[T | None] | None = None
        self._heard = True
        self._asked = 0
        self._taken: list[int] = []
        self._expected: deque[int] | None = deque() if replayed else None
        self.fault = ""

    def expect(self, asked: int) -> None:
        """Says at which call of `take` a result was there in the run that is replayed."""
        if self._expected is not None:
            self._expected.append(asked)

    def news(self) -> list[int]:
        """Returns at which calls of `take`, from 1, a result was there since this was last called."""
        taken, self._taken = self._taken, []
        return taken if self._executor is not None else []

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
        self._asked += 1
        if self._future is None or not self._is_due(self._future):
            return None
        future, self._future = self._future, None
        self._taken.append(self._asked)
        try:
            result = future.result()
        except PoseRigError as error:
            self.fault = error.cause
            return None
        self.fault = ""
        return result if self._heard else None

    def _is_due(self, future: "Future[T | None]") -> bool:
        if self._expected is None:
            return future.done()
        if not self._expected or self._expected[0] > self._asked:
            return False
        self._expected.popleft()
        return True

    def forget(self) -> None:
        """Lets the result of what is under way go unheard."""
        self._heard = False
