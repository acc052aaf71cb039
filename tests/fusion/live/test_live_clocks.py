"""When clocks of live cameras are compared."""

from dataclasses import replace

import msgspec
import numpy as np

from pose_rig.config import CameraConfig
from pose_rig.fusion.live_clocks import CHECK_AFTER_S, INTERVALS_NS, MAX_CHECK_S, REFINED_NS, LiveClocks
from pose_rig.fusion.pose.sync import SampleBuffer
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.fusion.rig.camera_properties import CameraProperties
from pose_rig.fusion.synchronisation.camera_clock import CameraClock
from pose_rig.fusion.synchronisation.clock_steps import OffsetStep
from pose_rig.fusion.synchronisation.live_comparison import Comparison, ComparisonTask
from pose_rig.graph import Engine
from tests.fusion.pose.test_sync import message, person
from tests.fusion.simulated import calibration, make_keyframes, stroll, task

MS, S = 1_000_000, 1_000_000_000
NONE = np.full(2, np.nan)


class Compared:
    """A background whose comparisons return what a test wants."""

    def __init__(self) -> None:
        self.tasks: list[ComparisonTask] = []
        self.result = Comparison(np.zeros(2), NONE, NONE)

    def run(self, function: object, task: ComparisonTask) -> Comparison:
        self.tasks.append(task)
        return self.result


def made(engine: Engine) -> tuple[LiveClocks, Compared, CameraProperties]:
    compared = Compared()
    cameras = CameraProperties([CameraConfig(source="sim", name=name) for name in "ab"])
    for view in range(2):
        cameras.set(view, (640, 480), "rig17")
    return LiveClocks(2, engine, BackgroundCompute(run=compared.run)), compared, cameras


def test_new_samples_of_each_camera_are_lifted_once_by_its_own_clock(engine: Engine) -> None:
    live, compared, cameras = made(engine)
    buffers = [SampleBuffer(), SampleBuffer()]
    clock = CameraClock(-200 * MS)
    for start in (0, 10):
        for index in range(start, start + 10):
            assert buffers[0].add(message(index * 40 * MS, [person(200)]))
            assert buffers[1].add(message(index * 40 * MS + 200 * MS, [person(300)] * 2), clock)
        live.collect(buffers)
        live.collect(buffers)
        live.start(start * S, np.zeros(2), np.zeros(2), cameras, None)
        assert live.take() is not None
    first, second = compared.tasks[-1].tracks
    assert first.t_ns.tolist() == [index * 40 * MS for index in range(20)]
    assert np.unique(second.t_ns).tolist() == [index * 40 * MS + 200 * MS for index in range(20)]
    assert len(second.t_ns) == 40
    other = msgspec.structs.replace(message(S, [person(200)]), size_px=(1280, 960))
    buffers[0].add(other)
    live.collect(buffers)
    live.start(30 * S, np.zeros(2), np.zeros(2), cameras, None)
    assert compared.tasks[-1].tracks[0].t_ns.tolist() == [S]  # a camera that was started again


def test_a_comparison_is_due_now_and_then_and_soon_where_a_camera_disagrees(engine: Engine) -> None:
    live, compared, cameras = made(engine)
    disagrees_s = np.array([0.0, CHECK_AFTER_S + 0.1])
    live.start(0, np.zeros(2), np.zeros(2), cameras, None)
    live.take()
    live.start(INTERVALS_NS[0] - 1, np.zeros(2), np.zeros(2), cameras, None)
    assert len(compared.tasks) == 1
    t_ns = INTERVALS_NS[0] - 1
    assert live.unchecked(t_ns, disagrees_s).tolist() == [False, True]
    live.start(t_ns, np.zeros(2), disagrees_s, cameras, None)
    assert len(compared.tasks) == 2
    assert live.unchecked(t_ns, disagrees_s).tolist() == [False, True]  # until its result is known
    live.take()
    assert not live.unchecked(t_ns, disagrees_s).any()
    assert not live.unchecked(60 * S, np.array([0.0, 5.0])).any()  # a check that never ends does not count


def test_a_camera_is_checked_until_it_is_decided_whether_its_clock_has_stepped(engine: Engine) -> None:
    live, compared, cameras = made(engine)
    live.confirmed[1] = True
    disagrees_s = np.array([1.0, 1.0])
    compared.result = replace(compared.result, undecided=np.array([True, True]))
    live.start(10 * S, np.zeros(2), disagrees_s, cameras, None)
    live.take()
    assert live.unchecked(10 * S, disagrees_s).tolist() == [False, True]  # an unconfirmed clock is not searched
    assert not live.unchecked(10 * S, np.full(2, MAX_CHECK_S)).any()
    compared.result = replace(compared.result, undecided=np.array([True, False]))
    live.start(11 * S, np.zeros(2), disagrees_s, cameras, None)
    live.take()
    assert not live.unchecked(11 * S, disagrees_s).any()
    compared.result = Comparison(np.array([0.0, -0.2]), NONE, NONE, OffsetStep(1, -0.2, S))
    live.start(12 * S, np.zeros(2), disagrees_s, cameras, None)
    live.take()
    assert live.unchecked(12 * S, np.array([0.0, MAX_CHECK_S + 0.1]))[1]  # found once
    assert not live.unchecked(12 * S, np.array([0.0, MAX_CHECK_S + 1.0]))[1]


def test_a_step_is_refined_for_some_seconds(engine: Engine) -> None:
    live, compared, cameras = made(engine)
    rig = task(make_keyframes(stroll(5.0), calibration(2)), calibration(2))
    live.confirmed[0] = True
    step = OffsetStep(1, -0.2, 10 * S)
    compared.result = Comparison(np.array([0.0, -0.2]), NONE, NONE, step)
    for start_s in (11, 12):  # found twice
        assert compared.tasks == [] or compared.tasks[-1].refines is None
        live.start(start_s * S, np.zeros(2), np.zeros(2), cameras, rig)
        live.take()
    small = OffsetStep(1, -0.03, 10 * S)
    compared.result = Comparison(np.array([0.0, -0.23]), NONE, NONE, small)
    live.start(14 * S, np.array([0.0, -0.2]), np.zeros(2), cameras, rig)
    assert compared.tasks[-1].refines == step
    found = live.take()
    assert found is not None
    assert found.offset_s[1] == -0.23  # used at once
    live.start(10 * S + REFINED_NS + 1 * S, found.offset_s, np.zeros(2), cameras, rig)
    assert compared.tasks[-1].refines is None


def test_detections_before_a_step_keep_their_rig_time(engine: Engine) -> None:
    live, compared, cameras = made(engine)
    buffers = [SampleBuffer(), SampleBuffer()]
    for buffer in buffers:
        for index in range(50):
            assert buffer.add(message(index * 40 * MS, [person(200)]))
    live.collect(buffers)
    compared.result = Comparison(np.array([0.0, -0.2]), NONE, NONE, OffsetStep(1, -0.2, S))
    for start_ns, used in ((2 * S, False), (3 * S, True)):  # when it was found twice
        live.start(start_ns, np.zeros(2), np.zeros(2), cameras, None)
        found = live.take()
        assert found is not None
        assert (found.offset_s[1] == -0.2) == used
    assert found is not None
    live.start(5 * S, found.offset_s, np.zeros(2), cameras, None)
    rig_ns = compared.tasks[-1].tracks[1].t_ns - 200 * MS
    assert (np.diff(rig_ns) > 0).all()
    assert rig_ns[0] == 0
    assert rig_ns[-1] == 49 * 40 * MS - 200 * MS
    assert compared.tasks[-1].unsure[1]


def test_only_clocks_of_cameras_that_agree_are_confirmed(engine: Engine) -> None:
    live, compared, cameras = made(engine)
    compared.result = Comparison(np.zeros(2), np.array([0.0, 0.004]), np.zeros(2), adjusted=True)
    rig = task(make_keyframes(stroll(5.0), calibration(2)), calibration(2))
    for start_s, disagrees_s, confirmed in ((10, 1.0, False), (30, 0.0, True)):
        live.start(start_s * S, np.zeros(2), np.array([0.0, disagrees_s]), cameras, rig)
        live.take()
        assert live.confirmed.tolist() == [True, confirmed]
        assert np.isfinite(live.sd_s[1]) == confirmed
        live.start((start_s + 10) * S, np.zeros(2), np.zeros(2), cameras, None)  # and not solved any more
        live.take()
        assert compared.tasks[-1].unsure.all()


def test_a_pair_of_cameras_confirms_only_clocks_that_the_movement_supports(engine: Engine) -> None:
    for coarse_s, confirmed in ((np.nan, False), (0.4, False), (0.02, True)):
        live, compared, cameras = made(engine)
        compared.result = Comparison(np.zeros(2), np.array([0.0, 0.004]), np.array([0.0, coarse_s]), adjusted=True)
        rig = task(make_keyframes(stroll(7.0), calibration(2)), calibration(2))
        live.start(10 * S, np.zeros(2), np.zeros(2), cameras, rig)
        live.take()
        assert live.confirmed[1] == confirmed


def test_clocks_are_adjusted_again_soon_until_they_are_confirmed_and_where_a_camera_joins(engine: Engine) -> None:
    live, compared, cameras = made(engine)
    both = task(make_keyframes(stroll(7.0), calibration(2)), calibration(2))
    pair = replace(both, known=np.array([True, False]))
    asked = []
    for start_s, rig in ((10, pair), (11, pair), (13, both), (14, both), (17, both), (19, both)):
        # the one after 10 s is put off: the movement contradicts a clock
        compared.result = Comparison(np.zeros(2), NONE, NONE, adjusted=start_s in (11, 14, 19))
        live.start(start_s * S, np.zeros(2), np.zeros(2), cameras, rig)
        asked.append(compared.tasks[-1].adjust)
        live.take()
    assert asked == [True, True, False, True, False, True]


def test_a_rig_from_keyframes_that_have_changed_is_not_used(engine: Engine) -> None:
    live, compared, cameras = made(engine)
    compared.result = Comparison(np.array([0.0, 0.03]), np.array([0.0, 0.004]), NONE, None, True, ())
    for changes in (3, 4):
        live.start(changes * 10 * S, np.zeros(2), np.zeros(2), cameras, None, changes=3)
        found = live.take(changes)
        assert found is not None
        assert (found.offset_s[1] == 0.03) == (changes == 3)
        assert (found.keyframes is None) == (changes == 4)
