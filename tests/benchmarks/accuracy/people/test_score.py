"""The score of a run with several people."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.accuracy.people.run import PeopleRun
from benchmarks.accuracy.people.score import score, score_single
from pose_rig.geometry import rotation_from_vector
from tests.fusion.people.scenes import crossing

FPS, STEPS, VIEWS, UNSOLVED = 10.0, 100, 3, 20


@pytest.fixture(scope="module")
def joints() -> np.ndarray:
    return crossing(2, STEPS / FPS, FPS)


@pytest.fixture
def perfect(joints: np.ndarray) -> PeopleRun:
    """Two identities, 4 and 1 in the second person's and the first one's place, in a rig of another scale."""
    step = np.repeat(np.arange(STEPS), 2)
    person = np.tile([0, 1], STEPS)
    turn = rotation_from_vector(np.array([0.3, 0.1, -0.4]))
    return PeopleRun(
        step=step,
        identity=np.where(person == 0, 1, 4),
        tracking=np.ones(2 * STEPS, bool),
        found=np.repeat(person[:, None], VIEWS, 1),
        used=np.ones((2 * STEPS, VIEWS), bool),
        poses=1.1 * joints[step, person] @ turn.T + 0.5,
        solved=np.arange(STEPS) >= UNSOLVED,
        step_ms=np.full(STEPS, 4.0),
    )


def test_a_perfect_run(perfect: PeopleRun, joints: np.ndarray) -> None:
    found = score(perfect, joints, FPS)
    assert (found.solved_percent, found.later_percent, found.tracked_percent) == (100, 100, 100)
    assert np.isnan(found.unsolved_percent)  # it is solved after 2 s
    assert (found.switches, found.identities, found.mirrored, found.solved_s) == (0, 2, 0, 2.0)
    assert found.pa_mm < 1e-6
    assert found.place_mm < 1e-6
    assert found.step_ms == 4.0
    assert not len(found.pa_ratio)


def test_wrong_detections_count_and_mixed_ones_do_not(perfect: PeopleRun, joints: np.ndarray) -> None:
    shown = perfect.found.copy()
    shown[80, 0] = 1 - shown[80, 0]
    shown[82] = -1
    found = score(replace(perfect, found=shown), joints, FPS)
    count = 2 * VIEWS * (STEPS - UNSOLVED) - VIEWS
    assert found.solved_percent == pytest.approx(100 * (count - 1) / count)
    assert found.switches == 0
    assert found.tracked_percent == 100


def test_exchanged_people_are_two_switches(perfect: PeopleRun, joints: np.ndarray) -> None:
    shown = perfect.found.copy()
    shown[140:] = 1 - shown[140:]
    found = score(replace(perfect, found=shown), joints, FPS)
    assert found.switches == 2
    assert found.switches_per_10_min == pytest.approx(2 * 600 / 8)
    assert found.solved_percent == pytest.approx(100 * 100 / 160)
    assert found.place_mm > 50


def test_views_that_disagree_before_the_rig_is_solved(perfect: PeopleRun, joints: np.ndarray) -> None:
    late = replace(perfect, solved=np.arange(STEPS) >= 50)
    shown = late.found.copy()
    shown[40:100] = 1 - shown[40:100]  # both identities show the other person, in all views
    shown[62, 0] = 1 - shown[62, 0]
    found = score(replace(late, found=shown), joints, FPS)
    assert found.unsolved_percent == pytest.approx(100 * 1 / 120)
    assert (found.switches, found.early_switches) == (0, 2)  # the other two are before 3 s
    assert found.views_percent == pytest.approx(100 * 119 / 120)
    assert found.solved_percent == 100


def test_a_person_who_is_lost_or_found_twice_is_not_tracked(perfect: PeopleRun, joints: np.ndarray) -> None:
    lost = replace(perfect, tracking=perfect.tracking & ((perfect.identity == 1) | (perfect.step < 60)))
    assert score(lost, joints, FPS).tracked_percent == pytest.approx(75)
    twice = replace(perfect, found=np.zeros_like(perfect.found))
    assert score(twice, joints, FPS).tracked_percent == pytest.approx(50)
    assert score(twice, joints, FPS).solved_percent == 100  # each identity is in itself consistent


def test_a_followed_bystander_is_no_tracked_person(perfect: PeopleRun, joints: np.ndarray) -> None:
    shown = np.where((perfect.identity == 4)[:, None], 2, perfect.found)
    assert score(replace(perfect, found=shown), joints, FPS).tracked_percent == pytest.approx(50)


def test_ratios_to_the_people_alone(perfect: PeopleRun, joints: np.ndarray) -> None:
    noise = np.random.default_rng(0).normal(0, 0.02, perfect.poses.shape)
    noisy = replace(perfect, poses=perfect.poses + noise)
    alone = []
    for n, identity in enumerate((1, 4)):
        mine = noisy.identity == identity
        parts = {name: getattr(noisy, name)[mine] for name in ("step", "identity", "tracking", "found", "used")}
        poses = perfect.poses[mine] + 0.5 * noise[mine]
        alone.append(score_single(replace(noisy, **parts, poses=poses), joints[:, n], FPS))
    assert np.isnan(alone[0].pa_mm[:UNSOLVED]).all()
    found = score(noisy, joints, FPS, alone, alone[:1])
    np.testing.assert_allclose(found.pa_ratio, 2, rtol=0.05)
    np.testing.assert_array_equal(found.separate_ratio, found.pa_ratio[:1])
    assert found.place_ratio == pytest.approx(2, rel=0.1)
    assert found.solved_ratio == 1


def test_a_rig_that_is_never_solved_has_no_score_of_poses(perfect: PeopleRun, joints: np.ndarray) -> None:
    found = score(replace(perfect, solved=np.zeros(STEPS, bool)), joints, FPS)
    assert found.unsolved_percent == found.later_percent == 100
    for value in (found.solved_percent, found.tracked_percent, found.pa_mm, found.place_mm, found.step_ms):
        assert np.isnan(value)
    assert found.solved_s is None


def test_nobody_tracked(perfect: PeopleRun, joints: np.ndarray) -> None:
    none = replace(perfect, tracking=np.zeros(2 * STEPS, bool), found=np.full((2 * STEPS, VIEWS), -1))
    found = score(none, joints, FPS)
    assert np.isnan(found.solved_percent)
    assert found.tracked_percent == 0
    assert (found.switches, found.identities) == (0, 0)
