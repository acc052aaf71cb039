"""The recorder, alone and with those who talk to it."""

import multiprocessing
import os
import random
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest

from pose_rig.errors import UsageError
from pose_rig.session.mcap.recover import recover
from pose_rig.session.mcap.summary import is_complete
from pose_rig.session.reader import Session
from pose_rig.session.recorder import FLUSH_INTERVAL_S, Recorder, main, part_path, read_clocks
from pose_rig.wire.bus import Receiver, Sender
from pose_rig.wire.encoding import encode
from pose_rig.wire.jobs import RecordJob
from pose_rig.wire.messages import Health, Keypoints2D, Message, State
from pose_rig.wire.records import Clock, Gap, Learned, Marker, VideoFrame
from tests.ports import free_endpoint
from tests.session.drawable import SIZE_PX, refined, rig
from tests.session.recorded import FRAME_NS, START_NS, frame, pose, rig_of, rows, talk

SPAWN = multiprocessing.get_context("spawn")
NEVER = "tcp://127.0.0.1:9"
# A recorder whose disk takes no more than so many bytes, fed without end; it says how it is doing.
ON_A_FULL_DISK = """
import resource, sys
from pose_rig.wire.jobs import RecordJob
from pose_rig.wire.encoding import encode
from pose_rig.session.recorder import Recorder
from tests.session.recorded import frame, rig_of
recorder = Recorder(RecordJob(rig_of(), sys.argv[1], "", "", least_free_bytes=0))
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
for second in range(60):
    recorder.add([(frame(i), encode(frame(i))) for i in range(30 * second, 30 * second + 30)])
    recorder.maintain(1e9 + second)
recorder.finish()
health = recorder.health("ended")
print(health.error)
print(health.dropped, health.frames)
"""


def job(path: Path, **changes: object) -> RecordJob:
    values: dict[str, object] = {
        "config": rig_of(), "path": str(path), "input": NEVER, "output": NEVER, "least_free_bytes": 0
    }  # fmt: skip
    return RecordJob(**(values | changes))  # type: ignore[arg-type]


def with_bytes(messages: Iterable[Message]) -> list[tuple[Message, bytes]]:
    return [(message, encode(message)) for message in messages]


def on_bus(path: Path) -> list[Message]:
    """Returns what the bus said, without what the recorder adds of its own."""
    with Session(path) as session:
        return [message for message in session.messages() if not isinstance(message, Clock)]


def fusion_says(state: State) -> Health:
    return Health(worker="fusion", t_ns=1, state=state)


class Recording:
    """A recorder in a thread, a publisher, and a subscriber of its health."""

    def __init__(self, path: Path, **changes: object) -> None:
        self.stop = threading.Event()
        self.job = job(path, input=free_endpoint(), output=free_endpoint(), **changes)
        self.thread = threading.Thread(target=main, args=(self.job, self.stop))
        self.sender = Sender(self.job.input, "lossless")
        self._receiver = Receiver(self.job.output)
        self.health: list[Health] = []
        self.thread.start()

    def listen(self, seconds: float) -> None:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s and self.thread.is_alive():
            self.health += [message for message in self._receiver.receive(20) if isinstance(message, Health)]

    def close(self) -> None:
        self.sender.close(linger_ms=1000)
        self.thread.join(20)
        self.health += [message for message in self._receiver.receive(500) if isinstance(message, Health)]
        self._receiver.close()
        assert not self.thread.is_alive()


def test_all_messages_until_fusion_ends_are_recorded_in_order(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "take.mcap")
    messages = [fusion_says("starting"), *talk(40), rig(START_NS), refined(START_NS), fusion_says("ended")]
    late = Marker(t_ns=START_NS, number=1, text="just before the end")
    for message in (*messages, late):
        assert recording.sender.send(message, 5000)
    recording.close()
    assert [encode(message) for message in on_bus(tmp_path / "take.mcap")] == [encode(m) for m in (*messages, late)]
    last = recording.health[-1]
    assert (last.worker, last.state, last.error, last.dropped) == ("recorder", "ended", "", 0)
    assert last.frames >= len(messages)
    assert last.detail.startswith(f"{tmp_path / 'take.mcap'}, 0.")


def test_a_fusion_that_is_restarted_has_not_ended(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "take.mcap")
    for message in (fusion_says("ended"), fusion_says("starting"), frame(0)):
        recording.sender.send(message)
    recording.listen(1.0)
    assert recording.thread.is_alive()
    recording.sender.send(frame(1))
    recording.stop.set()
    recording.close()
    assert len(on_bus(tmp_path / "take.mcap")) == 4


def test_a_stopped_recorder_still_records_messages_in_transit(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "take.mcap")
    recording.stop.set()
    for i in range(5):
        recording.sender.send(frame(i))
        recording.listen(0.4)  # longer than the rest in silence is waited for after fusion has ended
    recording.close()
    assert len(on_bus(tmp_path / "take.mcap")) == 5
    assert is_complete(tmp_path / "take.mcap")


def test_bytes_that_are_no_message_are_counted(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "take.mcap")
    for data in (encode(frame(0)), b"nonsense", encode(fusion_says("ended"))):
        recording.sender.send_bytes(data)
    recording.close()
    assert recording.health[-1].dropped == 1


def test_health_is_published_twice_a_second(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "take.mcap")
    for i in range(10):
        recording.sender.send(frame(i))
        recording.listen(0.15)
    recording.sender.send(fusion_says("ended"))
    recording.close()
    running = [health for health in recording.health if health.state == "running"]
    assert 2 <= len(running) <= 5
    assert running[-1].frames > 0


def test_the_file_is_complete_after_every_half_second(tmp_path: Path) -> None:
    recorder = Recorder(job(tmp_path / "take.mcap"))
    now_s = time.monotonic()
    recorder.add(with_bytes(talk(3)))
    recorder.maintain(now_s + 0.5 * FLUSH_INTERVAL_S)
    assert len(on_bus_of_partial(tmp_path)) == 0
    recorder.maintain(now_s + 1.5 * FLUSH_INTERVAL_S)
    assert len(on_bus_of_partial(tmp_path)) == 9
    assert FLUSH_INTERVAL_S <= 0.5
    recorder.finish()


def on_bus_of_partial(folder: Path) -> list[Message]:
    """Returns what would be there if everything died now; nothing if that is nothing."""
    copy = folder / "copy.mcap"
    copy.write_bytes((folder / "take.mcap.partial").read_bytes())
    (folder / "copy.recovered.mcap").unlink(missing_ok=True)
    if copy.stat().st_size < 2000:  # the head alone
        return []
    return [m for m in on_bus(copy) if not isinstance(m, Clock)]


def test_dropped_frames_are_reported_before_the_next_frame(tmp_path: Path) -> None:
    recorder = Recorder(job(tmp_path / "take.mcap"))
    recorder.add(with_bytes([frame(0), frame(0, "cam1"), frame(4), frame(1, "cam1")]))
    recorder.finish()
    found = on_bus(tmp_path / "take.mcap")
    assert [message.topic for message in found] == [
        "keypoints/cam0", "keypoints/cam1", "gap/cam0", "keypoints/cam0", "keypoints/cam1",
    ]  # fmt: skip
    assert isinstance(found[2], Gap)
    assert (found[2].missing, found[2].from_ns, found[2].t_ns) == (3, START_NS, START_NS + 4 * FRAME_NS)


def test_both_clocks_are_recorded(tmp_path: Path) -> None:
    recorder = Recorder(job(tmp_path / "take.mcap"))
    for second in range(25):
        recorder.add(with_bytes([frame(second)]))
        recorder.maintain(time.monotonic() + 10 + second)
    recorder.finish()
    with Session(tmp_path / "take.mcap") as session:
        noted = [message for message in session.messages(("clock",)) if isinstance(message, Clock)]
        assert len(noted) == 3
        for clock in noted:
            assert abs(clock.t_ns + session.info.unix_from_rig_ns - clock.unix_ns) < 50_000_000
    now = read_clocks()
    assert abs(now.t_ns - time.monotonic_ns()) < 10_000_000_000
    assert abs(now.unix_ns - time.time_ns()) < 1_000_000_000
    assert 0 <= now.uncertainty_ns < 100_000_000
    assert now.host


def test_images_are_stored_once_as_viewer_messages(tmp_path: Path) -> None:
    recorder = Recorder(job(tmp_path / "take.mcap"))
    jpeg = b"\xff\xd8" + bytes(range(256)) * 20 + b"\xff\xd9"
    shot = VideoFrame(
        camera="cam0", index=3, t_ns=START_NS, size_px=SIZE_PX, format="jpeg", keyframe=True, data=jpeg
    )  # fmt: skip
    recorder.add(with_bytes([frame(3, t_ns=START_NS), shot]))
    recorder.finish()
    assert [row[0] for row in rows(tmp_path / "take.mcap") if row[2].find(jpeg) >= 0] == ["/camera/cam0/image"]
    with Session(tmp_path / "take.mcap") as session:
        (back,) = session.video_frames("cam0")
    assert (back.index, back.t_ns, back.data) == (3, START_NS, jpeg)


def test_files_are_recorded_on_their_own_clock(tmp_path: Path) -> None:
    config = rig_of(pace="all")
    recorder = Recorder(job(tmp_path / "take.mcap", config=config, origin="files"))
    messages = [
        frame(0, t_ns=0), Health(worker="cam0", t_ns=time.monotonic_ns(), state="running"), frame(30, t_ns=10**9),
        pose(0, t_ns=10**9), Learned(work="averaging", asked=7), fusion_says("ended"),
    ]  # fmt: skip
    recorder.add(with_bytes(messages))
    recorder.maintain(time.monotonic() + 20)
    recorder.finish()
    assert recorder.health("ended").error == ""
    with Session(tmp_path / "take.mcap") as session:
        assert session.info.origin == "files"
        assert session.duration_s == pytest.approx(1.0)
        assert abs(session.start_unix_ns - time.time_ns()) < 60e9
        assert len(list(session.messages(from_s=0.5))) == 6  # a gap, and the clocks, too
    kept = [message for message in on_bus(tmp_path / "take.mcap") if not isinstance(message, Gap)]
    assert [encode(m) for m in kept] == [encode(m) for m in messages]


def test_a_restarted_recorder_writes_a_new_part(tmp_path: Path) -> None:
    path = tmp_path / "take.mcap"
    assert part_path(path, 0) == path
    assert part_path(path, 1) == tmp_path / "take-2.mcap"
    assert part_path(path, 2) == tmp_path / "take-3.mcap"
    (tmp_path / "take-2.mcap.partial").touch()
    (tmp_path / "take-3.mcap").touch()
    assert part_path(path, 1) == part_path(path, 2) == tmp_path / "take-4.mcap"
    recorder = Recorder(job(path, restarts=1))
    recorder.add(with_bytes(talk(1)))
    recorder.finish()
    assert recorder.health("ended").restarts == 1
    assert len(on_bus(tmp_path / "take-4.mcap")) == 3


def test_what_is_there_already_is_kept(tmp_path: Path) -> None:
    (tmp_path / "take.mcap").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"take\.mcap exists already\."):
        Recorder(job(tmp_path / "take.mcap"))
    assert (tmp_path / "take.mcap").read_bytes() == b"mine"


def test_a_disk_nearly_full_ends_the_recording_in_order(tmp_path: Path) -> None:
    recorder = Recorder(job(tmp_path / "take.mcap", least_free_bytes=1 << 60))
    recorder.add(with_bytes(talk(4)))
    recorder.maintain(time.monotonic() + 1)
    recorder.add(with_bytes(talk(5)))
    health = recorder.health("running")
    assert health.error.startswith("The recording ended: Only ")
    assert health.error.endswith(" MB are free on the disk. The run continues.")
    assert health.dropped == 15
    recorder.finish()
    assert os.listdir(tmp_path) == ["take.mcap"]
    assert [encode(m) for m in on_bus(tmp_path / "take.mcap")] == [encode(m) for m in talk(4)]


@pytest.mark.skipif(sys.platform == "win32", reason="limits files as POSIX does")
def test_a_disk_that_refuses_ends_the_recording_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "take.mcap"
    command = [sys.executable, "-c", ON_A_FULL_DISK, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    error, counts = done.stdout.splitlines()
    assert error == (
        f"The recording ended: Writing failed: File too large. `pose-rig recover {path}.partial` recovers it."
    )
    dropped, _ = map(int, counts.split())
    assert os.listdir(tmp_path) == ["take.mcap.partial"]
    found = on_bus(recover(path).path)
    assert 60 <= len(found) <= 1800 - dropped
    assert [encode(message) for message in found] == [encode(frame(i)) for i in range(len(found))]


def test_memory_does_not_grow_with_what_is_recorded(tmp_path: Path) -> None:
    recorder = Recorder(job(tmp_path / "take.mcap"))
    now_s, held = time.monotonic(), []
    tracemalloc.start()
    try:
        for minute in range(6):
            for second in range(10):
                first = (minute * 10 + second) * 8
                messages = [m for i in range(first, first + 8) for m in (frame(i), frame(i, "cam1"), pose(i))]
                recorder.add(with_bytes(messages))
                recorder.maintain(now_s + minute * 10 + second)
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
        recorder.finish()
    flushes = 10 * (len(held) - 2)
    assert (held[-1] - held[1]) / flushes < 4000  # an entry of the index per flush: some 20 MB in an hour
    assert len(on_bus(tmp_path / "take.mcap")) == 6 * 10 * 8 * 3


@pytest.mark.skipif(sys.platform == "win32", reason="kills with POSIX signals")
def test_a_killed_recorder_loses_a_second_at_most(tmp_path: Path) -> None:
    draw = random.Random(4)  # noqa: S311
    stop = SPAWN.Event()
    for number in range(3):
        path = tmp_path / f"take{number}.mcap"
        endpoint = free_endpoint()
        process = SPAWN.Process(
            target=main, args=(job(path, input=endpoint, output=free_endpoint()), stop), daemon=True
        )
        process.start()
        with Sender(endpoint, "lossless") as sender:
            killed_ns, index = feed(sender, path.with_name(path.name + ".partial"), draw.uniform(0.7, 1.8), process)
        found = [message for message in on_bus(recover(path).path) if isinstance(message, Keypoints2D)]
        assert [message.index for message in found] == list(range(len(found)))
        assert len(found) < index
        assert killed_ns - found[-1].t_ns < 1e9
        assert [encode(m) for m in found] == [encode(frame(m.index, t_ns=m.t_ns)) for m in found]


def feed(
    sender: Sender, partial: Path, seconds: float, process: "multiprocessing.context.SpawnProcess"
) -> tuple[int, int]:
    """Sends as fast as a rig of many cameras, kills the recorder, and returns when, and how many frames were sent."""
    deadline_s = time.monotonic() + 20
    while not partial.exists():
        assert time.monotonic() < deadline_s, process.exitcode
        time.sleep(0.01)
    end_s, index = time.monotonic() + seconds, 0
    while time.monotonic() < end_s:
        sender.send(frame(index, t_ns=time.monotonic_ns()), 1000)
        index += 1
        time.sleep(0.001)
    killed_ns = time.monotonic_ns()
    process.kill()
    process.join()
    return killed_ns, index
