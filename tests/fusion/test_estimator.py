"""Scenarios: views come and go, differ, and bring whatever they bring."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_rig.arrays import Floats
from pose_rig.errors import UsageError
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.self_solve import self_solve
from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.geometry import angle_deg
from pose_rig.graph import Engine
from pose_rig.simulation.cameras import Cameras
from pose_rig.skeleton import INDEX, JOINTS, SCHEMAS, J, extra_landmarks, landmarks
from pose_rig.training.evaluation.metrics import pmpjpe
from pose_rig.wire.messages import Mode
from tests.fusion.fakes import SCORE, Scene, config, film, finite, new_estimator, ring, run, unsolved, walk


def error_mm(scene: Scene, poses: Floats) -> Floats:
    return 1e3 * pmpjpe(poses[:, :J], scene.joints)


def in_schema(scene: Scene, view: int, index: int, schema: str) -> Sample:
    """What a detector of another landmark set would have seen: every landmark at the joint that it makes up."""
    marks = landmarks(schema)
    owner = np.argmax(marks.weights, axis=0)  # pelvis and thorax come first, which is where hips and shoulders go
    for joint in range(J):
        sources = np.flatnonzero(marks.weights[joint])
        if len(sources) == 1:
            owner[sources[0]] = joint
    used = marks.weights.any(0)
    for side in ("l", "r"):
        ear = [k for k, name in enumerate(marks.names) if name == ("left_ear" if side == "l" else "right_ear")]
        owner[ear] = INDEX["head"]
    xy = scene.xy_px[view, index][owner]
    return Sample(scene.t_ns(index), xy[None], np.where(used, SCORE, 0.0)[None])


@pytest.mark.parametrize("views", [1, 2, 3, 4])
def test_more_views_are_better_and_one_works(engine: Engine, views: int) -> None:
    scene = film(walk(2.0), ring(views))
    out = run(scene, new_estimator(engine, views))
    assert all(finite(o) and o.tracking for o in out)
    assert error_mm(scene, np.stack([o.xyz_raw for o in out])).mean() < {1: 75, 2: 40, 3: 28, 4: 25}[views]


def test_smoothing_keeps_the_pose_and_reduces_jitter(engine: Engine) -> None:
    scene = film(walk(3.0), ring(4), noise=0.012)
    out = run(scene, new_estimator(engine, 4))
    raw, smooth = (np.stack([getattr(o, name) for o in out])[10:] for name in ("xyz_raw", "xyz"))
    jitter = [np.linalg.norm(np.diff(poses, n=2, axis=0), axis=-1).mean() for poses in (raw, smooth)]
    assert jitter[1] < 0.7 * jitter[0]
    assert np.linalg.norm(raw - smooth, axis=-1).mean() < 0.05


def test_the_body_height_is_the_given_one(engine: Engine) -> None:
    scene = film(walk(2.0), ring(3))
    tops = []
    for height_m in (1.4, 1.9):
        made = Estimator(config(3, height_m=height_m), engine, BackgroundCompute(solve=unsolved))
        for view in range(3):
            made.set_camera(view, (1280, 720), "rig17")
        out = run(scene, made)[-1].xyz_raw
        tops.append(out[INDEX["head"], 1])
        assert out[:, 1].min() == pytest.approx(0.039 * height_m)
        assert abs(out[0, [0, 2]]).max() < 1e-9
    assert tops[1] / tops[0] == pytest.approx(1.9 / 1.4, rel=0.01)
    assert 0.85 * 1.9 < tops[1] < 1.9


def test_refined_2d_is_nearer_to_the_truth_than_detections(engine: Engine) -> None:
    clean = film(walk(3.0), ring(4), noise=0.0)
    noisy = film(walk(3.0), ring(4), noise=0.012)
    wrist = INDEX["r_wrist"]
    noisy.xy_px[1, 60:, wrist] += 60.0
    out = run(noisy, new_estimator(engine, 4))
    refined = np.stack([o.refined_px for o in out], 1)[:, 45:]
    off = np.linalg.norm(refined - clean.xy_px[:, 45:], axis=-1)
    before = np.linalg.norm(noisy.xy_px - clean.xy_px, axis=-1)[:, 45:]
    assert off.mean() < before.mean()
    assert off[1, 20:, wrist].mean() < 0.5 * before[1, 20:, wrist].mean()
    assert np.mean([o.inlier[1, wrist] for o in out[65:]]) < 0.3
    assert np.mean([o.residual_px.mean() for o in out[45:]]) < 15


def test_fields_of_a_pose_estimate(engine: Engine) -> None:
    scene = film(walk(0.2), ring(3))
    samples = scene.samples(0)
    for sample in samples:
        assert sample is not None
        sample.score[:, INDEX["l_wrist"]] = 0
    out = new_estimator(engine, 3).step(0, samples)
    assert out.score[INDEX["l_wrist"]] == 0
    assert out.residual_px[INDEX["l_wrist"]] == 0
    assert (np.delete(out.score, INDEX["l_wrist"]) > 0.3).all()
    assert finite(out)
    assert (out.lifted.shape, out.refined_px.shape, out.camera_from_rig.shape) == ((3, J, 3), (3, J, 2), (3, 3, 3))
    assert np.allclose(out.camera_from_rig @ out.camera_from_rig.swapaxes(1, 2), np.eye(3), atol=1e-4)


@pytest.mark.parametrize("gone", [0, 2])
def test_a_view_that_ends_does_not_rotate_or_stop_the_pose(engine: Engine, gone: int) -> None:
    scene = film(walk(3.0), ring(4))

    def without(index: int, samples: list[Sample | None]) -> list[Sample | None]:
        if 15 <= index < 30 or 60 <= index < 75:  # once cold, once settled
            samples[gone] = None
        return samples

    rigs = [
        new_estimator(engine, 4, solve=unsolved) for _ in range(2)
    ]  # a solved one has its origin where it was solved
    whole, out = run(scene, rigs[0]), run(scene, rigs[1], without)
    for index, (a, b) in enumerate(zip(whole, out, strict=True)):
        assert b.tracking
        assert finite(b)
        assert np.linalg.norm(a.xyz_raw - b.xyz_raw, axis=-1).mean() < 0.1, index
    assert [o.person_index[gone] for o in out[15:30]] == [-1] * 15
    assert np.isnan(out[20].refined_px[gone]).all()
    assert np.isnan(out[20].camera_from_rig[gone]).all()


def test_views_come_and_go_until_one_is_left_and_none(engine: Engine) -> None:
    scene = film(walk(4.0), ring(4))

    def change(index: int, samples: list[Sample | None]) -> list[Sample | None]:
        left = [4, 3, 2, 1, 0, 1, 2, 4][index // 15]
        return [sample if v >= 4 - left else None for v, sample in enumerate(samples)]

    out = run(scene, new_estimator(engine, 4), change)
    assert all(finite(o) for o in out)
    assert [o.tracking for o in out] == [index // 15 != 4 for index in range(120)]
    untracked = out[60:75]
    assert all(np.array_equal(o.xyz, out[59].xyz) for o in untracked)
    seen = np.array([o.tracking for o in out])
    assert error_mm(scene, np.stack([o.xyz_raw for o in out]))[seen].mean() < 60


def test_the_first_camera_may_come_last(engine: Engine) -> None:
    scene = film(walk(3.0), ring(3))
    out = run(scene, new_estimator(engine, 3), lambda i, samples: [samples[0] if i >= 60 else None, *samples[1:]])
    assert all(finite(o) and o.tracking for o in out)
    for o in out:
        assert o.xyz_raw[INDEX["head"], 1] > o.xyz_raw[0, 1] + 0.4
    assert error_mm(scene, np.stack([o.xyz_raw for o in out])).mean() < 45


@pytest.mark.parametrize(("mode", "solve"), [("settled", unsolved), ("solved", self_solve)])
def test_a_single_view_of_unknown_pose_gives_a_cold_pose(
    engine: Engine, mode: Mode, solve: Callable[[SolveTask], RigSolution | str]
) -> None:
    scene = film(walk(4.0), ring(4))
    out = run(
        scene, new_estimator(engine, 4, solve=solve), lambda i, s: [*s[:3], None] if i < 90 else [None] * 3 + s[3:]
    )
    assert out[89].mode == mode
    assert out[90].mode == "cold"
    assert all(finite(o) and o.tracking for o in out)
    assert error_mm(scene, np.stack([o.xyz_raw for o in out]))[90:].mean() < 90


def test_cameras_of_different_size_rotation_and_focal_length(engine: Engine) -> None:
    base = ring(4)
    sizes = np.array([[1280, 720], [1080, 1920], [640, 480], [1920, 1080]], float)
    focal = 0.9 * sizes.max(1)
    roll = np.array([np.eye(3)] * 4)
    roll[1] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]  # mounted on its side
    roll[2] = np.diag([-1, -1, 1])  # upside down
    scene = film(walk(2.0), Cameras(roll @ base.rotation, base.position, focal, sizes))
    made = new_estimator(engine, 4)
    for view, (width, height) in enumerate(sizes.astype(int).tolist()):
        made.set_camera(view, (width, height), "rig17")
    out = run(scene, made)
    assert all(finite(o) for o in out)
    assert error_mm(scene, np.stack([o.xyz_raw for o in out])).mean() < 25
    settled = [o for o in out if o.mode != "cold"][-1]
    for view in range(1, 4):
        relative = settled.camera_from_rig[view] @ settled.camera_from_rig[0].T
        true = scene.cameras.rotation[view] @ scene.cameras.rotation[0].T
        assert angle_deg(relative, true) < 14


@pytest.mark.parametrize("schemas", [[name] * 3 for name in SCHEMAS] + [["mediapipe33", "body25", "coco17"]])
def test_every_landmark_set_alone_and_mixed(engine: Engine, schemas: list[str]) -> None:
    scene, made = film(walk(0.5), ring(3), noise=0.0), new_estimator(engine, 3)
    for view, schema in enumerate(schemas):
        made.set_camera(view, (1280, 720), schema)
    out = [
        made.step(scene.t_ns(i), [in_schema(scene, v, i, schema) for v, schema in enumerate(schemas)])
        for i in range(len(scene.joints))
    ]
    assert all(finite(o) and o.tracking for o in out)
    names = dict.fromkeys(name for schema in schemas for name in extra_landmarks(landmarks(schema)))
    assert {o.joints for o in out} == {(*JOINTS, *names)}
    assert error_mm(scene, np.stack([o.xyz_raw for o in out])).mean() < 50


def test_an_unknown_landmark_set_is_refused(engine: Engine) -> None:
    made = new_estimator(engine, 1)
    with pytest.raises(UsageError, match=r"The landmark set 'a,b' is unknown or lacks hips and shoulders\."):
        made.set_camera(0, (640, 480), "a,b")


def test_a_given_focal_length_is_used(engine: Engine) -> None:
    made = Estimator(config(1), engine, None)
    made.set_camera(0, (1000, 500), "rig17")
    assert made.rig_state().cameras[0].focal_px == 900


class Anything:
    """Two seconds of fusing whatever comes, on one rig that is never reset."""

    def __init__(self, engine: Engine) -> None:
        self.made, self.t_ns = new_estimator(engine, 3), 0


@pytest.fixture(scope="module")
def anything(engine: Engine) -> Anything:
    return Anything(engine)


@given(seed=st.integers(0, 2**32 - 1), spread=st.sampled_from([0.0, 1e-3, 50.0, 1e5]), people=st.integers(0, 3))
def test_whatever_comes_the_pose_is_finite(anything: Anything, seed: int, spread: float, people: int) -> None:
    rng = np.random.default_rng(seed)
    scene = film(walk(0.1)[:1], ring(3))
    samples: list[Sample | None] = []
    for view in range(3):
        xy = scene.xy_px[view, 0] + rng.normal(0, spread, (people, J, 2))
        score = np.where(rng.random((people, J)) < rng.choice([0.0, 0.2, 0.6]), 0.0, rng.uniform(0, 1, (people, J)))
        xy[score == 0] = 0
        samples.append(None if rng.random() < 0.2 else Sample(0, xy, score))
    anything.t_ns += int(rng.choice([1, 33_000_000, 2_000_000_000]))
    out = anything.made.step(anything.t_ns, samples)
    assert finite(out)
    assert np.abs(out.xyz).max() < 100


@pytest.mark.parametrize("xy", [np.zeros(2), np.array([640.0, 360.0]), np.array([1e7, -1e7])])
def test_a_person_who_is_one_point_is_finite(engine: Engine, xy: Floats) -> None:
    sample = Sample(0, np.tile(xy, (1, J, 1)), np.full((1, J), 0.9))
    out = new_estimator(engine, 2).step(0, [sample, sample])
    assert finite(out)
    assert np.abs(out.xyz).max() < 100
