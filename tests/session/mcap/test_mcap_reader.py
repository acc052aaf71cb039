"""Finished files, read chunk by chunk."""

from collections.abc import Iterable
from pathlib import Path

from mcap.reader import make_reader
from mcap.records import ChunkIndex
from mcap.writer import CompressionType, Writer

from pose_rig.session.mcap.mcap_reader import RawMessage, read_messages
from pose_rig.session.mcap.summary import is_complete, read_summary
from tests.session.recorded import FRAME_NS, START_NS, UNIX_FROM_RIG_NS, sent, talk, write

UNIX_NS = START_NS + UNIX_FROM_RIG_NS


def read(
    path: Path, topics: Iterable[str] = ("keypoints/cam0", "keypoints/cam1", "pose"), from_ns: int | None = None,
    to_ns: int | None = None,
) -> tuple[list[RawMessage], int]:  # fmt: skip
    """Returns the entries of a file, and how many chunks were damaged."""
    damaged: list[ChunkIndex] = []
    with path.open("rb") as file:
        summary = read_summary(file)
        assert summary is not None
        wanted = frozenset(channel.id for channel in summary.channels.values() if channel.topic in topics)
        found = list(read_messages(file, summary, wanted, from_ns, to_ns, damaged.append))
    return [RawMessage(e.channel, e.sequence, e.log_unix_ns, e.publish_unix_ns, e.data) for e in found], len(damaged)


def test_entries_come_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    messages = list(talk(10))
    messages.reverse()  # times fall: the library's order would be another
    path = write(tmp_path / "take.mcap", messages)
    found, damaged = read(path)
    assert [(entry.sequence, bytes(entry.data)) for entry in found] == [row[1:] for row in sent(messages)]
    assert damaged == 0


def test_only_what_is_wanted_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "take.mcap", talk(10))
    assert len(read(path, ("pose",))[0]) == 10
    assert len(read(path, ("keypoints/cam0", "pose"))[0]) == 20
    assert read(path, ())[0] == []


def test_a_range_is_of_publish_times_and_inclusive(tmp_path: Path) -> None:
    path = write(tmp_path / "take.mcap", talk(10))
    found, _ = read(path, ("pose",), UNIX_NS + 3 * FRAME_NS, UNIX_NS + 6 * FRAME_NS)
    assert [entry.sequence for entry in found] == [3, 4, 5, 6]
    assert [(e.publish_unix_ns, e.log_unix_ns) for e in found] == [(UNIX_NS + i * FRAME_NS,) * 2 for i in range(3, 7)]
    assert [entry.sequence for entry in read(path, ("pose",), UNIX_NS + 8 * FRAME_NS)[0]] == [8, 9]
    assert [entry.sequence for entry in read(path, ("pose",), None, UNIX_NS)[0]] == [0]


def test_a_damaged_chunk_is_counted_and_the_others_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "take.mcap", talk(10), chunk=6)
    with path.open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    chunk = summary.chunk_indexes[2]
    data = bytearray(path.read_bytes())
    data[chunk.chunk_start_offset + chunk.chunk_length // 2] ^= 0x10
    path.write_bytes(data)
    found, damaged = read(path)
    assert damaged == 1
    assert [bytes(entry.data) for entry in found] == [row[2] for i, row in enumerate(sent(talk(10))) if i // 6 != 2]


def test_an_uncompressed_file_of_others_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "other.mcap"
    with path.open("wb") as file:
        writer = Writer(file, compression=CompressionType.NONE)
        writer.start()
        channel = writer.register_channel("pose", "msgpack", 0)
        writer.add_message(channel, 5, b"abc", 7, 3)
        writer.finish()  # type: ignore[no-untyped-call]
    assert is_complete(path)
    found, _ = read(path)
    assert [(e.sequence, e.log_unix_ns, e.publish_unix_ns, bytes(e.data)) for e in found] == [(3, 5, 7, b"abc")]
