"""The loop of the fusion, with keypoints from a list and an engine that fails."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from pose_rig.errors import PoseRigError
from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.clocks import FileClock
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.time_steps import MAX_FAILURES, RESTART_AFTER_FAILURES, TimeStep, time_steps
from pose_rig.graph import Engine, GraphInput, GraphOutput
from pose_rig.wire.messages import Health, Message
from tests.fusion.fakes import Scene, config, film, ring, walk
from tests.fusion.running import keypoints

VIEWS = 2


class Listed:
    """A source that has all its messages from the start."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self._messages = list(messages)

    def receive(self, timeout_ms: int, max_messages: int = 1) -> list[Message]:
        first, self._messages = self._messages[:max_messages], self._messages[max_messages:]
        return first


class Failing:
    """An engine that raises while `failing` says so."""

    def __init__(self, engine: Engine, failing: Callable[[], bool]) -> None:
        self._engine, self._failing = engine, failing
        self.provider, self.reason = engine.provider, engine.reason

    def run(self, given: GraphInput) -> GraphOutput:
        if self._failing():
            raise FloatingPointError("overflow")
        return self._engine.run(given)


class Spoiling:
    """An engine whose rotations are no numbers while `spoiling` says so."""

    def __init__(self, engine: Engine, spoiling: Callable[[], bool]) -> None:
        self._engine, self._spoiling = engine, spoiling
        self.provider, self.reason = engine.provider, engine.reason

    def run(self, given: GraphInput) -> GraphOutput:
        out = self._engine.run(given)
        if not self._spoiling():
            return out
        return replace(out, ray_from_body=np.full_like(out.ray_from_body, np.nan))


def inputs(scene: Scene) -> CameraInputs:
    return CameraInputs([f"cam{v}" for v in range(VIEWS)], [Listed(messages(scene, v)) for v in range(VIEWS)])


def messages(scene: Scene, view: int) -> Sequence[Message]:
    frames = [keypoints(scene, view, index) for index in range(len(scene.joints))]
    return [*frames, Health(worker=f"cam{view}", t_ns=0, state="ended")]


def steps(scene: Scene, estimator: Estimator, stop: threading.Event) -> list[TimeStep]:
    return [step for step in time_steps(inputs(scene), FileClock(), estimator, stop) if step is not None]


def test_every_frame_is_a_time_step_with_its_samples(engine: Engine) -> None:
    scene = film(walk(1.0), ring(VIEWS))
    found = steps(scene, Estimator(config(VIEWS), engine), threading.Event())
    assert [step.t_ns for step in found] == [scene.t_ns(i) for i in range(30)]
    for index, step in enumerate(found):
        assert step.pose is not None
        assert (step.pose.t_ns, step.failure) == (step.t_ns, "")
        sample = step.samples[1]
        assert sample is not None
        assert np.allclose(sample.xy_px[0], scene.xy_px[1, index], atol=1e-3)


def test_a_stop_ends_the_loop(engine: Engine) -> None:
    stop = threading.Event()
    stop.set()
    assert steps(film(walk(1.0), ring(VIEWS)), Estimator(config(VIEWS), engine), stop) == []


def test_a_time_step_that_fails_has_no_pose_and_after_some_the_estimator_starts_over(engine: Engine) -> None:
    scene, number, restarts = film(walk(2.0), ring(VIEWS)), [0], []

    class Counted(Estimator):
        def restart(self, *, may_move: bool = True) -> None:
            restarts.append(number[0])
            super().restart(may_move=may_move)

    failing = range(10, 10 + RESTART_AFTER_FAILURES + 2)
    estimator = Counted(config(VIEWS), Failing(engine, lambda: number[0] in failing))
    for step in time_steps(inputs(scene), FileClock(), estimator, threading.Event()):
        if step is not None:
            assert (step.pose is None) == (number[0] in failing)
            assert step.failure.startswith("No pose could be computed from the keypoints: ") == (step.pose is None)
            number[0] += 1
    assert number[0] == 60
    assert restarts == [0, failing[RESTART_AFTER_FAILURES - 1]]


def test_only_the_time_step_that_is_not_finite_has_no_pose(engine: Engine) -> None:
    number = [0]
    estimator = Estimator(config(VIEWS), Spoiling(engine, lambda: number[0] == 20))
    for step in time_steps(inputs(film(walk(2.0), ring(VIEWS))), FileClock(), estimator, threading.Event()):
        if step is not None:
            assert (step.pose is None) == (number[0] == 20)
            number[0] += 1
    assert number[0] == 60
    assert np.isfinite(estimator.memory(0)).all()


def test_a_loop_that_only_fails_ends_with_the_reason(engine: Engine) -> None:
    scene = film(walk((MAX_FAILURES + 30) / 30), ring(VIEWS))
    estimator = Estimator(config(VIEWS), Failing(engine, lambda: True))
    with pytest.raises(PoseRigError, match=r"FloatingPointError: overflow\. Run again with --debug"):
        steps(scene, estimator, threading.Event())
