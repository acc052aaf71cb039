"""The scheduling of a batch, with processes that are pretended: they write what `pose-rig process` writes."""

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from pose_rig.errors import UsageError
from pose_rig.tools.arguments.config_options import ConfigOptions
from pose_rig.tools.takes.batch import LOG, Batch, locked
from pose_rig.tools.takes.fingerprint import fingerprint
from pose_rig.tools.takes.jobs import Job, stop_all
from pose_rig.tools.takes.result import TakeResult, read_result, write_result
from pose_rig.tools.takes.take import Take
from pose_rig.tools.takes.take_options import TakeOptions


class FakeJob:
    """A process that ends when it is let go; what it leaves depends on the name of its take."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.command, self._log, self.ended, self.stopped = list(command), log, False, False
        self.name = log.parent.name

    def poll(self) -> int | None:
        return None if not self.ended else -9 if "killed" in self.name else int("bad" in self.name)

    def end(self) -> None:
        folder = self._log.parent
        self.ended = True
        options = {"height": 1.8} if "--height" in self.command else {}
        files = [Path(word) for word in self.command if word.endswith(".mcap")]
        result = TakeResult(take=self.name, state="done", inputs=fingerprint(files), options=options, seconds=1.0)
        if "bad" in self.name:
            self._log.write_text("Starting.\nError: It is damaged.\nRepair it.\n")
        elif "killed" not in self.name:
            write_result(folder, result)

    def stop(self) -> None:
        self.stopped = self.ended = True

    kill = stop


class Start:
    """Starts pretended processes, and keeps them."""

    def __init__(self) -> None:
        self.jobs: list[FakeJob] = []

    def __call__(self, command: Sequence[str], log: Path) -> Job:
        self.jobs.append(FakeJob(command, log))
        return self.jobs[-1]


def takes(folder: Path, *names: str) -> list[Take]:
    for name in names:
        (folder / f"{name}.mcap").write_text(name)
    return [Take(name, "session", (str(folder / f"{name}.mcap"),)) for name in names]


def batch(
    folder: Path,
    some: Sequence[Take],
    start: Start,
    *,
    height: bool = False,
    jobs: int = 1,
    cores: int | None = None,
    force: bool = False,
) -> Batch:
    options = TakeOptions(ConfigOptions({"height_m": 1.8} if height else {}))
    return Batch(some, folder, options, start, jobs=jobs, cores=cores, force=force, print_line=lambda text: None)


def started(folder: Path, some: Sequence[Take], *, height: bool = False, force: bool = False) -> list[str]:
    """Runs a batch to its end, and returns which takes were started."""
    start = Start()
    return run(batch(folder, some, start, height=height, force=force), start)


def run(work: Batch, start: Start) -> list[str]:
    """Does the same for one that was made before."""
    for _ in range(100):
        work.step()
        for job in start.jobs:
            if not job.ended:
                job.end()
        if work.over:
            work.write_summary()
            return [job.name for job in start.jobs]
    raise AssertionError("does not end")


def states(folder: Path) -> dict[str, str]:
    with (folder / "summary.csv").open(newline="") as file:
        return {row["take"]: row["state"] for row in csv.DictReader(file)}


def test_a_failure_does_not_end_the_others(tmp_path: Path) -> None:
    start, out = Start(), tmp_path / "out"
    work = batch(out, takes(tmp_path, "a", "bad", "c", "killed"), start)
    out.mkdir()
    assert run(work, start) == ["a", "bad", "c", "killed"]
    assert (work.progress.done, work.progress.failed, work.progress.ended) == (2, 2, 4)
    assert states(out) == {"a": "done", "bad": "failed", "c": "done", "killed": "failed"}
    with (out / "summary.csv").open(newline="") as file:
        errors = {row["take"]: row["error"] for row in csv.DictReader(file)}
    assert errors["bad"] == "It is damaged. Repair it."
    assert errors["killed"].startswith("The process was ended by signal 9; it may have run out of memory. Run fewer")


def test_what_has_not_changed_is_skipped_and_what_failed_is_repeated(tmp_path: Path) -> None:
    out, some = tmp_path / "out", takes(tmp_path, "a", "bad", "c")
    out.mkdir()
    started(out, some)
    start = Start()
    work = batch(out, some, start)
    assert run(work, start) == ["bad"]
    assert work.progress.unchanged == 2
    assert states(out) == {"a": "done", "bad": "failed", "c": "done"}
    (tmp_path / "a.mcap").write_text("changed")
    assert started(out, some) == ["a", "bad"]
    assert started(out, some, height=True) == ["a", "bad", "c"]
    assert started(out, some, height=True) == ["bad"]
    assert started(out, some, height=True, force=True) == ["a", "bad", "c"]


def test_as_many_run_at_once_as_wanted(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    start = Start()
    work = batch(out, takes(tmp_path, *"abcde"), start, jobs=2)
    work.step()
    assert [one.take.name for one in work.progress.running] == ["a", "b"]
    start.jobs[1].end()
    work.step()
    assert [one.take.name for one in work.progress.running] == ["a", "c"]
    assert work.progress.left_s is not None
    assert work.progress.left_s >= 0


def test_every_take_is_given_its_share_of_the_cores_which_is_no_reason_to_repeat_it(tmp_path: Path) -> None:
    out, some = tmp_path / "out", takes(tmp_path, "a", "b")
    out.mkdir()
    alone, shared, again = Start(), Start(), Start()
    run(batch(out, some[:1], alone), alone)
    assert "--cores" not in alone.jobs[0].command
    run(batch(out, some, shared, jobs=2, cores=3), shared)
    assert [job.name for job in shared.jobs] == ["b"]
    assert shared.jobs[0].command[shared.jobs[0].command.index("--cores") + 1] == "3"
    assert run(batch(out, some, again, jobs=1), again) == []


def test_a_batch_that_is_stopped_says_which_take_was_and_continues(tmp_path: Path) -> None:
    out, some = tmp_path / "out", takes(tmp_path, "a", "b", "c")
    out.mkdir()
    start = Start()
    work = batch(out, some, start)
    work.step()
    start.jobs[0].end()
    work.step()
    work.interrupt(lambda jobs: stop_all(jobs, lambda: True))
    assert start.jobs[1].stopped
    assert work.interrupted
    assert states(out) == {"a": "done", "b": "interrupted", "c": "waiting"}
    assert started(out, some) == ["b", "c"]
    assert states(out) == {"a": "done", "b": "done", "c": "done"}


def test_takes_of_earlier_calls_stay_in_the_summary(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    started(out, takes(tmp_path, "a"))
    started(out, takes(tmp_path, "b"))
    assert states(out) == {"a": "done", "b": "done"}


def test_files_of_others_are_not_replaced_without_force(tmp_path: Path) -> None:
    out, some = tmp_path / "out", takes(tmp_path, "a")
    (out / "a").mkdir(parents=True)
    (out / "a" / "poses.npz").write_text("mine")
    assert started(out, some) == []
    assert states(out) == {"a": "failed"}
    assert "poses.npz exists already." in (out / "summary.csv").read_text()
    assert started(out, some, force=True) == ["a"]
    assert (out / "a" / LOG).parent.is_dir()


def test_a_take_that_is_gone_fails_by_itself(tmp_path: Path) -> None:
    out, some = tmp_path / "out", takes(tmp_path, "a", "b")
    out.mkdir()
    started(out, some)
    (tmp_path / "a.mcap").unlink()
    started(out, some)
    assert states(out) == {"a": "failed", "b": "done"}
    assert read_result(out / "b") is not None


def test_two_batches_do_not_share_a_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with (
        locked(out),
        pytest.raises(UsageError, match=r"Another batch is writing into .*out\."),
        locked(out),
    ):
        pass
    with locked(out):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="Cannot write into"), locked(tmp_path / "file"):
        pass
