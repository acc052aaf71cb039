"""Sessions while they are written."""

import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from mcap.reader import make_reader

from pose_rig.atomic_file import partial_path
from pose_rig.errors import SessionError, UsageError
from pose_rig.session.mcap.mcap_writer import refuse_existing
from pose_rig.session.mcap.recover import recover
from pose_rig.session.mcap.summary import is_complete
from pose_rig.wire.encoding import encode
from pose_rig.wire.records import Learned, Marker
from tests.session.recorded import (
    START_NS,
    UNIX_FROM_RIG_NS,
    begin,
    frame,
    pose,
    rows,
    rows_in_passing,
    sent,
    talk,
    write,
)  # fmt: skip

# A disk that takes no more than so many bytes per file; signals are ignored by Python, so that writing raises.
ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from pose_rig.wire.encoding import encode
from tests.session.recorded import begin, frame
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
file = begin(Path(sys.argv[1]))
try:
    for i in range(100_000):
        message = frame(i)
        file.add(message, encode(message), message.t_ns)
        if i % 10 == 0:
            file.flush()
except OSError as error:
    print(error.strerror)
file.abandon()
"""


def test_a_session_is_partial_until_it_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "take.mcap"
    file = begin(path)
    assert [found.name for found in tmp_path.iterdir()] == ["take.mcap.partial"]
    file.add(frame(0), encode(frame(0)), UNIX_FROM_RIG_NS)
    assert file.written == 1
    assert file.finish() == path
    assert [found.name for found in tmp_path.iterdir()] == ["take.mcap"]
    assert is_complete(path)
    assert rows(path) == sent([frame(0)])


def test_the_bytes_of_the_bus_are_kept(tmp_path: Path) -> None:
    messages = list(talk())
    path = write(tmp_path / "take.mcap", messages)
    assert rows(path) == sent(messages)
    assert rows_in_passing(path) == sent(messages)  # readers that have no index see the same


def test_what_was_flushed_survives_and_what_was_not_is_lost(tmp_path: Path) -> None:
    file = begin(tmp_path / "take.mcap")
    for i in range(5):
        file.add(frame(i), encode(frame(i)), UNIX_FROM_RIG_NS)
    file.flush()
    size_bytes = file.size_bytes
    file.add(frame(5), encode(frame(5)), UNIX_FROM_RIG_NS)
    assert partial_path(tmp_path / "take.mcap").stat().st_size == size_bytes == file.size_bytes
    assert recover(tmp_path / "take.mcap").messages == 5
    file.sync()
    assert recover(tmp_path / "take.mcap").messages == 6  # the source has grown
    file.abandon()
    assert sorted(found.name for found in tmp_path.iterdir()) == ["take.mcap.partial", "take.recovered.mcap"]


def test_messages_have_their_own_publish_time(tmp_path: Path) -> None:
    file = begin(tmp_path / "take.mcap")
    learned, marker = Learned(work="solving", asked=3), Marker(t_ns=START_NS, number=1, text="now")
    late_ns = START_NS + UNIX_FROM_RIG_NS + 70
    for message in (learned, marker):
        file.add(message, encode(message), late_ns)
    with file.finish().open("rb") as session:
        times = [(m.log_time, m.publish_time) for _, _, m in make_reader(session).iter_messages(log_time_order=False)]
    assert times == [(late_ns, late_ns), (late_ns, START_NS + UNIX_FROM_RIG_NS)]  # without a time of its own


def test_messages_without_a_number_are_counted(tmp_path: Path) -> None:
    file = begin(tmp_path / "take.mcap")
    for number in range(3):
        marker = Marker(t_ns=START_NS, number=number, text="")
        file.add(marker, encode(marker), UNIX_FROM_RIG_NS)
        file.add(pose(7 * number), encode(pose(7 * number)), UNIX_FROM_RIG_NS)
    assert [(topic, number) for topic, number, _ in rows(file.finish())] == [
        ("marker", 0), ("pose", 0), ("marker", 1), ("pose", 7), ("marker", 2), ("pose", 14),
    ]  # fmt: skip


def test_nothing_is_written_over(tmp_path: Path) -> None:
    path = write(tmp_path / "take.mcap", talk(2))
    before = path.read_bytes()
    for refused in (lambda: begin(path), lambda: refuse_existing(path)):
        with pytest.raises(UsageError, match=r"take\.mcap exists already\. Choose another name, or remove it\.") as got:
            refused()
        assert got.value.exit_code == 2
    other = write(tmp_path / "other.mcap", talk(2), finished=False)
    with pytest.raises(UsageError, match=r"other\.mcap\.partial is left from a recording.* `pose-rig recover .*other"):
        begin(tmp_path / "other.mcap")
    assert path.read_bytes() == before
    assert other.stat().st_size > 0
    refuse_existing(tmp_path / "third.mcap")


def test_a_folder_that_is_invalid_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match=r"Cannot write .*take\.mcap: No such file or directory\. Choose another"):
        begin(tmp_path / "no" / "take.mcap")


def test_many_messages_are_written_before_anybody_flushes(tmp_path: Path) -> None:
    file = begin(tmp_path / "take.mcap")
    size_bytes = file.size_bytes
    data = encode(frame(0, stages_ms={"a" * 100_000: 1.0}))
    for _ in range(15):
        file.add(frame(0), data, UNIX_FROM_RIG_NS)
    assert file.size_bytes > size_bytes
    file.finish()


def test_an_hour_of_chunks_costs_little_memory(tmp_path: Path) -> None:
    def grown(chunks: int, path: Path) -> int:
        file = begin(path)
        tracemalloc.start()
        for i in range(chunks):
            for camera in range(20):
                message = frame(i, f"cam{camera}")
                file.add(message, encode(message), UNIX_FROM_RIG_NS)
            file.flush()
        kept = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        file.finish()
        return kept

    per_chunk = (grown(80, tmp_path / "b.mcap") - grown(40, tmp_path / "a.mcap")) / 40
    assert per_chunk < 600  # bytes; the library's own index has 3 kB
    assert len(rows(tmp_path / "b.mcap")) == 80 * 20  # by the index


@pytest.mark.skipif(sys.platform == "win32", reason="limits files as POSIX does")
def test_a_disk_that_refuses_leaves_what_it_took(tmp_path: Path) -> None:
    path = tmp_path / "take.mcap"
    done = subprocess.run([sys.executable, "-c", ON_A_FULL_DISK, path], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("File too large", "")
    assert partial_path(path).stat().st_size == 40_000
    recovered = recover(path)
    assert recovered.messages is not None
    assert recovered.messages > 20
    assert rows(recovered.path) == sent(frame(i) for i in range(recovered.messages))
