"""Where the commands of a batch run: in processes of this machine, or on a cluster by `submitit`."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from pose_rig.errors import PoseRigError, UsageError
from pose_rig.installer import requires_extra

STOP_TIMEOUT_S = 40.0  # from SIGTERM to SIGKILL: a run saves its poses first
POLL_S = 0.1
CLUSTER_DEFAULTS: dict[str, Any] = {"name": "pose-rig", "timeout_min": 240, "cpus_per_task": 4}


class Job(Protocol):
    """A command that was started."""

    def poll(self) -> int | None:
        """Returns its exit code, None while it runs or waits."""

    def stop(self) -> None:
        """Asks it to end."""

    def kill(self) -> None:
        """Ends it at once."""


StartJob = Callable[[Sequence[str], Path], Job]  # a command, and the file to which its output goes


class LocalJob:
    """A command in a process of this machine, in a group of its own: Ctrl-C in the terminal does not reach it."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    def poll(self) -> int | None:
        """Returns the exit code."""
        return self._process.poll()

    def stop(self) -> None:
        """Sends SIGTERM to the command, which stops its own workers."""
        self._process.terminate()

    def kill(self) -> None:
        """Kills the command and its workers."""
        if self._process.poll() is None and sys.platform != "win32":
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()


def shared_cores(jobs: int) -> int | None:
    """Returns how many cores of this machine each of so many jobs may use; None = all, there is but one job."""
    from pose_rig.fusion.stretches.team import cores  # imports the fusion

    return max(1, cores() // jobs) if jobs > 1 else None


def cluster_jobs(cluster: str, options: Mapping[str, str], folder: Path) -> StartJob:
    """Returns the function that starts commands on a cluster.

    Args:
        cluster: ``slurm``, or ``local``: processes that submitit starts here, to try it.
        options: Parameters of submitit's executor, such as ``timeout_min`` or ``slurm_partition``.
        folder: Where submitit keeps its files; every machine must see it at the same path.

    Raises:
        UsageError: An option is unknown, or the cluster is not there.
        PoseRigError: submitit is not installed.
    """
    with requires_extra("A cluster", "cluster"):
        import submitit
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
        executor.update_parameters(**{**CLUSTER_DEFAULTS, **{key: _number(text) for key, text in options.items()}})
    except (RuntimeError, NameError, TypeError, ValueError, AssertionError) as error:
        with suppress(OSError):
            folder.rmdir()
            folder.parent.rmdir()
        cause = str(error).splitlines()[0].rstrip(".?")
        raise UsageError(
            f"The cluster {cluster} cannot be used: {cause}.", "Check --cluster and --cluster-option."
        ) from error
    return lambda command, log: ClusterJob(executor.submit(run_command, list(command), str(log)), log)


class ClusterJob:
    """A command on a cluster."""

    def __init__(self, job: Any, log: Path) -> None:
        self._job, self._log = job, log

    def poll(self) -> int | None:
        """Returns the exit code; 1 if the cluster ended the job."""
        if not self._job.done():
            return None
        try:
            return int(self._job.result())
        except Exception as error:  # whatever submitit reports of a job that was ended
            with suppress(OSError), self._log.open("a", encoding="utf-8") as log:
                log.write(f"\nError: The cluster ended the job: {str(error).strip().splitlines()[-1]}\n")
            return 1

    def stop(self) -> None:
        """Cancels the job."""
        self._job.cancel()

    kill = stop


def run_command(command: list[str], log: str) -> int:
    """Runs a command on the machine of the cluster, and returns its exit code; it is stopped if the job is."""
    with (
        Path(log).open("wb") as output,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT) as process,  # noqa: S603
    ):
        try:
            return process.wait()
        except BaseException:
            process.terminate()  # leaving the block waits for it
            raise


def stop_all(jobs: Sequence[Job], skip_wait: Callable[[], bool]) -> None:
    """Stops jobs, and kills those that have not ended after `STOP_TIMEOUT_S`, or when ``skip_wait`` says so."""
    for job in jobs:
        job.stop()
    deadline_s = time.monotonic() + STOP_TIMEOUT_S
    while any(job.poll() is None for job in jobs) and time.monotonic() < deadline_s and not skip_wait():
        time.sleep(POLL_S)
    for job in jobs:
        if job.poll() is None:
            job.kill()


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def failure(code: int, log: Path) -> PoseRigError:
    """Returns why a command failed, from its output."""
    try:
        lines = log.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    at = max((number for number, line in enumerate(lines) if line.startswith("Error: ")), default=None)
    if at is not None:
        remedy = lines[at + 1] if at + 1 < len(lines) else f"{log} has its output."
        return PoseRigError(lines[at].removeprefix("Error: "), remedy)
    if code < 0:
        cause = f"The process was ended by signal {-code}; it may have run out of memory."
        return PoseRigError(cause, f"Run fewer at once with --jobs; {log} has its output.")
    return PoseRigError(f"The process failed with exit code {code}.", f"{log} has its output.")
