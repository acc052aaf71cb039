import time

import pytest

from pose_rig.arrays import Image
from pose_rig.capture.recording import SEEK_BEHIND_S, PacedSource, RecordedFrame
from pose_rig.capture.source import Detections, SourceInfo
from pose_rig.config import Pace


class FakeRecording:
    """Frames every 10 ms; records the seeks."""

    fault = ""

    def __init__(self, frames: int = 100_000, fps: float = 100.0) -> None:
        self.info = SourceInfo("fake", "", (4, 4), fps, frames)
        self.at = -1
        self.seeks: list[int] = []
        self.decoded = 0

    def grab(self) -> RecordedFrame | None:
        self.at += 1
        return RecordedFrame(self.at, self.at * 10_000_000) if self.at < (self.info.total_frames or 0) else None

    def seek(self, pts_ns: int) -> None:
        self.seeks.append(pts_ns)
        self.at = pts_ns // 10_000_000 - 1

    def retrieve(self) -> tuple[Image | None, Detections | None]:
        self.decoded += 1
        return None, None

    def close(self) -> None:
        self.closed = True


def paced(recording: FakeRecording, pace: Pace, start_ns: int, offset_ms: float = 0.0) -> PacedSource:
    return PacedSource(recording, pace, lambda: start_ns, offset_ms)


def test_nothing_is_due_before_the_start() -> None:
    source = paced(FakeRecording(), "realtime", 0)
    began = time.monotonic()
    assert not source.poll(0.05)
    assert 0.05 <= time.monotonic() - began < 3


def test_frames_are_returned_when_they_are_due() -> None:
    start_ns = time.monotonic_ns() + 50_000_000
    source = paced(FakeRecording(), "realtime", start_ns)
    for index in range(5):
        frame = source.read()
        assert frame is not None
        assert frame.index == index
        assert frame.t_ns == start_ns + index * 10_000_000
        assert time.monotonic_ns() >= frame.t_ns


def test_late_frames_after_a_slow_one_are_skipped_undecoded() -> None:
    recording = FakeRecording()
    source = paced(recording, "realtime", time.monotonic_ns())
    first = source.read()
    time.sleep(0.1)
    second = source.read()
    assert first is not None
    assert second is not None
    assert second.index - first.index > 5
    assert (time.monotonic_ns() - second.t_ns) / 1e6 < 1000  # the newest that is due, not the next
    assert recording.decoded == 2


def test_a_source_that_starts_late_seeks_to_the_current_time() -> None:
    recording = FakeRecording()
    source = paced(recording, "realtime", time.monotonic_ns() - 100_000_000_000)
    frame = source.read()
    assert frame is not None
    assert abs(frame.index - 10_000) < 50
    assert len(recording.seeks) == 1


def test_a_source_that_starts_after_its_end_ends() -> None:
    source = paced(FakeRecording(20), "realtime", time.monotonic_ns() - 5_000_000_000)
    assert source.read() is None


def test_the_offset_moves_the_time() -> None:
    start_ns = time.monotonic_ns()
    frame = paced(FakeRecording(), "realtime", start_ns, 30.0).read()
    assert frame is not None
    assert frame.t_ns == start_ns + 30_000_000
    frame = paced(FakeRecording(), "all", 0, 30.0).read()
    assert frame is not None
    assert frame.t_ns == 30_000_000


def test_frames_before_time_0_are_dropped() -> None:
    source = paced(FakeRecording(), "all", 0, -25.0)
    frame = source.read()
    assert frame is not None
    assert (frame.index, frame.t_ns) == (3, 5_000_000)


@pytest.mark.parametrize("offset_ms", [0.0, -1e6])
def test_an_empty_recording_ends_at_once(offset_ms: float) -> None:
    assert paced(FakeRecording(0), "all", 0, offset_ms).read() is None


class FakeClock:
    """A clock that only moves when something takes time."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000_000

    def monotonic_ns(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float, /) -> None:
        self.now_ns += round(seconds * 1e9) + 1000  # the kernel never wakes early


class SlowRecording(FakeRecording):
    """30 frames per second, each of which takes ``grab_ms`` to grab; decoding can start every ``keyframe`` frames."""

    def __init__(self, clock: FakeClock, grab_ms: float, keyframe: int = 50) -> None:
        super().__init__(fps=30.0)
        self._clock, self._grab_s, self._keyframe = clock, grab_ms / 1e3, keyframe

    def grab(self) -> RecordedFrame | None:
        self._clock.sleep(self._grab_s)
        self.at += 1
        return RecordedFrame(self.at, round(self.at * 1e9 / 30))

    def seek(self, pts_ns: int) -> None:
        index = int(pts_ns * 30e-9)
        self._clock.sleep(index % self._keyframe * self._grab_s)
        self.seeks.append(pts_ns)
        self.at = index - 1


def play(grab_ms: float, detect_ms: float, seconds: float = 8.0) -> tuple[list[int], list[float]]:
    """Plays in real time; returns the frames' numbers, and how late each was, s."""
    clock = FakeClock()
    start_ns = clock.monotonic_ns()
    source = PacedSource(SlowRecording(clock, grab_ms), "realtime", lambda: start_ns, 0.0, clock)
    indices, late_s = [], []
    while clock.now_ns - start_ns < seconds * 1e9:
        if source.poll(0.1):
            frame = source.read()
            assert frame is not None
            assert frame.t_ns == start_ns + round(frame.index * 1e9 / 30)  # late or not: when it was due
            indices.append(frame.index)
            late_s.append((clock.now_ns - frame.t_ns) / 1e9)
            clock.sleep(detect_ms / 1e3)
    return indices, late_s


@pytest.mark.parametrize(("grab_ms", "least"), [(1, 230), (10, 180), (30, 40), (34, 100), (100, 50)])
def test_a_slow_file_still_delivers_frames(grab_ms: float, least: int) -> None:
    indices, _ = play(grab_ms, 30)
    assert len(indices) >= least
    assert indices == sorted(set(indices))


@pytest.mark.parametrize(("grab_ms", "detect_ms"), [(1, 30), (10, 30), (20, 30), (10, 100), (20, 100)])
def test_frames_are_recent_if_reading_is_faster_than_playing(grab_ms: float, detect_ms: float) -> None:
    _, late_s = play(grab_ms, detect_ms)
    assert max(late_s) < 0.15


def test_the_delay_is_bounded_if_reading_is_barely_faster_than_playing() -> None:
    indices, late_s = play(30, 30, 60.0)
    assert max(late_s) < 1.0
    assert len(indices) > 200


@pytest.mark.parametrize("grab_ms", [34, 100])
def test_a_file_slower_than_real_time_has_a_bounded_delay(grab_ms: float) -> None:
    indices, late_s = play(grab_ms, 30, 150.0)
    assert max(late_s[len(late_s) // 2 :]) < SEEK_BEHIND_S + 0.2 + 3 * 50 * grab_ms / 1e3
    assert len(indices) > 300


def test_skipping_takes_no_longer_than_the_last_frame() -> None:
    clock = FakeClock()
    start_ns = clock.monotonic_ns()
    recording = SlowRecording(clock, 20)
    source = PacedSource(recording, "realtime", lambda: start_ns, 0.0, clock)
    assert source.read() is not None
    clock.sleep(0.5)
    began_ns, at = clock.now_ns, recording.at
    assert source.read() is not None
    assert 0.5 < (clock.now_ns - began_ns) / 1e9 < 0.66
    assert 24 < recording.at - at < 34


def test_the_first_frame_is_read_before_the_clock_starts() -> None:
    clock = FakeClock()
    start = [0]
    recording = SlowRecording(clock, 300)
    source = PacedSource(recording, "realtime", lambda: start[0], 0.0, clock)
    assert not source.poll(0.1)
    assert recording.at == 0
    start[0] = clock.now_ns
    assert source.poll(0.0)
    frame = source.read()
    assert frame is not None
    assert (frame.index, frame.t_ns) == (0, start[0])
