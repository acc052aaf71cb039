import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.clocks import COLLECTING_S, RANKING_FRAMES, FileClock, LiveClock
from pose_rig.fusion.pose.sync import SampleBuffer
from pose_rig.fusion.synchronisation.camera_clock import CameraClock
from pose_rig.wire.messages import Health, Message
from tests.fusion.pose.test_sync import message, person

MS = 1_000_000


def feed(buffer: SampleBuffer, *times_ms: float) -> None:
    for t_ms in times_ms:
        assert buffer.add(message(round(t_ms * MS), [person(100)]))


def samples_over_time(files: list[list[float]], chunk: int) -> list[tuple[float, ...]]:
    """The time steps (ms) and the sample of each file, for messages that arrive in chunks of any size.

    The person has moved on by a pixel in every frame; −1 = the file has no sample near the time step.
    """
    clock, buffers = FileClock(), [SampleBuffer() for _ in files]
    at = [0] * len(files)
    fused: list[tuple[float, ...]] = []
    for _ in range(10_000):
        for v, (buffer, times) in enumerate(zip(buffers, files, strict=True)):
            if clock.ahead(buffer) < 32 and at[v] < len(times):
                for index in range(at[v], min(at[v] + chunk, len(times))):
                    assert buffer.add(message(round(times[index] * MS), [person(100 + index)]))
                at[v] += chunk
            buffer.ended = at[v] >= len(times)
        t_ns = clock.tick(buffers)
        if t_ns is not None:
            samples = [buffer.at(t_ns) for buffer in buffers]
            fused.append((t_ns / MS, *(-1.0 if s is None else float(s.xy_px[0, 0, 0]) for s in samples)))
        elif all(buffer.ended for buffer in buffers):
            return fused
    raise AssertionError("the clock never came to an end")


def walk_through(files: list[list[float]], chunk: int) -> list[float]:
    """The time steps (ms)."""
    return [fused[0] for fused in samples_over_time(files, chunk)]


def frames(count: int, fps: float, offset_ms: float = 0.0) -> list[float]:
    return [offset_ms + 1e3 * i / fps for i in range(count)]


@pytest.mark.parametrize("chunk", [1, 3, 8])
def test_files_of_one_rate_are_fused_frame_by_frame(chunk: int) -> None:
    files = [frames(100, 25), frames(100, 25)]
    assert walk_through(files, chunk) == pytest.approx(files[0])


@pytest.mark.parametrize("chunk", [1, 8])
def test_the_fastest_file_leads(chunk: int) -> None:
    files = [frames(60, 25), frames(144, 60, 3.0), frames(72, 30)]
    assert walk_through(files, chunk) == pytest.approx(files[1])


def test_when_the_fastest_ends_another_goes_on() -> None:
    files = [frames(100, 25), frames(60, 60)]
    fused = walk_through(files, 4)
    assert fused[:60] == pytest.approx(files[1])
    assert fused[60:] == pytest.approx([t for t in files[0] if t > files[1][-1]])


@pytest.mark.parametrize("chunk", [1, 5, 32])
def test_the_arrival_of_messages_does_not_change_what_is_fused(chunk: int) -> None:
    files = [frames(90, 30), frames(50, 25, 700.0), frames(20, 60)]
    fused = walk_through(files, chunk)
    assert fused == walk_through(files, 2)
    assert (np.diff(fused) > 0).all()
    assert fused[0] == 0
    assert fused[-1] == pytest.approx(max(t[-1] for t in files))


@pytest.mark.parametrize("chunk", [8, 32])
def test_samples_of_an_uneven_file_do_not_depend_on_the_arrival_of_its_messages(chunk: int) -> None:
    rng = np.random.default_rng(3)
    uneven = np.cumsum(rng.choice([50.0, 310.0], 60)).tolist()
    files = [frames(400, 30), uneven]
    assert samples_over_time(files, chunk) == samples_over_time(files, 1)


def test_a_file_of_one_frame_and_an_empty_one() -> None:
    assert walk_through([[40.0]], 1) == [40.0]
    assert walk_through([[], [0.0, 40.0]], 1) == [0.0, 40.0]
    assert walk_through([[], []], 1) == []


def test_files_that_begin_at_very_different_times_do_not_wait_for_each_other() -> None:
    early, late = frames(400, 30.0), frames(100, 30.0, offset_ms=10_000.0)

    class Part:
        """A file of messages of one camera."""

        def __init__(self, name: str, times_ms: list[float]) -> None:
            person_at = [message(round(t_ms * MS), [person(100)]) for t_ms in times_ms]
            of_camera = [msgspec.structs.replace(one, camera=name) for one in person_at]
            self.messages: list[Message] = [*of_camera, Health(worker=name, t_ns=0, state="ended")]

        def receive(self, timeout_ms: int, max_messages: int = 1) -> list[Message]:
            taken, self.messages = self.messages[:max_messages], self.messages[max_messages:]
            return taken

    for order in (("early", "late"), ("late", "early")):
        parts = [Part(name, early if name == "early" else late) for name in order]
        cameras, clock = CameraInputs(order, parts), FileClock()
        steps = []
        for _ in range(2000):
            clock.read(cameras)
            t_ns = clock.tick(cameras.buffers)
            steps += [] if t_ns is None else [t_ns]
            if clock.over:
                break
        assert clock.over
        assert len(steps) >= 100


def test_no_time_step_is_due_before_every_file_has_reached_it() -> None:
    clock, buffers = FileClock(), [SampleBuffer(), SampleBuffer()]
    feed(buffers[0], *frames(40, 25))
    assert clock.tick(buffers) is None
    feed(buffers[1], *frames(20, 25))
    fused = 0
    while clock.tick(buffers) is not None:
        fused += 1
    assert fused == 20
    assert (clock.ahead(buffers[0]), clock.ahead(buffers[1])) == (20, 0)
    buffers[1].ended = True
    assert clock.tick(buffers) == 20 * 40 * MS


def test_frames_of_slow_detectors_collect_between_the_first_time_step_and_the_end_of_a_file() -> None:
    slept: list[float] = []

    class Slow:
        """Delivers a frame at the start and after every sleep, and then its end."""

        refused = 0

        def __init__(self, name: str) -> None:
            self.name, self.sent = name, 0

        def receive(self, timeout_ms: int, max_messages: int = 1) -> list[Message]:
            if self.sent > len(slept) + RANKING_FRAMES:
                return []
            self.sent += 1
            if self.sent > 40:
                return [Health(worker=self.name, t_ns=0, state="ended")]
            return [replace(message(self.sent * 40 * MS, [person(100)]), camera=self.name)]

    names = ["a", "b"]
    cameras, clock = (
        CameraInputs(names, [Slow(name) for name in names]),
        FileClock(collecting_s=COLLECTING_S, sleep=slept.append),
    )
    steps = 0
    for _ in range(2000):
        clock.read(cameras)
        steps += clock.tick(cameras.buffers) is not None
        if clock.over:
            break
    assert (clock.over, steps) == (True, 40)
    assert set(slept) == {COLLECTING_S}
    assert len(slept) == 40 - RANKING_FRAMES  # one for every frame after the first ones, none at the end


def test_live_ticks_are_even() -> None:
    clock, buffer = LiveClock(50, 1, 150), SampleBuffer()
    feed(buffer, 0, 33, 66)
    clock.arrived(0, 30 * MS, 0)
    now = 1_000 * MS
    times: list[int] = []
    while len(times) < 50:
        wait_ms = clock.wait_ms(now)
        assert 0 <= wait_ms <= 20
        now += max(wait_ms, 1) * MS
        t_ns = clock.tick([buffer], now)
        if t_ns is not None:
            times.append(t_ns)
    assert np.diff(times) == pytest.approx(20 * MS)
    assert now - times[-1] == 30 * MS
    assert clock.skipped == 0


def test_live_ticks_that_were_missed_are_skipped_and_counted() -> None:
    clock, buffer = LiveClock(50, 1, 150), SampleBuffer()
    clock.arrived(0, 0, 0)
    clock.wait_ms(0)
    assert clock.tick([buffer], 20 * MS) is not None
    assert clock.tick([buffer], 540 * MS) is not None
    assert clock.skipped == 25
    assert clock.tick([buffer], 541 * MS) is None
    assert clock.tick([buffer], 560 * MS) is not None


def test_live_catches_up_with_a_short_delay() -> None:
    clock, buffer = LiveClock(50, 1, 150), SampleBuffer()
    clock.arrived(0, 0, 0)
    clock.wait_ms(0)
    assert [clock.tick([buffer], 90 * MS + i) is not None for i in range(6)] == [True, True, True, True, False, False]
    assert clock.skipped == 0


def test_live_waits_for_the_first_message() -> None:
    clock = LiveClock(60, 2, 150)
    clock.wait_ms(0)
    assert clock.tick([SampleBuffer(), SampleBuffer()], 100 * MS) is None


def test_the_time_step_trails_by_the_latency_of_the_cameras_within_the_budget() -> None:
    clock, buffers = LiveClock(50, 3, 150), [SampleBuffer(), SampleBuffer(), SampleBuffer()]
    for buffer in buffers:
        feed(buffer, 0, 40, 80)
    for _ in range(8):
        for camera, age_ms in enumerate((20, 25, 30)):
            clock.arrived(camera, age_ms * MS, 0)
    clock.wait_ms(0)
    assert clock.tick(buffers, 1_000 * MS) == 970 * MS
    for _ in range(40):
        clock.arrived(2, 140 * MS, 0)
    assert clock.tick(buffers, 2_000 * MS) == (2_000 - 140) * MS
    for _ in range(40):
        clock.arrived(2, 500 * MS, 0)
    assert clock.tick(buffers, 3_000 * MS) == (3_000 - 25) * MS


def test_cameras_that_are_all_slower_than_the_budget_are_waited_for() -> None:
    clock, buffers = LiveClock(50, 3, 150), [SampleBuffer(), SampleBuffer(), SampleBuffer()]
    for buffer, age_ms in zip(buffers, (300, 330, 900), strict=True):
        feed(buffer, 0, 40, 80)
        clock.arrived(buffers.index(buffer), age_ms * MS, 0)
    clock.wait_ms(0)
    assert clock.tick(buffers, 2_000 * MS) == (2_000 - 330) * MS


def test_latency_is_counted_from_the_exposure_where_clocks_are_known() -> None:
    for offsets_ms, expected_ms in (((0, -100), 130), ((0, -200), 30), ((60, 0), 30), ((100, 0), 30)):
        clock, buffers = LiveClock(50, 2, 150), [SampleBuffer(), SampleBuffer()]
        for camera, offset_ms in enumerate(offsets_ms):
            feed(buffers[camera], 0, 40, 80)
            buffers[camera].set_clock(CameraClock(offset_ms * MS))
            clock.arrived(camera, 30 * MS, 0)
        clock.wait_ms(0)
        assert clock.tick(buffers, 2_000 * MS) == (2_000 - expected_ms) * MS


def test_time_steps_increase() -> None:
    clock, buffer = LiveClock(50, 1, 150), SampleBuffer()
    clock.arrived(0, 0, 0)
    clock.wait_ms(0)
    first = clock.tick([buffer], 20 * MS)
    for _ in range(40):
        clock.arrived(0, 500 * MS, 0)
    second = clock.tick([buffer], 40 * MS)
    assert first is not None
    assert second is not None
    assert second > first


def test_a_negative_age_counts_as_zero() -> None:
    clock = LiveClock(50, 1, 150)
    clock.arrived(0, -(10**12), 0)
    clock.wait_ms(0)
    assert clock.tick([SampleBuffer()], 20 * MS) == 20 * MS


@pytest.mark.parametrize("cameras", [1, 4])
def test_live_cameras_with_growing_latency_are_still_fused(cameras: int) -> None:
    """Five frames a second, each 80 ms later than the one before."""
    clock, buffers = LiveClock(50, cameras, 150), [SampleBuffer() for _ in range(cameras)]
    clock.wait_ms(0)
    seen = ticks = 0
    for now_ms in range(0, 10_000, 20):
        if now_ms % 200 == 0:
            for camera, buffer in enumerate(buffers):
                t_ms = 0.6 * now_ms
                feed(buffer, t_ms)
                clock.arrived(camera, round((now_ms - t_ms) * MS), now_ms * MS)
        t_ns = clock.tick(buffers, now_ms * MS)
        if t_ns is not None and now_ms > 1_000:
            ticks += 1
            seen += all(buffer.at(t_ns) is not None for buffer in buffers)
    assert ticks > 400
    assert seen == ticks
