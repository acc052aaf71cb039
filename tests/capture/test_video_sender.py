"""Pictures through real encoders and real ZeroMQ, decoded_by_ffmpeg by FFmpeg."""

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
from pose_rig.capture.video_sender import (
    NICENESS,
    QUEUE_FRAMES,
    SEND_HWM,
    SLOW_ENCODER,
    SLOW_RECORDER,
    STOPPED,
    VideoSender,
)
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
StartSender = Callable[..., VideoSender]
NEVER = threading.Event()
MAX_DIFFERENCE = 4.0  # grey levels, mean: what compression may change


def drawing(index: int, size: tuple[int, int] = SIZE) -> Image:
    """A gradient with a square that moves by a pixel per frame."""
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
def no_recorder() -> str:
    """An endpoint at which no_recorder listens (yet)."""
    return free_endpoint()


@pytest.fixture
def sender() -> Iterator[StartSender]:
    opened: list[VideoSender] = []

    def start(endpoint: str, stop: threading.Event = NEVER, size: tuple[int, int] = SIZE, **kwargs: Any) -> VideoSender:
        opened.append(VideoSender("left", endpoint, size, stop, **kwargs))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def received(recorder: Receiver, frames: int) -> list[Message]:
    """Returns the messages up to a number of images, received or reported as dropped."""
    messages: list[Message] = []
    deadline = time.monotonic() + 20
    while counted(messages) < frames:
        assert time.monotonic() < deadline, f"{counted(messages)} of {frames}"
        messages += recorder.receive(200)
    return messages


def counted(messages: list[Message]) -> int:
    return sum(message.missing if isinstance(message, Gap) else 1 for message in messages)


def frames_of(messages: list[Message]) -> list[VideoFrame]:
    return [message for message in messages if isinstance(message, VideoFrame)]


def gaps_of(messages: list[Message]) -> list[Gap]:
    return [message for message in messages if isinstance(message, Gap)]


def decoded_by_ffmpeg(stream: bytes) -> list[Any]:
    """Returns the frames that FFmpeg decodes from an Annex B stream."""
    with av.open(io.BytesIO(stream), "r", format="h264") as container:
        return list(container.decode(video=0))


def units(data: bytes) -> list[int]:
    """Returns the types of the NAL units in Annex B bytes."""
    return [unit[0] & 31 for unit in re.split(b"\0\0\0?\1", data)[1:]]


class BlockedEncoder:
    """An encoder that blocks until it is released."""

    def __init__(self, inner: Any = None) -> None:
        self.go = threading.Event()
        self.busy = threading.Event()
        self._inner = inner or JpegEncoder()

    def open(self, size_px: tuple[int, int]) -> "BlockedEncoder":
        return self

    def encode(self, t_ns: int, image: Image) -> EncodedImage:
        self.busy.set()
        assert self.go.wait(10)
        encoded: EncodedImage = self._inner.encode(t_ns, image)
        return encoded


class SlowEncoder:
    """An encoder that sleeps."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def open(self, size_px: tuple[int, int]) -> "SlowEncoder":
        return self

    def encode(self, t_ns: int, image: Image) -> EncodedImage:
        time.sleep(self._seconds)
        return EncodedImage("h264", True, b"\0\0\0\1")


class FailingEncoder:
    """An encoder that fails at its third image."""

    def __init__(self, error: Exception) -> None:
        self._error, self._done = error, 0

    def open(self, size_px: tuple[int, int]) -> "FailingEncoder":
        return self

    def encode(self, t_ns: int, image: Image) -> EncodedImage:
        self._done += 1
        if self._done == 3:
            raise self._error
        return EncodedImage("h264", True, b"\0\0\0\1")


def test_ffmpeg_decodes_the_stream_to_the_same_images(sender: StartSender, recorder: Receiver, tmp_path: Path) -> None:
    video = sender(recorder.endpoint, lossless=True)
    for index in range(25):
        video.put(index, 7 + index * STEP_NS, drawing(index))
    frames = frames_of(received(recorder, 25))
    assert [(frame.index, frame.t_ns) for frame in frames] == [(i, 7 + i * STEP_NS) for i in range(25)]
    assert {(frame.camera, frame.size_px, frame.format) for frame in frames} == {("left", SIZE, "h264")}
    assert [frame.index for frame in frames if frame.keyframe] == [0, 10, 20]  # every second
    assert all(frame.data.startswith(b"\0\0\0\1") for frame in frames)
    for frame in frames:
        wanted = [7, 8, 5] if frame.keyframe else [1]  # parameter sets and a make_image by itself; a make_image
        assert [unit for unit in units(frame.data) if unit != 6] == wanted
    stream = b"".join(frame.data for frame in frames)
    decoded = decoded_by_ffmpeg(stream)
    assert {PictureType(frame.pict_type) for frame in decoded} == {PictureType.I, PictureType.P}
    assert max(differs(frame.to_ndarray(format="bgr24"), i) for i, frame in enumerate(decoded)) < MAX_DIFFERENCE
    path = tmp_path / "a.h264"
    path.write_bytes(stream)
    opencv = cv2.VideoCapture(str(path))
    again = [opencv.read()[1] for _ in range(25)]
    assert max(differs(image, i) for i, image in enumerate(again)) < MAX_DIFFERENCE
    assert "video as H.264" in video.detail


def test_decoding_can_start_at_any_keyframe(sender: StartSender, recorder: Receiver) -> None:
    video = sender(recorder.endpoint, lossless=True)
    for index in range(15):
        video.put(index, index * STEP_NS, drawing(index))
    frames = frames_of(received(recorder, 15))
    decoded = decoded_by_ffmpeg(b"".join(frame.data for frame in frames[10:]))
    assert len(decoded) == 5
    assert max(differs(frame.to_ndarray(format="bgr24"), 10 + i) for i, frame in enumerate(decoded)) < MAX_DIFFERENCE


def test_odd_sizes_and_a_size_that_changes(sender: StartSender, recorder: Receiver) -> None:
    video = sender(recorder.endpoint, size=(97, 65), lossless=True)
    sizes = [(97, 65)] * 3 + [(64, 49)] * 3
    for index, size in enumerate(sizes):
        video.put(index, index * STEP_NS, drawing(index, size))
    frames = frames_of(received(recorder, 6))
    assert [frame.size_px for frame in frames] == sizes
    assert [frame.index for frame in frames if frame.keyframe] == [0, 3]
    for first in (0, 3):
        for i, frame in enumerate(decoded_by_ffmpeg(b"".join(frame.data for frame in frames[first : first + 3]))):
            image = frame.to_ndarray(format="bgr24")
            assert image.shape[:2] == tuple(side + side % 2 for side in reversed(sizes[first]))
            assert differs(image, first + i, sizes[first]) < MAX_DIFFERENCE


def test_dropped_images_are_counted_and_reported_in_their_place(sender: StartSender, recorder: Receiver) -> None:
    blocked = BlockedEncoder()
    video = sender(recorder.endpoint, open_encoder=blocked.open)
    video.put(0, 0, drawing(0))
    assert blocked.busy.wait(10)
    for index in range(1, QUEUE_FRAMES + 6):
        video.put(index, index * STEP_NS, drawing(index))
    assert video.dropped == 5
    blocked.go.set()
    messages = received(recorder, QUEUE_FRAMES + 1)
    next_ns = (QUEUE_FRAMES + 6) * STEP_NS
    video.put(QUEUE_FRAMES + 6, next_ns, drawing(0))
    messages += received(recorder, 6)
    assert [message.index for message in frames_of(messages)] == [*range(QUEUE_FRAMES + 1), QUEUE_FRAMES + 6]
    (gap,) = gaps_of(messages)
    assert messages.index(gap) == QUEUE_FRAMES + 1
    assert (gap.source, gap.what, gap.missing, gap.reason) == ("left", "video", 5, SLOW_ENCODER)
    assert (gap.from_ns, gap.t_ns) == (QUEUE_FRAMES * STEP_NS, next_ns)
    assert video.detail.endswith(", 5 images dropped")


def test_images_dropped_last_are_reported_at_the_end(sender: StartSender, recorder: Receiver) -> None:
    blocked = BlockedEncoder()
    video = sender(recorder.endpoint, open_encoder=blocked.open)
    video.put(0, 0, drawing(0))
    assert blocked.busy.wait(10)
    for index in range(1, QUEUE_FRAMES + 3):
        video.put(index, index * STEP_NS, drawing(index))
    blocked.go.set()
    video.close()
    messages = received(recorder, QUEUE_FRAMES + 3)
    (gap,) = gaps_of(messages)
    assert messages[-1] is gap
    assert gap.missing >= 2  # more where closing had no time for the last ones
    assert (gap.from_ns, gap.t_ns) == ((QUEUE_FRAMES + 2 - gap.missing) * STEP_NS, (QUEUE_FRAMES + 2) * STEP_NS)


def test_the_stream_decodes_without_the_dropped_images(sender: StartSender, recorder: Receiver) -> None:
    blocked = BlockedEncoder(open_h264(SIZE))
    video = sender(recorder.endpoint, open_encoder=blocked.open)
    for index in range(40):
        blocked.go.set() if index in (12, 25) else blocked.go.clear() if index in (0, 15) else None
        video.put(index, index * STEP_NS // 10, drawing(index))
        time.sleep(0.005)
    video.close()
    messages = received(recorder, 40)
    frames = frames_of(messages)
    assert counted(messages) == 40
    assert sum(gap.missing for gap in gaps_of(messages)) == video.dropped > 5
    decoded = decoded_by_ffmpeg(b"".join(frame.data for frame in frames))
    assert len(decoded) == len(frames)
    for frame, image in zip(frames, decoded, strict=True):
        assert differs(image.to_ndarray(format="bgr24"), frame.index) < MAX_DIFFERENCE


def test_a_recorder_that_does_not_receive_never_blocks(sender: StartSender, no_recorder: str) -> None:
    video = sender(no_recorder)
    took_s = []
    for index in range(300):
        began = time.perf_counter()
        video.put(index, index * STEP_NS // 30, drawing(index))
        took_s.append(time.perf_counter() - began)
        time.sleep(0.002)
    assert float(np.median(took_s)) < 0.01
    assert max(took_s) < 3
    assert video.dropped >= 300 - SEND_HWM - QUEUE_FRAMES - 2  # no more are kept
    with Receiver(no_recorder, "lossless", bind=True, max_bytes=MAX_VIDEO_BYTES) as late:
        messages: list[Message] = []
        while len(frames_of(messages)) < 300 - video.dropped:
            new = late.receive(10_000)
            assert new
            messages += new
        video.put(300, 300 * STEP_NS // 30, drawing(300))
        messages += received(late, 301 - counted(messages))
    assert counted(messages) == 301
    assert messages[-1].topic == "video/left"
    reasons = {gap.reason for gap in gaps_of(messages)}
    assert reasons
    assert reasons <= {SLOW_RECORDER, SLOW_ENCODER}  # the encoder too where the machine is busy
    assert "H.264" in video.detail  # not the encoder's fault


def test_a_slow_encoder_is_replaced_by_jpeg(sender: StartSender, recorder: Receiver) -> None:
    slow = SlowEncoder(0.03)
    video = sender(recorder.endpoint, open_encoder=slow.open)
    for index in range(60):
        video.put(index, index * STEP_NS, drawing(index))
        time.sleep(0.01)
    video.close()
    frames = frames_of(received(recorder, 60))
    formats = [frame.format for frame in frames]
    switch = formats.index("jpeg")
    assert set(formats[:switch]) == {"h264"}
    assert set(formats[switch:]) == {"jpeg"}
    for frame in frames[switch:]:
        assert frame.keyframe
        assert (
            differs(cv2.imdecode(np.frombuffer(frame.data, np.uint8), cv2.IMREAD_COLOR), frame.index) < MAX_DIFFERENCE
        )
    assert video.detail.startswith("video as JPEG, as H.264 does not work here: It is too slow.")


@pytest.mark.parametrize(("missing", "failed"), [(5, False), (6, True)])
def test_an_encoder_that_drops_more_than_a_tenth_in_five_seconds_is_too_slow(missing: int, failed: bool) -> None:
    load = EncoderLoad()
    for index in range(50):
        load.add(index * STEP_NS, index < missing)
        assert not load.too_high
    load.add(50 * STEP_NS, False)
    assert load.too_high == failed


def test_without_an_encoder_images_are_jpeg(sender: StartSender, recorder: Receiver) -> None:
    def fail(size_px: tuple[int, int]) -> JpegEncoder:
        raise PoseRigError(f"No encoder for {size_px}.", "Buy one.")

    video = sender(recorder.endpoint, lossless=True, open_encoder=fail)
    for index in range(3):
        video.put(index, index * STEP_NS, drawing(index))
    assert [frame.format for frame in frames_of(received(recorder, 3))] == ["jpeg"] * 3
    assert video.detail == "video as JPEG, as H.264 does not work here: No encoder for (96, 64). Buy one."


def test_an_encoder_that_fails_later_drops_no_image(sender: StartSender, recorder: Receiver) -> None:
    failing = FailingEncoder(PoseRigError("It broke.", "Repair it."))
    video = sender(recorder.endpoint, lossless=True, open_encoder=failing.open)
    for index in range(5):
        video.put(index, index * STEP_NS, drawing(index))
    frames = frames_of(received(recorder, 5))
    assert [(frame.index, frame.format) for frame in frames] == [
        (0, "h264"), (1, "h264"), (2, "jpeg"), (3, "jpeg"), (4, "jpeg"),
    ]  # fmt: skip
    assert video.detail == "video as JPEG, as H.264 does not work here: It broke. Repair it."


@pytest.mark.parametrize("lossless", [False, True])
def test_an_unexpected_error_ends_the_video_only(sender: StartSender, recorder: Receiver, lossless: bool) -> None:
    failing = FailingEncoder(RuntimeError("what?"))
    video = sender(recorder.endpoint, lossless=lossless, open_encoder=failing.open)
    for index in range(20):
        video.put(index, index * STEP_NS, drawing(index))
    video.close()
    assert len(frames_of(received(recorder, 2))) == 2
    assert "no more video: RuntimeError: what?" in video.detail


def test_a_lossless_sender_blocks_instead_of_dropping(sender: StartSender, recorder: Receiver) -> None:
    slow = SlowEncoder(0.01)
    video = sender(recorder.endpoint, lossless=True, open_encoder=slow.open)
    began = time.monotonic()
    for index in range(30):
        video.put(index, index * STEP_NS, drawing(index))
    assert time.monotonic() - began > 0.2
    video.close()
    messages = received(recorder, 30)
    assert [frame.index for frame in frames_of(messages)] == list(range(30))
    assert gaps_of(messages) == []
    assert video.dropped == 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no priority of their own")
@pytest.mark.parametrize(("lossless", "niceness"), [(False, NICENESS), (True, 0)])
def test_encodes_at_low_priority_unless_lossless(
    sender: StartSender, recorder: Receiver, lossless: bool, niceness: int
) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    video = sender(recorder.endpoint, lossless=lossless)
    video.put(0, 0, drawing(0))
    received(recorder, 1)
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "video left")
    assert thread.native_id is not None
    assert os.getpriority(os.PRIO_PROCESS, thread.native_id) == max(own, niceness)
    assert os.getpriority(os.PRIO_PROCESS, 0) == own


@pytest.mark.parametrize("lossless", [False, True])
def test_stops_in_time_while_the_recorder_does_not_receive(
    sender: StartSender, no_recorder: str, lossless: bool
) -> None:
    stop = threading.Event()
    video = sender(no_recorder, stop, lossless=lossless)
    threading.Timer(0.5, stop.set).start()
    offered = 0
    while not stop.is_set():
        video.put(offered, offered * STEP_NS // 30, drawing(offered))
        offered += 1
        time.sleep(0.005)
    began = time.monotonic()
    video.close()
    assert time.monotonic() - began < 5
    assert offered > SEND_HWM
    assert video.dropped >= offered - SEND_HWM - 1


def test_images_dropped_by_a_stop_are_reported(sender: StartSender, recorder: Receiver) -> None:
    stop = threading.Event()
    slow = SlowEncoder(0.15)
    video = sender(recorder.endpoint, stop, open_encoder=slow.open)
    for index in range(QUEUE_FRAMES):
        video.put(index, index * STEP_NS, drawing(index))
    stop.set()
    video.close()
    messages = received(recorder, QUEUE_FRAMES)
    (gap,) = gaps_of(messages)
    assert 1 <= gap.missing == video.dropped < QUEUE_FRAMES
    assert (gap.t_ns, gap.reason) == ((QUEUE_FRAMES - 1) * STEP_NS, STOPPED)


def test_a_missing_pyav_is_reported_with_the_command_to_install_it() -> None:
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


def test_an_invalid_size_is_an_error() -> None:
    with pytest.raises(PoseRigError, match="libx264 does not support images of 0×0"):
        open_h264((0, 0))


def test_a_jump_in_time_starts_with_a_keyframe() -> None:
    encoder = open_h264(SIZE)
    keyframes = [encoder.encode(t_ns, drawing(0)).keyframe for t_ns in (5 * STEP_NS, 6 * STEP_NS, 0, STEP_NS)]
    assert keyframes == [True, False, True, False]
