"""Live cameras with clocks of their own, from messages to poses, in simulated time."""

import numpy as np
import pytest
from msgspec import structs

from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.synchronisation.camera_clock import CameraClock
from pose_rig.fusion.synchronisation.camera_clocks import CameraClocks
from pose_rig.graph import Engine
from pose_rig.wire.messages import Keypoints2D
from pose_rig.wire.records import Learned
from tests.fusion.fakes import config
from tests.fusion.live.live_takes import START_NS, LiveTake, arrivals


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
    learned = {message.work for message in take.record if isinstance(message, Learned)}
    assert learned == {"averaging", "solving", "clocks", "groups", "late-groups"}
    again = take.replayed()
    for step, before in zip(again, take.steps, strict=True):
        poses = [[pose.xyz.tobytes() for pose in (one.pose, *one.others) if pose] for one in (step, before)]
        assert poses[0] == poses[1]


CHANGED_S = 4.0


def changed(message: Keypoints2D, how: str) -> Keypoints2D | None:
    """What a camera sends whose frames begin late, or have another size or shape, after `CHANGED_S`."""
    later = message.t_ns > START_NS + CHANGED_S * 1e9
    if how == "late":
        return message if later else None
    if not later:
        return message
    width, height = message.size_px
    if how == "smaller":
        return structs.replace(message, size_px=(width // 2, height // 2), xy=message.xy / 2)
    around = message.xy - np.array([width / 2, height / 2], np.float32)
    return structs.replace(message, size_px=(height, width), xy=around + np.array([height / 2, width / 2], np.float32))


@pytest.mark.parametrize(("how", "share"), [("late", 1.0), ("smaller", 0.5), ("turned", 1.0)])
def test_a_camera_whose_images_begin_late_or_change_their_size_is_soon_used_with_its_own_focal_length(
    engine: Engine, how: str, share: float
) -> None:
    """As phones do, which join one after the other and are turned; the run is repeated to the last bit."""
    sent = [
        (arrival_ns, message)
        for arrival_ns, sample in arrivals((0.0, 0.0, 0.0, 0.0), 6.5)
        if (message := changed(sample, how) if sample.camera == "cam3" else sample) is not None
    ]
    take = LiveTake(engine, 4).run(sent, in_background=True)
    cameras = take.estimator.cameras
    assert cameras is not None
    assert cameras.known.all()
    assert cameras.intrinsics.focal_px[3] == pytest.approx(share * cameras.focal_px[0], rel=0.2)
    last = take.steps[-10:]
    assert np.mean([step.pose.inlier[3].mean() for step in last if step.pose is not None]) > 0.3
    for step, before in zip(take.replayed(), take.steps, strict=True):
        assert step.pose is not None
        assert before.pose is not None
        assert step.pose.xyz.tobytes() == before.pose.xyz.tobytes()


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
