"""What a rig teaches its lifter, and when the lifter may not be told."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pose_rig.chirality import chirality
from pose_rig.errors import SessionError
from pose_rig.lifting.model import Lifter, LifterConfig
from pose_rig.simulation.motion import shipped
from pose_rig.skeleton import BONES, INDEX, J
from pose_rig.training import finetune
from pose_rig.training.finetune import (
    JOB,
    SHORTEST,
    STRETCHES,
    FinetuneEvaluator,
    FinetuneMetrics,
    FinetuneResult,
    fine_tune,
    hold_back,
    not_human,
    stretches,
    taught,
    verdict,
)
from pose_rig.training.footage.recorded import Recorded
from pose_rig.training.footage.simulated_views import SimulatedViewSampler
from pose_rig.training.job import TrainingJob
from pose_rig.training.run_folder import RunFolder
from pose_rig.training.train import Progress
from tests.fusion.fakes import ring, walk
from tests.training.fakes.footage import walking

HZ, VIEWS = 10.0, 3
WALK = walk(6.0, HZ)
QUICK = replace(
    JOB, width=32, steps=60, rate=3e-3, warm_up=10, rigs=4, per_rig=4, rehearsal=32, average=0.9, check=20
)  # fmt: skip
GOOD = FinetuneMetrics(100.0, 0.2, 80.0, 0.9)


def session(instants: int = len(WALK)) -> Recorded:
    """A walk before three cameras as a rig that is never wrong has recorded it; nobody knows the truth."""
    filmed = walking(instants / HZ, VIEWS, noise=0.01, hz=HZ)
    footage = replace(filmed, name="kitchen", truth=None, rotation=ring(VIEWS).rotation.astype(np.float32))
    poses = walk(instants / HZ, HZ).astype(np.float32)
    return Recorded(footage, np.arange(instants, dtype=np.int64) * 10**8, poses, None)


def with_gap(recorded: Recorded, gap: slice) -> Recorded:
    """The same, but nobody was followed for a while."""
    poses = recorded.poses.copy()
    poses[gap] = np.nan
    return replace(recorded, poses=poses)


def beginner() -> Lifter:
    torch.manual_seed(0)
    return Lifter(LifterConfig(width=32))


@pytest.mark.parametrize("instants", [SHORTEST, 41, 150, 1799])
def test_what_is_held_back_is_a_fifth_and_apart_from_what_is_learned(instants: int) -> None:
    learned, held = stretches(instants)
    assert learned.shape == held.shape == (instants,)
    assert not (learned & held).any()
    place = np.arange(instants) * STRETCHES / instants
    assert np.abs(place[learned][:, None] - place[held]).min() > 0.1 - 1e-9
    assert learned.mean() == pytest.approx(0.8, abs=0.03)
    assert 0.8 * 0.2 - 0.03 < held.mean() < 0.2
    starts = np.flatnonzero(held & ~np.roll(held, 1))
    assert len(starts) == 3  # early, in the middle, late
    assert min(int(held[start : start + STRETCHES * 2].sum()) for start in starts) >= 2


def test_footage_is_parted_as_its_instants_are() -> None:
    footage = taught(session())
    learned, held = hold_back(footage)
    assert learned.instants + held.instants < footage.instants
    assert np.array_equal(learned.xy_px, footage.xy_px[stretches(len(WALK))[0]])
    assert np.array_equal(held.score, footage.score[stretches(len(WALK))[1]])
    assert learned.truth is not None
    assert len(learned.truth.joints) == learned.instants


def test_what_the_rig_made_of_an_instant_is_turned_into_every_view() -> None:
    footage = taught(session())
    filmed = walking(len(WALK) / HZ, VIEWS, hz=HZ).truth
    assert filmed is not None
    assert footage.truth is not None
    assert np.allclose(footage.truth.joints, filmed.joints - filmed.joints[:, :, :1], atol=1e-4)
    assert (footage.score > 0).all()


def test_instants_at_which_nobody_was_followed_teach_nothing() -> None:
    footage = taught(with_gap(session(), slice(10, 15)))
    assert not footage.score[10:15].any()
    assert footage.score[:10].all()
    assert footage.truth is not None
    assert np.isfinite(footage.truth.joints).all()


@pytest.mark.parametrize(
    ("recorded", "text"),
    [
        (
            with_gap(session(), slice(SHORTEST - 1, None)),
            r"kitchen is too short: the rig follows somebody at 39 instants, and 40 are the least\. Record a minute",
        ),
        (
            replace(session(), footage=replace(session().footage, rotation=None)),
            r"In kitchen the cameras move, or the rig never learned where they stand\. Fine-tune on sessions with",
        ),
        (
            replace(session(), poses=session().poses * np.array([-1, 1, 1], np.float32)),
            r"kitchen: what was seen may as well be the mirror image of a person\. Fine-tune on sessions that look",
        ),
    ],
)
def test_a_session_that_cannot_teach_is_told_why(recorded: Recorded, text: str) -> None:
    with pytest.raises(SessionError, match=text):
        taught(recorded)


def test_people_are_told_from_noise_and_from_their_mirror_images() -> None:
    rng = np.random.default_rng(0)
    assert not_human(WALK) == ""
    assert not_human(WALK * rng.uniform(0.95, 1.05, (len(WALK), 1, 1))) == ""  # a rig's scale is not quite even
    assert not_human(WALK * [-1, 1, 1]) == not_human(WALK * [1, 1, -1])
    assert not_human(WALK * [1, 1, -1]) == "what was seen may as well be the mirror image of a person"
    assert not_human(WALK * [1, 1, 0]) == "what was seen may as well be the mirror image of a person"
    assert not_human(np.zeros((0, J, 3))) == "nobody is seen by enough cameras"
    noise = not_human(rng.normal(0, 0.4, (100, J, 3)))
    assert noise.startswith("the limbs of what was seen change by ")
    assert noise.endswith(" % of their length")


def test_the_shipped_postures_are_of_people() -> None:
    poses = shipped().draw(2000, np.random.default_rng(0))
    assert not_human(poses) == ""
    lengths = {b: np.linalg.norm(poses[:, a] - poses[:, b], axis=-1) for a, b in BONES}
    bones = np.stack(list(lengths.values()))
    assert bones.min() > 0.03
    assert (bones.max(0) < 0.6).mean() > 0.99
    for part in ("hip", "knee", "ankle", "elbow", "wrist"):
        left, right = (lengths[INDEX[f"{side}_{part}"]] for side in "lr")
        assert np.median(np.abs(left - right)) < 0.03
    one_by_one = np.array([chirality(pose[None]) for pose in poses])
    assert (one_by_one > 0).mean() > 0.9  # of one pose alone it cannot always be told


def test_weights_are_adopted_if_they_are_better_and_forgot_nothing() -> None:
    assert verdict(GOOD, replace(GOOD, pa_mm=99.9)) == ""
    assert verdict(GOOD, replace(GOOD, pa_mm=50.0, simulated_mm=87.9, handed=0.5)) == ""
    assert verdict(GOOD, GOOD) == "on held-back instants a single view errs by 100.0 mm, 100.0 before"
    unknown = verdict(GOOD, replace(GOOD, pa_mm=float("nan")))
    assert unknown == "on held-back instants a single view errs by nan mm, 100.0 before"
    forgot = verdict(GOOD, replace(GOOD, pa_mm=50.0, simulated_mm=88.1))
    assert forgot == "on simulated people it errs by 88.1 mm, 80.0 before"
    assert verdict(GOOD, replace(GOOD, pa_mm=50.0, handed=0.4)) == "it mixes people with their mirror images"


def test_an_exam_asks_the_same_whenever_somebody_was_lost() -> None:
    def ask(recorded: Recorded) -> FinetuneMetrics:
        return FinetuneEvaluator([hold_back(taught(recorded))[1]], SimulatedViewSampler(shipped(), 1), "cpu").ask(
            beginner()
        )

    whole, lost = ask(session(150)), ask(with_gap(session(150), slice(85, 150)))  # two of three held-back stretches
    assert ask(session(150)) == whole
    assert lost.simulated_mm == pytest.approx(whole.simulated_mm, rel=0.05)  # people are of the same size
    assert lost.pa_mm == pytest.approx(whole.pa_mm, rel=0.3)


def tune(folder: Path, job: TrainingJob, start: Lifter, told: list[Progress] | None = None) -> FinetuneResult:
    with RunFolder(folder, job) as made:
        return fine_tune([session()], start, job, made, tell=(told if told is not None else []).append)


def test_who_knew_nothing_learns_from_a_rig_and_is_adopted(tmp_path: Path) -> None:
    start, told = beginner(), list[Progress]()
    before = {name: value.clone() for name, value in start.state_dict().items()}
    tuned = tune(tmp_path, QUICK, start, told)
    assert tuned.refused == verdict(tuned.before, tuned.after) == ""
    assert tuned.after.pa_mm < 0.7 * tuned.before.pa_mm
    assert tuned.after.simulated_mm < 0.8 * tuned.before.simulated_mm
    assert tuned.after.handed > 0.9
    assert (tuned.outcome.step, told[-1].step) == (60, 60)
    assert tuned.outcome.lifter.config == start.config
    after = start.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())  # the rig may still run it
    assert not torch.equal(tuned.outcome.lifter.stem.weight, start.stem.weight)
    held = [hold_back(taught(session()))[1]]
    examiner = FinetuneEvaluator(held, SimulatedViewSampler(shipped(), finetune.EXAM_SEED), "cpu")
    assert (examiner.ask(start), examiner.ask(tuned.outcome.lifter)) == (tuned.before, tuned.after)


def test_who_learned_nothing_is_refused(tmp_path: Path) -> None:
    start = beginner()
    tuned = tune(tmp_path, replace(QUICK, steps=4, check=2, rate=1e-12, rehearsal=0), start)
    assert tuned.before == tuned.after
    assert tuned.refused == verdict(tuned.before, tuned.after)
    assert tuned.refused.startswith("on held-back instants a single view errs by ")
    assert torch.equal(tuned.outcome.lifter.stem.weight, start.stem.weight)


def test_one_session_that_cannot_teach_stops_all_before_anything_is_learned(tmp_path: Path) -> None:
    bad = replace(session(), footage=replace(session().footage, name="garden", rotation=None))
    with RunFolder(tmp_path, QUICK) as folder, pytest.raises(SessionError, match="In garden the cameras move"):
        fine_tune([session(), bad], beginner(), QUICK, folder)
    assert not folder.best.exists()
