"""Real camera processes over real ZeroMQ."""

import io
import multiprocessing
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from pose_rig.capture.appearance.descriptor import A
from pose_rig.capture.process import main
from pose_rig.capture.source import Detections
from pose_rig.capture.source_factory import open_source
from pose_rig.config import CameraConfig, DetectorConfig, Pace
from pose_rig.errors import AssetError
from pose_rig.wire.bus import Delivery, Receiver
from pose_rig.wire.encoding import MAX_VIDEO_BYTES
from pose_rig.wire.jobs import CameraJob
from pose_rig.wire.messages import Health, Keypoints2D, Message
from pose_rig.wire.precision import XY_STEP_PX
from pose_rig.wire.records import VideoFrame
from tests.capture.fakes import FakeDevice, make_image, web_server, write_clip
from tests.capture.keypoints import arrays, write_keypoints

SPAWN = multiprocessing.get_context("spawn")
DEADLINE_S = 60.0


class CameraProcess:
    """A spawned camera process and the receiver of its messages."""

    def __init__(
        self,
        camera: CameraConfig,
        pace: Pace,
        model: str = "",
        start_ns: int | None = None,
        video: str = "",
        *,
        appearance: bool = False,
    ) -> None:
        delivery: Delivery = "lossless" if pace == "all" else "best-effort"
        self.receiver = Receiver("tcp://127.0.0.1:0", delivery, bind=True)
        self.stop: Event = SPAWN.Event()
        self.start_ns: Any = SPAWN.Value("q", int(pace == "all") if start_ns is None else start_ns)
        detector = DetectorConfig(model=model)
        job = CameraJob(camera, detector, pace, self.receiver.endpoint, video, restarts=2, appearance=appearance)
        self.process = SPAWN.Process(target=main, args=(job, self.stop, self.start_ns))
        self.process.start()
        self.messages: list[Message] = []

    def until(self, state: str) -> Health:
        """Receives until the worker reports a state."""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            for message in self.receiver.receive(100):
                self.messages.append(message)
                if isinstance(message, Health) and message.state == state:
                    return message
        states = [message.state for message in self.messages if isinstance(message, Health)]
        raise AssertionError(f"no {state!r} within {DEADLINE_S:g} s, only {states}")

    def keypoints(self) -> list[Keypoints2D]:
        return [message for message in self.messages if isinstance(message, Keypoints2D)]

    def exit_code(self, timeout_s: float = 10.0) -> int | None:
        self.process.join(timeout_s)
        return self.process.exitcode

    def close(self) -> None:
        self.stop.set()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
        self.receiver.close()


@pytest.fixture
def spawn() -> Iterator[Any]:
    opened: list[CameraProcess] = []

    def start(*args: Any, **kwargs: Any) -> CameraProcess:
        opened.append(CameraProcess(*args, **kwargs))
        return opened[-1]

    yield start
    for process in opened:
        process.close()


def test_pace_all_sends_every_frame_and_ends_last(spawn: Any, tmp_path: Path) -> None:
    path = write_keypoints(tmp_path / "kp.npz")
    camera = spawn(CameraConfig(source=str(path), name="left", member=1), "all")
    ended = camera.until("ended")
    assert camera.exit_code() == 0
    assert camera.receiver.receive(100) == []  # nothing came after it
    content = arrays()
    sent = camera.keypoints()
    assert [message.t_ns for message in sent] == content["t_ns"][1].tolist()
    np.testing.assert_allclose([message.xy[0] for message in sent], content["xy"][1], 0, XY_STEP_PX / 2)
    assert {(message.camera, message.size_px, message.landmarks) for message in sent} == {("left", (120, 90), "coco17")}
    assert (ended.frames, ended.total_frames, ended.dropped, ended.restarts) == (12, 12, 0, 2)


def test_files_are_opened_before_the_start_and_read_after_it(spawn: Any, tmp_path: Path) -> None:
    camera = spawn(CameraConfig(source=str(write_keypoints(tmp_path / "kp.npz")), name="left"), "all", start_ns=0)
    camera.until("ready")
    assert camera.receiver.receive(300) == []
    assert camera.keypoints() == []
    camera.start_ns.value = 1
    assert camera.until("ended").frames == 12


@pytest.mark.parametrize("pace", ["realtime", "all"])
def test_stops_while_waiting_for_the_start(spawn: Any, pace: Pace, tmp_path: Path) -> None:
    camera = spawn(CameraConfig(source=str(write_keypoints(tmp_path / "kp.npz")), name="a"), pace, start_ns=0)
    camera.until("ready")
    camera.stop.set()
    began = time.monotonic()
    assert camera.exit_code() == 0
    assert time.monotonic() - began < 4


def test_recordings_wait_for_the_start_time(spawn: Any) -> None:
    camera = spawn(CameraConfig(source="sim", name="sim0"), "realtime")
    camera.until("ready")
    camera.until("ready")
    assert camera.keypoints() == []
    camera.start_ns.value = start_ns = time.monotonic_ns()
    health = camera.until("running")
    while len(camera.keypoints()) < 10:
        camera.messages += camera.receiver.receive(1000)
    first = camera.keypoints()[0]
    assert first.t_ns == start_ns + round(first.index * 1e9 / 30)
    assert health.age_ms < 100
    camera.stop.set()
    began = time.monotonic()
    assert camera.exit_code() == 0
    assert time.monotonic() - began < 4


def test_stops_while_nothing_receives(spawn: Any, tmp_path: Path) -> None:
    frames = 40_000  # more than all queues on the way hold
    path = write_keypoints(
        tmp_path / "kp.npz",
        xy=np.full((1, frames, 17, 2), 50, np.float32),
        score=np.ones((1, frames, 17), np.float32),
        t_ns=np.arange(frames)[None] * 1_000_000,
        size_px=np.array([[100, 80]]),
    )
    camera = spawn(CameraConfig(source=str(path), name="a"), "all")
    camera.until("ready")
    time.sleep(3)
    assert camera.process.is_alive()
    camera.stop.set()
    began = time.monotonic()
    assert camera.exit_code() == 0
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("pace", ["realtime", "all"])
def test_a_source_that_cannot_be_opened_is_reported(spawn: Any, pace: Pace) -> None:
    camera = spawn(CameraConfig(source="nowhere.mp4", name="a"), pace)
    assert camera.until("failed").error == "There is no file nowhere.mp4. Check the path."
    assert camera.exit_code() == 1


def test_an_invalid_detector_model_is_reported(spawn: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.task").write_bytes(b"nonsense")
    clip = write_clip(tmp_path / "a.mp4")
    camera = spawn(CameraConfig(source=str(clip), name="a"), "all", str(tmp_path / "bad.task"))
    assert "MediaPipe does not accept the model bad.task" in camera.until("failed").error
    assert camera.exit_code() == 1


class NeverStop:
    def is_set(self) -> bool:
        return False


class NotStarted:
    value = 0


class Started:
    value = 1


def test_runs_in_a_thread_too(tmp_path: Path) -> None:
    path = write_keypoints(tmp_path / "kp.npz")
    with Receiver("tcp://127.0.0.1:0", "lossless", bind=True) as receiver:
        job = CameraJob(CameraConfig(source=str(path), name="a"), DetectorConfig(), "all", receiver.endpoint)
        thread = threading.Thread(target=main, args=(job, NeverStop(), Started()))
        thread.start()
        messages: list[Message] = []
        while not (messages and isinstance(messages[-1], Health) and messages[-1].state == "ended"):
            messages += receiver.receive(5000)
        thread.join()
    assert sum(isinstance(message, Keypoints2D) for message in messages) == 12


@pytest.fixture(scope="module")
def model() -> str:
    from pose_rig.assets.catalog import detector_model

    try:
        return str(detector_model("full", lambda text: None))
    except AssetError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def clip() -> tuple[Path, ...]:
    from pose_rig.assets.catalog import demo_clip

    try:
        return demo_clip(lambda text: None)
    except AssetError as error:
        pytest.skip(str(error))


@pytest.mark.network
def test_a_real_video_through_the_real_detector(spawn: Any, model: str, clip: tuple[Path, ...]) -> None:
    camera = spawn(CameraConfig(source=str(clip[0]), name="cam01"), "all", model)
    ended = camera.until("ended")
    assert camera.exit_code() == 0
    sent = camera.keypoints()
    assert [message.index for message in sent] == list(range(100))
    np.testing.assert_allclose([message.t_ns for message in sent], np.arange(100) * 1e9 / 60, atol=1e6)
    assert all(message.xy.shape == (1, 33, 2) for message in sent)
    # the man stands upright in the upper middle: nose above hips above ankles, all of him in the image
    xy_TK2 = np.stack([message.xy[0] for message in sent])
    assert (xy_TK2[:, 0, 1] < xy_TK2[:, 23, 1]).all()
    assert (xy_TK2[:, 23, 1] < np.maximum(xy_TK2[:, 27, 1], xy_TK2[:, 28, 1])).all()
    assert ((xy_TK2 > 0) & (xy_TK2 < sent[0].size_px)).all()
    assert np.median([message.score for message in sent]) > 0.9
    assert (ended.frames, ended.total_frames, ended.dropped) == (100, 100, 0)
    assert ended.stages_ms["detect"] > 1


@pytest.mark.network
@pytest.mark.parametrize("appearance", [True, False])
def test_what_people_look_like_is_sent_ten_times_a_second_if_wanted(
    spawn: Any, model: str, clip: tuple[Path, ...], *, appearance: bool
) -> None:
    camera = spawn(CameraConfig(source=str(clip[0]), name="cam01"), "all", model, appearance=appearance)
    camera.until("ended")
    sent = [message for message in camera.keypoints() if message.appearance.size]
    assert len(sent) == (17 if appearance else 0)  # every sixth of a hundred frames
    for message in sent:
        assert message.appearance.shape == (len(message.xy), A)
        np.testing.assert_allclose(message.appearance.reshape(-1, 2, A // 2).sum(-1), 1, atol=0.1)


@pytest.mark.network
def test_a_video_without_people_sends_no_detections(spawn: Any, model: str, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "nobody.mp4", size=(320, 240))
    camera = spawn(CameraConfig(source=str(path), name="a"), "all", model)
    camera.until("ended")
    assert {message.xy.shape for message in camera.keypoints()} == {(0, 33, 2)}
    assert len(camera.keypoints()) == 12


class FaultyDevice(FakeDevice):
    """Of four images one is too small, one grey, one damaged, one valid."""

    def retrieve(self) -> tuple[bool, Any]:
        kind = self.grabbed % 4
        if kind == 0:
            return True, make_image(0, (32, 24))
        if kind == 2:
            return False, None
        return True, make_image(0)[..., 0] if kind == 1 else make_image(0)


@pytest.mark.network
def test_invalid_frames_are_counted_and_reported_and_valid_ones_are_sent(model: str) -> None:
    device = FaultyDevice({cv2.CAP_PROP_FRAME_WIDTH: 64, cv2.CAP_PROP_FRAME_HEIGHT: 48})
    stop = threading.Event()
    errors: set[str] = set()
    with Receiver("tcp://127.0.0.1:0", bind=True) as receiver:
        job = CameraJob(
            CameraConfig(source="rtsp://me:secret@odd/", name="odd"),
            DetectorConfig(model=model),
            "realtime",
            receiver.endpoint,
        )
        thread = threading.Thread(
            target=main, args=(job, stop, NotStarted(), partial(open_source, open_device=device.opener))
        )
        thread.start()
        deadline = time.monotonic() + DEADLINE_S
        frames = dropped = 0
        while len(errors) < 2 and time.monotonic() < deadline:
            for message in receiver.receive(100):
                if isinstance(message, Keypoints2D):
                    assert (message.size_px, message.xy.shape) == ((64, 48), (0, 33, 2))
                elif isinstance(message, Health):
                    errors |= {message.error} - {""}
                    frames, dropped = message.frames, message.dropped
                    assert "secret" not in message.detail
        stop.set()
        thread.join(5)
    assert errors == {"A frame was 32×24 instead of 64×48.", "A frame was empty or damaged."}
    assert frames > 0
    assert dropped > 0
    assert device.released.is_set()


@pytest.mark.network
def test_a_stream_that_ends_is_reported_as_lost(spawn: Any, model: str, tmp_path: Path) -> None:
    with web_server(tmp_path) as url:
        camera = spawn(CameraConfig(source=f"{url}/short.mjpg", name="a"), "realtime", model)
        assert "short.mjpg was lost. Check its cable or network" in camera.until("failed").error
        assert camera.exit_code() == 1


@pytest.mark.network
def test_with_pace_all_the_recorder_gets_every_image(spawn: Any, model: str, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", size=(320, 240))
    with Receiver("tcp://127.0.0.1:0", "lossless", bind=True, max_bytes=MAX_VIDEO_BYTES) as recorder:
        camera = spawn(CameraConfig(source=str(path), name="left", repeat=8), "all", model, video=recorder.endpoint)
        ended = camera.until("ended")
        recorded: list[Message] = []
        while messages := recorder.receive(500):
            recorded += messages
    assert camera.exit_code() == 0
    frames = [message for message in recorded if isinstance(message, VideoFrame)]
    assert len(frames) == len(recorded) == 96
    seen = camera.keypoints()
    assert [(frame.camera, frame.index, frame.t_ns) for frame in frames] == [
        (message.camera, message.index, message.t_ns) for message in seen
    ]
    with av.open(io.BytesIO(b"".join(frame.data for frame in frames)), "r", format="h264") as container:
        images = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert [round(float(image[-20:, -20:].mean() - 20) / 15) for image in images] == list(range(12)) * 8
    assert ended.detail.endswith("; video as H.264")


@contextmanager
def blocked_recorder() -> Iterator[str]:
    """The endpoint of a server that neither sends nor receives."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.network
def test_detection_continues_while_the_recorder_does_not_receive(spawn: Any, model: str, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", size=(320, 240))
    with blocked_recorder() as endpoint:
        camera = spawn(CameraConfig(source=str(path), name="a", repeat=6), "realtime", model, video=endpoint)
        camera.until("ready")
        camera.start_ns.value = time.monotonic_ns()
        ended = camera.until("ended")
    assert camera.exit_code() == 0
    # a busy machine skips frames; those before the first and after the last that it had time for are not counted
    assert 36 < ended.frames + ended.dropped <= 72
    assert ended.frames > 3
    assert int(re.findall(r"video as H.264, (\d+) images dropped", ended.detail)[0]) > 0


@pytest.mark.network
def test_stops_while_the_recorder_does_not_receive(model: str, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", size=(320, 240))
    stop = threading.Event()
    with blocked_recorder() as video, Receiver("tcp://127.0.0.1:0", "lossless", bind=True) as receiver:
        camera = CameraConfig(source=str(path), name="a", repeat=99)
        job = CameraJob(camera, DetectorConfig(model=model), "all", receiver.endpoint, video)
        thread = threading.Thread(target=main, args=(job, stop, Started()))
        thread.start()
        seen = 0
        while messages := receiver.receive(3000):  # until it waits for the recorder
            seen += sum(isinstance(message, Keypoints2D) for message in messages)
        assert 30 < seen < 50
        stop.set()
        began = time.monotonic()
        thread.join(5)
        assert time.monotonic() - began < 4


def test_points_beyond_the_bounds_are_not_visible() -> None:
    xy = np.array([[[3e38, 5], [5, -2e6], [np.inf, 5], [7, 9]]], np.float32)
    people = Detections.from_arrays(xy, np.ones((1, 4), np.float32))
    np.testing.assert_array_equal(people.score, [[0, 0, 0, 1]])
    np.testing.assert_array_equal(people.xy, [[[0, 0], [0, 0], [0, 0], [7, 9]]])
