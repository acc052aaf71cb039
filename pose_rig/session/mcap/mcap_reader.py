"""Reading the chunks of an MCAP file in file order, with its summary.

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
from typing import IO

import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Chunk, ChunkIndex
from mcap.summary import Summary

MAX_UNIX_NS = 1 << 62  # the year 2116; differences of two still fit 64 bits
MAGIC = b"\x89MCAP0\r\n"
RECORD_HEADER = struct.Struct("<BQ")  # opcode, length
_CHANNEL = struct.Struct("<H")  # how a message begins
_MESSAGE = struct.Struct("<HIQQ")  # channel, sequence, log time, publish time
MAX_CHUNK_BYTES = 1 << 26  # decompressed; written chunks have at most a megabyte and a message of 32 MB
# All chunks decompress to at most this many times the size of the file; sessions to about 3, to 30 without detections.
MAX_COMPRESSION_RATIO = 1000
MAX_CHANNELS = 4096  # a rig of 16 cameras has about 150
# raised by the library and the decompressor for invalid bytes
DECODE_ERRORS: tuple[type[Exception], ...] = (
    McapError, zstandard.ZstdError, struct.error, ValueError, KeyError, IndexError, EOFError, OverflowError,
    RuntimeError, MemoryError,
)  # fmt: skip
READ_ERRORS: tuple[type[Exception], ...] = (*DECODE_ERRORS, OSError)


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


def max_decompressed_bytes(size: int) -> int:
    """Returns the limit on the decompressed size of all chunks of a file of ``size`` bytes."""
    return MAX_CHUNK_BYTES + MAX_COMPRESSION_RATIO * size


def decompressed(chunk: Chunk) -> bytes:
    """Returns the records of a chunk.

    Raises:
        McapError: The chunk is larger than declared or than `MAX_CHUNK_BYTES`, has another compression, or a wrong
            checksum. The decompressor raises others of `DECODE_ERRORS`.
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
        if opcode == Opcode.MESSAGE and _CHANNEL.unpack_from(data[:end], begin)[0] in channels:
            yield raw_message(data, begin, end)
