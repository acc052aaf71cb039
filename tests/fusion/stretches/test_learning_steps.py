"""The pass that solves the cameras, its time steps one by one and in stretches."""

from collections.abc import Sequence
from threading import Event

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.clocks import FileClock
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.message_file import MessageFile
from pose_rig.fusion.rig.rig import MIN_STEADY_KEYFRAMES
from pose_rig.fusion.stretches import learning_steps as learning_module
from pose_rig.fusion.stretches.learning_steps import learning_steps, steady_count
from pose_rig.fusion.stretches.stretches import FusedStep, SampledStep, Stretches
from pose_rig.fusion.time_steps import TimeStep
from pose_rig.graph import Engine
from pose_rig.wire.messages import Health, Keypoints2D
from tests.fusion.fakes import config
from tests.fusion.running import health
from tests.fusion.simulated import calibration, images, stroll

VIEWS, FPS = 4, 15.0
COUNT = 3 * MIN_STEADY_KEYFRAMES
CAMERAS = calibration(VIEWS)


def messages(xy_px: Floats, score: Floats, view: int) -> list[Keypoints2D | Health]:
    size = CAMERAS.size_px[view].astype(int).tolist()
    frames = [
        Keypoints2D(
            camera=f"cam{view}", index=t, t_ns=round(1e9 * (1 + t / FPS)), size_px=(size[0], size[1]),
            landmarks="rig17", xy=xy_px[view, t][None].astype(np.float32),
            score=score[view, t][None].astype(np.float32),
        )
        for t in range(xy_px.shape[1])
    ]  # fmt: skip
    return [*frames, health(view, "ended")]


def learned(engine: Engine, xy_px: Floats, stop: Event | None = None) -> tuple[Estimator, list[TimeStep]]:
    """What is computed from detections (V,T,J,2)."""
    score = np.ones(xy_px.shape[:3])
    files = [MessageFile() for _ in range(VIEWS)]
    for view, file in enumerate(files):
        for message in messages(xy_px, score, view):
            file.add(message)
        file.rewind()
    estimator = Estimator(config(VIEWS, pace="all", passes=2), engine)
    cameras = CameraInputs([f"cam{view}" for view in range(VIEWS)], files)
    steps = [step for step in learning_steps(cameras, FileClock(), estimator, stop or Event()) if step is not None]
    for file in files:
        file.close()
    return estimator, steps


@pytest.fixture(scope="module")
def walk() -> Floats:
    noise = np.random.default_rng(0).normal(0, 1.5, (VIEWS, COUNT, 17, 2))
    return images(stroll(COUNT / FPS, FPS), CAMERAS).swapaxes(0, 1)[:, :COUNT] + noise


def assert_same_cameras(one: Estimator, other: Estimator) -> None:
    assert one.calibration is not None
    assert other.calibration is not None
    np.testing.assert_allclose(one.calibration.rotation, other.calibration.rotation, atol=1e-4)
    np.testing.assert_allclose(one.calibration.translation, other.calibration.translation, atol=2e-3)


def test_stretches_solve_the_same_cameras(engine: Engine, walk: Floats, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as whole:
        whole.setattr(learning_module, "MIN_STEPS", COUNT)
        one_by_one, wanted = learned(engine, walk)
    fused: list[int] = []
    fuse = Stretches.fuse

    def counted(self: Stretches, steps: Sequence[SampledStep], warm_up: int = 0) -> list[FusedStep]:
        fused.append(len(steps))
        return fuse(self, steps, warm_up)

    monkeypatch.setattr(Stretches, "fuse", counted)
    in_stretches, found = learned(engine, walk)
    assert fused[0] >= MIN_STEADY_KEYFRAMES
    assert sum(fused) > COUNT // 2
    assert [step.t_ns for step in found] == [step.t_ns for step in wanted]
    assert found[-1].pose is not None
    assert found[-1].pose.mode == "solved"
    assert_same_cameras(one_by_one, in_stretches)


def test_a_camera_that_is_moved_is_followed_step_by_step(
    engine: Engine, walk: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = walk.copy()
    moved[1, 2 * COUNT // 3 :] += np.array([200.0, -90.0])
    in_stretches, found = learned(engine, moved)
    monkeypatch.setattr(learning_module, "MIN_STEPS", COUNT)
    one_by_one, _ = learned(engine, moved)
    assert in_stretches.moves == one_by_one.moves > 0
    times_s = np.array([step.t_ns for step in found]) * 1e-9 - 1
    after = times_s[times_s >= 2 * COUNT / 3 / FPS]
    np.testing.assert_allclose(after[: round(FPS)], 2 * COUNT / 3 / FPS + np.arange(round(FPS)) / FPS, atol=1e-6)
    assert (np.diff(times_s) > 0).all()
    assert_same_cameras(one_by_one, in_stretches)


def test_the_end_and_a_stop(engine: Engine, walk: Floats) -> None:
    for count in (0, 1, 5):
        assert len(learned(engine, walk[:, :count])[1]) == count
    stop = Event()
    stop.set()
    assert learned(engine, walk[:, :30], stop)[1] == []


def test_steps_before_a_disagreement_are_kept() -> None:
    steps = [SampledStep(round(t * 1e9 / FPS), (), 0, learns=True) for t in range(40)]
    since = {21: 0.1, **{t: (t - 22) / FPS for t in range(23, 36)}}  # one that ends at once, and one that lasts

    def fused(t: int) -> FusedStep:
        memory = np.zeros(3 * VIEWS)
        memory[VIEWS + 1] = since.get(t, 0.0)
        return FusedStep(None, "", None, None, memory, 0)

    assert steady_count(steps, [fused(t) for t in range(40)], unsteady=34) == 23
    assert steady_count(steps, [fused(t) for t in range(40)], unsteady=24) == 18  # a person who has changed
    assert steady_count(steps, [fused(t) for t in range(40)], unsteady=3) == 0
