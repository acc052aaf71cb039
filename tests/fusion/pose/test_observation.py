from dataclasses import replace

import numpy as np
import pytest

from pose_rig.fusion.pose.hypothesis import UNASSIGNED, Hypothesis, run_graph
from pose_rig.fusion.pose.observation import Observation, Observe, observe
from pose_rig.fusion.pose.sync import Sample
from pose_rig.graph import GraphInput, GraphOutput
from pose_rig.intrinsics import Intrinsics
from pose_rig.lifting.engine import OrtEngine
from pose_rig.skeleton import INDEX, MIRROR, J, landmarks
from tests.fusion.fakes import standing

SIZE_PX = (1280, 720)
PX_PER_M = 200.0
DEPTH_M = standing()[:, 2] + 0.1 * np.arange(J)  # any, different for every joint


class RecordingEngine:
    """Keeps what the graph is given."""

    provider, reason = "cpu", ""

    def __init__(self) -> None:
        self.engine = OrtEngine()
        self.given: list[GraphInput] = []

    def run(self, given: GraphInput) -> GraphOutput:
        self.given.append(given)
        return self.engine.run(given)


def sample(*, depth: bool, people: int = 1) -> Sample:
    middle = np.array([[400.0 + 300 * person, 360.0] for person in range(people)])
    xy = standing()[:, :2] * [PX_PER_M, -PX_PER_M] + middle[:, None]
    depths = np.tile(PX_PER_M * DEPTH_M, (people, 1)) if depth else np.zeros(0)
    return Sample(0, xy, np.full((people, J), 0.9), depths)


def seen(*samples: Sample | None) -> Observation:
    count = len(samples)
    intrinsics = Intrinsics.pinhole(np.full(count, 1000.0), np.tile(np.array(SIZE_PX, float), (count, 1)))
    return observe(0, samples, [landmarks("rig17")] * count, intrinsics)


def test_candidates_have_the_appearance_of_their_person() -> None:
    looks = np.array([[0.25, 0.75], [0.5, 0.5]])
    both = replace(sample(depth=False, people=2), appearance=looks)
    unusable = replace(both, score=both.score * np.array([[0.0], [1.0]]))
    observation = seen(both, None, sample(depth=False), unusable)
    expected = [*looks, [0, 0], looks[1]]
    np.testing.assert_array_equal(observation.appearance, expected)
    np.testing.assert_array_equal(observation.with_mirrors().appearance, [*expected, *expected])
    np.testing.assert_array_equal(observation.part(np.array([3, 0])).appearance, looks[::-1])
    other = replace(sample(depth=False), appearance=np.ones((1, 1)))  # of another version
    np.testing.assert_array_equal(seen(both, other).appearance, [*looks, [0, 0]])
    assert seen(sample(depth=False), None).appearance.shape == (1, 0)
    assert seen(None, None).appearance.shape == (0, 0)


def test_time_steps_observed_together_keep_their_appearances() -> None:
    with_looks = replace(sample(depth=False), appearance=np.array([[0.25, 0.75]]))
    marks, intrinsics = [landmarks("rig17")] * 2, Intrinsics.pinhole(np.full(2, 1000.0), np.tile(SIZE_PX, (2, 1)))
    steps = [
        Observe(0, [with_looks, None], marks, intrinsics),
        Observe(1, [sample(depth=False), with_looks], marks, intrinsics),
    ]
    first, second = Observe.together(steps)
    np.testing.assert_array_equal(first.appearance, steps[0].alone().appearance)
    np.testing.assert_array_equal(second.appearance, steps[1].alone().appearance)


def test_depths_are_in_the_units_of_the_ray_frame() -> None:
    """Far from the camera both are the pose over its size."""
    made = seen(sample(depth=True))
    across = np.linalg.norm(standing()[:, :2] - standing()[0, :2])
    off = made.ray_depth[0] - (DEPTH_M - DEPTH_M[0]) / across
    assert np.abs(np.delete(off, INDEX["spine"])).max() < 1e-9  # which is the mean of hips and shoulders


def test_views_without_depths_have_unknown_ones() -> None:
    made = seen(sample(depth=True), None, sample(depth=False, people=2))
    assert made.view.tolist() == [0, 2, 2]
    assert np.isfinite(made.ray_depth).all(1).tolist() == [True, False, False]
    assert np.isnan(made.ray_depth[1:]).all()


def test_invisible_joints_have_unknown_depths() -> None:
    one = sample(depth=True)
    one.score[0, 6] = 0
    assert np.flatnonzero(np.isnan(seen(one).ray_depth[0])).tolist() == [6]


def test_exchanged_sides_exchange_depths() -> None:
    both = seen(sample(depth=True)).with_mirrors()
    np.testing.assert_array_equal(both.ray_depth[1], both.ray_depth[0, list(MIRROR)])


def test_a_part_has_some_of_the_candidates() -> None:
    whole = seen(sample(depth=True, people=2), None, sample(depth=True, people=3))
    rows = np.array([4, 1])
    part = whole.part(rows)
    assert (part.t_ns, part.views) == (whole.t_ns, whole.views)
    assert (part.view.tolist(), part.person.tolist()) == ([2, 0], [2, 1])
    for name in ("xy_px", "score", "ray_xy", "norm", "ray_from_camera", "mirrored", "one_ear", "ray_depth"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[rows], err_msg=name)
    assert part.present.tolist() == [True, False, True]
    none = whole.part(np.zeros(0, np.int64))
    assert none.present.tolist() == [False] * 3
    assert none.xy_px.shape == (0, J, 2)


@pytest.mark.parametrize("view", [0, 1])
def test_the_graph_gets_the_depths_of_every_candidate(view: int) -> None:
    made, engine = seen(sample(depth=True), sample(depth=False)), RecordingEngine()
    assignment = np.array([0, 1])
    assignment[view] = UNASSIGNED
    out = run_graph(engine, made, assignment[None], None, np.ones(2))
    depth = engine.given[0].onnx()["depth"]
    assert depth[:, :, 1].all(1).tolist() == [True, False]
    np.testing.assert_allclose(depth[0, :, 0], made.ray_depth[0], atol=1e-6)
    assert not depth[1].any()
    chosen = Hypothesis(made, assignment, out).ray_depth
    assert np.isfinite(chosen).all(1).tolist() == [view == 1, False]
