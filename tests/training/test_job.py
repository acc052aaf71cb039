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


def test_the_recipe_is_the_method_with_the_changes_of_the_job() -> None:
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
        ({"steps": 0}, r"steps must be at least \d; got 0\. Use 1 or more\."),
        ({"width": 4}, r"width must be at least \d; got 4\. Use 8 or more\."),
        ({"rigs": -1}, r"rigs must be at least \d; got -1\."),
        ({"rigs": 0}, r"A batch of 0 leaves nothing to train on\. Add --rehearsal"),
        ({"per_rig": 0}, r"per_rig must be at least \d; got 0\."),
        ({"warm_up": 0}, r"warm_up must be at least \d; got 0\."),
        ({"check": 0}, r"check must be at least \d; got 0\."),
        ({"rehearsal": -1}, r"rehearsal must be at least \d; got -1\. Use 0 or more\."),
        ({"patience": -1}, r"patience must be at least \d; got -1\."),
        ({"rate": 0.0}, r"The learning rate must be between 0 and 1; got 0\. Use e\.g\. 0\.001\."),
        ({"rate": 1.5}, r"The learning rate must be between 0 and 1; got 1\.5\."),
        ({"rate": float("nan")}, r"The learning rate must be between 0 and 1; got nan\."),
        (
            {"average": 1.0},
            r"The decay of the moving average must be at least 0 and below 1; got 1\. Use e\.g\. 0\.99, or 0",
        ),
        ({"average": -0.1}, r"The decay of the moving average must be at least 0 and below 1; got -0\.1\."),
        ({"method": "magic"}, r"Unknown training method 'magic'\. Use one of supervised, canonpose, "),
        ({"without": ("camera",)}, r"Unknown loss term 'camera'\. Use one of rep, view, cam, "),
    ],
)
def test_invalid_settings_are_reported_at_once(changes: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        TrainingJob(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", r"The training job cannot be read: Expecting .*\. Name the folder of a training run\."),
        ("7", r"The training job cannot be read: .*not iterable"),
        ('{"width": "wide"}', r"The training job cannot be read: .*not supported between"),
        (
            '{"magic": 1, "hope": 2}',
            r"The training job has unknown settings: hope, magic\. Use the version of pose-rig that wrote it\.",
        ),
        ('{"steps": 0}', r"steps must be at least \d; got 0\."),
    ],
)
def test_an_invalid_job_is_reported(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        TrainingJob.from_json(text)


def test_a_job_of_an_older_version_has_the_settings_it_did_not_know() -> None:
    assert TrainingJob.from_json(json.dumps({"method": "canonpose"})) == TrainingJob(method="canonpose")


def test_only_methods_with_depths_can_train_on_them_alone() -> None:
    assert TrainingJob("taught", only_depth=True).recipe().depth
    with pytest.raises(UsageError, match="The method ours uses no depths"):
        TrainingJob("ours", only_depth=True)
