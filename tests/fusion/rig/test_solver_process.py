"""The process that solves: a real one."""

import io
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.self_solve import self_solve
from pose_rig.fusion.rig.solver_process import SolverLostError, SolverProcess, serve
from tests.fusion.simulated import calibration, make_keyframes, stroll, task

SMALL = task(make_keyframes(stroll(2.0), calibration(3)), calibration(3))
LARGE = task(make_keyframes(stroll(20.0), calibration(6)), calibration(6))


@pytest.fixture
def solver() -> Iterator[SolverProcess]:
    made = SolverProcess()
    yield made
    made.close()


def same(a: RigSolution | str, b: RigSolution | str) -> bool:
    assert isinstance(a, RigSolution)
    assert isinstance(b, RigSolution)
    fields = ("rotation", "translation", "focal_px", "known", "rotation_sd", "translation_sd", "focal_sd")
    return (
        all(np.array_equal(getattr(a.cameras, f), getattr(b.cameras, f)) for f in fields)
        and np.array_equal(a.cameras.intrinsics.dist, b.cameras.intrinsics.dist)
        and np.array_equal(a.poses, b.poses)
    )


def process_of(solver: SolverProcess) -> subprocess.Popen[bytes]:
    process = solver._process
    assert process is not None
    return process


class Asking:
    """Somebody who waits for the solution of a task that takes seconds."""

    def __init__(self, solver: SolverProcess) -> None:
        self._solver = solver
        self._results: list[object] = []
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        while solver._process is None:
            time.sleep(0.001)

    def _ask(self) -> None:
        try:
            self._results.append(self._solver.solve(LARGE))
        except SolverLostError as error:
            self._results.append(error)

    def answer(self) -> object:
        self._thread.join(5)
        assert not self._thread.is_alive()
        (result,) = self._results
        return result


def test_solutions_are_those_of_this_process_and_the_process_is_kept(solver: SolverProcess) -> None:
    first = solver.solve(SMALL)
    number = process_of(solver).pid
    assert same(first, solver.solve(SMALL))
    assert process_of(solver).pid == number
    here = self_solve(SMALL)
    assert isinstance(here, RigSolution)
    assert isinstance(first, RigSolution)
    assert np.allclose(first.cameras.rotation, here.cameras.rotation, atol=1e-6)
    assert np.allclose(first.cameras.translation, here.cameras.translation, atol=1e-5)


def test_the_reason_why_a_rig_cannot_be_solved_is_returned(solver: SolverProcess) -> None:
    few = task(list(SMALL.keyframes[:5]), calibration(3))
    assert "rarely had the person in view together" in str(solver.solve(few))
    assert solver.solve(few) == self_solve(few)


@pytest.mark.parametrize("after_s", [0.0, 0.6])
def test_a_process_killed_while_solving_raises_once_and_is_replaced(solver: SolverProcess, after_s: float) -> None:
    asking = Asking(solver)
    time.sleep(after_s)
    process_of(solver).kill()
    lost = asking.answer()
    assert isinstance(lost, SolverLostError)
    assert lost.cause == "The process that solves the rig has exited."
    assert lost.remedy == "It is restarted with the next attempt."
    assert isinstance(solver.solve(SMALL), RigSolution)


def test_a_process_killed_while_idle_is_replaced(solver: SolverProcess) -> None:
    assert isinstance(solver.solve(SMALL), RigSolution)
    idle = process_of(solver)
    idle.kill()
    idle.wait()
    assert isinstance(solver.solve(SMALL), RigSolution)
    assert process_of(solver).pid != idle.pid


@pytest.mark.parametrize("after_s", [0.0, 0.6])
def test_closing_while_solving_is_immediate(solver: SolverProcess, after_s: float) -> None:
    asking = Asking(solver)
    process = process_of(solver)
    time.sleep(after_s)
    began = time.monotonic()
    solver.close()
    assert time.monotonic() - began < 3
    assert isinstance(asking.answer(), SolverLostError)
    assert process.returncode is not None


def test_a_queued_task_is_lost_on_close_and_starts_no_process(solver: SolverProcess) -> None:
    both = [Asking(solver), Asking(solver)]
    process = process_of(solver)
    solver.close()
    assert all(isinstance(asking.answer(), SolverLostError) for asking in both)
    assert solver._process is None
    assert process.returncode is not None


def test_closing_twice_or_unused(solver: SolverProcess) -> None:
    SolverProcess().close()
    assert isinstance(solver.solve(task([], calibration(2))), str)
    solver.close()
    solver.close()
    assert solver._process is None
    with pytest.raises(SolverLostError):
        solver.solve(task([], calibration(2)))


COMMAND = [sys.executable, "-m", "pose_rig.fusion.rig.solver_process"]


def test_the_process_exits_when_its_input_ends() -> None:
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (0, b"", b"")


def test_tasks_are_solved_one_after_the_other() -> None:
    few = task(list(SMALL.keyframes[:5]), calibration(3))
    tasks, solutions = (
        io.BytesIO(b"".join(pickle.dumps((self_solve, (one,))) for one in (few, SMALL, few))),
        io.BytesIO(),
    )
    serve(tasks, solutions)
    solutions.seek(0)
    found = [pickle.load(solutions) for _ in range(3)]  # noqa: S301
    assert found[0] == found[2] == self_solve(few)
    assert same(found[1], self_solve(SMALL))
    assert solutions.read() == b""
