"""Pictures through real encoders and real ZeroMQ, judged by FFmpeg."""

import io
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from av.video.frame import PictureType

from pose_rig.arrays import Image
from pose_rig.capture.video_sender import MARK, NICENESS, SLOW_ENCODER, SLOW_RECORDER, STOPPED, WAITING, VideoLane
from pose_rig.errors import PoseRigError
from pose_rig.installer import installer
from pose_rig.video.encoded import EncodedImage
from pose_rig.video.encoder import EncoderLoad, JpegEncoder, open_h264
from pose_rig.wire.bus import Receiver
from pose_rig.wire.encoding import MAX_VIDEO_BYTES
from pose_rig.wire.messages import Message
from pose_rig.wire.records import Gap, VideoFrame
from tests.ports import free_endpoint

SIZE = (96, 64)
STEP_NS = 100_000_000
NEVER = threading.Event()
NEARLY = 4.0  # grey levels, mean: what compression may change


def drawing(index: int, size: tuple[int, int] = SIZE) -> Image:
    """A soft slope with a square that moves by a pixel per picture."""
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 1] = np.linspace(40, 200, width).astype(np.uint8)
    left = index % (width - 16)
    image[8:24, left : left + 16] = (60, 90, 200)
    return image


def differs(image: Any, index: int, size: tuple[int, int] = SIZE) -> float:
    return float(np.abs(image[: size[1], : size[0]].astype(int) - drawing(index, size)).mean())


@pytest.fixture
def recorder() -> Iterator[Receiver]:
    with Receiver("tcp://127.0.0.1:0", "lossless", bind=True, max_bytes=MAX_VIDEO_BYTES) as receiver:
        yield receiver


@pytest.fixture
def nobody() -> str:
    """An endpoint at which nobody listens (yet)."""
    return free_endpoint()


@pytest.fixture
def lane() -> Iterator[Callable[..., VideoLane]]:
    opened: list[VideoLane] = []

    def start(endpoint: str, stop: threading.Event = NEVER, size: tuple[int, int] = SIZE, **kwargs: Any) -> VideoLane:
        opened.append(VideoLane("left", endpoint, size, stop, **kwargs))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def received(recorder: Receiver, pictures: int) -> list[Message]:
    """Returns what comes until so many pictures are there or told to be missing."""
    messages: list[Message] = []
    deadline = time.monotonic() + 20
    while counted(messages) < pictures:
        assert time.monotonic() < deadline, f"{counted(messages)} of {pictures}"
        messages += recorder.receive(200)
    return messages


def counted(messages: list[Message]) -> int:
    return sum(message.missing if isinstance(message, Gap) else 1 for message in messages)


def frames_of(messages: list[Message]) -> list[VideoFrame]:
    return [message for message in messages if isinstance(message, VideoFrame)]


def gaps_of(messages: list[Message]) -> list[Gap]:
    return [message for message in messages if isinstance(message, Gap)]


def judged(stream: bytes) -> list[Any]:
    """Returns the frames that FFmpeg finds in an Annex B stream it knows nothing else about."""
    with av.open(io.BytesIO(stream), "r", format="h264") as container:
        return list(container.decode(video=0))


def units(data: bytes) -> list[int]:
    """Returns the types of the NAL units in Annex B bytes."""
    return [unit[0] & 31 for unit in re.split(b"\0\0\0?\1", data)[1:]]


class Held:
    """An encoder that waits until it is let."""

    def __init__(self, inner: Any = None) -> None:
        self.go = threading.Event()
        self.busy = threading.Event()
        self._inner = inner or JpegEncoder()

    def open(self, size_px: tuple[int, int]) -> "Held":
        return self

    def encode(self, t_ns: int, image: Image) -> EncodedImage:
        self.busy.set()
        assert self.go.wait(10)
        encoded: EncodedImage = self._inner.encode(t_ns, image)
        return encoded


class Slow:
    """An encoder that takes its time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def open(self, size_px: tuple[int, int]) -> "Slow":
        return self

    def encode(self, t_ns: int, image: Image) -> EncodedImage:
        time.sleep(self._seconds)
        return EncodedImage("h264", True, b"\0\0\0\1")


class Breaking:
    """An encoder that fails at its third picture."""

    def __init__(self, error: Exception) -> None:
        self._error, self._done = error, 0

    def open(self, size_px: tuple[int, int]) -> "Breaking":
        return self

    def encode(self, t_ns: int, image: Image) -> EncodedImage:
        self._done += 1
        if self._done == 3:
            raise self._error
        return EncodedImage("h264", True, b"\0\0\0\1")


def test_ffmpeg_decodes_the_stream_to_the_pictures_that_went_in(
    lane: Callable[..., VideoLane], recorder: Receiver, tmp_path: Path
) -> None:
    pictures = lane(recorder.endpoint, whole=True)
    for index in range(25):
        pictures.offer(index, 7 + index * STEP_NS, drawing(index))
    frames = frames_of(received(recorder, 25))
    assert [(frame.index, frame.t_ns) for frame in frames] == [(i, 7 + i * STEP_NS) for i in range(25)]
    assert {(frame.camera, frame.size_px, frame.format) for frame in frames} == {("left", SIZE, "h264")}
    assert [frame.index for frame in frames if frame.keyframe] == [0, 10, 20]  # every second
    assert all(frame.data.startswith(b"\0\0\0\1") for frame in frames)
    for frame in frames:
        wanted = [7, 8, 5] if frame.keyframe else [1]  # parameter sets and a picture by itself; a picture
        assert [unit for unit in units(frame.data) if unit != 6] == wanted
    stream = b"".join(frame.data for frame in frames)
    decoded = judged(stream)
    assert {PictureType(frame.pict_type) for frame in decoded} == {PictureType.I, PictureType.P}
    assert max(differs(frame.to_ndarray(format="bgr24"), i) for i, frame in enumerate(decoded)) < NEARLY
    path = tmp_path / "a.h264"
    path.write_bytes(stream)
    opencv = cv2.VideoCapture(str(path))
    again = [opencv.read()[1] for _ in range(25)]
    assert max(differs(image, i) for i, image in enumerate(again)) < NEARLY
    assert "video as H.264" in pictures.detail


def test_decoding_can_begin_at_any_keyframe(lane: Callable[..., VideoLane], recorder: Receiver) -> None:
    pictures = lane(recorder.endpoint, whole=True)
    for index in range(15):
        pictures.offer(index, index * STEP_NS, drawing(index))
    frames = frames_of(received(recorder, 15))
    decoded = judged(b"".join(frame.data for frame in frames[10:]))
    assert len(decoded) == 5
    assert max(differs(frame.to_ndarray(format="bgr24"), 10 + i) for i, frame in enumerate(decoded)) < NEARLY


def test_odd_sizes_and_a_size_that_changes(lane: Callable[..., VideoLane], recorder: Receiver) -> None:
    pictures = lane(recorder.endpoint, size=(97, 65), whole=True)
    sizes = [(97, 65)] * 3 + [(64, 49)] * 3
    for index, size in enumerate(sizes):
        pictures.offer(index, index * STEP_NS, drawing(index, size))
    frames = frames_of(received(recorder, 6))
    assert [frame.size_px for frame in frames] == sizes
    assert [frame.index for frame in frames if frame.keyframe] == [0, 3]
    for first in (0, 3):
        for i, frame in enumerate(judged(b"".join(frame.data for frame in frames[first : first + 3]))):
            image = frame.to_ndarray(format="bgr24")
            assert image.shape[:2] == tuple(side + side % 2 for side in reversed(sizes[first]))
            assert differs(image, first + i, sizes[first]) < NEARLY


def test_what_is_left_out_is_counted_exactly_and_told_in_its_place(
    lane: Callable[..., VideoLane], recorder: Receiver
) -> None:
    held = Held()
    pictures = lane(recorder.endpoint, open_encoder=held.open)
    pictures.offer(0, 0, drawing(0))
    assert held.busy.wait(10)
    for index in range(1, WAITING + 6):
        pictures.offer(index, index * STEP_NS, drawing(index))
    assert pictures.missing == 5
    held.go.set()
    messages = received(recorder, WAITING + 1)
    next_ns = (WAITING + 6) * STEP_NS
    pictures.offer(WAITING + 6, next_ns, drawing(0))
    messages += received(recorder, 6)
    assert [message.index for message in frames_of(messages)] == [*range(WAITING + 1), WAITING + 6]
    (gap,) = gaps_of(messages)
    assert messages.index(gap) == WAITING + 1
    assert (gap.source, gap.what, gap.missing, gap.reason) == ("left", "video", 5, SLOW_ENCODER)
    assert (gap.from_ns, gap.t_ns) == (WAITING * STEP_NS, next_ns)
    assert pictures.detail.endswith(", 5 pictures left out")


def test_what_is_left_out_last_is_told_at_the_end(lane: Callable[..., VideoLane], recorder: Receiver) -> None:
    held = Held()
    pictures = lane(recorder.endpoint, open_encoder=held.open)
    pictures.offer(0, 0, drawing(0))
    assert held.busy.wait(10)
    for index in range(1, WAITING + 3):
        pictures.offer(index, index * STEP_NS, drawing(index))
    held.go.set()
    pictures.close()
    messages = received(recorder, WAITING + 3)
    (gap,) = gaps_of(messages)
    assert messages[-1] is gap
    assert gap.missing >= 2  # more where closing had no time for the last ones
    assert (gap.from_ns, gap.t_ns) == ((WAITING + 2 - gap.missing) * STEP_NS, (WAITING + 2) * STEP_NS)


def test_the_stream_decodes_without_what_was_left_out(lane: Callable[..., VideoLane], recorder: Receiver) -> None:
    held = Held(open_h264(SIZE))
    pictures = lane(recorder.endpoint, open_encoder=held.open)
    for index in range(40):
        held.go.set() if index in (12, 25) else held.go.clear() if index in (0, 15) else None
        pictures.offer(index, index * STEP_NS // 10, drawing(index))
        time.sleep(0.005)
    pictures.close()
    messages = received(recorder, 40)
    frames = frames_of(messages)
    assert counted(messages) == 40
    assert sum(gap.missing for gap in gaps_of(messages)) == pictures.missing > 5
    decoded = judged(b"".join(frame.data for frame in frames))
    assert len(decoded) == len(frames)
    for frame, image in zip(frames, decoded, strict=True):
        assert differs(image.to_ndarray(format="bgr24"), frame.index) < NEARLY


def test_never_waits_for_a_recorder_that_takes_nothing(lane: Callable[..., VideoLane], nobody: str) -> None:
    pictures = lane(nobody)
    took_s = []
    for index in range(300):
        began = time.perf_counter()
        pictures.offer(index, index * STEP_NS // 30, drawing(index))
        took_s.append(time.perf_counter() - began)
        time.sleep(0.002)
    assert float(np.median(took_s)) < 0.01
    assert max(took_s) < 3
    assert pictures.missing >= 300 - MARK - WAITING - 2  # no more are kept
    with Receiver(nobody, "lossless", bind=True, max_bytes=MAX_VIDEO_BYTES) as late:
        messages: list[Message] = []
        while len(frames_of(messages)) < 300 - pictures.missing:
            news = late.receive(10_000)
            assert news
            messages += news
        pictures.offer(300, 300 * STEP_NS // 30, drawing(300))
        messages += received(late, 301 - counted(messages))
    assert counted(messages) == 301
    assert messages[-1].topic == "video/left"
    reasons = {gap.reason for gap in gaps_of(messages)}
    assert reasons
    assert reasons <= {SLOW_RECORDER, SLOW_ENCODER}  # the encoder too where the machine is busy
    assert "H.264" in pictures.detail  # not the encoder's fault


def test_a_slow_encoder_is_given_up_for_jpeg(lane: Callable[..., VideoLane], recorder: Receiver) -> None:
    slow = Slow(0.03)
    pictures = lane(recorder.endpoint, open_encoder=slow.open)
    for index in range(60):
        pictures.offer(index, index * STEP_NS, drawing(index))
        time.sleep(0.01)
    pictures.close()
    frames = frames_of(received(recorder, 60))
    formats = [frame.format for frame in frames]
    switch = formats.index("jpeg")
    assert set(formats[:switch]) == {"h264"}
    assert set(formats[switch:]) == {"jpeg"}
    for frame in frames[switch:]:
        assert frame.keyframe
        assert differs(cv2.imdecode(np.frombuffer(frame.data, np.uint8), cv2.IMREAD_COLOR), frame.index) < NEARLY
    assert pictures.detail.startswith("video as JPEG, as H.264 does not work here: It takes too long.")


@pytest.mark.parametrize(("missing", "failed"), [(5, False), (6, True)])
def test_more_than_a_tenth_missing_for_five_seconds_is_too_much(missing: int, failed: bool) -> None:
    keeping_up = EncoderLoad()
    for index in range(50):
        keeping_up.add(index * STEP_NS, index < missing)
        assert not keeping_up.failed
    keeping_up.add(50 * STEP_NS, False)
    assert keeping_up.failed == failed


def test_without_an_encoder_pictures_are_jpeg(lane: Callable[..., VideoLane], recorder: Receiver) -> None:
    def refuse(size_px: tuple[int, int]) -> JpegEncoder:
        raise PoseRigError(f"No encoder for {size_px}.", "Buy one.")

    pictures = lane(recorder.endpoint, whole=True, open_encoder=refuse)
    for index in range(3):
        pictures.offer(index, index * STEP_NS, drawing(index))
    assert [frame.format for frame in frames_of(received(recorder, 3))] == ["jpeg"] * 3
    assert pictures.detail == "video as JPEG, as H.264 does not work here: No encoder for (96, 64). Buy one."


def test_an_encoder_that_fails_midway_costs_no_picture(lane: Callable[..., VideoLane], recorder: Receiver) -> None:
    breaking = Breaking(PoseRigError("It broke.", "Repair it."))
    pictures = lane(recorder.endpoint, whole=True, open_encoder=breaking.open)
    for index in range(5):
        pictures.offer(index, index * STEP_NS, drawing(index))
    frames = frames_of(received(recorder, 5))
    assert [(frame.index, frame.format) for frame in frames] == [
        (0, "h264"), (1, "h264"), (2, "jpeg"), (3, "jpeg"), (4, "jpeg"),
    ]  # fmt: skip
    assert pictures.detail == "video as JPEG, as H.264 does not work here: It broke. Repair it."


@pytest.mark.parametrize("whole", [False, True])
def test_an_unforeseen_failure_ends_the_video_and_nothing_else(
    lane: Callable[..., VideoLane], recorder: Receiver, whole: bool
) -> None:
    breaking = Breaking(RuntimeError("what?"))
    pictures = lane(recorder.endpoint, whole=whole, open_encoder=breaking.open)
    for index in range(20):
        pictures.offer(index, index * STEP_NS, drawing(index))
    pictures.close()
    assert len(frames_of(received(recorder, 2))) == 2
    assert "no more video: RuntimeError: what?" in pictures.detail


def test_a_whole_lane_waits_instead_of_leaving_out(lane: Callable[..., VideoLane], recorder: Receiver) -> None:
    slow = Slow(0.01)
    pictures = lane(recorder.endpoint, whole=True, open_encoder=slow.open)
    began = time.monotonic()
    for index in range(30):
        pictures.offer(index, index * STEP_NS, drawing(index))
    assert time.monotonic() - began > 0.2
    pictures.close()
    messages = received(recorder, 30)
    assert [frame.index for frame in frames_of(messages)] == list(range(30))
    assert gaps_of(messages) == []
    assert pictures.missing == 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no priority of their own")
@pytest.mark.parametrize(("whole", "niceness"), [(False, NICENESS), (True, 0)])
def test_compresses_when_nobody_else_wants_to_work_unless_all_wait_for_it(
    lane: Callable[..., VideoLane], recorder: Receiver, whole: bool, niceness: int
) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    pictures = lane(recorder.endpoint, whole=whole)
    pictures.offer(0, 0, drawing(0))
    received(recorder, 1)
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "video left")
    assert thread.native_id is not None
    assert os.getpriority(os.PRIO_PROCESS, thread.native_id) == max(own, niceness)
    assert os.getpriority(os.PRIO_PROCESS, 0) == own


@pytest.mark.parametrize("whole", [False, True])
def test_stops_in_time_while_nobody_takes_anything(lane: Callable[..., VideoLane], nobody: str, whole: bool) -> None:
    stop = threading.Event()
    pictures = lane(nobody, stop, whole=whole)
    threading.Timer(0.5, stop.set).start()
    offered = 0
    while not stop.is_set():
        pictures.offer(offered, offered * STEP_NS // 30, drawing(offered))
        offered += 1
        time.sleep(0.005)
    began = time.monotonic()
    pictures.close()
    assert time.monotonic() - began < 5
    assert offered > MARK
    assert pictures.missing >= offered - MARK - 1


def test_what_a_stop_leaves_behind_is_told(lane: Callable[..., VideoLane], recorder: Receiver) -> None:
    stop = threading.Event()
    slow = Slow(0.15)
    pictures = lane(recorder.endpoint, stop, open_encoder=slow.open)
    for index in range(WAITING):
        pictures.offer(index, index * STEP_NS, drawing(index))
    stop.set()
    pictures.close()
    messages = received(recorder, WAITING)
    (gap,) = gaps_of(messages)
    assert 1 <= gap.missing == pictures.missing < WAITING
    assert (gap.t_ns, gap.reason) == ((WAITING - 1) * STEP_NS, STOPPED)


def test_tells_what_to_install_where_pyav_is_missing() -> None:
    code = """
import sys
sys.modules["av"] = None
from pose_rig.video.encoder import open_h264
from pose_rig.errors import PoseRigError
try:
    open_h264((64, 48))
except PoseRigError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"PyAV is not installed. For H.264: {installer().with_extra('video')}.\n"


def test_a_size_that_h264_cannot_have_is_refused_in_a_sentence() -> None:
    with pytest.raises(PoseRigError, match="libx264 does not take 0×0 pictures"):
        open_h264((0, 0))


def test_instants_that_jump_begin_anew() -> None:
    encoder = open_h264(SIZE)
    keyframes = [encoder.encode(t_ns, drawing(0)).keyframe for t_ns in (5 * STEP_NS, 6 * STEP_NS, 0, STEP_NS)]
    assert keyframes == [True, False, True, False]
