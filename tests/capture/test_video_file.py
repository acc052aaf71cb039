import wave
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose_rig.capture.source import Frame, Source
from pose_rig.capture.source_factory import open_source
from pose_rig.capture.video_capture import open_ffmpeg
from pose_rig.capture.video_file import VideoFile
from pose_rig.config import CameraConfig
from pose_rig.errors import SourceError
from tests.capture.fakes import (
    FPS,
    FRAMES,
    SIZE,
    FakeDevice,
    hide_first,
    make_image,
    set_pixel_aspect,
    turn_clip,
    write_clip,
    write_matroska,
)


def opened(path: Path, fps: float | None = None, size_px: tuple[int, int] | None = None) -> Source:
    return open_source(CameraConfig(source=str(path), fps=fps, size_px=size_px), "all", lambda: 0)


def test_the_rotation_in_the_file_is_applied(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "turned.mp4")
    turn_clip(path)
    source = opened(path)
    frame = source.read()
    source.close()
    assert source.info.size_px == (SIZE[1], SIZE[0])
    assert frame is not None
    assert frame.image is not None
    assert frame.image.shape == (SIZE[0], SIZE[1], 3)
    assert frame.image[2, -3].min() > 200  # the white corner went from top left to top right
    assert frame.image[2, 2].max() < 100


def test_a_configured_rate_overrides_the_timestamps(tmp_path: Path) -> None:
    source = opened(write_clip(tmp_path / "a.mp4"), fps=50.0)
    times = [frame.t_ns for _ in range(3) if (frame := source.read())]
    source.close()
    assert times == [0, 20_000_000, 40_000_000]


def test_a_configured_size_is_reported_as_not_available(tmp_path: Path) -> None:
    source = opened(write_clip(tmp_path / "a.mp4"), size_px=(32, 24))
    source.close()
    assert source.info.size_px == SIZE
    assert source.info.detail == "64×48 at 25/s, requested 32×24 but the size of files cannot be set"


def test_times_that_do_not_increase_are_extrapolated() -> None:
    stamps = iter([500.0, 540.0, 540.0, 0.0, 700.0])

    class Jumping(FakeDevice):
        def get(self, prop: int, /) -> float:
            return next(stamps) if prop == cv2.CAP_PROP_POS_MSEC else super().get(prop)

    video = VideoFile(CameraConfig(source="x.mp4"), Jumping({cv2.CAP_PROP_FPS: FPS}))
    times_ms = [instant.pts_ns / 1e6 for _ in range(5) if (instant := video.grab())]
    assert times_ms == [0, 40, 80, 120, 200]


def test_seeking_finds_the_frame(tmp_path: Path) -> None:
    video = VideoFile(CameraConfig(source="x"), cv2.VideoCapture(str(write_clip(tmp_path / "a.mp4")), cv2.CAP_FFMPEG))
    video.seek(200_000_000)
    instant = video.grab()
    image, _ = video.retrieve()
    video.close()
    assert instant is not None
    assert instant.index == 5
    assert instant.pts_ns == pytest.approx(200_000_000, abs=1e6)
    assert image is not None
    assert abs(int(image[40, 60, 0]) - (15 * 5 + 20)) < 8


def test_an_implausible_or_missing_rate_is_not_used() -> None:
    for nonsense in (0.0, 90_000.0):
        assert VideoFile(CameraConfig(source="x"), FakeDevice({cv2.CAP_PROP_FPS: nonsense})).info.fps == 30.0


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"There is no file .*none\.mp4\. Check the path\."):
        opened(tmp_path / "none.mp4")


@pytest.mark.parametrize("content", [b"", b"this is not a video" * 100])
def test_a_file_that_is_not_a_video(tmp_path: Path, content: bytes) -> None:
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
def test_a_repeated_video_continues_in_time(tmp_path: Path, fps: float | None) -> None:
    camera = CameraConfig(source=str(write_clip(tmp_path / "a.mp4")), fps=fps, repeat=2)
    source = open_source(camera, "all", lambda: 0)
    frames = [frame for _ in range(2 * FRAMES) if (frame := source.read())]
    over = source.read()
    source.close()
    period_ns = 1e9 / (fps or FPS)
    assert source.info.total_frames == 2 * FRAMES
    assert [frame.index for frame in frames] == list(range(2 * FRAMES))
    assert [frame.t_ns for frame in frames] == pytest.approx([i * period_ns for i in range(2 * FRAMES)], abs=1e6)
    assert [level_of(frame.image) for frame in frames] == [*range(FRAMES), *range(FRAMES)]
    assert over is None


def test_seeking_finds_the_second_repetition(tmp_path: Path) -> None:
    camera = CameraConfig(source="x", repeat=3)
    video = VideoFile(camera, cv2.VideoCapture(str(write_clip(tmp_path / "a.mp4")), cv2.CAP_FFMPEG))
    video.seek(round((2 * FRAMES + 5) / FPS * 1e9))
    instant = video.grab()
    image, _ = video.retrieve()
    rest = sum(video.grab() is not None for _ in range(FRAMES))
    video.close()
    assert instant is not None
    assert instant.index == 2 * FRAMES + 5
    assert instant.pts_ns == pytest.approx((2 * FRAMES + 5) / FPS * 1e9, abs=1e6)
    assert level_of(image) == 5
    assert rest == FRAMES - 6


def read_all(source: Source) -> list[Frame]:
    frames = []
    while (frame := source.read()) is not None:
        frames.append(frame)
    source.close()
    return frames


CUT_OFF = "could be read: the file is cut off or damaged."


def test_a_truncated_video_reports_the_number_of_readable_frames(tmp_path: Path) -> None:
    path = write_matroska(tmp_path / "cut.mkv", [40 * i for i in range(50)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = opened(path)
    assert source.fault == ""
    read = len(read_all(source))
    assert 5 < read < 45
    assert source.fault == f"{read} of 50 frames {CUT_OFF}"


class Damaged(FakeDevice):
    """Twelve frames, some of which cannot be decoded."""

    def __init__(self, bad: tuple[int, ...]) -> None:
        super().__init__({cv2.CAP_PROP_FPS: FPS, cv2.CAP_PROP_FRAME_COUNT: 12})
        self._bad, self._at = bad, -1

    def grab(self) -> bool:
        self._at += 1
        return self._at < 12 and self._at not in self._bad

    def get(self, prop: int, /) -> float:
        return self._at * 1e3 / FPS if prop == cv2.CAP_PROP_POS_MSEC else super().get(prop)


@pytest.mark.parametrize("fps", [None, FPS])
def test_damaged_frames_are_dropped_and_reported(fps: float | None) -> None:
    video = VideoFile(CameraConfig(source="x.avi", fps=fps), Damaged((4, 5, 8)))
    instants = [instant for _ in range(12) if (instant := video.grab())]
    assert [instant.index for instant in instants] == [0, 1, 2, 3, 6, 7, 9, 10, 11]
    assert [instant.pts_ns for instant in instants] == [40_000_000 * instant.index for instant in instants]
    assert video.fault == f"9 of 12 frames {CUT_OFF}"


def test_a_complete_file_has_no_fault(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    for path in (clip, write_matroska(tmp_path / "b.mkv", [40 * i for i in range(12)])):
        source = opened(path)
        assert len(read_all(source)) == FRAMES
        assert source.fault == ""


def test_frames_hidden_by_an_edit_list_are_not_missing(tmp_path: Path) -> None:
    source = opened(hide_first(write_clip(tmp_path / "a.mp4"), tmp_path / "trimmed.mp4", 6))
    assert source.info.total_frames == FRAMES
    assert len(read_all(source)) == FRAMES - 6
    assert source.fault == ""


def test_a_truncated_video_reports_missing_frames_after_a_seek(tmp_path: Path) -> None:
    path = write_matroska(tmp_path / "cut.mkv", [40 * i for i in range(100)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    video = VideoFile(CameraConfig(source=str(path)), cv2.VideoCapture(str(path), cv2.CAP_FFMPEG))
    video.seek(3_000_000_000)
    while video.grab() is not None:
        pass
    video.close()
    assert video.fault == f"Not all of 100 frames {CUT_OFF}"


def test_a_video_without_a_frame_is_named(tmp_path: Path) -> None:
    path = tmp_path / "empty.avi"
    cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, SIZE).release()
    source = opened(path)
    with pytest.raises(SourceError, match=r"empty\.avi has no readable frame\. Check that it plays"):
        source.read()
    source.close()


@pytest.mark.parametrize("name", ["still.png", "still.jpg", "still.mp4"])
def test_an_image_is_not_a_video(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), make_image(0))
    path = path.rename(tmp_path / name)
    with pytest.raises(SourceError, match=r"still\.\w+ is an image, not a video\. ffmpeg converts"):
        opened(path)


def test_sound_alone_is_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))
    with pytest.raises(SourceError, match=r"sound\.mp4 cannot be read as a video"):
        opened(path.rename(tmp_path / "sound.mp4"))


def test_a_video_with_a_wrong_suffix_is_read(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4").rename(tmp_path / "a.txt")
    assert len(read_all(opened(path))) == FRAMES


def test_frames_have_the_uneven_timestamps_of_the_file(tmp_path: Path) -> None:
    times_ms = [0, 40, 60, 200, 210, 500]
    frames = read_all(opened(write_matroska(tmp_path / "uneven.mkv", times_ms)))
    assert [frame.t_ns / 1e6 for frame in frames] == times_ms


@pytest.mark.parametrize(("aspect", "size"), [(Fraction(2), (128, 48)), (Fraction(1, 2), (64, 96))])
def test_non_square_pixels_are_resized_to_square(tmp_path: Path, aspect: Fraction, size: tuple[int, int]) -> None:
    source = opened(set_pixel_aspect(write_clip(tmp_path / "a.mp4"), tmp_path / "wide.mp4", aspect))
    assert source.info.size_px == size
    assert source.info.detail == f"{size[0]}×{size[1]} at 25/s"
    frame = read_all(source)[0]
    assert frame.size_px == size
    assert frame.image is not None
    assert frame.image.shape == (size[1], size[0], 3)
    assert frame.image[size[1] // 4, size[0] // 4].min() > 200  # the white corner
    assert frame.image[size[1] // 4, size[0] // 2].max() < 100


def test_non_square_pixels_are_rotated_with_the_image(tmp_path: Path) -> None:
    path = set_pixel_aspect(write_clip(tmp_path / "a.mp4"), tmp_path / "turned.mp4", Fraction(2))
    turn_clip(path)
    source = opened(path)
    frame = read_all(source)[0]
    assert source.info.size_px == (48, 128)
    assert frame.image is not None
    assert frame.image.shape == (128, 48, 3)


@pytest.mark.parametrize("aspect", [(0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (900.0, 1.0)])
def test_unknown_or_implausible_pixels_are_square(aspect: tuple[float, float]) -> None:
    device = FakeDevice({
        cv2.CAP_PROP_FRAME_WIDTH: 64, cv2.CAP_PROP_FRAME_HEIGHT: 48,
        cv2.CAP_PROP_SAR_NUM: aspect[0], cv2.CAP_PROP_SAR_DEN: aspect[1],
    })  # fmt: skip
    assert open_ffmpeg("rtsp://somewhere", device.opener) is device
