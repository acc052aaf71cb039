"""Which cameras are too late for a time step."""

import numpy as np
from msgspec.structs import replace

from pose_rig.fusion.calibration.keyframes import KEYFRAME_INTERVAL_NS
from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.late_cameras import KEEP_NS, TIMES_PER_STEP, LateCameras
from pose_rig.fusion.pose.sync import SampleBuffer
from tests.fusion.pose.test_sync import message, person

MS = 1_000_000
PERIOD_MS = 40


def run(late_ms: int, until_ms: int = 4_000, stops_ms: int = 1 << 40) -> tuple[LateCameras, list[SampleBuffer]]:
    """Time steps every 20 ms; the second camera has delivered what is older than ``late_ms``."""
    cameras, buffers = LateCameras(2), [SampleBuffer(KEEP_NS), SampleBuffer(KEEP_NS)]
    for t_ms in range(0, until_ms, 20):
        for buffer, late in zip(buffers, (0, late_ms), strict=True):
            sent_ms = t_ms - late
            if sent_ms % PERIOD_MS == 0 and 0 <= sent_ms < stops_ms:
                assert buffer.add(message(sent_ms * MS, [person(100)]))
        cameras.update(t_ms * MS, buffers)
    return cameras, buffers


def test_a_camera_is_late_if_its_newest_sample_usually_is_older_than_a_frame() -> None:
    assert run(0)[0].late == [False, False]
    assert run(40)[0].late == [False, False]
    late, buffers = run(600)
    assert late.late == [False, True]
    assert 600 * MS <= late.age_ns[1] <= 640 * MS
    t_ns = late.common_ns(3_980 * MS)
    assert t_ns == buffers[1].newest_ns
    assert all(buffer.at(t_ns) is not None for buffer in buffers)


def test_a_camera_that_comes_back_in_time_is_used_again() -> None:
    late, buffers = run(600)
    for t_ms in range(4_000, 7_000, 20):
        for buffer in buffers:
            buffer.add(message(t_ms * MS, [person(100)]))
        late.update(t_ms * MS, buffers)
    assert late.late == [False, False]
    assert late.common_ns(6_980 * MS) == 6_980 * MS


def test_a_camera_that_stopped_is_not_late() -> None:
    assert run(0, stops_ms=1_500)[0].late == [False, False]
    assert run(600, stops_ms=1_500)[0].late == [False, False]


def test_nothing_is_learned_from_a_camera_that_is_very_late() -> None:
    late, _ = run(4_500, until_ms=9_000)
    assert late.late == [False, True]
    assert late.common_ns(8_980 * MS) == 8_980 * MS


def test_no_samples_at_all() -> None:
    late = LateCameras(2)
    late.update(0, [SampleBuffer(), SampleBuffer()])
    assert late.late == [False, False]
    assert late.common_ns(5) == 5


def test_the_past_is_learned_again_in_order_and_once() -> None:
    cameras, learned = CameraInputs(["cam"], (), follow=True), []
    for t_ms in range(0, 12_000, PERIOD_MS):
        assert cameras.take(replace(message(t_ms * MS, [person(100)]), camera="cam")) == 0
        cameras.samples(t_ms * MS)
        if t_ms == 8_000:
            cameras.learn_again(t_ms * MS)
        found = cameras.complete_samples(t_ms * MS)
        assert len(found) <= (TIMES_PER_STEP if t_ms >= 8_000 else 0)
        learned += found
    times_ns = np.array([one.t_ns for one in learned])
    assert (np.diff(times_ns) == KEYFRAME_INTERVAL_NS).all()
    assert times_ns[0] == 8_000 * MS - KEEP_NS
    assert 8_000 * MS < times_ns[-1] < 12_000 * MS
    assert all(one.samples[0] is not None for one in learned)
    assert not cameras.complete_samples(12_000 * MS)  # it has caught up
