import time

import pytest

from pose_rig.capture.recording import Instant, PacedSource
from pose_rig.capture.source import Image, People
from pose_rig.config import Pace


class FakeRecording:
    """Frames every 10 ms; notes where it was told to go."""

    identity, detail, size_px, landmarks = "fake", "", (4, 4), ""

    def __init__(self, frames: int = 100_000) -> None:
        self.fps = 100.0
        self.total_frames: int | None = frames
        self.at = -1
        self.seeks: list[int] = []
        self.decoded = 0

    def advance(self) -> Instant | None:
        self.at += 1
        return Instant(self.at, self.at * 10_000_000) if self.at < (self.total_frames or 0) else None

    def seek(self, own_ns: int) -> None:
        self.seeks.append(own_ns)
        self.at = own_ns // 10_000_000 - 1

    def content(self) -> tuple[Image | None, People | None]:
        self.decoded += 1
        return None, None

    def close(self) -> None:
        self.total_frames = 0


def paced(recording: FakeRecording, pace: Pace, start_ns: int, offset_ms: float = 0.0) -> PacedSource:
    return PacedSource(recording, pace, lambda: start_ns, offset_ms)


def test_nothing_is_due_before_the_start() -> None:
    source = paced(FakeRecording(), "realtime", 0)
    began = time.monotonic()
    assert not source.poll(0.05)
    assert 0.05 <= time.monotonic() - began < 0.3


def test_frames_come_when_they_are_due() -> None:
    start_ns = time.monotonic_ns() + 50_000_000
    source = paced(FakeRecording(), "realtime", start_ns)
    for index in range(5):
        frame = source.read()
        assert frame is not None
        assert frame.index == index
        assert frame.t_ns == start_ns + index * 10_000_000
        assert time.monotonic_ns() >= frame.t_ns


def test_frames_overdue_after_a_slow_one_are_skipped_undecoded() -> None:
    recording = FakeRecording()
    source = paced(recording, "realtime", time.monotonic_ns())
    first = source.read()
    time.sleep(0.1)
    second = source.read()
    assert first is not None
    assert second is not None
    assert 5 < second.index - first.index < 40
    assert (time.monotonic_ns() - second.t_ns) / 1e6 < 60  # the newest that is due, not the next
    assert recording.decoded == 2


def test_a_source_that_joins_late_goes_to_the_present_at_once() -> None:
    recording = FakeRecording()
    source = paced(recording, "realtime", time.monotonic_ns() - 100_000_000_000)
    frame = source.read()
    assert frame is not None
    assert abs(frame.index - 10_000) < 50
    assert len(recording.seeks) == 1


def test_a_source_that_joins_after_the_end_ends() -> None:
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


def test_an_offset_that_leads_before_0_leaves_frames_out() -> None:
    source = paced(FakeRecording(), "all", 0, -25.0)
    frame = source.read()
    assert frame is not None
    assert (frame.index, frame.t_ns) == (3, 5_000_000)


@pytest.mark.parametrize("offset_ms", [0.0, -1e6])
def test_an_empty_recording_ends_at_once(offset_ms: float) -> None:
    assert paced(FakeRecording(0), "all", 0, offset_ms).read() is None
