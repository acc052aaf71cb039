"""Sessions that were cut off or damaged become sessions again."""

import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mcap.reader import make_reader

from pose_rig.errors import PoseRigError, SessionError
from pose_rig.session.mcap.info import METADATA_NAME, SessionInfo
from pose_rig.session.mcap.recover import RECOVERED, find, recover, recovered_path
from pose_rig.session.mcap.summary import is_complete
from pose_rig.session.reader import Session
from tests.session.mcap.test_recovery_reader import CHUNK, damage, places
from tests.session.recorded import START_NS, UNIX_FROM_RIG_NS, Row, rows, sent, talk, write

SPARE = "take.recovered.mcap"


@pytest.fixture
def cut_off(tmp_path: Path) -> Path:
    """A session of ten chunks of six messages each that was cut off."""
    return write(tmp_path / "take.mcap", talk(20), finished=False)


def print_of(path: Path) -> tuple[bytes, int]:
    return path.read_bytes(), path.stat().st_mtime_ns


def metadata(path: Path) -> dict[str, dict[str, str]]:
    with path.open("rb") as file:
        return {record.name: record.metadata for record in make_reader(file).iter_metadata()}


def test_a_session_that_was_cut_off_is_copied_to_a_complete_one(cut_off: Path) -> None:
    before = print_of(cut_off)
    found = recover(cut_off)
    assert (found.path, found.messages, found.damaged_chunks, found.written) == (cut_off.parent / SPARE, 60, 0, True)
    assert is_complete(found.path)
    assert rows(found.path) == sent(talk(20))
    assert print_of(cut_off) == before
    assert sorted(os.listdir(cut_off.parent)) == ["take.mcap.partial", SPARE]


def test_a_recovered_session_has_its_header_and_metadata_of_the_recovery(cut_off: Path) -> None:
    known = metadata(recover(cut_off).path)
    assert SessionInfo.from_metadata(known[METADATA_NAME]).cameras == ("cam0", "cam1")
    facts = {
        "source": "take.mcap.partial", "source_bytes": str(cut_off.stat().st_size), "messages": "60",
        "damaged_chunks": "0",
    }  # fmt: skip
    assert facts.items() <= known[RECOVERED].items()


def test_twice_changes_nothing(cut_off: Path) -> None:
    recover(cut_off)
    before = print_of(cut_off.parent / SPARE)
    again = recover(cut_off)
    assert (again.path, again.messages, again.written) == (cut_off.parent / SPARE, 60, False)
    assert recover(cut_off.parent / SPARE).messages is None  # it is whole
    assert print_of(cut_off.parent / SPARE) == before


def test_a_session_that_has_grown_is_recovered_again(cut_off: Path, tmp_path: Path) -> None:
    whole = cut_off.read_bytes()
    cut_off.write_bytes(whole[: len(whole) // 2])
    first = recover(cut_off)
    cut_off.write_bytes(whole)
    second = recover(cut_off)
    assert first.messages is not None
    assert first.messages < 60
    assert (second.messages, second.written, second.path) == (60, True, first.path)
    assert len(rows(second.path)) == 60


def test_a_complete_session_is_not_changed(tmp_path: Path) -> None:
    path = write(tmp_path / "take.mcap", talk(5))
    before = print_of(path)
    found = recover(path)
    assert (found.path, found.messages, found.written) == (path, None, False)
    assert os.listdir(tmp_path) == ["take.mcap"]
    copy = recover(path, tmp_path / "copy.mcap")
    assert (copy.path, copy.messages, copy.written) == (tmp_path / "copy.mcap", 15, True)
    assert rows(copy.path) == rows(path)
    assert print_of(path) == before


def test_a_session_is_found_by_its_name_or_that_of_its_partial(cut_off: Path) -> None:
    path = cut_off.with_name("take.mcap")
    assert find(path) == find(cut_off) == cut_off
    assert recovered_path(cut_off) == recovered_path(path) == path.with_name(SPARE)
    assert recover(path).messages == 60
    write(path.with_name("b.mcap"), talk(2), finished=False)
    write_whole = write(path.with_name("c.mcap"), talk(2))
    (path.with_name("c.mcap.partial")).write_bytes(b"older")
    assert recover(write_whole).path == write_whole  # the finished one is meant
    with pytest.raises(SessionError, match=r"There is no session .*missing\.mcap\. Check the path\."):
        recover(path.with_name("missing.mcap"))


def test_what_is_in_its_place_is_kept(cut_off: Path, tmp_path: Path) -> None:
    (tmp_path / SPARE).write_bytes(b"mine")
    for _ in range(2):
        with pytest.raises(SessionError, match=r"take\.recovered\.mcap exists already and comes from another.*--out"):
            recover(cut_off)
    assert (tmp_path / SPARE).read_bytes() == b"mine"
    assert recover(cut_off, tmp_path / "b.mcap").messages == 60
    other = write(tmp_path / "other.mcap", talk(3), finished=False)
    began = str(START_NS + UNIX_FROM_RIG_NS).encode()
    other.write_bytes(other.read_bytes().replace(began, began[::-1]))
    with pytest.raises(SessionError, match=r"b\.mcap exists already and comes from another recording"):
        recover(other, tmp_path / "b.mcap")
    with pytest.raises(SessionError, match=r"other\.mcap\.partial exists already and comes from another"):
        recover(other, other)
    assert len(rows(tmp_path / "b.mcap")) == 60


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", r"take\.mcap has no readable message\. It was cut off as it"),
        (b"\x89MCAP0\r\n", r"take\.mcap has no readable message\. It was cut off as it"),
        (
            b"PK\3\4" + bytes(900),
            r"take\.mcap is not a session\. Poses files \(\.npz\) are read by pose_rig\.load",
        ),
        (bytes(70_000), r"take\.mcap is not a session\."),
    ],
)
def test_a_file_that_is_no_session_is_a_clear_error(tmp_path: Path, content: bytes, text: str) -> None:
    path = tmp_path / "take.mcap"
    path.write_bytes(content)
    for use in (recover, Session):
        with pytest.raises(SessionError, match=text):
            use(path)
    assert os.listdir(tmp_path) == ["take.mcap"]


def test_a_session_without_its_head_is_recovered_but_not_read(cut_off: Path) -> None:
    data = cut_off.read_bytes()
    (head, again), first = places(cut_off, 12), places(cut_off, CHUNK)[0]
    length = first - head
    cut_off.write_bytes(data[:head] + data[first:again] + data[again + length :])
    for found in (recover(cut_off), recover(cut_off)):
        assert found.messages == 60
        assert found.loss.startswith("The header of the session is missing or damaged: only other MCAP readers")
    with pytest.raises(SessionError, match=r"take\.mcap\.partial is an MCAP file, but not a session of pose-rig\."):
        Session(cut_off)


def test_a_folder_that_is_invalid_is_a_clear_error(cut_off: Path) -> None:
    with pytest.raises(PoseRigError, match=r"Cannot write .*b\.mcap: No such file or directory\. Choose a folder"):
        recover(cut_off, cut_off.parent / "no" / "b.mcap")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_a_clear_error(cut_off: Path) -> None:
    cut_off.parent.chmod(0o500)
    try:
        with pytest.raises(PoseRigError, match=r"Cannot write .*recovered\.mcap: Permission denied\. Choose a folder"):
            recover(cut_off)
    finally:
        cut_off.parent.chmod(0o700)


def test_cut_off_anywhere_it_loses_one_chunk_at_most(cut_off: Path, tmp_path: Path) -> None:
    data, everything = cut_off.read_bytes(), sent(talk(20))
    ends = [*places(cut_off, CHUNK)[1:], len(data)]
    path = tmp_path / "short.mcap"
    kept: list[list[Row]] = []
    for length in (*range(0, len(data), 499), len(data)):
        path.write_bytes(data[:length])
        (tmp_path / "short.recovered.mcap").unlink(missing_ok=True)
        whole_chunks = sum(end <= length for end in ends)
        if length < ends[0] and not kept:  # nothing, or the first chunk without its index
            try_to_recover(path, "short.mcap has no readable message. It was cut off as it began.")
            continue
        found = recover(path)
        kept.append(rows(found.path))
        assert kept[-1] == everything[: len(kept[-1])]
        assert len(kept[-1]) >= 6 * whole_chunks
        assert found.damaged_chunks == 0
    assert len(kept) > 10
    assert kept[-1] == everything


def try_to_recover(path: Path, text: str) -> None:
    """Recovers a file that may hold nothing, which then is to be said in these words."""
    try:
        recover(path)
    except SessionError as error:
        said = str(error)
    else:
        said = text
    assert said.endswith(text)


def flipped(data: bytes, flips: list[tuple[int, int]]) -> bytes:
    out = bytearray(data)
    for at, mask in flips:
        out[at % len(data)] ^= mask
    return bytes(out)


FLIPS = st.tuples(st.integers(0, 1 << 20), st.integers(1, 255))


@given(st.lists(FLIPS, min_size=1, max_size=3))
def test_flipped_bytes_cost_the_chunks_they_are_in(cut_off: Path, flips: list[tuple[int, int]]) -> None:
    first, second = places(cut_off, CHUNK)[:2]
    size = cut_off.stat().st_size
    # channels are declared twice: in the first chunk and right after it; damage of both cannot be repaired
    assume(sum(first <= at % size < second for at, _ in flips) < 2)
    path = cut_off.with_name("flipped.mcap")
    path.write_bytes(flipped(cut_off.read_bytes(), flips))
    path.with_name("flipped.recovered.mcap").unlink(missing_ok=True)
    left, everything = rows(recover(path).path), sent(talk(20))
    chunks = [everything[i : i + 6] for i in range(0, 60, 6)]
    lost = [chunk for chunk in chunks if not any(row in left for row in chunk)]
    assert len(lost) <= len(flips)
    assert left == [row for chunk in chunks if chunk not in lost for row in chunk]


@given(FLIPS)
def test_a_flipped_byte_of_a_finished_session_costs_one_chunk(cut_off: Path, flip: tuple[int, int]) -> None:
    path = cut_off.with_name("whole.mcap")
    for left in cut_off.parent.glob("whole*"):
        left.unlink()
    path.write_bytes(flipped(write(path, talk(20)).read_bytes(), [flip]))
    copy = recover(path, path.with_name("whole-copy.mcap"))
    assert copy.messages is not None
    assert copy.messages >= 60 - 6
    with Session(path) as session:
        read, said = len(list(session.messages())), " ".join(session.warnings)
    assert read in (60, 60 - 6)
    assert ("left out" in said) == (read < 60)


@given(st.lists(FLIPS, min_size=2, max_size=6))
def test_many_flipped_bytes_are_read_or_refused_in_a_sentence(cut_off: Path, flips: list[tuple[int, int]]) -> None:
    path = cut_off.with_name("whole.mcap")
    for left in cut_off.parent.glob("whole*"):
        left.unlink()
    path.write_bytes(flipped(write(path, talk(20)).read_bytes(), flips))
    with suppress(SessionError), Session(path) as session:
        assert len(list(session.messages())) <= 60
        list(session.video_frames("cam0"))


def test_a_damaged_chunk_is_counted_and_reported(cut_off: Path) -> None:
    damage(cut_off, places(cut_off, CHUNK)[3] + 60)
    found = recover(cut_off)
    assert (found.messages, found.damaged_chunks) == (54, 1)
    again = recover(cut_off)
    assert (again.messages, again.damaged_chunks, again.written) == (54, 1, False)


def test_a_session_that_is_damaged_all_over_was_not_cut_off(cut_off: Path) -> None:
    for at in places(cut_off, CHUNK):
        damage(cut_off, at + 60)
    with pytest.raises(SessionError, match=r"has no readable message\. All of it is damaged\."):
        recover(cut_off)
