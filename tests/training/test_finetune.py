"""Pseudo-labels and fine-tuning, and when they are rejected."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pose_rig.chirality import chirality
from pose_rig.errors import SessionError
from pose_rig.lifting.model import Lifter, LifterConfig
from pose_rig.simulation.motion import shipped
from pose_rig.skeleton import BONES, INDEX, J
from pose_rig.training import finetune
from pose_rig.training.finetune import (
    DEFAULT_JOB,
    FinetuneEvaluator,
    FinetuneMetrics,
    FinetuneResult,
    fine_tune,
    rejection_reason,
)
from pose_rig.training.footage.recorded import RecordedFootage
from pose_rig.training.footage.simulated_views import SimulatedViewSampler
from pose_rig.training.job import TrainingJob
from pose_rig.training.pseudo_labels import (
    MIN_FRAMES,
    SEGMENT_COUNT,
    implausibility,
    pseudo_label,
    split_footage,
    split_frames,
)
from pose_rig.training.run_folder import RunFolder
from pose_rig.training.train import Progress
from tests.fusion.fakes import ring, walk
from tests.training.fakes.footage import walking

HZ, VIEWS = 10.0, 3
WALK = walk(6.0, HZ)
QUICK = replace(
    DEFAULT_JOB, width=32, steps=60, rate=3e-3, warm_up=10, rigs=4, per_rig=4, rehearsal=32, average=0.9, check=20
)  # fmt: skip
GOOD = FinetuneMetrics(100.0, 0.2, 80.0, 0.9)


def session(frames: int = len(WALK)) -> RecordedFootage:
    """A walk in front of three cameras, recorded by a rig without errors; without ground truth."""
    filmed = walking(frames / HZ, VIEWS, noise=0.01, hz=HZ)
    footage = replace(filmed, name="kitchen", truth=None, camera_from_rig=ring(VIEWS).rotation.astype(np.float32))
    poses = walk(frames / HZ, HZ).astype(np.float32)
    return RecordedFootage(footage, np.arange(frames, dtype=np.int64) * 10**8, poses, None, np.zeros(frames, np.int64))


def with_gap(recorded: RecordedFootage, gap: slice) -> RecordedFootage:
    """The same, without a tracked person in a gap."""
    poses = recorded.poses.copy()
    poses[gap] = np.nan
    return replace(recorded, poses=poses)


def beginner() -> Lifter:
    torch.manual_seed(0)
    return Lifter(LifterConfig(width=32))


@pytest.mark.parametrize("frames", [MIN_FRAMES, 41, 150, 1799])
def test_the_validation_set_is_a_fifth_with_gaps_to_the_training_set(frames: int) -> None:
    learned, held = split_frames(frames)
    assert learned.shape == held.shape == (frames,)
    assert not (learned & held).any()
    place = np.arange(frames) * SEGMENT_COUNT / frames
    assert np.abs(place[learned][:, None] - place[held]).min() > 0.1 - 1e-9
    assert learned.mean() == pytest.approx(0.8, abs=0.03)
    assert 0.8 * 0.2 - 0.03 < held.mean() < 0.2
    starts = np.flatnonzero(held & ~np.roll(held, 1))
    assert len(starts) == 3  # early, in the middle, late
    assert min(int(held[start : start + SEGMENT_COUNT * 2].sum()) for start in starts) >= 2


def test_footage_is_split_as_its_frames() -> None:
    footage = pseudo_label(session())
    learned, held = split_footage(footage)
    assert learned.frames + held.frames < footage.frames
    assert np.array_equal(learned.xy_px, footage.xy_px[split_frames(len(WALK))[0]])
    assert np.array_equal(held.score, footage.score[split_frames(len(WALK))[1]])
    assert learned.truth is not None
    assert len(learned.truth.joints) == learned.frames


def test_poses_of_the_rig_are_rotated_into_every_view() -> None:
    footage = pseudo_label(session())
    filmed = walking(len(WALK) / HZ, VIEWS, hz=HZ).truth
    assert filmed is not None
    assert footage.truth is not None
    assert np.allclose(footage.truth.joints, filmed.joints - filmed.joints[:, :, :1], atol=1e-4)
    assert (footage.score > 0).all()


def test_frames_without_a_tracked_person_have_no_score() -> None:
    footage = pseudo_label(with_gap(session(), slice(10, 15)))
    assert not footage.score[10:15].any()
    assert footage.score[:10].all()
    assert footage.truth is not None
    assert np.isfinite(footage.truth.joints).all()


@pytest.mark.parametrize(
    ("recorded", "text"),
    [
        (
            with_gap(session(), slice(MIN_FRAMES - 1, None)),
            r"kitchen is too short: the person is tracked in 39 frames; at least 40 are required\. Record a minute",
        ),
        (
            replace(session(), footage=replace(session().footage, camera_from_rig=None)),
            r"In kitchen the cameras move, or the rig could not be solved\. Fine-tune on sessions with",
        ),
        (
            replace(session(), poses=session().poses * np.array([-1, 1, 1], np.float32)),
            r"kitchen: the poses may be mirror images of a person\. Fine-tune on sessions that look",
        ),
    ],
)
def test_a_session_that_cannot_be_used_is_rejected_with_a_reason(recorded: RecordedFootage, text: str) -> None:
    with pytest.raises(SessionError, match=text):
        pseudo_label(recorded)


def test_people_are_distinguished_from_noise_and_mirror_images() -> None:
    rng = np.random.default_rng(0)
    assert implausibility(WALK) == ""
    assert implausibility(WALK * rng.uniform(0.95, 1.05, (len(WALK), 1, 1))) == ""  # a rig's scale is not quite even
    assert implausibility(WALK * [-1, 1, 1]) == implausibility(WALK * [1, 1, -1])
    assert implausibility(WALK * [1, 1, -1]) == "the poses may be mirror images of a person"
    assert implausibility(WALK * [1, 1, 0]) == "the poses may be mirror images of a person"
    assert implausibility(np.zeros((0, J, 3))) == "no person is visible in enough cameras"
    noise = implausibility(rng.normal(0, 0.4, (100, J, 3)))
    assert noise.startswith("the lengths of the limbs change by ")
    assert noise.endswith(" %")


def test_the_shipped_postures_are_of_people() -> None:
    poses = shipped().draw(2000, np.random.default_rng(0))
    assert implausibility(poses) == ""
    lengths = {b: np.linalg.norm(poses[:, a] - poses[:, b], axis=-1) for a, b in BONES}
    bones = np.stack(list(lengths.values()))
    assert bones.min() > 0.03
    assert (bones.max(0) < 0.6).mean() > 0.99
    for part in ("hip", "knee", "ankle", "elbow", "wrist"):
        left, right = (lengths[INDEX[f"{side}_{part}"]] for side in "lr")
        assert np.median(np.abs(left - right)) < 0.03
    one_by_one = np.array([chirality(pose[None]) for pose in poses])
    assert (one_by_one > 0).mean() > 0.9  # not reliable for a single pose


def test_weights_are_accepted_if_they_are_better_without_forgetting() -> None:
    assert rejection_reason(GOOD, replace(GOOD, pa_mpjpe_mm=99.9)) == ""
    assert rejection_reason(GOOD, replace(GOOD, pa_mpjpe_mm=50.0, simulated_pa_mpjpe_mm=87.9, handedness=0.5)) == ""
    assert rejection_reason(GOOD, GOOD) == "the single-view error on the validation set is 100.0 mm, was 100.0"
    unknown = rejection_reason(GOOD, replace(GOOD, pa_mpjpe_mm=float("nan")))
    assert unknown == "the single-view error on the validation set is nan mm, was 100.0"
    forgot = rejection_reason(GOOD, replace(GOOD, pa_mpjpe_mm=50.0, simulated_pa_mpjpe_mm=88.1))
    assert forgot == "the error on simulated people is 88.1 mm, was 80.0"
    assert (
        rejection_reason(GOOD, replace(GOOD, pa_mpjpe_mm=50.0, handedness=0.4))
        == "people are confused with their mirror images"
    )


def test_the_evaluation_does_not_depend_on_when_the_person_was_lost() -> None:
    def ask(recorded: RecordedFootage) -> FinetuneMetrics:
        return FinetuneEvaluator(
            [split_footage(pseudo_label(recorded))[1]], SimulatedViewSampler(shipped(), 1), "cpu"
        ).evaluate(beginner())

    whole, lost = ask(session(150)), ask(with_gap(session(150), slice(85, 150)))  # two of three held-back stretches
    assert ask(session(150)) == whole
    assert lost.simulated_pa_mpjpe_mm == pytest.approx(
        whole.simulated_pa_mpjpe_mm, rel=0.05
    )  # people are of the same size
    assert lost.pa_mpjpe_mm == pytest.approx(whole.pa_mpjpe_mm, rel=0.3)


def tune(folder: Path, job: TrainingJob, start: Lifter, told: list[Progress] | None = None) -> FinetuneResult:
    with RunFolder(folder, job) as made:
        return fine_tune([session()], start, job, made, on_step=(told if told is not None else []).append)


def test_an_untrained_lifter_is_fine_tuned_and_accepted(tmp_path: Path) -> None:
    start, told = beginner(), list[Progress]()
    before = {name: value.clone() for name, value in start.state_dict().items()}
    tuned = tune(tmp_path, QUICK, start, told)
    assert tuned.rejection == rejection_reason(tuned.before, tuned.after) == ""
    assert tuned.after.pa_mpjpe_mm < 0.7 * tuned.before.pa_mpjpe_mm
    assert tuned.after.simulated_pa_mpjpe_mm < 0.8 * tuned.before.simulated_pa_mpjpe_mm
    assert tuned.after.handedness > 0.9
    assert (tuned.training.step, told[-1].step) == (60, 60)
    assert tuned.training.lifter.config == replace(start.config, depth=True)
    after = start.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())  # the rig may still run it
    assert not torch.equal(tuned.training.lifter.stem.weight, start.stem.weight)
    held = [split_footage(pseudo_label(session()))[1]]
    examiner = FinetuneEvaluator(held, SimulatedViewSampler(shipped(), finetune.SIMULATED_SEED), "cpu")
    assert (examiner.evaluate(start), examiner.evaluate(tuned.training.lifter)) == (tuned.before, tuned.after)


def test_a_lifter_without_improvement_is_rejected(tmp_path: Path) -> None:
    start = beginner()
    tuned = tune(tmp_path, replace(QUICK, steps=4, check=2, rate=1e-12, rehearsal=0), start)
    assert tuned.before == tuned.after
    assert tuned.rejection == rejection_reason(tuned.before, tuned.after)
    assert tuned.rejection.startswith("the single-view error on the validation set is ")
    assert torch.equal(tuned.training.lifter.stem.weight, start.stem.weight)


def test_one_unusable_session_stops_the_run_before_training(tmp_path: Path) -> None:
    bad = replace(session(), footage=replace(session().footage, name="garden", camera_from_rig=None))
    with RunFolder(tmp_path, QUICK) as folder, pytest.raises(SessionError, match="In garden the cameras move"):
        fine_tune([session(), bad], beginner(), QUICK, folder)
    assert not folder.best.exists()


def of_two(second: NDArray[np.float32]) -> RecordedFootage:
    """Two people before one rig; the poses (T,J,3) of the second are given."""
    one = session()
    frames = np.r_[np.arange(len(WALK)), np.arange(len(second))]
    person = np.repeat([0, 1], [len(WALK), len(second)])
    return RecordedFootage(one.footage.at(frames), one.t_ns[frames], np.concatenate([one.poses, second]), None, person)


def test_every_person_is_labelled_and_those_who_cannot_be_are_left_out() -> None:
    poses, alone = session().poses, pseudo_label(session())
    for second, frames in (
        (poses + np.float32(1.0), 2 * len(WALK)),
        (poses * np.array([-1, 1, 1], np.float32), len(WALK)),  # mirrored
        (poses[:20], len(WALK)),  # too short
    ):
        labelled = pseudo_label(of_two(second))
        assert labelled.frames == frames
        assert labelled.truth is not None
        assert alone.truth is not None
        np.testing.assert_array_equal(labelled.truth.joints[: len(WALK)], alone.truth.joints)
    mirrored = poses * np.array([-1, 1, 1], np.float32)
    neither = of_two(mirrored)
    neither.poses[: len(WALK)] = mirrored
    with pytest.raises(SessionError, match="the poses may be mirror images of a person"):
        pseudo_label(neither)
