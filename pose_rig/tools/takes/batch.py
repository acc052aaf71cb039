"""Processing many takes, each by a `pose-rig process` of its own, so that none can end the others."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from pose_rig.atomic_file import partial_path
from pose_rig.errors import PoseRigError, UsageError
from pose_rig.tools.takes.fingerprint import fingerprint
from pose_rig.tools.takes.jobs import Job, StartJob, failure
from pose_rig.tools.takes.outputs import FILES
from pose_rig.tools.takes.result import TakeResult, read_result
from pose_rig.tools.takes.summary import Row, row_of, write_summary
from pose_rig.tools.takes.take import RESULT_FILE, Take
from pose_rig.tools.takes.take_options import TakeOptions

LOG = "process.log"  # in the folder of a take
LOCK = ".batch.lock"
STEP_S = 0.5  # after which a step lets the screen be updated, while it skips takes


@dataclass(slots=True)
class Running:
    """A take that is being processed.

    Attributes:
        take: The take.
        job: Its process.
        since_s: When it was started, monotonic clock.
    """

    take: Take
    job: Job
    since_s: float


@dataclass(slots=True)
class Progress:
    """How far a batch is.

    Attributes:
        total: Number of takes.
        unchanged: Takes that had been processed before.
        done: Takes that were processed.
        failed: Takes that failed.
        running: Those that are being processed.
        left_s: How long the others will take, by those processed; None = unknown.
    """

    total: int
    unchanged: int = 0
    done: int = 0
    failed: int = 0
    running: list[Running] = field(default_factory=list)
    left_s: float | None = None

    @property
    def ended(self) -> int:
        """Number of takes that need nothing more."""
        return self.unchanged + self.done + self.failed


class Batch:
    """Many takes and their results in one folder.

    Args:
        takes: The takes; their names are the paths of their folders in it.
        folder: The folder of all results.
        options: How each take is processed, as far as it applies to its kind.
        start: Starts a process.
        jobs: How many run at once.
        cores: How many each may use in its second pass; None = all of its machine.
        force: Process takes that have not changed, and replace results of other origin, too.
        print_line: Is given one line for every take that ends.

    Attributes:
        progress: How far it is.
        interrupted: Whether it was stopped before its end.
    """

    def __init__(
        self,
        takes: Sequence[Take],
        folder: Path,
        options: TakeOptions,
        start: StartJob,
        *,
        jobs: int,
        cores: int | None = None,
        force: bool,
        print_line: Callable[[str], None],
    ) -> None:
        self._folder, self._options, self._start, self._jobs = folder, options, start, jobs
        self._cores, self._force, self._print = cores, force, print_line
        self._waiting = list(takes)
        self._sizes = {take.name: _size(take) for take in takes}
        self._times = list[tuple[tuple[str, int], float]]()  # size and seconds of the takes that were processed
        self._rows = {
            take.name: Row(take=take.name, state="waiting", source=" | ".join(take.sources)) for take in takes
        }
        self._rows |= {name: row for name, row in _earlier_rows(folder).items() if name not in self._rows}
        self.progress = Progress(len(takes))
        self.interrupted = False

    @property
    def over(self) -> bool:
        """Whether every take has ended."""
        return not self._waiting and not self.progress.running

    def step(self) -> None:
        """Notes what has ended, and starts what there is room for."""
        for running in list(self.progress.running):
            code = running.job.poll()
            if code is not None:
                self.progress.running.remove(running)
                self._end(running, code)
        until_s = time.monotonic() + STEP_S
        while self._waiting and len(self.progress.running) < self._jobs and time.monotonic() < until_s:
            self._begin(self._waiting.pop(0))
        self.progress.left_s = self._left_s()

    def interrupt(self, stop_all: Callable[[Sequence[Job]], None]) -> None:
        """Stops what runs, and writes the summary."""
        self.interrupted = True
        stop_all([running.job for running in self.progress.running])
        for running in self.progress.running:
            result = self._result(running.take) or self._unknown(running)
            if result.state != "done":
                result = replace(result, state="interrupted", error="", remedy="")
            self._set(running.take, result)
        self.progress.running.clear()
        self.write_summary()

    def write_summary(self) -> list[Path]:
        """Writes the summary of all takes of the folder, and returns its files."""
        return write_summary(self._folder, list(self._rows.values()))

    def _begin(self, take: Take) -> None:
        """Starts a take, unless it has a result that is up to date, or cannot be started."""
        folder, options = self._folder / take.name, self._options.for_kind(take.kind)
        known = read_result(folder)
        try:
            if known is not None and not self._force:
                inputs = fingerprint([*take.files(), *options.files()], known.inputs)
                if known.is_of(inputs, options.given()):
                    self.progress.unchanged += 1
                    self._set(take, known)
                    return
            self._check_folder(folder, known)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / RESULT_FILE).unlink(missing_ok=True)
            job = self._start(_command(take, folder, options, self._cores), folder / LOG)
        except (PoseRigError, OSError) as error:
            self._fail(take, error)
            return
        self._rows[take.name] = _waiting(take)
        self.progress.running.append(Running(take, job, time.monotonic()))

    def _check_folder(self, folder: Path, known: TakeResult | None) -> None:
        """Refuses to replace files that no batch has written.

        Raises:
            UsageError: There are some.
        """
        if self._force or known is not None or (folder / LOG).exists():
            return
        there = [path for name in FILES for path in (folder / name, partial_path(folder / name)) if path.exists()]
        if there:
            raise UsageError(f"{there[0]} exists already.", "Choose another --out, or add --force to replace it.")

    def _end(self, running: Running, code: int) -> None:
        result = self._result(running.take)
        if result is None or (code != 0 and result.state == "done"):
            error = failure(code, self._folder / running.take.name / LOG)
            result = replace(self._unknown(running), state="failed", error=error.cause, remedy=error.remedy)
        if result.state == "done":
            self.progress.done += 1
            self._times.append((self._sizes[running.take.name], time.monotonic() - running.since_s))
            quality = f": {result.quality.sentence()}" if result.quality else ""
            self._print(f"done    {running.take.name}{quality}, {result.seconds:.0f} s")
        else:
            self.progress.failed += 1
            self._print(f"{result.state:7s} {running.take.name}: {result.error} {result.remedy}".rstrip())
        self._set(running.take, result)
        self.write_summary()

    def _fail(self, take: Take, error: Exception) -> None:
        cause = error.cause if isinstance(error, PoseRigError) else f"{error}."
        remedy = error.remedy if isinstance(error, PoseRigError) else "Choose another --out."
        self.progress.failed += 1
        self._print(f"failed  {take.name}: {cause} {remedy}")
        self._set(take, TakeResult(take=take.name, state="failed", source=take.sources, error=cause, remedy=remedy))
        self.write_summary()

    def _result(self, take: Take) -> TakeResult | None:
        return read_result(self._folder / take.name)

    def _unknown(self, running: Running) -> TakeResult:
        """Returns the result of a take that has left none."""
        seconds = time.monotonic() - running.since_s
        return TakeResult(take=running.take.name, state="interrupted", source=running.take.sources, seconds=seconds)

    def _set(self, take: Take, result: TakeResult) -> None:
        self._rows[take.name] = row_of(take.name, result)

    def _left_s(self) -> float | None:
        if not self._times:
            return None
        now_s = time.monotonic()
        begun = [max(self._expected_s(one.take) - (now_s - one.since_s), 0.0) for one in self.progress.running]
        waiting = sum(map(self._expected_s, self._waiting))
        return max([(waiting + sum(begun)) / self._jobs, *begun])

    def _expected_s(self, take: Take) -> float:
        """Returns how long a take will take: by its size if a similar one was processed, else as all on average."""
        kind, size = self._sizes[take.name]
        similar = [(other, seconds) for (other_kind, other), seconds in self._times if other_kind == kind]
        if similar:
            return size * sum(seconds for _, seconds in similar) / sum(other for other, _ in similar)
        return sum(seconds for _, seconds in self._times) / len(self._times)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Makes the folder of a batch and keeps other batches out of it.

    Raises:
        UsageError: It cannot be made, or another batch is using it.
    """
    import filelock  # slow to import

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / LOCK)
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise UsageError(f"Another batch is writing into {folder}.", "Wait for it, or choose another --out.") from error
    except OSError as error:
        raise UsageError(
            f"Cannot write into {folder}: {error.strerror}.", "Choose another folder with --out."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _command(take: Take, folder: Path, options: TakeOptions, cores: int | None) -> list[str]:
    given = [(f"--{name}", value) for name, value in options.given().items()]
    words = [word for flag, value in given for word in ((flag,) if value is True else (flag, str(value)))]
    if cores is not None:  # not one of the options: another number of cores is no reason to process a take again
        words += ["--cores", str(cores)]
    program = [sys.executable, "-m", "pose_rig", "process"]
    return [*program, *take.sources, "--out", str(folder.absolute()), *words, "--force", "--headless"]


def _waiting(take: Take) -> Row:
    return row_of(take.name, TakeResult(take=take.name, state="waiting", source=take.sources))


def _size(take: Take) -> tuple[str, int]:
    """Returns the suffix of the files of a take and their size in bytes: what its time depends on."""
    try:
        files = take.files()
        return files[0].suffix.lower(), max(sum(path.stat().st_size for path in files), 1)
    except (PoseRigError, OSError, IndexError):  # the reason is reported when the take is started
        return "", 1


def _earlier_rows(folder: Path) -> dict[str, Row]:
    """Returns the rows of the results in a folder, also of takes that are not processed now."""
    found = {}
    for path in folder.rglob(RESULT_FILE):
        result = read_result(path.parent)
        if result is not None:
            name = path.parent.relative_to(folder).as_posix()
            found[name] = row_of(name, result)
    return found
