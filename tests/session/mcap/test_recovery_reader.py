"""What is read of files that are not what they should be."""

from pathlib import Path

import pytest
from mcap.records import Channel, Metadata

from pose_rig.session.mcap.info import METADATA_NAME
from pose_rig.session.mcap.mcap_reader import RawMessage
from pose_rig.session.mcap.recovery_reader import RecoveryReader
from tests.session.recorded import Row, sent, talk, write

CHUNK, MESSAGE_INDEX = 6, 7


def read(path: Path) -> tuple[list[Row], int]:
    """Returns the messages that can be read of a file, and how many pieces cannot."""
    reader, topics, out = RecoveryReader(path), dict[int, str](), list[Row]()
    for record in reader.records():
        if isinstance(record, Channel):
            topics[record.id] = record.topic
        elif isinstance(record, RawMessage):
            out.append((topics[record.channel], record.sequence, bytes(record.data)))
    return out, reader.damaged


def places(path: Path, opcode: int) -> list[int]:
    """Returns where records of a kind begin."""
    data, at, out = path.read_bytes(), 8, []
    while at + 9 <= len(data):
        if data[at] == opcode:
            out.append(at)
        at += 9 + int.from_bytes(data[at + 1 : at + 9], "little")
    return out


def damage(path: Path, at: int, value: int | None = None) -> None:
    data = bytearray(path.read_bytes())
    data[at] = data[at] ^ 0xFF if value is None else value
    path.write_bytes(data)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A session of ten chunks of three messages each that was cut off."""
    return write(tmp_path / "take.mcap", talk(10), chunk=3, finished=False)


def without(*chunks: int) -> list[Row]:
    return [row for i, row in enumerate(sent(talk(10))) if i // 3 not in chunks]


def test_a_sound_file_is_read_from_first_to_last(path: Path) -> None:
    assert read(path) == (sent(talk(10)), 0)
    ours = list(RecoveryReader(path).records())
    assert len(ours) == 30 + 3 + 3 + 2 + 2 + 2  # messages; channels, schemas and head twice
    assert next(record for record in ours if isinstance(record, Metadata)).name == METADATA_NAME


@pytest.mark.parametrize("number", [0, 1, 4, 9])
@pytest.mark.parametrize("at", [9 + 8 + 8 + 8, 9 + 8 + 8 + 8 + 4 + 4, 60, 200])
def test_a_chunk_whose_checksum_or_content_is_damaged_is_left_out(path: Path, number: int, at: int) -> None:
    damage(path, places(path, CHUNK)[number] + at)
    assert read(path) == (without(number), 1)


@pytest.mark.parametrize("byte", [0, 1, 2, 4, 8])
@pytest.mark.parametrize("number", [0, 3])
def test_a_damaged_header_of_a_chunk_costs_that_chunk_at_most(path: Path, number: int, byte: int) -> None:
    damage(path, places(path, CHUNK)[number] + byte)
    found, _ = read(path)
    assert found in (without(), without(number))


@pytest.mark.parametrize("byte", range(9))
def test_a_damaged_index_costs_nothing_but_what_it_may_hide(path: Path, byte: int) -> None:
    damage(path, places(path, MESSAGE_INDEX)[5] + byte)
    assert read(path) == (without(), 0)


def test_a_length_that_leads_into_another_chunk_hides_nothing(path: Path) -> None:
    first, second = places(path, CHUNK)[2:4]
    length = second - first - 9 + 40  # well within the file
    data = bytearray(path.read_bytes())
    data[first + 1 : first + 9] = length.to_bytes(8, "little")
    path.write_bytes(data)
    assert read(path) == (without(), 0)


def test_lost_bytes_in_the_middle_cost_the_chunk_that_they_are_of(path: Path) -> None:
    at = places(path, CHUNK)[4]
    data = path.read_bytes()
    path.write_bytes(data[: at + 100] + data[at + 150 :])
    found, damaged = read(path)
    assert found == without(4)
    assert damaged == 1


def test_a_missing_header_costs_nothing_else(path: Path) -> None:
    path.write_bytes(path.read_bytes()[places(path, CHUNK)[0] :])
    assert read(path)[0] == without()


@pytest.mark.parametrize("more", [0, 1, 9, 50, 200])
def test_where_it_was_cut_off_is_no_damage(path: Path, more: int) -> None:
    path.write_bytes(path.read_bytes()[: places(path, CHUNK)[-1] + more])
    assert read(path) == (without(9), 0)


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"\x89MCAP0\r\n", bytes(5000), b"\x04\0\0\0zstd" * 50, bytes(range(256)) * 9]
)
def test_there_is_nothing_in_other_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    assert read(path)[0] == []
