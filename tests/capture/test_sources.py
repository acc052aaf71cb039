"""One contract over all sources."""

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pose_rig import skeleton
from pose_rig.capture.connected_cameras import ConnectedCamera, connected_cameras
from pose_rig.capture.live_source import LiveSource
from pose_rig.capture.source import Frame, Source
from pose_rig.capture.source_factory import open_source
from pose_rig.capture.video_capture import open_device
from pose_rig.capture.webcam import open_webcam
from pose_rig.config import CameraConfig, Pace
from tests.capture.fakes import SIZE, FakeDevice, web_server, write_clip
from tests.capture.keypoints import write_keypoints

RECORDINGS = ("video", "url of a video", "keypoints", "sim")
LIVE = ("url of a stream", "webcam")
Open = Callable[[str, Pace], Source]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens a source of a kind, with whatever it needs around it; recordings have started just now."""
    write_clip(tmp_path / "clip.mp4")
    write_keypoints(tmp_path / "two_d.npz")
    sources: list[Source] = []
    start_ns = time.monotonic_ns()
    with web_server(tmp_path) as url:
        targets = {
            "video": str(tmp_path / "clip.mp4"),
            "url of a video": f"{url}/clip.mp4",
            "url of a stream": f"{url}/live.mjpg",
            "keypoints": str(tmp_path / "two_d.npz"),
            "sim": "sim",
        }

        def open_kind(kind: str, pace: Pace) -> Source:
            if kind == "webcam":
                fake = ConnectedCamera(0, "Fake Cam", "/dev/video0", "Fake Cam")
                source: Source = open_webcam(CameraConfig(source="0", size_px=SIZE), fake, FakeDevice().opener)
            else:
                camera = CameraConfig(source=targets[kind])
                source = open_source(camera, pace, lambda: start_ns, open_device=open_device)
            sources.append(source)
            return source

        yield open_kind
        for source in sources:
            source.close()


def read_some(source: Source, most: int = 5) -> list[Frame]:
    frames: list[Frame] = []
    while len(frames) < most and (frame := source.read()) is not None:
        frames.append(frame)
    return frames


@pytest.mark.parametrize("kind", [*RECORDINGS, *LIVE])
def test_frames_are_complete_and_in_order(opened: Open, kind: str) -> None:
    source = opened(kind, "realtime")
    frames = read_some(source)
    assert len(frames) == 5
    assert source.info.identity
    assert source.info.detail
    assert source.info.fps > 0
    for frame in frames:
        assert frame.size_px == source.info.size_px
        if source.info.landmarks:
            assert frame.image is None
            assert frame.detections is not None
            assert frame.detections.xy.shape[1:] == (len(skeleton.landmarks(source.info.landmarks).names), 2)
            assert frame.detections.score.shape == frame.detections.xy.shape[:2]
        else:
            assert frame.detections is None
            assert frame.image is not None
            assert frame.image.shape == (source.info.size_px[1], source.info.size_px[0], 3)
            assert frame.image.dtype == np.uint8
    assert all(a.index < b.index and a.t_ns < b.t_ns for a, b in itertools.pairwise(frames))


@pytest.mark.parametrize("kind", [*RECORDINGS, *LIVE])
def test_time_is_the_monotonic_clock_in_real_time(opened: Open, kind: str) -> None:
    source = opened(kind, "realtime")
    before = time.monotonic_ns()
    frames = read_some(source, 3)
    ages_s = (time.monotonic_ns() - frames[-1].t_ns) / 1e9
    assert 0 <= ages_s < 0.5
    assert frames[0].t_ns > before - 0.5e9


@pytest.mark.parametrize("kind", [*RECORDINGS, *LIVE])
def test_poll_waits_no_longer_than_its_timeout(opened: Open, kind: str) -> None:
    source = opened(kind, "realtime")
    for timeout_s in (0.0, 0.05):
        began = time.monotonic()
        source.poll(timeout_s)
        assert time.monotonic() - began < timeout_s + 3


@pytest.mark.parametrize("kind", [*RECORDINGS, *LIVE])
def test_close_is_quick(opened: Open, kind: str) -> None:
    source = opened(kind, "realtime")
    read_some(source, 1)
    began = time.monotonic()
    source.close()
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("kind", RECORDINGS)
def test_pace_all_returns_every_frame_with_its_timestamp_and_then_the_end(opened: Open, kind: str) -> None:
    source = opened(kind, "all")
    frames = read_some(source, 1000)
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert len(frames) == source.info.total_frames
    expected = np.arange(len(frames)) * 1e9 / source.info.fps
    np.testing.assert_allclose([frame.t_ns for frame in frames], expected, atol=1e6)
    assert source.read() is None
    assert source.poll(0.0)


@pytest.mark.parametrize("kind", RECORDINGS)
def test_pace_all_is_deterministic(opened: Open, kind: str) -> None:
    def bits(source: Source) -> list[tuple[int, bytes]]:
        return [
            (frame.t_ns, frame.detections.xy.tobytes() if frame.detections else np.asarray(frame.image).tobytes())
            for frame in read_some(source, 1000)
        ]

    assert bits(opened(kind, "all")) == bits(opened(kind, "all"))


@pytest.mark.parametrize("kind", LIVE)
def test_live_sources_have_no_end(opened: Open, kind: str) -> None:
    source = opened(kind, "realtime")
    assert isinstance(source, LiveSource)
    assert source.info.total_frames is None


@pytest.mark.camera
def test_a_real_camera_delivers_frames() -> None:
    cameras = connected_cameras()
    if not cameras:
        pytest.skip("no camera is plugged in")
    source = open_source(CameraConfig(source=cameras[0].identity), "realtime", lambda: 0)
    try:
        assert len(read_some(source, 30)) == 30
    finally:
        source.close()
