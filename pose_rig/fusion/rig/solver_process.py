"""Solving the rig in a process of its own, so that no pose ever waits for it.

Tasks go in through the standard input and solutions come out of the standard output, pickled: both ends are this
program, nothing from outside passes here. The process ends when its input does, whatever became of its parent.
"""

import os
import pickle
import subprocess
import sys
import threading
from typing import BinaryIO

from pose_rig.errors import PoseRigError
from pose_rig.fusion.calibration.self_solve import RigSolution, SolveTask, self_solve

GENTLER = 3  # detectors come first, but a rig that waits for its solution is worth a little of their time
ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class SolverLostError(PoseRigError):
    """The process that solves has died; the next task gets a new one."""

    def __init__(self) -> None:
        super().__init__("The process that solves the rig has died.", "It is started again with the next attempt.")


class SolverProcess:
    """A process that solves rigs, started at once or when the first one is asked for."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._begins_or_ends = threading.Lock()
        self._one_by_one = threading.Lock()  # a fusion that begins anew asks while its former task is under way

    def solve(self, task: SolveTask) -> RigSolution | str:
        """Returns what `self_solve` says; waits for it.

        Raises:
            SolverLostError: The process died.
        """
        with self._one_by_one:
            return self._solve(task)

    def _solve(self, task: SolveTask) -> RigSolution | str:
        process = self.start()
        ours, theirs = process.stdin, process.stdout
        if ours is None or theirs is None:
            raise SolverLostError
        try:
            pickle.dump(task, ours)
            ours.flush()
            solved: RigSolution | str = pickle.load(theirs)  # noqa: S301
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:  # ValueError: `close` was quicker
            process.kill()
            process.wait()
            raise SolverLostError from error
        return solved

    def start(self) -> subprocess.Popen[bytes]:
        """Returns the process, a new one if there is none or it has died; loading takes it a second or two.

        Raises:
            SolverLostError: It was closed.
        """
        with self._begins_or_ends:
            if self._closed:
                raise SolverLostError
            if self._process is None or self._process.poll() is not None:
                self._end()
                command = [sys.executable, "-m", "pose_rig.fusion.rig.solver_process"]
                pipe = subprocess.PIPE
                self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=os.environ | ONE_CORE)  # noqa: S603
            return self._process

    def close(self) -> None:
        """Ends the process, at work or not, for good; threads that wait for a solution then hear that it is lost."""
        with self._begins_or_ends:
            self._closed = True
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None and not stream.closed:
                try:
                    stream.close()
                except BrokenPipeError:  # half a task was still to be written
                    continue


def serve(tasks: BinaryIO, solutions: BinaryIO) -> None:
    """Solves what comes until the input ends."""
    while True:
        try:
            task: SolveTask = pickle.load(tasks)  # noqa: S301
            pickle.dump(self_solve(task), solutions)
            solutions.flush()
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):  # whoever asked is gone
            return


def main() -> None:
    """Runs the process."""
    if hasattr(os, "nice"):
        os.nice(GENTLER)
    solutions = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print must not mix with solutions
    serve(sys.stdin.buffer, solutions)


if __name__ == "__main__":
    main()
