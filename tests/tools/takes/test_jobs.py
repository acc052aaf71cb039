import importlib.util
import sys
import time
from pathlib import Path

import pytest

from pose_rig.errors import PoseRigError, UsageError
from pose_rig.fusion.stretches.team import cores
from pose_rig.tools.takes.jobs import Job, LocalJob, cluster_jobs, failure, shared_cores, stop_all

HAS_SUBMITIT = importlib.util.find_spec("submitit") is not None
SLEEPS = "import time; print('begun', flush=True); time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"


def ended(job: Job, timeout_s: float = 60.0) -> int:
    deadline_s = time.monotonic() + timeout_s
    while (code := job.poll()) is None:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    return code


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_the_output_of_a_command_goes_to_its_log(tmp_path: Path) -> None:
    job = LocalJob(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"), tmp_path / "log")
    assert ended(job) == 3
    assert sorted((tmp_path / "log").read_text().split()) == ["err", "out"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_command_is_stopped_and_killed_if_it_does_not_end(tmp_path: Path) -> None:
    jobs = [LocalJob(python(code), tmp_path / f"log{i}") for i, code in enumerate((SLEEPS, STUBBORN))]
    while not all((tmp_path / f"log{i}").read_text() for i in range(2)):
        time.sleep(0.02)
    began_s = time.monotonic()
    stop_all(jobs, lambda: jobs[0].poll() is not None)
    assert [job.poll() for job in jobs] == [-15, -9]
    assert time.monotonic() - began_s < 30


def test_the_reason_of_a_failure_is_the_error_in_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("Error: Not this one.\nNo.\nStarting.\nError: It is damaged.\nRepair it.\n")
    assert str(failure(1, log)) == "It is damaged. Repair it."
    log.write_text("Starting.\n")
    assert failure(5, log).cause == "The process failed with exit code 5."
    assert failure(-9, log).cause == "The process was ended by signal 9; it may have run out of memory."
    assert failure(1, tmp_path / "gone").remedy.endswith("gone has its output.")


def test_jobs_at_once_share_the_cores_and_one_has_all() -> None:
    assert shared_cores(1) is None
    assert shared_cores(2) == max(1, cores() // 2)
    assert shared_cores(cores()) in (1, None)
    assert shared_cores(10 * cores()) == 1


@pytest.mark.skipif(HAS_SUBMITIT, reason="submitit is installed")
def test_without_submitit_the_remedy_installs_it(tmp_path: Path) -> None:
    with pytest.raises(PoseRigError, match=r"A cluster needs submitit, which is not installed\..*pose-rig\[cluster\]"):
        cluster_jobs("slurm", {}, tmp_path)


@pytest.mark.skipif(not HAS_SUBMITIT, reason="submitit is not installed: pip install 'pose-rig[cluster]'")
def test_submitit_runs_commands_and_cancels_them(tmp_path: Path) -> None:
    start = cluster_jobs("local", {"timeout_min": "5"}, tmp_path / "jobs")
    good, bad = start(python("print('there')"), tmp_path / "good"), start(python("exit(4)"), tmp_path / "bad")
    assert (ended(good), ended(bad)) == (0, 4)
    assert (tmp_path / "good").read_text() == "there\n"
    slow = start(python(SLEEPS), tmp_path / "slow")
    while not (tmp_path / "slow").exists() or not (tmp_path / "slow").read_text():
        time.sleep(0.05)
    slow.stop()
    assert ended(slow) == 1
    assert failure(1, tmp_path / "slow").cause.startswith("The cluster ended the job: ")


@pytest.mark.skipif(not HAS_SUBMITIT, reason="submitit is not installed: pip install 'pose-rig[cluster]'")
@pytest.mark.parametrize(("cluster", "options"), [("local", {"unknown": "1"}), ("slurm", {})])
def test_a_cluster_that_is_not_there_is_wrong_usage(tmp_path: Path, cluster: str, options: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=f"The cluster {cluster} cannot be used: .* Check --cluster"):
        cluster_jobs(cluster, options, tmp_path / "out" / "jobs")
    assert list(tmp_path.iterdir()) == []
