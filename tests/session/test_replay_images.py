"""Images of a session while it is replayed."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from pose_rig.errors import SessionError
from pose_rig.session import replay_images
from pose_rig.session.draw.images import image_message
from pose_rig.session.reader import Session
from pose_rig.session.replay_images import NO_DECODER, NO_VIDEO, from_last_keyframe, main, why_no_images
from pose_rig.video.encoder import JpegEncoder
from pose_rig.wire.authentication import Keys, generate_keys
from pose_rig.wire.bus import Receiver, Sender
from pose_rig.wire.encoding import encode
from pose_rig.wire.jobs import ImagesJob
from pose_rig.wire.live_images import Thumbnail
from pose_rig.wire.records import VideoFrame
from tests.ports import free_endpoint
from tests.session.recorded import START_NS, UNIX_FROM_RIG_NS, begin, frame, pose, rig_of
from tests.session.test_video import NEARLY, SIZE, STEP_NS, differs, recorded

CAMERAS = ("left", "right")  # the right one without video
FRAMES = 60
WAIT_S = 60.0


def record(path: Path, images: list[VideoFrame]) -> Path:
    """Writes a session whose left camera has these images."""
    file = begin(path, rig_of(CAMERAS))
    for index in range(FRAMES):
        for camera in CAMERAS:
            seen = frame(index, camera, size_px=SIZE, t_ns=START_NS + index * STEP_NS)
            file.add(seen, encode(seen), seen.t_ns + UNIX_FROM_RIG_NS)
        if index < len(images):
            file.add_viewer_message(image_message(images[index], UNIX_FROM_RIG_NS), index)
        if index % 5 == 4:
            file.flush()
    return file.finish()


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """H.264, and from the 40th image on JPEG, as where the encoder is too slow."""
    images = recorded(range(40)) + recorded(range(40, FRAMES), JpegEncoder())
    return record(tmp_path_factory.mktemp("recorded") / "take.mcap", images)


@dataclass
class Watched:
    """A worker that shows a session, as the pages would see it."""

    fusion: Sender
    page: Receiver

    def at(self, index: int, camera: str) -> Thumbnail:
        """Returns what a camera shows at the time of a frame, as soon as it does."""
        t_ns, deadline_s = START_NS + index * STEP_NS, time.monotonic() + WAIT_S
        while time.monotonic() < deadline_s:
            self.fusion.send(pose(index, t_ns=t_ns))
            for message in self.page.receive(20):
                if isinstance(message, Thumbnail) and (message.camera, message.t_ns) == (camera, t_ns):
                    return message
        raise AssertionError(f"no thumbnail of {camera} at frame {index}")


@contextmanager
def watched(path: Path, topics: tuple[str, ...] = (Thumbnail.TOPIC,)) -> Iterator[Watched]:
    keys: Keys = generate_keys()
    stop = threading.Event()
    with (
        Sender("tcp://127.0.0.1:0", bind=True, keys=keys) as fusion,
        Receiver(free_endpoint(), bind=True, keys=keys, topics=topics) as page,
    ):
        job = ImagesJob(str(path), CAMERAS, fusion.endpoint, page.endpoint, without=("right",), keys=keys)
        thread = threading.Thread(target=main, args=(job, stop))
        thread.start()
        try:
            yield Watched(fusion, page)
        finally:
            stop.set()
            thread.join(WAIT_S)
    assert not thread.is_alive()


@pytest.fixture(autouse=True)
def same_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker runs in this process here, whose priority cannot be raised again."""
    monkeypatch.setattr(replay_images, "NICENESS", 0)


def test_images_follow_the_poses_also_after_a_jump(session: Path) -> None:
    with watched(session) as replayed:
        for index in (3, 7, 8, 36, 45, 12):  # within a group of images, over a jump, as JPEG, back again
            shown = replayed.at(index, "left")
            image = cv2.imdecode(np.frombuffer(shown.jpeg, np.uint8), cv2.IMREAD_COLOR)
            assert image is not None
            assert differs(image.astype(np.uint8), index) < 2 * NEARLY  # compressed once more
            assert shown.size_px == SIZE
            assert shown.xy.shape[0] == 1
        alone = replayed.at(13, "right")
        assert (alone.jpeg, alone.xy.shape[0]) == (b"", 1)


def test_nothing_is_read_while_no_page_watches(session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jumps: list[int] = []
    jump = replay_images.ReplayedCamera._jump

    def counted(camera: replay_images.ReplayedCamera, t_ns: int) -> None:
        jumps.append(t_ns)
        jump(camera, t_ns)

    monkeypatch.setattr(replay_images.ReplayedCamera, "_jump", counted)
    with watched(session, topics=()) as replayed:
        for index in range(20):
            replayed.fusion.send(pose(index, t_ns=START_NS + index * STEP_NS))
            assert replayed.page.receive(20) == []
        assert jumps == []
        replayed.page.set_topics((Thumbnail.TOPIC,))
        replayed.at(20, "left")
        assert len(jumps) >= 1


def test_the_last_image_needs_those_from_the_last_keyframe_on() -> None:
    frames = recorded(range(25))
    assert [one.index for one in from_last_keyframe(frames)] == list(range(20, 25))
    assert [one.index for one in from_last_keyframe(frames[3:7])] == [3, 4, 5, 6]
    assert from_last_keyframe([]) == []


def test_it_is_said_why_there_are_no_images(session: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jpegs = record(tmp_path / "jpeg.mcap", recorded(range(3), JpegEncoder()))
    with Session(session) as h264, Session(jpegs) as jpeg:
        assert [why_no_images(h264, camera) for camera in CAMERAS] == ["", NO_VIDEO]

        def missing() -> None:
            raise SessionError("PyAV is not installed.", "Install it.")

        monkeypatch.setattr(replay_images, "open_h264", missing)
        assert [why_no_images(h264, camera) for camera in CAMERAS] == [NO_DECODER, NO_VIDEO]
        assert why_no_images(jpeg, "left") == ""


def test_images_after_a_change_from_h264_to_jpeg_are_kept_also_in_older_sessions(session: Path, tmp_path: Path) -> None:
    with Session(session) as one:
        frames = list(one.video_frames("left"))
    assert [found.format for found in frames] == ["h264"] * 40 + ["jpeg"] * 20
    file = begin(tmp_path / "older.mcap", rig_of(CAMERAS))
    older = msgspec.structs.replace(frames[0])
    file.add(frame(0, "left"), encode(frame(0, "left")), UNIX_FROM_RIG_NS)
    first, then = image_message(older, UNIX_FROM_RIG_NS), image_message(frames[40], UNIX_FROM_RIG_NS)
    file.add_viewer_message(first, 0)
    file._channels[then.topic, type(then.message)] = file._channels[first.topic, type(first.message)]
    file.add_viewer_message(then, 40)
    with Session(file.finish()) as read:
        assert [(one.index, one.format, one.data) for one in read.video_frames("left")] == [
            (0, "h264", frames[0].data), (40, "jpeg", frames[40].data),
        ]  # fmt: skip
