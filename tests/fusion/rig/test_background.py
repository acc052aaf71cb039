"""Background computations: one at a time, their results taken once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pose_rig.errors import PoseRigError
from pose_rig.fusion.rig.background import BackgroundCompute, BackgroundTask


def fail() -> int:
    raise PoseRigError("The work went wrong.", "Try again.")


def test_without_a_computation_there_is_no_result() -> None:
    work: BackgroundTask[int] = BackgroundTask(BackgroundCompute())
    assert not work.busy
    assert work.take() is None
    assert work.failure == ""


def test_without_an_executor_the_computation_runs_in_start() -> None:
    work: BackgroundTask[int] = BackgroundTask(BackgroundCompute())
    done: list[int] = []

    def add(number: int) -> int:
        done.append(number)
        return number + 1

    work.start(add, 41)
    assert done == [41]
    assert [work.busy, work.take(), work.busy, work.take()] == [True, 42, False, None]


def test_with_an_executor_nothing_blocks() -> None:
    go = threading.Event()

    def wait() -> str:
        assert go.wait(10)
        return threading.current_thread().name

    with ThreadPoolExecutor(1, thread_name_prefix="background") as executor:
        work: BackgroundTask[str] = BackgroundTask(BackgroundCompute(executor))
        work.start(wait)
        assert [work.busy, work.take(), work.busy] == [True, None, True]
        go.set()
    assert [work.take(), work.busy] == ["background_0", False]


def test_a_discarded_computation_has_no_result_and_stays_busy() -> None:
    go = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        work: BackgroundTask[int] = BackgroundTask(BackgroundCompute(executor))
        work.start(lambda: 1 if go.wait(10) else None)
        work.discard()
        assert work.busy
        go.set()
    assert [work.take(), work.busy] == [None, False]
    work = BackgroundTask(BackgroundCompute())
    work.discard()
    work.start(lambda: 2)
    assert work.take() == 2  # a later computation counts


def test_a_failure_is_kept_until_the_next_result() -> None:
    with ThreadPoolExecutor(1) as executor:
        work: BackgroundTask[int] = BackgroundTask(BackgroundCompute(executor))
        outcome = []
        for task in (fail, lambda: 3):
            work.start(task)
            while work.busy:
                taken = work.take()
            outcome.append((taken, work.failure))
    assert outcome == [(None, "The work went wrong."), (3, "")]


def test_without_an_executor_a_failure_ends_the_run_as_any_other_would() -> None:
    work: BackgroundTask[int] = BackgroundTask(BackgroundCompute())
    with pytest.raises(PoseRigError, match=r"The work went wrong\. Try again\."):
        work.start(fail)


def test_other_exceptions_are_raised() -> None:
    with ThreadPoolExecutor(1) as executor:
        work: BackgroundTask[float] = BackgroundTask(BackgroundCompute(executor))
        work.start(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        work.take()


def test_taken_calls_are_returned_once() -> None:
    with ThreadPoolExecutor(1) as executor:
        work: BackgroundTask[int] = BackgroundTask(BackgroundCompute(executor))
        work.take()  # nothing was begun: asked in vain
        asked = 1
        for number in (1, 2):
            work.start(lambda number=number: number)
            calls = 1
            while work.take() is None:
                calls += 1
            asked += calls
            assert work.taken() == [asked]
        work.take()
        assert work.taken() == []


def test_computations_in_the_foreground_are_not_counted_as_taken() -> None:
    work: BackgroundTask[int] = BackgroundTask(BackgroundCompute())
    work.start(lambda: 1)
    assert work.take() == 1
    assert work.taken() == []


def test_a_replay_takes_results_when_they_were_taken_and_waits_for_them() -> None:
    go = threading.Event()
    threading.Timer(0.2, go.set).start()
    with ThreadPoolExecutor(1) as executor:
        work: BackgroundTask[int] = BackgroundTask(BackgroundCompute(executor, replayed=True))
        work.start(lambda: 5)
        assert [work.take() for _ in range(3)] == [None] * 3  # done, but it was not then
        work.expect(5)
        assert [work.take(), work.take()] == [None, 5]
        assert work.taken() == [5]
        work.start(lambda: 7 if go.wait(10) else None)
        work.expect(6)
        assert work.take() == 7  # it is waited for
        assert work.taken() == [6]


def test_a_replay_repeats_failures() -> None:
    with ThreadPoolExecutor(1) as executor:
        work: BackgroundTask[int] = BackgroundTask(BackgroundCompute(executor, replayed=True))
        work.expect(1)
        work.start(fail)
        assert work.take() is None
        assert work.failure == "The work went wrong."


def test_a_live_run_expects_nothing() -> None:
    with ThreadPoolExecutor(1) as executor:
        work: BackgroundTask[int] = BackgroundTask(BackgroundCompute(executor))
        work.expect(100)
        work.start(lambda: 1)
    assert work.take() == 1
