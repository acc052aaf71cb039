"""The summary of an MCAP file, and files without one."""

import io
from pathlib import Path

import pytest

from pose_rig.session.mcap.mcap_reader import MAGIC
from pose_rig.session.mcap.recovery_reader import RecoveryReader
from pose_rig.session.mcap.summary import is_complete, read_summary, recovered_summary
from tests.session.recorded import talk, write


def test_a_recovered_summary_is_that_of_the_finished_file(tmp_path: Path) -> None:
    path = write(tmp_path / "take.mcap", talk(20))
    with path.open("rb") as file:
        finished = read_summary(file)
    assert finished is not None
    recovered = recovered_summary(RecoveryReader(path))
    assert (recovered.channels, recovered.schemas) == (finished.channels, finished.schemas)
    assert recovered.statistics is not None
    assert finished.statistics is not None
    for name in ("channel_message_counts", "message_count", "message_start_time", "message_end_time", "chunk_count"):
        assert getattr(recovered.statistics, name) == getattr(finished.statistics, name)
    places = ("chunk_start_offset", "chunk_length", "uncompressed_size", "message_start_time", "message_end_time")
    for ours, theirs in zip(recovered.chunk_indexes, finished.chunk_indexes, strict=True):
        assert [getattr(ours, name) for name in places] == [getattr(theirs, name) for name in places]
        assert ours.message_index_offsets.keys() == theirs.message_index_offsets.keys()


@pytest.mark.parametrize("missing", [1, 8, 9, 36, 37, 500])
def test_a_file_without_its_end_is_not_complete(tmp_path: Path, missing: int) -> None:
    path = write(tmp_path / "take.mcap", talk(5))
    assert is_complete(path)
    path.write_bytes(path.read_bytes()[:-missing])
    assert not is_complete(path)


@pytest.mark.parametrize("content", [b"", b"M", MAGIC, MAGIC * 9, b"PK" + bytes(100), bytes(100)])
def test_other_files_are_not_complete(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "take.mcap").write_bytes(content)
    assert not is_complete(tmp_path / "take.mcap")
    assert not is_complete(tmp_path / "missing.mcap")
    assert not is_complete(tmp_path)


def test_a_damaged_summary_is_none(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "take.mcap", talk(5)).read_bytes())
    with io.BytesIO(data) as file:
        footer_at = len(data) - 8 - 20
        assert read_summary(file) is not None
    data[footer_at : footer_at + 8] = (12).to_bytes(8, "little")  # where the index begins
    assert read_summary(io.BytesIO(data)) is None
