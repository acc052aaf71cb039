import time

import pytest

from pose_rig.capture.live_source import LiveSource
from pose_rig.capture.source import SourceInfo
from pose_rig.errors import SourceError
from tests.capture.fakes import SIZE, FakeDevice


def live(device: FakeDevice, timeout_s: float = 0.2) -> LiveSource:
    info = SourceInfo("Fake Cam", "", SIZE, 100.0)
    return LiveSource(device, info, frozen_timeout_s=timeout_s, first_frame_timeout_s=timeout_s)


def test_only_the_newest_frame_is_kept_and_the_index_has_a_gap() -> None:
    source = live(FakeDevice())
    first = source.read()
    time.sleep(0.2)
    second = source.read()
    source.close()
    assert first is not None
    assert second is not None
    assert second.index - first.index > 5
    assert time.monotonic_ns() - second.t_ns < 1e9


def test_time_is_taken_at_the_grab_not_after_decoding() -> None:
    device = FakeDevice()
    source = live(device)
    frame = source.read()
    source.close()
    assert frame is not None
    assert 0 <= frame.t_ns - device.grab_ns[frame.index] < 4e6  # decoding takes 5 ms


def test_a_frame_is_read_once() -> None:
    source = live(FakeDevice(frozen_after=1))
    source.read()
    assert not source.poll(0.02)
    source.close()


def test_a_frozen_camera_is_reported() -> None:
    device = FakeDevice(frozen_after=1)
    source = live(device)
    source.read()
    with pytest.raises(SourceError, match=r"Fake Cam is frozen: no frame for 0\.2 s"):
        source.read()
    source.close()
    device.thaw.set()


def test_a_camera_without_any_frame_is_frozen() -> None:
    device = FakeDevice(frozen_after=0)
    source = live(device)
    with pytest.raises(SourceError, match="frozen"):
        source.read()
    source.close()
    device.thaw.set()


def test_a_lost_camera_is_reported_after_its_last_frame() -> None:
    device = FakeDevice(lost_after=1)
    source = live(device)
    assert device.released.wait(1)
    assert source.read() is not None
    with pytest.raises(SourceError, match="Fake Cam was lost"):
        source.read()


def test_closing_releases_the_device_although_the_driver_hangs() -> None:
    device = FakeDevice(frozen_after=0)
    source = live(device)
    began = time.monotonic()
    source.close()
    assert time.monotonic() - began < 4
    assert not device.released.is_set()
    device.thaw.set()
    assert device.released.wait(1)
