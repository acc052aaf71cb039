"""Decoding recorded video, intact and damaged."""

import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pose_rig.arrays import Image
from pose_rig.assets.catalog import detector_model
from pose_rig.capture.process import main
from pose_rig.capture.recording import PacedSource, Recording
from pose_rig.capture.source import Source
from pose_rig.config import CameraConfig, DetectorConfig, Pace
from pose_rig.errors import AssetError, SessionError
from pose_rig.installer import installer
from pose_rig.session.video import SessionVideo
from pose_rig.session.video_decoder import Decoder, VideoDecoder, decoded_frames
from pose_rig.video.encoder import Encoder, JpegEncoder, open_h264
from pose_rig.wire.bus import Receiver
from pose_rig.wire.jobs import CameraJob, WallClock
from pose_rig.wire.messages import Health, Keypoints2D, Message
from pose_rig.wire.records import VideoFrame

SIZE = (97, 65)
START_NS = 5_000_000_000
STEP_NS = 100_000_000  # a keyframe every ten frames
NEARLY = 4.0  # grey levels, mean: what compression may change


def drawing(index: int, size: tuple[int, int] = SIZE) -> Image:
    """A soft slope with a square that moves by two pixels per frame."""
    image = np.zeros((size[1], size[0], 3), np.uint8)
    image[..., 1] = np.linspace(40, 200, size[0]).astype(np.uint8)
    image[8:24, 2 * index % 80 : 2 * index % 80 + 16] = (60, 90, 200)
    return image


def differs(image: Image, index: int, size: tuple[int, int] = SIZE) -> float:
    assert image.shape == (size[1], size[0], 3)
    assert image.dtype == np.uint8
    return float(np.abs(image.astype(int) - drawing(index, size)).mean())


def recorded(indices: range, encoder: Encoder | None = None, size: tuple[int, int] = SIZE) -> list[VideoFrame]:
    """Returns the messages of frames, 0.1 s apart, H.264 by default."""
    encoder = encoder or open_h264(size)
    frames = []
    for index in indices:
        t_ns = START_NS + index * STEP_NS
        kind, keyframe, data = encoder.encode(t_ns, drawing(index, size))
        frames.append(
            VideoFrame(
                camera="left", index=index, t_ns=t_ns, size_px=size, format=kind, keyframe=keyframe, data=data
            )
        )  # fmt: skip
    return frames


@pytest.fixture(scope="module")
def h264() -> list[VideoFrame]:
    return recorded(range(25))


def seen(frames: list[VideoFrame], decoder: VideoDecoder | None = None) -> list[int]:
    """Returns the numbers of the decoded frames, after checking each image."""
    found = []
    for frame in decoded_frames(iter(frames), decoder):
        assert frame.t_ns == START_NS + frame.index * STEP_NS
        assert differs(frame.image, frame.index) < NEARLY
        found.append(frame.index)
    return found


def test_h264_is_decoded_with_index_and_timestamp(h264: list[VideoFrame]) -> None:
    decoder = VideoDecoder()
    assert seen(h264, decoder) == list(range(25))
    assert decoder.skipped == 0


def test_jpeg_and_h264_may_follow_each_other(h264: list[VideoFrame]) -> None:
    decoder = VideoDecoder()
    frames = h264[:5] + recorded(range(5, 8), JpegEncoder()) + recorded(range(8, 12))
    assert seen(frames, decoder) == list(range(12))
    assert decoder.skipped == 0


def test_a_size_may_change() -> None:
    frames = recorded(range(3)) + recorded(range(3, 6), size=(64, 48))
    found = list(decoded_frames(frames))
    sizes = [SIZE] * 3 + [(64, 48)] * 3
    assert all(differs(frame.image, i, sizes[i]) < NEARLY for i, frame in enumerate(found))
    assert len(found) == 6


def test_begins_with_the_next_keyframe(h264: list[VideoFrame]) -> None:
    decoder = VideoDecoder()
    assert seen(h264[3:], decoder) == list(range(10, 25))
    assert decoder.skipped == 7


def flipped(data: bytes) -> bytes:
    noise = np.random.default_rng(3)
    out = np.frombuffer(data, np.uint8).copy()
    out[noise.integers(8, len(out), max(3, len(out) // 10))] ^= 0x5A
    return out.tobytes()


@pytest.mark.parametrize(
    "damage",
    [lambda data: b"", lambda data: b"nonsense" * 20, lambda data: data[: len(data) // 2], flipped],
    ids=["empty", "nonsense", "half", "flipped"],
)
@pytest.mark.parametrize(("at", "left"), [(4, [*range(4), *range(10, 25)]), (10, [*range(10), *range(20, 25)])])
def test_what_is_damaged_is_skipped_up_to_the_next_keyframe(
    h264: list[VideoFrame], damage: Callable[[bytes], bytes], at: int, left: list[int]
) -> None:
    decoder = VideoDecoder()
    frames = list(h264)
    frames[at] = msgspec.structs.replace(frames[at], data=damage(frames[at].data))
    assert seen(frames, decoder) == left
    assert decoder.skipped == 25 - len(left)


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\xff\xd8\xff\xd9"])
def test_a_damaged_jpeg_is_skipped_alone(data: bytes) -> None:
    decoder = VideoDecoder()
    frames = recorded(range(4), JpegEncoder())
    frames[1] = msgspec.structs.replace(frames[1], data=data)
    frames[2] = msgspec.structs.replace(frames[2], data=frames[2].data[:-100])
    assert seen(frames, decoder) == [0, 3]
    assert decoder.skipped == 2


def test_a_jpeg_that_would_unpack_to_gigabytes_is_not_decoded() -> None:
    frames = recorded(range(2), JpegEncoder())
    data = bytearray(frames[0].data)
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = b"\xea\x60\xea\x60"  # 60000 × 60000
    huge = msgspec.structs.replace(frames[0], data=bytes(data))
    decoder = VideoDecoder()
    tracemalloc.start()
    for size_px in (huge.size_px, (60000, 60000)):
        assert decoder.decode(msgspec.structs.replace(huge, size_px=size_px)) is None
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 10_000_000
    assert decoder.skipped == 2
    assert decoder.decode(frames[1]) is not None


def test_an_image_of_another_size_than_its_header_is_damaged(h264: list[VideoFrame]) -> None:
    decoder = VideoDecoder()
    frames = [msgspec.structs.replace(frame, size_px=(90, 60)) for frame in h264[:3]]
    assert seen([*frames, *h264[10:12]], decoder) == [10, 11]
    assert decoder.skipped == 3


def test_random_bytes_never_raise() -> None:
    noise = np.random.default_rng(0)
    decoder = VideoDecoder()
    for frame in recorded(range(3)) * 20:
        data = bytearray(frame.data)
        for place in noise.integers(0, len(data), 30):
            data[place] = int(noise.integers(256))
        decoder.decode(msgspec.structs.replace(frame, data=bytes(data), keyframe=True))
    assert decoder.skipped > 0


class Absent:
    """Stands for PyAV not being there."""

    def __call__(self) -> Decoder:
        raise SessionError("No PyAV.", "Install it.")


def test_without_pyav_jpeg_is_read_and_h264_is_an_error(h264: list[VideoFrame]) -> None:
    assert seen(recorded(range(3), JpegEncoder()), VideoDecoder(Absent())) == [0, 1, 2]
    with pytest.raises(SessionError, match=r"No PyAV\. Install it\."):
        seen(h264, VideoDecoder(Absent()))


def test_a_missing_pyav_is_an_error_with_the_install_command() -> None:
    code = """
import sys
sys.modules["av"] = None
from pose_rig.errors import SessionError
from pose_rig.session.video_decoder import open_h264
try:
    open_h264()
except SessionError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == (
        f"The video is H.264, and PyAV, which decodes it, is not installed. {installer().with_extra('video')}.\n"
    )


def test_is_a_recording_with_its_own_timestamps(h264: list[VideoFrame]) -> None:
    recording: Recording = SessionVideo("left", lambda: iter(h264), total_frames=25)
    assert (recording.info.identity, recording.info.size_px, recording.info.landmarks) == ("video of left", SIZE, "")
    assert (recording.info.fps, recording.info.total_frames) == (10.0, 25)
    assert recording.info.detail == "recorded, 97×65 h264 at 10/s"
    source = PacedSource(recording, "all", lambda: 0)
    frames = []
    while source.poll(1.0) and (frame := source.read()) is not None:
        frames.append(frame)
    assert [(frame.index, frame.t_ns) for frame in frames] == [(i, START_NS + i * STEP_NS) for i in range(25)]
    assert all(frame.image is not None and differs(frame.image, frame.index) < NEARLY for frame in frames)
    source.close()


@pytest.mark.parametrize(("place", "arrives"), [(-40, 0), (0, 0), (9, 0), (10, 10), (19, 10), (22, 20), (99, 20)])
def test_seek_goes_to_the_keyframe_before(h264: list[VideoFrame], place: int, arrives: int) -> None:
    recording = SessionVideo("left", lambda: iter(h264))
    for _ in range(15):
        recording.grab()
    recording.seek(START_NS + place * STEP_NS)
    grabbed = recording.grab()
    assert grabbed is not None
    assert (grabbed.index, grabbed.pts_ns) == (arrives, START_NS + arrives * STEP_NS)
    image, people = recording.retrieve()
    assert image is not None
    assert people is None
    assert differs(image, arrives) < NEARLY
    assert recording.skipped == 0


def test_an_end_and_a_close_end_reading(h264: list[VideoFrame]) -> None:
    open_readers = 0

    def frames() -> Iterator[VideoFrame]:
        nonlocal open_readers
        open_readers += 1
        try:
            yield from h264[:3]
        finally:
            open_readers -= 1

    recording = SessionVideo("left", frames)
    assert [recording.grab() is not None for _ in range(5)] == [True, True, True, False, False]
    recording.seek(0)
    recording.grab()
    assert open_readers == 1
    recording.close()
    assert open_readers == 0


def test_a_session_without_images_is_reported() -> None:
    with pytest.raises(SessionError, match=r"The session has no video of left\. Record it with --video\."):
        SessionVideo("left", lambda: iter(()))


class Start:
    value = 1


@pytest.mark.network
def test_a_camera_process_detects_on_recorded_frames(h264: list[VideoFrame], tmp_path: Path) -> None:
    try:
        model = str(detector_model("full", lambda text: None))
    except AssetError as error:
        pytest.skip(str(error))

    def open_source(camera: CameraConfig, pace: Pace, start: Callable[[], int], clock: WallClock) -> Source:
        return PacedSource(SessionVideo(camera.name, lambda: iter(h264)), pace, start)

    messages: list[Message] = []
    with Receiver("tcp://127.0.0.1:0", "lossless", bind=True) as receiver:
        camera = CameraConfig(source=str(tmp_path / "session.mcap"), name="left")
        job = CameraJob(camera, DetectorConfig(model=model), "all", receiver.endpoint)
        thread = threading.Thread(target=main, args=(job, threading.Event(), Start(), open_source))
        thread.start()
        while not (messages and isinstance(messages[-1], Health) and messages[-1].state == "ended"):
            messages += receiver.receive(5000)
        thread.join()
    found = [message for message in messages if isinstance(message, Keypoints2D)]
    assert [(message.camera, message.index, message.t_ns, message.size_px) for message in found] == [
        ("left", frame.index, frame.t_ns, SIZE) for frame in h264
    ]
