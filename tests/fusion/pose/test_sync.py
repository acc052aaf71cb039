import numpy as np
import pytest
from msgspec import structs
from numpy.typing import ArrayLike

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.sync import MAX_SAMPLES, Sample, SampleBuffer, interpolate, match_people, pose_distance
from pose_rig.fusion.synchronisation.camera_clock import CameraClock
from pose_rig.skeleton import J
from pose_rig.wire.messages import Keypoints2D
from tests.fusion.fakes import standing

MS = 1_000_000
PERIOD = 40 * MS


def person(x: float, y: float = 300.0) -> Floats:
    """(J,2) px: a standing person of about 300 px, pelvis at x, y."""
    return standing()[:, :2] * [200, -200] + [x, y]


def message(t_ns: int, people: ArrayLike, score: float = 0.8, index: int = 0) -> Keypoints2D:
    xy = np.asarray(people, np.float32).reshape(-1, J, 2)
    return Keypoints2D(
        camera="a", index=index, t_ns=t_ns, size_px=(640, 480), landmarks="rig17", xy=xy,
        score=np.full(xy.shape[:2], score, np.float32),
    )  # fmt: skip


def track(*samples: tuple[int, ArrayLike]) -> SampleBuffer:
    made = SampleBuffer()
    for t_ns, people in samples:
        assert made.add(message(t_ns, people))
    return made


def moving(count: int = 10, period_ns: int = PERIOD) -> SampleBuffer:
    """A person at x = 100 + 2 px per period."""
    return track(*((i * period_ns, [person(100.0 + 2 * i)]) for i in range(count)))


def x_at(made: SampleBuffer, t_ns: int) -> float | None:
    sample = made.at(t_ns)
    return None if sample is None else float(sample.xy_px[0, 0, 0])


@pytest.mark.parametrize("periods", [0.0, 0.25, 3.5, 8.75, 9.0])
def test_between_two_samples_it_interpolates(periods: float) -> None:
    assert x_at(moving(), round(periods * PERIOD)) == pytest.approx(100 + 2 * periods, abs=1e-3)


@pytest.mark.parametrize(("past", "moved"), [(0.5, 0.5), (1.0, 1.0), (1.5, 1.0), (3.0, 1.0)])
def test_past_the_newest_it_extrapolates_one_period_and_then_holds(past: float, moved: float) -> None:
    assert x_at(moving(), round((9 + past) * PERIOD)) == pytest.approx(100 + 2 * (9 + moved), abs=1e-3)


@pytest.mark.parametrize("gap_ns", [1, 1000, 10 * MS])
def test_two_samples_at_almost_the_same_time_show_no_speed(gap_ns: int) -> None:
    """As of a phone whose images arrive at once after its network stood still."""
    made = moving()
    assert made.add(message(9 * PERIOD + gap_ns, [person(123.0)]))
    assert x_at(made, 10 * PERIOD) == pytest.approx(123 + 7 / (PERIOD + gap_ns) * (PERIOD - gap_ns), abs=0.01)


def test_after_the_hold_time_there_is_no_sample() -> None:
    assert moving().at(9 * PERIOD + 3 * PERIOD + MS) is None
    assert moving().at(9 * PERIOD + 1000 * PERIOD) is None


def test_before_the_first_sample_half_a_period_is_held() -> None:
    made = track((PERIOD, [person(100)]), (2 * PERIOD, [person(102)]))
    assert x_at(made, round(0.6 * PERIOD)) == pytest.approx(100)
    assert made.at(0) is None


def test_without_samples_there_is_none() -> None:
    made = SampleBuffer()
    assert made.at(5) is None
    assert made.newest_ns is None
    assert made.times_ns == []
    assert made.period_ns == pytest.approx(1e9 / 30, rel=1e-6)


def test_a_single_sample_is_held() -> None:
    made = track((PERIOD, [person(100)]))
    assert x_at(made, PERIOD) == 100
    assert x_at(made, PERIOD + 50 * MS) == 100
    assert made.at(PERIOD + 150 * MS) is None


def test_a_camera_at_half_rate_is_interpolated_at_every_time_step() -> None:
    slow = moving(10, 2 * PERIOD)
    for tick in range(19):
        assert x_at(slow, tick * PERIOD) == pytest.approx(100 + tick, abs=1e-3)


def test_a_long_gap_is_not_interpolated_through() -> None:
    times = [*range(10), *range(30, 40)]
    made = track(*((i * PERIOD, [person(100.0 + 2 * i)]) for i in times))
    assert x_at(made, 11 * PERIOD) == pytest.approx(118)
    assert made.at(20 * PERIOD) is None
    assert x_at(made, 28 * PERIOD) == pytest.approx(160)
    assert x_at(made, round(30.5 * PERIOD)) == pytest.approx(161, abs=1e-3)


def test_one_lost_frame_is_bridged() -> None:
    made = track(*((i * PERIOD, [person(100.0 + 2 * i)]) for i in (0, 1, 2, 3, 5, 6)))
    assert x_at(made, 4 * PERIOD) == pytest.approx(108, abs=1e-3)


def test_people_are_matched_when_their_order_flips() -> None:
    made = track((0, [person(100), person(400)]), (PERIOD, [person(410), person(104)]))
    early, late = made.at(PERIOD // 4), made.at(3 * PERIOD // 4)
    assert early is not None
    assert late is not None
    assert early.xy_px[:, 0, 0] == pytest.approx([101, 402.5], abs=1e-3)
    assert late.xy_px[:, 0, 0] == pytest.approx([407.5, 103], abs=1e-3)


def test_unmatched_people_do_not_move() -> None:
    made = track((0, [person(100)]), (PERIOD, [person(104), person(400)]))
    early, late = made.at(PERIOD // 4), made.at(3 * PERIOD // 4)
    assert early is not None
    assert late is not None
    assert early.xy_px[:, 0, 0] == pytest.approx([101], abs=1e-3)
    assert late.xy_px[:, 0, 0] == pytest.approx([103, 400], abs=1e-3)


def test_a_sample_without_people_is_a_sample() -> None:
    made = track((0, []), (PERIOD, [person(100)]))
    sample = made.at(PERIOD // 4)
    assert sample is not None
    assert sample.xy_px.shape == (0, J, 2)


def test_an_invisible_joint_is_not_interpolated() -> None:
    a, b = (Sample(t, np.array([person(x)]), np.full((1, J), 0.8)) for t, x in ((0, 100.0), (PERIOD, 200.0)))
    b.score[0, 5], b.xy_px[0, 5] = 0, 0
    mid = interpolate(a, b, PERIOD // 4)
    assert mid.xy_px[0, 5] == pytest.approx(a.xy_px[0, 5])
    assert mid.score[0, 5] == 0.8
    late = interpolate(a, b, 3 * PERIOD // 4)
    assert late.score[0, 5] == 0


def test_depths_are_interpolated_where_both_samples_have_them() -> None:
    xy, score = np.array([person(100), person(400)]), np.full((2, J), 0.8)
    depth = np.arange(2.0 * J).reshape(2, J)
    a = Sample(0, xy, score, depth)
    b = Sample(PERIOD, xy[::-1].copy(), score, depth[::-1] + 4.0)  # the same people, in another order
    np.testing.assert_allclose(interpolate(a, b, PERIOD // 4).depth_px, depth + 1.0)
    without = Sample(PERIOD, xy, score)
    np.testing.assert_array_equal(interpolate(a, without, PERIOD // 4).depth_px, depth)
    assert interpolate(a, without, 3 * PERIOD // 4).depth_px.size == 0


def test_appearances_are_those_of_the_nearer_sample() -> None:
    xy, score = np.array([person(100), person(400)]), np.full((2, J), 0.8)
    looks = np.array([[1.0, 0.0], [0.0, 1.0]])
    a = Sample(0, xy, score, appearance=looks)
    b = Sample(PERIOD, xy[::-1].copy(), score, appearance=2 * looks)
    np.testing.assert_array_equal(interpolate(a, b, PERIOD // 4).appearance, looks)
    np.testing.assert_array_equal(interpolate(a, b, 3 * PERIOD // 4).appearance, 2 * looks)
    assert interpolate(a, Sample(PERIOD, xy, score), 3 * PERIOD // 4).appearance.shape == (0,)
    sent = structs.replace(message(7, [person(100)]), appearance=np.full((1, 6), 0.5, np.float32))
    np.testing.assert_array_equal(Sample.from_message(sent).appearance, np.full((1, 6), 0.5))
    assert Sample.from_message(message(7, [person(100)])).appearance.shape == (0,)


def test_a_sample_has_the_depths_of_its_message() -> None:
    sent = structs.replace(message(7, [person(100)]), depth=np.full((1, J), 3.0, np.float32))
    made = SampleBuffer()
    assert made.add(sent)
    sample = made.at(7)
    assert sample is not None
    assert sample.depth_px.tolist() == [[3.0] * J]


def test_extrapolated_scores_stay_in_range() -> None:
    a, b = (Sample(t, np.array([person(100)]), np.full((1, J), s)) for t, s in ((0, 0.2), (PERIOD, 0.9)))
    assert interpolate(a, b, 2 * PERIOD).score.max() == 1.0


@pytest.mark.parametrize("t_ns", [3 * PERIOD, 9 * PERIOD])
def test_samples_that_are_not_newer_are_dropped(t_ns: int) -> None:
    made = moving()
    assert not made.add(message(t_ns, [person(999)], index=77))
    assert x_at(made, 9 * PERIOD) == 118


def test_the_buffer_is_bounded() -> None:
    assert len(moving(200).times_ns) == MAX_SAMPLES


def test_the_period_is_the_median_of_the_newest() -> None:
    times = [0, 10, 20, 30, 40, 50, 300, 310, 320]
    made = track(*((t * MS, [person(100)]) for t in times))
    assert made.period_ns == 10 * MS


def test_pose_distance_is_relative_and_needs_three_joints() -> None:
    ones = np.ones(J)
    assert pose_distance(person(100), ones, person(100), ones) == 0
    assert pose_distance(person(100), ones, person(130), ones) == pytest.approx(30 / (1.52 * 200), rel=0.01)
    few = np.zeros(J)
    few[:2] = 1
    assert pose_distance(person(100), ones, person(100), few) == np.inf


def test_matches_are_nearest_first_and_unique() -> None:
    def sample(*x: float) -> Sample:
        return Sample(0, np.array([person(value) for value in x]).reshape(-1, J, 2), np.ones((len(x), J)))

    assert match_people(sample(100, 120), sample(118, 101)) == [1, 0]
    assert match_people(sample(100, 104), sample(103)) == [None, 0]
    assert match_people(sample(100), sample(700)) == [None]
    assert match_people(sample(100), sample()) == [None]
    assert match_people(sample(), sample(100)) == []


def test_samples_move_to_the_times_of_another_clock() -> None:
    made = SampleBuffer()
    for index in range(10):
        assert made.add(message(index * PERIOD, [person(100.0 + index)]), CameraClock(5 * PERIOD))
    assert made.times_ns == [(5 + index) * PERIOD for index in range(10)]
    made.set_clock(CameraClock(2 * PERIOD))
    assert made.times_ns == [(2 + index) * PERIOD for index in range(10)]
    assert [round(sample.xy_px[0, 0, 0]) for sample in made.since(9 * PERIOD)] == [108, 109]
    made.set_clock(CameraClock(), from_ns=9 * PERIOD)
    assert made.times_ns == [7 * PERIOD, 8 * PERIOD, 9 * PERIOD]
    assert not made.add(message(9 * PERIOD, [person(100)]))
    assert made.add(message(10 * PERIOD, [person(100)]))


def test_a_buffer_that_is_to_reach_far_back_does() -> None:
    usual, long = SampleBuffer(), SampleBuffer(200 * PERIOD)
    for index in range(500):
        for made in (usual, long):
            assert made.add(message(index * PERIOD, [person(100.0)]))
    assert len(usual.times_ns) == MAX_SAMPLES
    assert long.times_ns[0] == 298 * PERIOD
    assert x_at(long, 350 * PERIOD) == 100.0
