"""Sessions that are damaged in one byte, or made to do harm: what is read of them, and what it costs."""

import struct
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from mcap.data_stream import RecordBuilder
from mcap.reader import make_reader
from mcap.records import Chunk
from mcap.writer import Writer

from pose_rig.session.mcap.info import METADATA_NAME, SessionInfo, new_info
from pose_rig.session.mcap.mcap_reader import MAX_CHUNK_BYTES
from pose_rig.session.mcap.mcap_writer import CHUNK_BYTES
from pose_rig.session.mcap.recover import recover
from pose_rig.session.reader import Session
from pose_rig.wire.encoding import MAX_BYTES, MAX_VIDEO_BYTES, encode, json_schema
from pose_rig.wire.messages import Pose3D
from tests.session.recorded import START_NS, UNIX_FROM_RIG_NS, pose, rig_of, talk, write

MEGABYTE = 1 << 20
CHUNKS, IN_CHUNK = 4, 3


@dataclass(frozen=True, repr=False)
class Sample:
    """A sound session and what it holds."""

    path: Path
    data: bytes
    info: SessionInfo
    messages: list[bytes]

    def __repr__(self) -> str:
        return f"Sample({self.path})"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    path = write(tmp_path_factory.mktemp("sound") / "take.mcap", talk(CHUNKS), chunk=IN_CHUNK)
    with Session(path) as session:
        return Sample(path, path.read_bytes(), session.info, [encode(message) for message in session.messages()])


@contextmanager
def file_flipped(file: IO[bytes], data: bytes, at: int, mask: int) -> Iterator[None]:
    """Flips a byte for a while."""
    for value in (data[at] ^ mask, data[at]):
        file.seek(at)
        file.write(bytes([value]))
        file.flush()
        if value != data[at]:
            yield


def read_all(path: Path) -> tuple[list[bytes], SessionInfo, list[str], float]:
    """Returns all that can be read of a session."""
    with Session(path) as session:
        found = [encode(message) for message in session.messages()]
        list(session.video_frames("cam0"))
        return found, session.info, session.warnings, session.duration_s


def look_at(sample: Sample, path: Path, at: int, mask: int) -> None:
    """Reads a session in which a byte was flipped: no more than its chunk may be lost, and that is said."""
    at %= len(sample.data)
    if not path.exists():
        path.write_bytes(sample.data)
    with path.open("r+b") as file, file_flipped(file, sample.data, at, mask):
        found, info, said, seconds = read_all(path)
    assert info == sample.info
    assert 0 <= seconds < 60
    parts = [sample.messages[i : i + IN_CHUNK] for i in range(0, len(sample.messages), IN_CHUNK)]
    lost = [part for part in parts if not any(message in found for message in part)]
    assert found == [message for part in parts if part not in lost for message in part]
    assert len(lost) <= 1
    assert ("left out" in " ".join(said)) == bool(lost), (at, mask, said)


def structural(data: bytes) -> list[int]:
    """Returns where bytes lie that say how a file is built, and not what it holds; of the index, which has a checksum,
    every fifteenth."""
    places, at, step = list(range(8)), 8, 1
    while at + 9 <= len(data):
        opcode, length = struct.unpack_from("<BQ", data, at)
        end = min(at + 9 + length, len(data))
        whole = opcode not in (3, 5, 6, 12)  # schemas, attachments, chunks and metadata are long: their heads
        places += range(at, end if whole else min(at + 80, end), step)
        at, step = end, 15 if opcode == 15 else step
    return [*places, *range(at, len(data))]


def test_any_flipped_byte_of_the_structure_is_survived_and_the_loss_is_reported(sample: Sample, tmp_path: Path) -> None:
    places = structural(sample.data)
    assert len(places) > 700
    for number, at in enumerate(places):
        look_at(sample, tmp_path / "flipped.mcap", at, (0xFF, 0x10, 0x01)[number % 3])


def test_a_flipped_byte_in_the_header_is_read_from_its_copy(sample: Sample, tmp_path: Path) -> None:
    begin = sample.data.index(METADATA_NAME.encode())
    for at in range(begin, begin + 900, 7):
        look_at(sample, tmp_path / "flipped.mcap", at, 0x02)
    for key in ("config", "recording", "machine"):  # the length of what follows it
        length = sample.data.index(key.encode(), begin) + len(key)
        for at in range(length, length + 4):
            for bit in range(8):
                look_at(sample, tmp_path / "flipped.mcap", at, 1 << bit)


@given(st.integers(0, 1 << 20), st.integers(1, 255))
def test_one_flipped_byte_costs_one_chunk_at_most(sample: Sample, tmp_path: Path, at: int, mask: int) -> None:
    look_at(sample, tmp_path / "flipped.mcap", at, mask)


def test_the_seconds_lost_with_a_chunk_are_reported(tmp_path: Path) -> None:
    path = write(tmp_path / "take.mcap", talk(90), chunk=90)
    with path.open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    data = bytearray(path.read_bytes())
    data[summary.chunk_indexes[1].chunk_start_offset + 200] ^= 0xFF
    path.write_bytes(data)
    with Session(path) as session:
        assert len(session.poses()) == 60
        assert session.warnings == [f"{path} is damaged: 1 chunks, 1.0 s of it, were left out."]
    found = recover(path, tmp_path / "copy.mcap")
    assert found.loss == "A damaged piece was left out: 1.0 s are missing."
    assert recover(path, tmp_path / "copy.mcap").loss == found.loss


def begun(path: Path, messages: Iterator[bytes], time_ns: int = START_NS + UNIX_FROM_RIG_NS) -> Path:
    """Writes a session of poses with these contents, a chunk for each."""
    head = new_info(rig_of(), "live", START_NS + UNIX_FROM_RIG_NS, UNIX_FROM_RIG_NS).to_metadata()
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start("", "pose-rig")
        writer.add_metadata(METADATA_NAME, head)
        schema = writer.register_schema("pose_rig.Pose3D", "jsonschema", json_schema(Pose3D))
        channel = writer.register_channel("pose", "msgpack", schema)
        for content in messages:
            writer.add_message(channel, START_NS, content, time_ns)
            writer.flush()  # type: ignore[no-untyped-call]
        writer.finish()  # type: ignore[no-untyped-call]
    return path


def with_bomb(path: Path, size: int, said: int) -> Path:
    """Writes a session with a chunk that unpacks to so many bytes, and says that it has so many."""
    begun(path, iter([encode(pose(0)).split(b"\0", 1)[1]]))
    with path.open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    compressor = zstandard.ZstdCompressor().compressobj()
    packed = [compressor.compress(struct.pack("<BQ", 5, size - 9))]
    packed += [compressor.compress(bytes(min(MEGABYTE, size - done))) for done in range(9, size, MEGABYTE)]
    chunk = RecordBuilder()
    Chunk("zstd", b"".join([*packed, compressor.flush()]), START_NS, START_NS, 0, said).write(chunk)
    first = summary.chunk_indexes[0]
    end, data = first.chunk_start_offset + first.chunk_length, path.read_bytes()
    path.write_bytes(data[:end] + chunk.end() + data[end:])  # type: ignore[no-untyped-call]
    return path


@contextmanager
def at_most(limit: int) -> Iterator[None]:
    """Checks that no more bytes are allocated at a time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (400 * MEGABYTE, 400 * MEGABYTE), (400 * MEGABYTE, 1000), (400 * MEGABYTE, 1 << 40), (1000, 1 << 40),
        (80 * MEGABYTE, 80 * MEGABYTE),
    ],
)  # fmt: skip
def test_a_chunk_unpacks_to_no_more_than_ours_do(tmp_path: Path, size: int, said: int) -> None:
    path = with_bomb(tmp_path / "take.mcap", size, said)
    assert path.stat().st_size < 100_000
    with at_most(4 * MAX_CHUNK_BYTES):
        found = recover(path, tmp_path / "copy.mcap")
        assert (found.messages, found.damaged_chunks) == (1, 1)
        with Session(found.path) as session:
            assert len(session.poses()) == 1


def test_a_session_that_unpacks_to_gigabytes_is_read_in_a_little_memory(tmp_path: Path) -> None:
    """Every chunk by itself is within bounds; all of them are not."""
    path = begun(tmp_path / "take.mcap", (bytes(40 * MEGABYTE) for _ in range(6)))
    assert path.stat().st_size < 100_000
    with at_most(6 * MAX_CHUNK_BYTES), Session(path) as session:
        assert list(session.messages()) == []
        assert "damaged pieces were left out" in session.warnings[0]
    assert session.path == path
    assert list(tmp_path.iterdir()) == [path]


def test_messages_that_are_too_large_are_left_out_and_counted(tmp_path: Path) -> None:
    path = begun(tmp_path / "take.mcap", (bytes(MAX_BYTES + 1) for _ in range(2)))
    with Session(path) as session:
        assert list(session.messages()) == []
        assert session.warnings == [f"2 messages in {path} are invalid and were left out."]


def test_chunks_of_ours_are_below_what_is_read() -> None:
    assert CHUNK_BYTES + MAX_VIDEO_BYTES + MEGABYTE < MAX_CHUNK_BYTES


@pytest.mark.parametrize("time_ns", [1 << 62, (1 << 64) - 1])
def test_messages_with_times_out_of_range_are_left_out_and_reported(tmp_path: Path, time_ns: int) -> None:
    """What counts from the start of a session would not fit 64 bits."""
    path = begun(tmp_path / "take.mcap", iter([encode(pose(0)).split(b"\0", 1)[1]]), time_ns)
    with Session(path) as session:
        assert list(session.messages()) == []
        assert 0 <= session.start_unix_ns < 1 << 62
        assert session.warnings == [f"{path} is damaged: 1 chunks, 0.0 s of it, were left out."]
