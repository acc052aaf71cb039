"""A finished MCAP, read chunk by chunk in the order in which it was written.

Nothing that a file says of itself is believed before it has been looked at: every place and length lies within the
file, and what is compressed grows to no more than we ever write. What breaks these rules is damage, and no exception.

The library's own reader seeks and allocates what a file says; its iterator takes all messages of a file into memory
when they are wanted in their order, and makes an object of every message that nobody asked for.
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

from pose_rig.session.mcap.info import LATEST_NS

MAGIC = b"\x89MCAP0\r\n"
FOOTER_BYTES = 1 + 8 + 20 + len(MAGIC)
HEAD = struct.Struct("<BQ")  # opcode, length
_MESSAGE = struct.Struct("<HIQQ")  # channel, sequence, log time, publish time
MOST_CHUNK_BYTES = 1 << 26  # unpacked; ours have a megabyte and a message, which has 32 MB at most
# A session unpacks to so many times its size at most, beyond one chunk; ours to some 3 times, to 30 if nobody is seen.
MOST_TIMES = 1000
MOST_CHANNELS = 4096  # a rig of 16 cameras has about 150
MOST_SUMMARY_BYTES = 1 << 28  # a day of such a rig needs half
# what the library and its decompressors raise about bytes that are not what they should be
DAMAGE: tuple[type[Exception], ...] = (
    McapError, zstandard.ZstdError, struct.error, ValueError, KeyError, IndexError, EOFError, OverflowError,
    RuntimeError, MemoryError,
)  # fmt: skip
UNREADABLE: tuple[type[Exception], ...] = (*DAMAGE, OSError)  # or the disk itself
KINDS: dict[int, type[McapRecord]] = {
    Opcode.SCHEMA: Schema,
    Opcode.CHANNEL: Channel,
    Opcode.CHUNK_INDEX: ChunkIndex,
    Opcode.METADATA_INDEX: MetadataIndex,
    Opcode.STATISTICS: Statistics,
}


@dataclass(frozen=True, slots=True)
class RawMessage:
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
    """Returns whether a file was finished, and has an index that can be believed."""
    try:
        with path.open("rb") as file:
            return summary_of(file) is not None
    except OSError:
        return False


def summary_of(file: IO[bytes]) -> Summary | None:
    """Returns the index of a finished file, None if there is none or it is damaged."""
    try:
        return _checked_summary(file)
    except DAMAGE:
        return None


def most_unpacked(size: int) -> int:
    """Returns how many bytes all chunks of a file of so many bytes may unpack to."""
    return MOST_CHUNK_BYTES + MOST_TIMES * size


def unpacked(chunk: Chunk) -> bytes:
    """Returns what a chunk holds.

    Raises:
        McapError: It is larger than it says or than any of ours, is compressed in another way, or does not match its
            checksum; and so the decompressor of `DAMAGE`.
    """
    size = chunk.uncompressed_size
    if size > MOST_CHUNK_BYTES:
        raise McapError(f"a chunk says that it holds {size} bytes")
    if chunk.compression == "zstd":
        decompressor = zstandard.ZstdDecompressor(max_window_size=MOST_CHUNK_BYTES)
        with decompressor.stream_reader(chunk.data) as stream:
            data = stream.read(size + 1)
    elif not chunk.compression:
        data = chunk.data
    else:
        raise McapError(f"a chunk is compressed as {chunk.compression!r}")
    if len(data) != size:
        raise McapError("a chunk holds more or less than it says")
    if chunk.uncompressed_crc and zlib.crc32(data) != chunk.uncompressed_crc:
        raise McapError("a chunk does not match its checksum")
    return data


def entries(
    file: IO[bytes],
    summary: Summary,
    wanted: frozenset[int],
    from_unix_ns: int | None,
    to_unix_ns: int | None,
    damaged: Callable[[ChunkIndex], None],
) -> Iterator[RawMessage]:
    """Yields messages in the order in which they were written, one chunk in memory at a time.

    Args:
        file: Open for reading.
        summary: Its index.
        wanted: Channels.
        from_unix_ns: Publish time from which on they are wanted; None = from the start.
        to_unix_ns: Publish time up to which; None = to the end.
        damaged: Called for every chunk that cannot be read; the others are.
    """
    first, last = from_unix_ns or 0, to_unix_ns if to_unix_ns is not None else 1 << 64
    for index in sorted(summary.chunk_indexes, key=lambda index: index.chunk_start_offset):
        there = index.message_index_offsets
        if index.message_end_time < first or (there and wanted.isdisjoint(there)):
            continue
        try:
            found = list(_messages(memoryview(_chunk(file, index)), wanted))
        except UNREADABLE:
            damaged(index)
            continue
        for entry in found:
            if first <= entry.publish_unix_ns <= last:
                yield entry


def _chunk(file: IO[bytes], index: ChunkIndex) -> bytes:
    file.seek(index.chunk_start_offset)
    record = file.read(index.chunk_length)
    if len(record) != index.chunk_length or HEAD.unpack_from(record)[1] != index.chunk_length - HEAD.size:
        raise McapError("a chunk is not as long as the index says")
    chunk = Chunk.read(ReadDataStream(io.BytesIO(memoryview(record)[HEAD.size :])))
    if chunk.uncompressed_size != index.uncompressed_size:
        raise McapError("a chunk does not hold as much as the index says")
    return unpacked(chunk)


def _messages(data: memoryview, wanted: frozenset[int]) -> Iterator[RawMessage]:
    at = 0
    while at < len(data):
        opcode, length = HEAD.unpack_from(data, at)
        body, at = at + HEAD.size, at + HEAD.size + length
        if at > len(data):
            raise McapError("a record reaches beyond its chunk")
        if opcode == Opcode.MESSAGE:
            channel, sequence, log_ns, publish_ns = _MESSAGE.unpack_from(data[:at], body)
            if max(log_ns, publish_ns) >= LATEST_NS:
                raise McapError("a message has a time that cannot be")
            if channel in wanted:
                yield RawMessage(channel, sequence, log_ns, publish_ns, data[body + _MESSAGE.size : at])


def _checked_summary(file: IO[bytes]) -> Summary:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    begins = file.read(len(MAGIC)) == MAGIC
    file.seek(max(size - FOOTER_BYTES, 0))
    end = file.read()
    opcode, length = HEAD.unpack_from(end)
    footer = Footer.read(ReadDataStream(io.BytesIO(end[HEAD.size :])))
    start, stop = footer.summary_start, size - FOOTER_BYTES
    if not begins or opcode != Opcode.FOOTER or length != 20 or end[-len(MAGIC) :] != MAGIC:
        raise McapError("the file does not begin and end as an MCAP does")
    if not len(MAGIC) <= start < stop or stop - start > MOST_SUMMARY_BYTES:
        raise McapError("the index is somewhere else")
    file.seek(start)
    section = file.read(stop - start)
    if footer.summary_crc not in (0, zlib.crc32(end[: HEAD.size + 16], zlib.crc32(section))):
        raise McapError("the index does not match its checksum")
    summary = _summary(section)
    _check(summary, start, size)
    return summary


def _summary(section: bytes) -> Summary:
    summary, at = Summary(), 0
    while at < len(section):
        opcode, length = HEAD.unpack_from(section, at)
        body, at = at + HEAD.size, at + HEAD.size + length
        if at > len(section):
            raise McapError("a record reaches beyond the index")
        if opcode not in KINDS:
            continue
        match KINDS[opcode].read(ReadDataStream(io.BytesIO(section[body:at]))):  # type: ignore[attr-defined]
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


def _check(summary: Summary, data_end: int, size: int) -> None:
    """Raises `McapError` if an index leads out of the data, or to more than a session can hold."""
    if len(summary.channels) > MOST_CHANNELS:
        raise McapError(f"there are {len(summary.channels)} channels")
    if any(channel.schema_id and channel.schema_id not in summary.schemas for channel in summary.channels.values()):
        raise McapError("a channel has no schema")
    places = [(index.chunk_start_offset, index.chunk_length) for index in summary.chunk_indexes]
    places += [(index.offset, index.length) for index in summary.metadata_indexes]
    if any(at < len(MAGIC) or length < HEAD.size or at + length > data_end for at, length in places):
        raise McapError("the index leads out of the data")
    if sum(index.uncompressed_size for index in summary.chunk_indexes) > most_unpacked(size):
        raise McapError("the chunks would unpack to more than a session can hold")
