"""What a training run was asked for."""

import json

import pytest

from pose_rig.errors import UsageError
from pose_rig.training.job import TrainingJob
from pose_rig.training.methods import method


def test_a_job_is_read_back_as_it_was_written() -> None:
    job = TrainingJob(
        method="csm-s1s2", without=("cam", "lifts"), bend=0.5, frame="ray", rate=3e-4, steps=7, mixed=True
    )
    assert TrainingJob.from_json(job.to_json()) == job
    assert TrainingJob.from_json(TrainingJob().to_json()) == TrainingJob()


def test_the_recipe_is_the_methods_unless_it_is_told_otherwise() -> None:
    assert TrainingJob(method="canonpose").recipe() == method("canonpose")
    other = TrainingJob(
        method="canonpose", without=("cam",), bend=0.5, frame="ray", rotation="6d", perspective=True
    ).recipe()
    assert (other.frame, other.rotation, other.perspective) == ("ray", "6d", True)
    assert (other.early.cam, other.late.cam, other.early.bend, other.late.bend) == (0, 0, 0.5, 0.5)
    assert other.early.rep == method("canonpose").early.rep
    assert TrainingJob(method="ours", bend=0.0).recipe().early.bend == 0


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"steps": 0}, r"steps = 0 makes no training\. Use 1 at least\."),
        ({"width": 4}, r"width = 4 makes no training\. Use 8 at least\."),
        ({"rigs": 0}, r"rigs = 0 makes no training\."),
        ({"per_rig": 0}, r"per_rig = 0 makes no training\."),
        ({"warm_up": 0}, r"warm_up = 0 makes no training\."),
        ({"check": 0}, r"check = 0 makes no training\."),
        ({"rehearsal": -1}, r"rehearsal = -1 makes no training\. Use 0 at least\."),
        ({"patience": -1}, r"patience = -1 makes no training\."),
        ({"rate": 0.0}, r"A learning rate of 0 makes no training\. Use something like 0\.001\."),
        ({"rate": 1.5}, r"A learning rate of 1\.5 makes no training\."),
        ({"rate": float("nan")}, r"A learning rate of nan makes no training\."),
        ({"average": 1.0}, r"A running mean with a decay of 1 learns nothing\. Use something like 0\.99, or 0\."),
        ({"average": -0.1}, r"A running mean with a decay of -0\.1 learns nothing\."),
        ({"method": "magic"}, r"'magic' is no method of training\. Methods are supervised, canonpose, "),
        ({"without": ("camera",)}, r"'camera' is no term of the loss\. Terms are rep, view, cam, "),
    ],
)
def test_what_makes_no_training_is_said_at_once(changes: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        TrainingJob(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", r"The job cannot be read: Expecting .*\. Name the folder of a training run\."),
        ("7", r"The job cannot be read: .*not iterable"),
        ('{"width": "wide"}', r"The job cannot be read: .*not supported between"),
        ('{"magic": 1, "hope": 2}', r"The job has unknown settings: hope, magic\. Is it of a newer version\?"),
        ('{"steps": 0}', r"steps = 0 makes no training\."),
    ],
)
def test_what_is_no_job_is_said(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        TrainingJob.from_json(text)


def test_a_job_of_an_older_version_has_the_settings_it_did_not_know() -> None:
    assert TrainingJob.from_json(json.dumps({"method": "canonpose"})) == TrainingJob(method="canonpose")
