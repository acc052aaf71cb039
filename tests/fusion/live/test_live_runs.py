"""Live cameras with clocks of their own, from messages to poses, in simulated time."""

import numpy as np
import pytest

from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.rig.camera_clocks import CameraClocks
from pose_rig.fusion.synchronisation.camera_clock import CameraClock
from pose_rig.graph import Engine
from pose_rig.wire.records import Learned
from tests.fusion.fakes import config
from tests.fusion.live.live_takes import LiveTake, arrivals


def test_a_late_camera_is_found_left_out_of_the_pose_and_the_run_is_repeated_to_the_last_bit(engine: Engine) -> None:
    late_s = (0.0, 0.0, 0.4)
    take = LiveTake(engine, 3).run(arrivals(late_s, 8.5), in_background=True)
    np.testing.assert_allclose(take.offsets_s[-1], (0.0, 0.0, -0.4), atol=0.06)
    assert take.offsets_s[-1][:2].tolist() == [0, 0]
    assert take.late[-1] == [False, False, True]
    assert take.steps[-1].samples[2] is None
    state = take.estimator.rig_state().cameras[2]
    assert state.time_offset_s == take.offsets_s[-1][2]
    assert state.time_offset_sd_s == pytest.approx(0.015)
    assert "ms too late for the pose: only the calibration uses it" in state.note
    assert sum(isinstance(message, Learned) and message.work == "clocks" for message in take.record) > 3
    again = take.replayed()
    assert [step.t_ns for step in again] == [step.t_ns for step in take.steps]
    for step, before in zip(again, take.steps, strict=True):
        assert step.pose is not None
        assert before.pose is not None
        assert step.pose.xyz.tobytes() == before.pose.xyz.tobytes()


def test_a_late_camera_is_found_from_two_people_and_the_run_is_repeated_to_the_last_bit(engine: Engine) -> None:
    take = LiveTake(engine, 3, people=2).run(arrivals((0.0, 0.0, 0.4), 8.5, people=2), in_background=True)
    np.testing.assert_allclose(take.offsets_s[-1], (0.0, 0.0, -0.4), atol=0.06)
    assert take.late[-1] == [False, False, True]
    again = take.replayed()
    for step, before in zip(again, take.steps, strict=True):
        poses = [[pose.xyz.tobytes() for pose in (one.pose, *one.others) if pose] for one in (step, before)]
        assert poses[0] == poses[1]


def test_a_larger_budget_waits_for_a_late_camera(engine: Engine) -> None:
    """Whose clock is known: its offset is given to the estimator."""
    take = LiveTake(engine, 3)
    take.estimator.clocks = CameraClocks(np.array([0.0, 0.0, -0.4]), np.zeros(3))
    take.run(arrivals((0.0, 0.0, 0.4), 3.0), max_delay_ms=600.0)
    assert take.late[-1] == [False, False, False]
    assert take.steps[-1].samples[2] is not None
    assert max(take.ages_s) == pytest.approx(0.43, abs=0.01)  # with the time of the detector


def test_one_clock_is_not_touched(engine: Engine) -> None:
    take = LiveTake(engine, 3).run(arrivals((0.0, 0.0, 0.0), 6.0))
    assert not np.any(take.offsets_s)
    assert not np.any(take.late)
    assert not np.any(LiveTake(engine, 3, people=2).run(arrivals((0.0, 0.0, 0.0), 6.0, people=2)).offsets_s)


def test_rigs_of_one_camera_and_of_cameras_that_detect_nobody(engine: Engine) -> None:
    take = LiveTake(engine, 1).run(arrivals((0.03,), 6.0))
    assert take.offsets_s[-1].tolist() == [0]
    estimator, cameras = Estimator(config(2), engine), CameraInputs(["cam0", "cam1"], (), follow=True)
    for t_ns in range(0, 3_000_000_000, 500_000_000):
        estimator.follow_clocks(t_ns, cameras)
        assert cameras.samples(t_ns) == [None, None]
        assert not estimator.step(t_ns, [None, None], cameras.complete_samples(t_ns)).tracking
    assert cameras.clocks == [CameraClock(), CameraClock()]
