"""The overlay video, read again by OpenCV: which frame of which camera is shown when, and what is drawn on it."""

import sys
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from pose_rig.arrays import Image
from pose_rig.config import CameraConfig, Config
from pose_rig.errors import PoseRigError, SessionError
from pose_rig.session.draw.overlay import tiles
from pose_rig.session.overlay_video import write_overlay
from pose_rig.session.reader import Session
from pose_rig.video.encoder import JpegEncoder, open_h264
from pose_rig.wire.messages import Keypoints2D, Message
from tests.session.drawable import SIZE_PX, keypoints, pose, refined, rig
from tests.session.recorded import write
from tests.session.two_people import session_of_two
from tests.tools.sessions import FRAMES, imported, sample, with_pictures, write_session

FPS = 25.0
LEVELS = 6  # grey levels from one frame of a video to the next


def frames_of(path: Path) -> list[Image]:
    video, out = cv2.VideoCapture(str(path)), []
    while (frame := video.read())[0]:
        out.append(np.asarray(frame[1], np.uint8))
    return out


def overlay(session: Path, out: Path) -> tuple[list[Image], list[str]]:
    with Session(session) as opened:
        notes = write_overlay(opened, out)
    return frames_of(out), notes


def shown(image: Image, view: int, size_px: tuple[int, int] = SIZE_PX) -> float:
    """Returns the grey level of a free corner of a camera's tile."""
    tile = tiles(["cam0", "cam1"], [size_px] * 2)[view]
    return float(tile.cut_from(image)[-40:-8, -40:-8].mean())


def video_file(path: Path, first_level: int, count: int) -> None:
    """Writes a video whose frames grow brighter one by one."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, SIZE_PX)
    for i in range(count):
        writer.write(np.full((SIZE_PX[1], SIZE_PX[0], 3), first_level + LEVELS * i, np.uint8))
    writer.release()


def test_every_camera_shows_the_frame_of_that_time_on_its_own_clock(tmp_path: Path) -> None:
    """The second camera's clock is 0.4 s, ten frames, behind: rig time = camera time + 0.4 s."""
    video_file(tmp_path / "a.mp4", 60, 30)
    video_file(tmp_path / "b.mp4", 60, 30)
    cameras = tuple(CameraConfig(source=str(tmp_path / f"{name}.mp4"), name=f"cam{v}") for v, name in enumerate("ab"))
    ns = round(1e9 / FPS)
    messages: list[Message] = []
    for i in range(30):
        for v in range(2):
            messages.append(msgspec.structs.replace(keypoints(i * ns, camera=v, people=0), index=i))
        messages.append(pose(i * ns))
    state = rig(0)
    late = msgspec.structs.replace(state.cameras[1], time_offset_s=0.4, time_offset_sd_s=0.001)
    messages.append(msgspec.structs.replace(state, cameras=(state.cameras[0], late)))
    path = write(tmp_path / "take.mcap", messages, Config(camera=cameras), "files")
    images, notes = overlay(path, tmp_path / "o.mp4")
    assert notes == []
    assert len(images) == 40
    levels = [float(image.mean()) for image in frames_of(tmp_path / "a.mp4")]  # a little off those written
    for step in (12, 20, 29):
        assert shown(images[step], 0) == pytest.approx(levels[step], abs=LEVELS / 2)
        assert shown(images[step], 1) == pytest.approx(levels[step - 10], abs=LEVELS / 2)
    assert shown(images[39], 1) == pytest.approx(levels[29], abs=LEVELS / 2)
    assert shown(images[39], 0) < 40  # the background: the first camera has ended 0.4 s before
    assert shown(images[0], 1) < 40


@pytest.mark.parametrize("kind", ["h264", "jpeg"])
def test_recorded_images_are_drawn_on(tmp_path: Path, kind: str) -> None:
    encoder = open_h264(SIZE_PX) if kind == "h264" else JpegEncoder()
    white = np.full((SIZE_PX[1], SIZE_PX[0], 3), 180, np.uint8)
    data = [encoder.encode(i * 33_333_333, white).data for i in range(FRAMES)]
    path = write_session(tmp_path / "take.mcap", with_pictures(kind, data))
    images, notes = overlay(path, tmp_path / "o.mp4")
    assert notes == ["cam1 is drawn without its images: it has no images."]
    assert len(images) == FRAMES
    assert shown(images[5], 0) == pytest.approx(180, abs=4)
    assert shown(images[5], 1) < 40


def colours(image: Image, view: int) -> tuple[int, int]:
    """Returns the number of amber and of green pixels in a tile."""
    part = tiles(["cam0", "cam1"], [SIZE_PX] * 2)[view].cut_from(image).astype(int)
    blue, green, red = part[..., 0], part[..., 1], part[..., 2]
    return int(((red > 180) & (blue < 100)).sum()), int(((green > 180) & (red < 120)).sum())


def test_both_poses_are_drawn_and_only_where_they_are(tmp_path: Path) -> None:
    images, _ = overlay(write_session(tmp_path / "take.mcap", sample()), tmp_path / "o.mp4")
    amber, green = colours(images[3], 0)
    assert min(amber, green) > 50
    amber, green = colours(images[3], 1)  # two people, no refined pose
    assert amber > 50
    assert green == 0


def test_keypoints_alone_are_drawn_on_an_empty_background(tmp_path: Path) -> None:
    images, notes = overlay(write_session(tmp_path / "take.mcap", imported(), "import"), tmp_path / "o.mp4")
    assert len(images) == FRAMES
    assert colours(images[3], 0)[0] > 50
    assert len(notes) == 2


def test_a_video_that_is_gone_or_of_another_size_is_not_shown(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "a.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), FPS, (64, 48))
    writer.write(np.full((48, 64, 3), 255, np.uint8))
    writer.release()
    (tmp_path / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(40))
    names = ("a.mp4", "broken.mp4", "gone.mp4")
    cameras = tuple(CameraConfig(source=str(tmp_path / name), name=f"cam{v}") for v, name in enumerate(names))
    messages = [msgspec.structs.replace(keypoints(0), camera=f"cam{v}") for v in range(3)]
    images, notes = overlay(write(tmp_path / "t.mcap", messages, Config(camera=cameras), "files"), tmp_path / "o.mp4")
    assert len(images) == 1
    assert [note.split(":")[0] for note in notes] == [f"cam{v} is drawn without its images" for v in (1, 2)]
    assert "cannot be read as a video" in notes[0]
    assert "gone.mp4 is not there" in notes[1]
    assert images[0].max(-1).mean() < 60


def test_long_gaps_are_not_bridged_by_the_refined_pose(tmp_path: Path) -> None:
    ns = 40_000_000
    messages: list[Message] = [msgspec.structs.replace(keypoints(i * ns, people=0), index=i) for i in range(40)]
    messages += [refined(i * ns) for i in range(40) if not 5 < i < 30]
    config = Config(camera=(CameraConfig(source="sim", name="cam0"),))
    with Session(write(tmp_path / "t.mcap", messages, config)) as session:
        write_overlay(session, tmp_path / "o.mp4")
    green = [int(((image[..., 1] > 180) & (image[..., 2] < 120)).sum()) for image in frames_of(tmp_path / "o.mp4")]
    legend = green[15]
    assert green[15] == green[20]
    assert min(green[3], green[35]) > legend + 200


def test_a_session_without_a_frame_is_an_error_and_an_impossible_time_too(tmp_path: Path) -> None:
    with Session(write(tmp_path / "t.mcap", [pose(0)])) as session, pytest.raises(SessionError, match="has no frame"):
        write_overlay(session, tmp_path / "o.mp4")
    far: list[Keypoints2D] = [keypoints(0), msgspec.structs.replace(keypoints(1 << 61), index=1)]
    with Session(write(tmp_path / "u.mcap", far)) as session, pytest.raises(PoseRigError, match="timestamp is invalid"):
        write_overlay(session, tmp_path / "o.mp4")
    assert not list(tmp_path.glob("*.mp4"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("with_pyav", [True, False])
def test_a_full_disk_leaves_no_half_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_pyav: bool) -> None:
    if not with_pyav:
        monkeypatch.setitem(sys.modules, "av", None)
        monkeypatch.delitem(sys.modules, "pose_rig.video.h264_mp4", raising=False)
    with Session(write_session(tmp_path / "take.mcap", sample())) as session:
        (tmp_path / "o.partial.mp4").symlink_to("/dev/full")
        with pytest.raises(PoseRigError, match=r"Cannot write .*o\.mp4: .*\. (Make room|Choose a folder)"):
            write_overlay(session, tmp_path / "o.mp4")
    assert not (tmp_path / "o.mp4").exists()


def test_everyone_is_drawn_in_their_own_colour_while_they_are_there(tmp_path: Path) -> None:
    images, _ = overlay(session_of_two(tmp_path / "two.mcap"), tmp_path / "o.mp4")

    def blue(image: Image, view: int) -> int:
        part = tiles(["cam0", "cam1"], [SIZE_PX] * 2)[view].cut_from(image).astype(int)
        return int(((part[..., 0] > 180) & (part[..., 2] < 150)).sum())

    assert colours(images[10], 0)[1] > 50
    assert blue(images[10], 0) > 50
    assert blue(images[10], 1) == 0
    assert colours(images[25], 0)[1] > 50
    assert blue(images[25], 0) == 0  # the second person is away
