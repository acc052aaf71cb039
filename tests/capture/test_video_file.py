from pathlib import Path

import cv2
import numpy as np
import pytest

from pose_rig.capture.open import open_source
from pose_rig.capture.source import Source
from pose_rig.capture.video_file import VideoFile
from pose_rig.config import CameraConfig
from pose_rig.errors import SourceError
from tests.capture.fakes import FPS, FRAMES, SIZE, FakeDevice, turn_clip, write_clip


def opened(path: Path, fps: float | None = None, size_px: tuple[int, int] | None = None) -> Source:
    return open_source(CameraConfig(source=str(path), fps=fps, size_px=size_px), "all", lambda: 0)


def test_rotation_in_the_file_is_honoured(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "turned.mp4")
    turn_clip(path)
    source = opened(path)
    frame = source.read()
    source.close()
    assert source.size_px == (SIZE[1], SIZE[0])
    assert frame is not None
    assert frame.image is not None
    assert frame.image.shape == (SIZE[0], SIZE[1], 3)
    assert frame.image[2, -3].min() > 200  # the white corner went from top left to top right
    assert frame.image[2, 2].max() < 100


def test_a_wished_rate_overrules_the_times_in_the_file(tmp_path: Path) -> None:
    source = opened(write_clip(tmp_path / "a.mp4"), fps=50.0)
    times = [frame.t_ns for _ in range(3) if (frame := source.read())]
    source.close()
    assert times == [0, 20_000_000, 40_000_000]


def test_a_wished_size_is_refused_and_told(tmp_path: Path) -> None:
    source = opened(write_clip(tmp_path / "a.mp4"), size_px=(32, 24))
    source.close()
    assert source.size_px == SIZE
    assert source.detail == "64×48 at 25/s, wanted 32×24 but files keep their size"


def test_times_that_do_not_increase_are_counted_on() -> None:
    stamps = iter([500.0, 540.0, 540.0, 0.0, 700.0])

    class Jumping(FakeDevice):
        def get(self, prop: int, /) -> float:
            return next(stamps) if prop == cv2.CAP_PROP_POS_MSEC else super().get(prop)

    video = VideoFile(CameraConfig(source="x.mp4"), Jumping({cv2.CAP_PROP_FPS: FPS}))
    times_ms = [instant.own_ns / 1e6 for _ in range(5) if (instant := video.advance())]
    assert times_ms == [0, 40, 80, 120, 200]


def test_seeking_arrives_at_the_frame(tmp_path: Path) -> None:
    video = VideoFile(CameraConfig(source="x"), cv2.VideoCapture(str(write_clip(tmp_path / "a.mp4")), cv2.CAP_FFMPEG))
    video.seek(200_000_000)
    instant = video.advance()
    image, _ = video.content()
    video.close()
    assert instant is not None
    assert instant.index == 5
    assert instant.own_ns == pytest.approx(200_000_000, abs=1e6)
    assert image is not None
    assert abs(int(image[40, 60, 0]) - (15 * 5 + 20)) < 8


def test_a_rate_that_is_a_time_base_or_missing_is_not_believed() -> None:
    for nonsense in (0.0, 90_000.0):
        assert VideoFile(CameraConfig(source="x"), FakeDevice({cv2.CAP_PROP_FPS: nonsense})).fps == 30.0


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"There is no file .*none\.mp4\. Check the path\."):
        opened(tmp_path / "none.mp4")


@pytest.mark.parametrize("content", [b"", b"this is not a video" * 100])
def test_a_file_that_is_no_video(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"bad\.mp4 cannot be read as a video"):
        opened(path)


def test_a_truncated_file(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "cut.mp4")
    path.write_bytes(path.read_bytes()[:-400])  # the index is at the end
    with pytest.raises(SourceError, match=r"cut\.mp4 cannot be read as a video"):
        opened(path)


def level_of(image: object) -> int:
    assert isinstance(image, np.ndarray)
    return round((int(image[40, 60, 0]) - 20) / 15)


@pytest.mark.parametrize("fps", [None, 30.0])
def test_a_file_that_is_played_again_goes_on_in_time(tmp_path: Path, fps: float | None) -> None:
    camera = CameraConfig(source=str(write_clip(tmp_path / "a.mp4")), fps=fps, repeat=2)
    source = open_source(camera, "all", lambda: 0)
    frames = [frame for _ in range(2 * FRAMES) if (frame := source.read())]
    over = source.read()
    source.close()
    period_ns = 1e9 / (fps or FPS)
    assert source.total_frames == 2 * FRAMES
    assert [frame.index for frame in frames] == list(range(2 * FRAMES))
    assert [frame.t_ns for frame in frames] == pytest.approx([i * period_ns for i in range(2 * FRAMES)], abs=1e6)
    assert [level_of(frame.image) for frame in frames] == [*range(FRAMES), *range(FRAMES)]
    assert over is None


def test_seeking_finds_the_second_time_round(tmp_path: Path) -> None:
    camera = CameraConfig(source="x", repeat=3)
    video = VideoFile(camera, cv2.VideoCapture(str(write_clip(tmp_path / "a.mp4")), cv2.CAP_FFMPEG))
    video.seek(round((2 * FRAMES + 5) / FPS * 1e9))
    instant = video.advance()
    image, _ = video.content()
    rest = sum(video.advance() is not None for _ in range(FRAMES))
    video.close()
    assert instant is not None
    assert instant.index == 2 * FRAMES + 5
    assert instant.own_ns == pytest.approx((2 * FRAMES + 5) / FPS * 1e9, abs=1e6)
    assert level_of(image) == 5
    assert rest == FRAMES - 6
