"""MP4 files, read again by OpenCV and PyAV."""

import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pose_rig.arrays import Image
from pose_rig.video.mp4 import h264_note, open_mp4

SIZE_PX = (96, 64)
NEARLY = 8.0  # grey levels


def grey(level: int) -> Image:
    image = np.zeros((SIZE_PX[1], SIZE_PX[0], 3), np.uint8)
    image[:] = level, 255 - level, 128
    return image


def means(path: Path) -> list[tuple[float, ...]]:
    """Returns blue, green and red of every frame, as OpenCV reads it."""
    video, out = cv2.VideoCapture(str(path)), []
    while (frame := video.read())[0]:
        out.append(tuple(np.asarray(frame[1]).mean((0, 1)).tolist()))
    return out


def write(path: Path, levels: range, fps: float) -> None:
    with open_mp4(path, SIZE_PX, fps) as video:
        for level in levels:
            video.write(grey(level))


@pytest.mark.parametrize("fps", [25.0, 29.97, 60.0])
def test_a_video_has_all_images_in_order_with_their_colours_and_rate(tmp_path: Path, fps: float) -> None:
    path, levels = tmp_path / "v.mp4", range(20, 240, 20)
    write(path, levels, fps)
    found = means(path)
    assert len(found) == len(levels)
    np.testing.assert_allclose(found, [(level, 255 - level, 128) for level in levels], atol=NEARLY)
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.average_rate is not None
        assert float(stream.average_rate) == pytest.approx(fps, rel=1e-3)
        times = [float(frame.time or 0) for frame in file.decode(stream)]
    np.testing.assert_allclose(np.diff(times), 1 / fps, atol=1e-3)
    assert h264_note() == ""


def test_without_pyav_it_is_mpeg4_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.delitem(sys.modules, "pose_rig.video.h264_mp4", raising=False)
    path = tmp_path / "v.mp4"
    write(path, range(20, 240, 20), 30.0)
    assert len(means(path)) == 11
    assert "which browsers do not play" in h264_note()
    assert "pose-rig[video]" in h264_note()


@pytest.mark.parametrize("with_pyav", [True, False])
def test_a_folder_that_is_gone_is_an_os_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_pyav: bool) -> None:
    if not with_pyav:
        monkeypatch.setitem(sys.modules, "av", None)
        monkeypatch.delitem(sys.modules, "pose_rig.video.h264_mp4", raising=False)
    with pytest.raises(OSError, match=r"No such file|cannot write"):
        write(tmp_path / "gone" / "v.mp4", range(20, 40, 20), 30.0)
