"""The folder of a training run."""

import csv
import os
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

from pose_rig.errors import PoseRigError, UsageError
from pose_rig.training.job import TrainingJob
from pose_rig.training.run_folder import BEST, JOB, LOG, STATE, RunFolder

ANY = TrainingJob(steps=7)


def begun(path: Path) -> Path:
    """A run with two validations."""
    with RunFolder(path, ANY) as folder:
        for step in (2, 4):
            folder.log(step, {"loss": 1 / step})
            folder.save({"step": step, "weights": {"w": torch.full((3,), step)}})
    return path


def table(path: Path) -> list[dict[str, str]]:
    with (path / LOG).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_settings_are_stored_at_the_start(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "a" / "b", ANY)
    assert RunFolder.job(tmp_path / "a" / "b") == ANY
    assert folder.best == tmp_path / "a" / "b" / BEST
    assert RunFolder(tmp_path / "a" / "b", TrainingJob(steps=8)).path == folder.path  # nothing was learned yet
    assert RunFolder.job(tmp_path / "a" / "b") == TrainingJob(steps=8)


def test_the_state_is_read_back(tmp_path: Path) -> None:
    state = RunFolder(begun(tmp_path / "run"), ANY, resume=True).load()
    assert state["step"] == 4
    assert torch.equal(state["weights"]["w"], torch.full((3,), 4))
    assert {file.name for file in (tmp_path / "run").iterdir()} >= {JOB, LOG, STATE}
    assert not list((tmp_path / "run").glob("*.partial*"))


def test_a_run_is_not_written_over_and_only_its_own_job_goes_on(tmp_path: Path) -> None:
    path = begun(tmp_path / "run")
    with pytest.raises(UsageError, match=r"run has a run already\. Continue it with --resume, or name another"):
        RunFolder(path, ANY)
    with pytest.raises(UsageError, match=r"run has a run with other settings\. They are in .*job\.json\."):
        RunFolder(path, TrainingJob(steps=8), resume=True)
    assert RunFolder.job(path) == ANY
    with pytest.raises(UsageError, match=r"empty has no run to resume\. Leave --resume out to start one\."):
        RunFolder(tmp_path / "empty", ANY, resume=True)
    assert not (tmp_path / "empty").exists()
    with pytest.raises(UsageError, match=r"empty has no training run\. Name the folder of a run\."):
        RunFolder.job(tmp_path / "empty")


def test_a_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(PoseRigError, match=r"run cannot be written: .*\. Name another folder with --run\."):
        RunFolder(tmp_path / "file" / "run", ANY)


@pytest.mark.parametrize("content", [b"", b"P", b"2fr", b"\xff" * 20, b"nonsense", b"PK\x03\x04 half of an archive"])
def test_a_damaged_state_is_reported(tmp_path: Path, content: bytes) -> None:
    path = begun(tmp_path / "run")
    (path / STATE).write_bytes(content)
    with pytest.raises(UsageError, match=r"state\.pt cannot be read: .*[^.]\. Start the run again\."):
        RunFolder(path, ANY, resume=True).load()


def test_a_state_with_zeroed_bytes_is_reported(tmp_path: Path) -> None:
    path = begun(tmp_path / "run")
    whole = (path / STATE).read_bytes()
    place = whole.index(b"step")
    for hole in range(place - 8, place + 40, 4):
        (path / STATE).write_bytes(whole[:hole] + b"\xff" * 8 + whole[hole + 8 :])
        with pytest.raises(UsageError, match=r"state\.pt cannot be read: .*[^.]\. Start the run again\."):
            RunFolder(path, ANY, resume=True).load()


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_code_in_a_state_is_not_run(tmp_path: Path) -> None:
    path = begun(tmp_path / "run")
    torch.save({"step": Trap(tmp_path / "sprung")}, path / STATE)
    with pytest.raises(UsageError, match=r"state\.pt cannot be read: Weights only load failed"):
        RunFolder(path, ANY, resume=True).load()
    assert not (tmp_path / "sprung").exists()


def test_a_state_of_foreign_objects_is_not_loaded(tmp_path: Path) -> None:
    path = begun(tmp_path / "run")
    torch.save({"step": Path("anything")}, path / STATE)
    with pytest.raises(UsageError, match=r"state\.pt cannot be read: "):
        RunFolder(path, ANY, resume=True).load()


def test_validations_are_rows_of_the_log_and_events_of_tensorboard(tmp_path: Path) -> None:
    path = begun(tmp_path / "run")
    assert table(path) == [{"step": "2", "loss": "0.5"}, {"step": "4", "loss": "0.25"}]
    events = EventAccumulator(str(path)).Reload()
    scalars = events.Scalars("loss")
    assert [(event.step, event.value) for event in scalars] == [(2, 0.5), (4, 0.25)]


def test_a_resumed_run_drops_the_rows_of_repeated_steps(tmp_path: Path) -> None:
    path = begun(tmp_path / "run")
    with RunFolder(path, ANY, resume=True) as folder:
        folder.log(4, {"loss": 9.0})
        folder.log(6, {"loss": 8.0})
    assert [line["step"] for line in table(path)] == ["2", "4", "6"]
    assert table(path)[1]["loss"] == "9"


def test_terms_that_come_later_get_a_column_of_their_own(tmp_path: Path) -> None:
    with RunFolder(tmp_path, ANY) as folder:
        folder.log(2, {"loss": 1.0})
        folder.log(4, {"loss": 0.5, "sp": 3.0})
    assert table(tmp_path) == [{"step": "2", "loss": "1", "sp": ""}, {"step": "4", "loss": "0.5", "sp": "3"}]


def test_a_table_of_a_run_that_never_stood_anywhere_is_begun_anew(tmp_path: Path) -> None:
    with RunFolder(tmp_path, ANY) as folder:
        folder.log(2, {"loss": 1.0})
    with RunFolder(tmp_path, ANY) as folder:
        folder.log(4, {"loss": 0.5})
    assert [line["step"] for line in table(tmp_path)] == ["4"]
