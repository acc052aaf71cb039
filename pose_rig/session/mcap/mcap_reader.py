"""Reading a finished MCAP file by its summary, chunk by chunk in file order.

Nothing in a file is trusted: every offset and length is checked against the file, and a chunk decompresses to no more
than the largest one that is written. A violation is damage, not an exception.

The library's reader seeks and allocates as the file says, holds all messages in memory to iterate in file order, and
creates an object for every message of every channel.
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
from mcap.records import Channel, Chunk, ChunkIndex, Footer, McapRecord, MetadataIndex, Schema, Statistics
from mcap.summary import Summary

from pose_rig.session.mcap.info import MAX_UNIX_NS

MAGIC = b"\x89MCAP0\r\n"
FOOTER_BYTES = 1 + 8 + 20 + len(MAGIC)
RECORD_HEADER = struct.Struct("<BQ")  # opcode, length
_MESSAGE = struct.Struct("<HIQQ")  # channel, sequence, log time, publish time
MAX_CHUNK_BYTES = 1 << 26  # decompressed; ours hold a megabyte and a message of 32 MB at most
# All chunks decompress to at most this many times the size of the file; ours to about 3, to 30 without any detection.
MAX_COMPRESSION_RATIO = 1000
MAX_CHANNELS = 4096  # a rig of 16 cameras has about 150
MAX_SUMMARY_BYTES = 1 << 28  # a day of such a rig needs half
# raised by the library and the decompressor for invalid bytes
DECODE_ERRORS: tuple[type[Exception], ...] = (
    McapError, zstandard.ZstdError, struct.error, ValueError, KeyError, IndexError, EOFError, OverflowError,
    RuntimeError, MemoryError,
)  # fmt: skip
READ_ERRORS: tuple[type[Exception], ...] = (*DECODE_ERRORS, OSError)
SUMMARY_RECORDS: dict[int, type[McapRecord]] = {
    Opcode.SCHEMA: Schema,
    Opcode.CHANNEL: Channel,
    Opcode.CHUNK_INDEX: ChunkIndex,
    Opcode.METADATA_INDEX: MetadataIndex,
    Opcode.STATISTICS: Statistics,
}


@dataclass(frozen=True, slots=True)
class RawMessage:
    """One message of a chunk, not decoded.

    Attributes:
        channel: Its channel's ID.
        sequence: Its sequence number.
        log_unix_ns: When it was recorded.
        publish_unix_ns: When it was published.
        data: Its bytes.
    """

    channel: int
    sequence: int
    log_unix_ns: int
    publish_unix_ns: int
    data: memoryview


def is_complete(path: Path) -> bool:
    """Returns whether a file was finished and has a valid summary."""
    try:
        with path.open("rb") as file:
            return read_summary(file) is not None
    except OSError:
        return False


def read_summary(file: IO[bytes]) -> Summary | None:
    """Returns the summary of a finished file, None if there is none or it is damaged."""
    try:
        return _checked_summary(file)
    except DECODE_ERRORS:
        return None


def max_decompressed_bytes(size: int) -> int:
    """Returns the limit on the decompressed size of all chunks of a file of ``size`` bytes."""
    return MAX_CHUNK_BYTES + MAX_COMPRESSION_RATIO * size


def decompressed(chunk: Chunk) -> bytes:
    """Returns the records of a chunk.

    Raises:
        McapError: The chunk is larger than it says or than any of ours, has another compression, or does not match
            its checksum. The decompressor raises others of `DECODE_ERRORS`.
    """
    size = chunk.uncompressed_size
    if size > MAX_CHUNK_BYTES:
        raise McapError(f"a chunk has a declared size of {size} bytes")
    if chunk.compression == "zstd":
        decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_CHUNK_BYTES)
        with decompressor.stream_reader(chunk.data) as stream:
            data = stream.read(size + 1)
    elif not chunk.compression:
        data = chunk.data
    else:
        raise McapError(f"a chunk has the compression {chunk.compression!r}")
    if len(data) != size:
        raise McapError("a chunk does not have its declared size")
    if chunk.uncompressed_crc and zlib.crc32(data) != chunk.uncompressed_crc:
        raise McapError("a chunk does not match its checksum")
    return data


def records_in(data: memoryview) -> Iterator[tuple[int, int, int]]:
    """Yields opcode, begin and end of each record in a sequence of records.

    Raises:
        McapError: A record reaches beyond the end.
    """
    begin = 0
    while begin < len(data):
        opcode, length = RECORD_HEADER.unpack_from(data, begin)
        begin += RECORD_HEADER.size
        end = begin + length
        if end > len(data):
            raise McapError("a record reaches beyond the end")
        yield opcode, begin, end
        begin = end


def raw_message(data: memoryview, begin: int, end: int) -> RawMessage:
    """Returns the message record at ``data[begin:end]``.

    Raises:
        McapError: Its time is out of range.
    """
    channel, sequence, log_ns, publish_ns = _MESSAGE.unpack_from(data[:end], begin)
    if max(log_ns, publish_ns) >= MAX_UNIX_NS:
        raise McapError("the time of a message is out of range")
    return RawMessage(channel, sequence, log_ns, publish_ns, data[begin + _MESSAGE.size : end])


def read_messages(
    file: IO[bytes],
    summary: Summary,
    channels: frozenset[int],
    from_unix_ns: int | None,
    to_unix_ns: int | None,
    on_damage: Callable[[ChunkIndex], None],
) -> Iterator[RawMessage]:
    """Yields messages in file order, holding one chunk in memory at a time.

    Args:
        file: Open for reading.
        summary: Its summary.
        channels: IDs of the channels to read.
        from_unix_ns: First publish time, inclusive; None = from the start.
        to_unix_ns: Last publish time, inclusive; None = to the end.
        on_damage: Called for every chunk that cannot be read; reading continues with the next.
    """
    first, last = from_unix_ns or 0, to_unix_ns if to_unix_ns is not None else 1 << 64
    for index in sorted(summary.chunk_indexes, key=lambda index: index.chunk_start_offset):
        present = index.message_index_offsets
        if index.message_end_time < first or (present and channels.isdisjoint(present)):
            continue
        try:
            found = list(_messages(memoryview(_read_chunk(file, index)), channels))
        except READ_ERRORS:
            on_damage(index)
            continue
        for message in found:
            if first <= message.publish_unix_ns <= last:
                yield message


def _read_chunk(file: IO[bytes], index: ChunkIndex) -> bytes:
    file.seek(index.chunk_start_offset)
    record = file.read(index.chunk_length)
    if len(record) != index.chunk_length:
        raise McapError("a chunk reaches beyond the end")
    chunk = Chunk.read(ReadDataStream(io.BytesIO(memoryview(record)[RECORD_HEADER.size :])))
    if chunk.uncompressed_size != index.uncompressed_size:
        raise McapError("a chunk does not have the size of its index")
    return decompressed(chunk)


def _messages(data: memoryview, channels: frozenset[int]) -> Iterator[RawMessage]:
    for opcode, begin, end in records_in(data):
        if opcode == Opcode.MESSAGE:
            message = raw_message(data, begin, end)
            if message.channel in channels:
                yield message


def _checked_summary(file: IO[bytes]) -> Summary:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    has_magic = file.read(len(MAGIC)) == MAGIC
    file.seek(max(size - FOOTER_BYTES, 0))
    tail = file.read()
    opcode, length = RECORD_HEADER.unpack_from(tail)
    footer = Footer.read(ReadDataStream(io.BytesIO(tail[RECORD_HEADER.size :])))
    start, end = footer.summary_start, size - FOOTER_BYTES
    if not has_magic or opcode != Opcode.FOOTER or length != 20 or tail[-len(MAGIC) :] != MAGIC:
        raise McapError("the file does not begin and end as an MCAP file")
    if not len(MAGIC) <= start < end or end - start > MAX_SUMMARY_BYTES:
        raise McapError("the offset of the summary is invalid")
    file.seek(start)
    section = file.read(end - start)
    if footer.summary_crc not in (0, zlib.crc32(tail[: RECORD_HEADER.size + 16], zlib.crc32(section))):
        raise McapError("the summary does not match its checksum")
    summary = _parsed_summary(section)
    _check_summary(summary, start, size)
    return summary


def _parsed_summary(section: bytes) -> Summary:
    summary = Summary()
    for opcode, begin, end in records_in(memoryview(section)):
        if opcode not in SUMMARY_RECORDS:
            continue
        match SUMMARY_RECORDS[opcode].read(ReadDataStream(io.BytesIO(section[begin:end]))):  # type: ignore[attr-defined]
            case Schema() as schema:
                summary.schemas[schema.id] = schema
            case Channel() as channel:
                summary.channels[channel.id] = channel
            case ChunkIndex() as index:
                summary.chunk_indexes.append(index)
            case MetadataIndex() as place:
                summary.metadata_indexes.append(place)
            case Statistics() as statistics:
                summary.statistics = statistics
    return summary


def _check_summary(summary: Summary, data_end: int, size: int) -> None:
    """Raises `McapError` if an index points outside the data section, or the chunks exceed the limits."""
    if len(summary.channels) > MAX_CHANNELS:
        raise McapError(f"there are {len(summary.channels)} channels")
    if any(channel.schema_id and channel.schema_id not in summary.schemas for channel in summary.channels.values()):
        raise McapError("a channel has no schema")
    places = [(index.chunk_start_offset, index.chunk_length) for index in summary.chunk_indexes]
    places += [(index.offset, index.length) for index in summary.metadata_indexes]
    if any(at < len(MAGIC) or length < RECORD_HEADER.size or at + length > data_end for at, length in places):
        raise McapError("an index points outside the data section")
    if sum(index.uncompressed_size for index in summary.chunk_indexes) > max_decompressed_bytes(size):
        raise McapError("the chunks decompress to more than the limit")
