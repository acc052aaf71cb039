"""What a training run can be asked for, and what it cannot."""

import json
from typing import Any

import pytest

from pose_rig.errors import UsageError
from pose_rig.training.job import Job


def test_a_job_survives_as_text() -> None:
    job = Job("csm-s1s2", without=("cam", "bend"), bend=0.5, frame="ray", rotation="6d", rate=3e-4, mixed=True)
    assert Job.from_json(job.to_json()) == job
    assert Job.from_json("{}") == Job()


def test_settings_of_another_version_are_named() -> None:
    text = json.dumps({**json.loads(Job().to_json()), "warp": 1, "drive": 2})
    with pytest.raises(UsageError, match=r"The job has unknown settings: drive, warp\. Is it of a newer version\?"):
        Job.from_json(text)


@pytest.mark.parametrize("text", ["", "[1]", "5", '{"steps": "many"}', '{"without": 3}'])
def test_what_is_no_job_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"The job cannot be read: .*\. Name the folder of a training run\."):
        Job.from_json(text)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"width": 7}, r"width = 7 makes no training\. Use 8 at least\."),
        ({"steps": 0}, r"steps = 0 makes no training\. Use 1 at least\."),
        ({"rigs": 0}, r"rigs = 0 makes no training\."),
        ({"per_rig": 0}, r"per_rig = 0 makes no training\."),
        ({"warm_up": 0}, r"warm_up = 0 makes no training\."),
        ({"check": 0}, r"check = 0 makes no training\."),
        ({"rehearsal": -1}, r"rehearsal = -1 makes no training\. Use 0 at least\."),
        ({"patience": -1}, r"patience = -1 makes no training\. Use 0 at least\."),
        ({"rate": 0.0}, r"A learning rate of 0 makes no training\. Use something like 0\.001\."),
        ({"rate": 1.0}, r"A learning rate of 1 makes no training\."),
        ({"rate": float("nan")}, r"A learning rate of nan makes no training\."),
        ({"average": 1.0}, r"A running mean with a decay of 1 learns nothing\. Use something like 0\.99, or 0\."),
        ({"average": -0.1}, r"A running mean with a decay of -0\.1 learns nothing\."),
        ({"method": "magic"}, r"'magic' is no method of training\. Methods are supervised, canonpose, .*"),
        ({"without": ("luck",)}, r"'luck' is no term of the loss\. Terms are rep, view, .*"),
    ],
)
def test_what_makes_no_training_is_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        Job(**changes)
    with pytest.raises(UsageError, match=text):  # nor does it come in by the back door
        Job.from_json(json.dumps(changes))


def test_the_least_of_everything_is_allowed() -> None:
    assert Job(width=8, steps=1, rigs=1, per_rig=1, warm_up=1, check=1, average=0.0, rate=1e-9).steps == 1


def test_a_job_has_the_last_word_on_its_method() -> None:
    plain = Job("csm-s1s2").recipe()
    assert (plain.frame, plain.rotation, plain.perspective, plain.early.bend) == ("image", "axis_angle", False, 0)
    job = Job("csm-s1s2", without=("cam",), bend=0.5, frame="ray", rotation="6d", perspective=True)
    recipe = job.recipe()
    assert (recipe.frame, recipe.rotation, recipe.perspective) == ("ray", "6d", True)
    for weights, own in ((recipe.early, plain.early), (recipe.late, plain.late)):
        assert (weights.cam, weights.bend, weights.rep, weights.fview) == (0, 0.5, own.rep, own.fview)
    assert Job("ours", bend=0.0).recipe().early.bend == 0
