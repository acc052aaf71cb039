"""Computations that take seconds, in the background so that no pose waits for them."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pose_rig.errors import PoseRigError
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.self_solve import self_solve
from pose_rig.fusion.calibration.solve_task import SolveTask

T = TypeVar("T")


def _call(function: Callable[..., T], *arguments: Any) -> T:
    return function(*arguments)


@dataclass(frozen=True, slots=True)
class BackgroundCompute:
    """Where long computations of a rig run.

    Attributes:
        executor: Runs them in the background; None = in the foreground, which makes runs repeatable.
        solve: Solves a rig, run: calls a function with arguments; both may wait for another process.
        replayed: Whether a run is repeated exactly: results are taken at the calls given to `BackgroundTask.expect`.
    """

    executor: Executor | None = None
    solve: Callable[[SolveTask], RigSolution | str] = self_solve
    run: Callable[..., Any] = _call
    replayed: bool = False


class BackgroundTask(Generic[T]):
    """Runs one computation at a time.

    Args:
        background: Where it runs.

    Attributes:
        failure: Why the last computation failed, empty if it did not.
    """

    def __init__(self, background: BackgroundCompute) -> None:
        self._executor = background.executor
        self._future: Future[T | None] | None = None
        self._discarded = False
        self._calls = 0  # of `take`
        self._taken: list[int] = []
        self._expected: deque[int] | None = deque() if background.replayed else None
        self.failure = ""

    def expect(self, call: int) -> None:
        """Adds the call of `take`, counted from 1, that returned a result in the run that is replayed."""
        if self._expected is not None:
            self._expected.append(call)

    def taken(self) -> list[int]:
        """Returns the calls of `take`, counted from 1, that returned a result since this was last called."""
        taken, self._taken = self._taken, []
        return taken if self._executor is not None else []

    @property
    def busy(self) -> bool:
        """Whether a computation is running or its result was not taken."""
        return self._future is not None

    def start(self, work: Callable[..., T | None], *arguments: Any) -> None:
        """Starts a computation; none may be running."""
        self._discarded = False
        if self._executor is not None:
            self._future = self._executor.submit(work, *arguments)
        else:
            done: Future[T | None] = Future()
            done.set_result(work(*arguments))
            self._future = done

    def take(self) -> T | None:
        """Returns the result once, when it is finished."""
        self._calls += 1
        if self._future is None or not self._is_due(self._future):
            return None
        future, self._future = self._future, None
        self._taken.append(self._calls)
        try:
            result = future.result()
        except PoseRigError as error:
            self.failure = error.cause
            return None
        self.failure = ""
        return None if self._discarded else result

    def _is_due(self, future: "Future[T | None]") -> bool:
        if self._expected is None:
            return future.done()
        if not self._expected or self._expected[0] > self._calls:
            return False
        self._expected.popleft()
        return True

    def discard(self) -> None:
        """Discards the result of the computation that is running."""
        self._discarded = True
