"""A finished MCAP, read chunk by chunk in the order in which it was written.

The library's own iterator takes all messages of a file into memory when they are wanted in that order, and makes an
object of every message that nobody asked for.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.reader import make_reader
from mcap.records import Chunk, Footer
from mcap.stream_reader import CRCValidationError, get_chunk_data_stream
from mcap.summary import Summary

MAGIC = b"\x89MCAP0\r\n"
FOOTER_BYTES = 1 + 8 + 20 + len(MAGIC)
HEAD = struct.Struct("<BQ")  # opcode, length
_MESSAGE = struct.Struct("<HIQQ")  # channel, sequence, log time, publish time
# what the library and its decompressors raise about bytes that are not what they should be
DAMAGE: tuple[type[Exception], ...] = (
    McapError, CRCValidationError, zstandard.ZstdError, struct.error, ValueError, KeyError, IndexError, EOFError,
    OverflowError, RuntimeError, MemoryError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One message as it lies in the file.

    Attributes:
        channel: Its channel.
        sequence: Its number.
        log_unix_ns: When it was recorded.
        publish_unix_ns: When it happened.
        data: Its bytes.
    """

    channel: int
    sequence: int
    log_unix_ns: int
    publish_unix_ns: int
    data: memoryview


def is_whole(path: Path) -> bool:
    """Returns whether a file was finished: it ends with a footer that says where its index is."""
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return False
            file.seek(-FOOTER_BYTES, io.SEEK_END)
            opcode, length = HEAD.unpack(file.read(HEAD.size))
            footer = Footer.read(ReadDataStream(file))
            return opcode == Opcode.FOOTER and length == 20 and footer.summary_start > 0 and file.read() == MAGIC
    except OSError:
        return False
    except DAMAGE:
        return False


def summary_of(file: IO[bytes]) -> Summary | None:
    """Returns the index of a finished file, None if it cannot be read."""
    try:
        return make_reader(file).get_summary()
    except DAMAGE:
        return None


def entries(
    file: IO[bytes],
    summary: Summary,
    wanted: frozenset[int],
    from_unix_ns: int | None,
    to_unix_ns: int | None,
    damaged: Callable[[], None],
) -> Iterator[Entry]:
    """Yields messages in the order in which they were written, one chunk in memory at a time.

    Args:
        file: Open for reading.
        summary: Its index.
        wanted: Channels.
        from_unix_ns: Publish time from which on they are wanted; None = from the start.
        to_unix_ns: Publish time up to which; None = to the end.
        damaged: Called for every chunk that cannot be read; the others are.
    """
    first, last = from_unix_ns or 0, to_unix_ns if to_unix_ns is not None else 1 << 63
    for index in sorted(summary.chunk_indexes, key=lambda index: index.chunk_start_offset):
        there = index.message_index_offsets
        if index.message_end_time < first or (there and wanted.isdisjoint(there)):
            continue
        try:
            file.seek(index.chunk_start_offset + HEAD.size)
            data = _content(Chunk.read(ReadDataStream(file)))
        except DAMAGE:
            damaged()
            continue
        for entry in _messages(data, wanted):
            if first <= entry.publish_unix_ns <= last:
                yield entry


def _content(chunk: Chunk) -> memoryview:
    stream, length = get_chunk_data_stream(chunk)
    data = stream.read(length)
    if chunk.uncompressed_crc and zlib.crc32(data) != chunk.uncompressed_crc:
        raise McapError("a chunk does not match its checksum")
    return memoryview(data)


def _messages(data: memoryview, wanted: frozenset[int]) -> Iterator[Entry]:
    at = 0
    while at + HEAD.size <= len(data):
        opcode, length = HEAD.unpack_from(data, at)
        body, at = at + HEAD.size, at + HEAD.size + length
        if opcode == Opcode.MESSAGE:
            channel, sequence, log_ns, publish_ns = _MESSAGE.unpack_from(data, body)
            if channel in wanted:
                yield Entry(channel, sequence, log_ns, publish_ns, data[body + _MESSAGE.size : at])
