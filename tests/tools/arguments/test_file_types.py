from pathlib import Path

import pytest

from pose_rig.tools.arguments import file_types
from pose_rig.tools.arguments.file_types import FileType, file_type
from tests.tools.sample_files import FILES, make


@pytest.mark.parametrize("name", FILES)
def test_the_type_of_a_file_is_detected_from_its_content(tmp_path: Path, name: str) -> None:
    path = make(tmp_path, name)
    assert file_type(path) is FILES[name][0]
    if path.is_file():
        assert file_type(path.rename(tmp_path / "x.npz")) is FILES[name][0]


def test_every_type_is_detected(tmp_path: Path) -> None:
    every = {kind for kind in vars(file_types).values() if isinstance(kind, FileType)}
    assert every - {kind for kind, _ in FILES.values()} == {file_types.DEVICE}
    assert file_type(Path("/dev/null")) is file_types.DEVICE


@pytest.mark.parametrize(
    "head",
    [
        b"\0\0\0\x14ftypqt  ", b"\0\0\x07\xd0moov", b"\x1aE\xdf\xa3\x01", b"RIFF\0\0\0\0AVI LIST", b"FLV\x01\x05",
        b"OggS\0", b"0&\xb2u\x8ef\xcf\x11", b"\0\0\x01\xbaD", b"\x06\x0e+4\x02", (b"G" + bytes(187)) * 3,
    ],
)  # fmt: skip
def test_videos_are_detected_by_their_container(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "a").write_bytes(head + bytes(64))
    assert file_type(tmp_path / "a") is file_types.VIDEO


def test_a_session_that_is_being_written_is_cut_off(tmp_path: Path) -> None:
    content = make(tmp_path, "walk.mcap").read_bytes()
    for size in (8, 9, len(content) - 1):
        (tmp_path / "a").write_bytes(content[:size])
        assert file_type(tmp_path / "a") is file_types.CUT_OFF


def test_text_may_be_cut_within_a_character(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("ä" * file_types.HEAD_BYTES)
    assert file_type(tmp_path / "a") is file_types.TEXT
    (tmp_path / "b").write_text("\ufeffx,y\n" + "ä" * file_types.HEAD_BYTES)
    assert file_type(tmp_path / "b") is file_types.CSV


def test_an_invalid_file_name_is_missing() -> None:
    assert file_type(Path("a\0b")) is file_types.MISSING
    assert file_type(Path("/dev/null/a")) is file_types.MISSING


def test_a_zip_archive_that_cannot_be_listed_is_damaged(tmp_path: Path) -> None:
    """Cut off, or with names that are no text."""
    content = make(tmp_path, "keypoints.npz").read_bytes()
    directory = content.rindex(b"PK\x01\x02")
    flags, name = directory + 8, directory + 46
    unnamed = bytearray(content)
    unnamed[flags + 1] |= 8  # names are UTF-8
    unnamed[name] = 0xA8
    for damaged in (content[: len(content) // 2], bytes(unnamed)):
        (tmp_path / "a").write_bytes(damaged)
        assert file_type(tmp_path / "a") is file_types.BROKEN_ZIP
