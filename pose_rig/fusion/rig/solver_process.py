"""The process that solves the rig and compares clocks, so that no pose waits for it.

Tasks go in through the standard input and solutions come out of the standard output, pickled: both ends are this
program, so nothing from outside is unpickled. The process exits when its input ends, even if its parent was killed.
"""

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, BinaryIO, TypeVar

from pose_rig.errors import PoseRigError
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.self_solve import self_solve
from pose_rig.fusion.calibration.solve_task import SolveTask

NICENESS = 3  # below the detectors, but a rig that waits for its solution is worth a little of their time
T = TypeVar("T")
SINGLE_THREADED = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class SolverLostError(PoseRigError):
    """The process that solves the rig has exited; the next task starts a new one."""

    def __init__(self) -> None:
        super().__init__("The process that solves the rig has exited.", "It is restarted with the next attempt.")


class SolverProcess:
    """A process that solves rigs, started by `start` or with the first task."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._start_or_close = threading.Lock()
        self._one_task = threading.Lock()  # a restarted estimator may send a task while an earlier one is running

    def solve(self, task: SolveTask) -> RigSolution | str:
        """Returns the result of `self_solve`; blocks.

        Raises:
            SolverLostError: The process exited.
        """
        return self.run(self_solve, task)

    def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Returns the result of a function of this package; blocks.

        Raises:
            SolverLostError: The process exited.
        """
        with self._one_task:
            return self._run(function, arguments)

    def _run(self, function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        process = self.start()
        tasks, solutions = process.stdin, process.stdout
        if tasks is None or solutions is None:
            raise SolverLostError
        try:
            pickle.dump((function, arguments), tasks)
            tasks.flush()
            result: T = pickle.load(solutions)  # noqa: S301
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:  # ValueError: `close` was called
            process.kill()
            process.wait()
            raise SolverLostError from error
        return result

    def start(self) -> subprocess.Popen[bytes]:
        """Returns the process, a new one if there is none or it has exited; it needs one or two seconds to load.

        Raises:
            SolverLostError: It was closed.
        """
        with self._start_or_close:
            if self._closed:
                raise SolverLostError
            if self._process is None or self._process.poll() is not None:
                self._kill()
                command = [sys.executable, "-m", "pose_rig.fusion.rig.solver_process"]
                pipe = subprocess.PIPE
                self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=os.environ | SINGLE_THREADED)  # noqa: S603
            return self._process

    def close(self) -> None:
        """Kills the process for good; threads that wait for a solution get a `SolverLostError`."""
        with self._start_or_close:
            self._closed = True
            self._kill()

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None and not stream.closed:
                try:
                    stream.close()
                except BrokenPipeError:  # part of a task was not written
                    continue


def serve(tasks: BinaryIO, solutions: BinaryIO) -> None:
    """Computes tasks until the input ends."""
    while True:
        try:
            function, arguments = pickle.load(tasks)  # noqa: S301
            pickle.dump(function(*arguments), solutions)
            solutions.flush()
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):  # the parent has exited
            return


def main() -> None:
    """Runs the process."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    solutions = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # keeps the output of libraries out of the solutions
    serve(sys.stdin.buffer, solutions)


if __name__ == "__main__":
    main()
