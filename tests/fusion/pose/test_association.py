"""Data association by the shipped graph on simulated people."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from pose_rig.fusion.pose.association import DataAssociation
from pose_rig.fusion.pose.computation import alone
from pose_rig.fusion.pose.hypothesis import UNASSIGNED
from pose_rig.fusion.pose.observation import observe
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.pose.sync import Sample
from pose_rig.geometry import rotation_from_vector
from pose_rig.graph import Engine, GraphInput, GraphOutput
from pose_rig.intrinsics import Intrinsics
from pose_rig.skeleton import INDEX, JOINT_SET, MIRROR, landmarks
from pose_rig.training.evaluation.metrics import pmpjpe
from tests.fusion.fakes import FPS, NOISE, Scene, film, new_estimator, ring, run, standing, walk

SECONDS = 2.0


def bystander(views: int, seed: int = 1) -> Scene:
    """A person elsewhere in the room, one arm raised, turning the head."""
    pose = standing()
    pose[INDEX["r_elbow"]], pose[INDEX["r_wrist"]] = (-0.42, 0.55, 0.05), (-0.45, 0.85, 0.1)
    turn = np.zeros((round(30 * SECONDS), 3))
    turn[:, 1] = 0.7 + 0.1 * np.sin(np.arange(len(turn)) / 15)
    joints = pose @ rotation_from_vector(turn).swapaxes(1, 2) + np.array([1.3, 0.92, 0.4])
    return film(joints, ring(views), seed=seed)


def person(views: int, *, step_deg: float = 75.0, start_deg: float = 0.0) -> Scene:
    return film(walk(SECONDS), ring(views, step_deg=step_deg, start_deg=start_deg))


def both(index: int, samples: list[Sample | None], other: Scene, view: int, enlarge: float) -> list[Sample | None]:
    """The bystander and the person in one view, the bystander larger so that detectors prefer them."""
    mine = samples[view]
    assert mine is not None
    xy = other.xy_px[view, index]
    centre = xy.mean(0)
    larger = centre + enlarge * (xy - centre)
    people = np.stack([larger, mine.xy_px[0]])
    samples[view] = Sample(mine.t_ns, people, np.full(people.shape[:2], 0.95))
    return samples


def only(index: int, samples: list[Sample | None], other: Scene, view: int) -> list[Sample | None]:
    mine = samples[view]
    assert mine is not None
    samples[view] = Sample(mine.t_ns, other.xy_px[view, index][None], np.full((1, 17), 0.95))
    return samples


def error_mm(scene: Scene, out: list[PoseEstimate]) -> float:
    return float(1e3 * pmpjpe(np.stack([o.xyz_raw for o in out]), scene.joints[: len(out)]).mean())


@pytest.fixture(scope="module")
def clean_mm(engine: Engine) -> dict[int, float]:
    """The error without any bystander, for three and four views."""
    return {views: error_mm(person(views), run(person(views), new_estimator(engine, views))) for views in (3, 4)}


@pytest.mark.parametrize("view", [0, 2])
@pytest.mark.parametrize("views", [3, 4])
def test_a_larger_bystander_in_one_view_is_not_tracked(
    engine: Engine, clean_mm: dict[int, float], views: int, view: int
) -> None:
    scene, other = person(views), bystander(views)
    clean = clean_mm[views]
    out = run(scene, new_estimator(engine, views), lambda i, s: both(i, s, other, view, 1.3))
    followed = np.array([o.person_index for o in out])
    assert (followed[:, view] == 1).mean() > 0.9
    assert (followed[:, view] == 0).sum() <= 1
    assert error_mm(scene, out) < clean + 5


@pytest.mark.parametrize("view", [0, 1])
def test_a_view_with_only_a_bystander_does_not_distort_the_pose(
    engine: Engine, clean_mm: dict[int, float], view: int
) -> None:
    scene, other = person(4), bystander(4)
    clean = clean_mm[4]
    out = run(scene, new_estimator(engine, 4), lambda i, s: only(i, s, other, view))
    assert error_mm(scene, out) < clean + 15


@pytest.mark.parametrize("views", [3, 4])
def test_a_view_that_switches_to_a_bystander_is_unassigned_and_returns(
    engine: Engine, clean_mm: dict[int, float], views: int
) -> None:
    scene, other = person(views), bystander(views)
    clean = clean_mm[views]

    def change(index: int, samples: list[Sample | None]) -> list[Sample | None]:
        return only(index, samples, other, 2) if 20 <= index < 40 else samples

    out = run(scene, new_estimator(engine, views), change)
    followed = np.array([o.person_index for o in out])[:, 2]
    assert (followed[:20] == 0).all()
    assert (followed[20:40] == UNASSIGNED).mean() > 0.8
    assert (followed[45:] == 0).all()
    assert error_mm(scene, out) < clean + 10


def test_with_two_views_the_tracked_person_is_kept(engine: Engine) -> None:
    scene, other = person(2), bystander(2)

    def change(index: int, samples: list[Sample | None]) -> list[Sample | None]:
        return both(index, samples, other, 1, 1.4) if index >= 10 else samples

    out = run(scene, new_estimator(engine, 2), change)
    followed = np.array([o.person_index[1] for o in out])
    assert (followed[:10] == 0).all()
    assert (followed[10:] == 1).all()


def test_when_the_order_of_people_flips_the_same_one_is_tracked(engine: Engine) -> None:
    scene, other = person(3), bystander(3)

    def change(index: int, samples: list[Sample | None]) -> list[Sample | None]:
        samples = both(index, samples, other, 1, 1.0)
        two = samples[1]
        assert two is not None
        if index % 2:
            samples[1] = Sample(two.t_ns, two.xy_px[::-1].copy(), two.score)
        return samples

    followed = np.array([o.person_index[1] for o in run(scene, new_estimator(engine, 3), change)])
    assert (followed[5:] == np.where(np.arange(5, len(followed)) % 2, 0, 1)).all()


def test_exchanged_left_and_right_are_corrected(engine: Engine, clean_mm: dict[int, float]) -> None:
    scene = person(4)
    clean = clean_mm[4]

    def change(index: int, samples: list[Sample | None]) -> list[Sample | None]:
        mine = samples[3]
        assert mine is not None
        if 20 <= index < 40:
            samples[3] = Sample(mine.t_ns, mine.xy_px[:, list(MIRROR)], mine.score)
        return samples

    out = run(scene, new_estimator(engine, 4), change)
    assert error_mm(scene, out) < clean + 10
    for index in range(22, 40):
        if out[index].person_index[3] == 0:
            wrist = scene.xy_px[3, index, INDEX["l_wrist"]]
            size = np.ptp(scene.xy_px[3, index], axis=0).max()
            assert np.linalg.norm(out[index].refined_px[3, INDEX["l_wrist"]] - wrist) < 0.15 * size


@pytest.mark.parametrize("empty", [None, Sample(0, np.zeros((0, 17, 2)), np.zeros((0, 17)))])
def test_without_candidates_there_is_no_hypothesis(engine: Engine, empty: Sample | None) -> None:
    out = new_estimator(engine, 3).step(0, [empty, empty, empty])
    assert not out.tracking
    assert (out.person_index == UNASSIGNED).all()
    assert (out.score == 0).all()
    assert np.isnan(out.camera_from_rig).all()


@pytest.mark.parametrize(
    "missing", [["pelvis", "spine", "l_hip", "r_hip", "nose", "head"], ["thorax"], list(INDEX)[5:]]
)
def test_people_without_shoulders_or_a_root_are_not_tracked(engine: Engine, missing: list[str]) -> None:
    scene = person(2)
    samples = scene.samples(0)
    for sample in samples:
        assert sample is not None
        sample.score[:, [INDEX[name] for name in missing]] = 0
    assert not new_estimator(engine, 2).step(0, samples).tracking


@dataclass
class Counting:
    """An engine that counts how often it runs."""

    engine: Engine
    runs: list[int] = field(default_factory=list)
    provider: str = "cpu"
    reason: str = ""

    def run(self, given: GraphInput) -> GraphOutput:
        self.runs.append(len(given.assignment))
        return self.engine.run(given)


def test_consistent_views_need_one_run_of_the_graph(engine: Engine) -> None:
    scene, counting = person(4), Counting(engine)
    made = new_estimator(counting, 4)
    run(Scene(scene.joints[:25], scene.cameras, scene.xy_px, scene.score), made)
    assert len(counting.runs) < 1.2 * 25


def test_hypotheses_that_cannot_win_are_left_out_of_several_people(engine: Engine) -> None:
    scene = film(walk(SECONDS), ring(4), noise=3 * NOISE)
    intrinsics = Intrinsics.pinhole(scene.cameras.focal_px, scene.cameras.size_px)
    found = {}
    for may_switch in (True, False):
        counting, association = Counting(engine), DataAssociation(4, may_switch=may_switch)
        assigned = []
        for index in range(20):
            seen = observe(round(index * 1e9 / FPS), scene.samples(index), [landmarks(JOINT_SET)] * 4, intrinsics)
            hypothesis = alone(association.associate(seen, counting, None, np.ones(4)))
            assert hypothesis is not None
            assigned.append(hypothesis.assignment)
        found[may_switch] = np.stack(assigned), sum(counting.runs)
    np.testing.assert_array_equal(found[False][0], found[True][0])
    assert found[False][1] < found[True][1]


def test_a_view_with_intermittent_legs_stays_assigned(engine: Engine) -> None:
    scene = person(4)
    legs = [INDEX[f"{side}_{part}"] for side in "lr" for part in ("knee", "ankle")]

    def change(index: int, samples: list[Sample | None]) -> list[Sample | None]:
        mine = samples[1]
        assert mine is not None
        mine.score[:, legs] = 0.9 * (index % 2)
        return samples

    out = run(Scene(scene.joints[:12], scene.cameras, scene.xy_px, scene.score), new_estimator(engine, 4), change)
    assert all((o.person_index == 0).all() for o in out)


def test_a_missing_joint_does_not_change_the_extent(engine: Engine) -> None:
    """With one view the larger person is tracked."""
    scene = person(1)
    mine = scene.samples(0)[0]
    assert mine is not None
    small = np.array([1200.0, 600.0]) + 0.2 * (mine.xy_px[0] - mine.xy_px[0].mean(0))
    score = np.stack([mine.score[0], mine.score[0]])
    score[0, INDEX["l_ankle"]] = 0
    two = Sample(0, np.stack([small, mine.xy_px[0]]), score)
    assert new_estimator(engine, 1).step(0, [two]).person_index.tolist() == [1]
