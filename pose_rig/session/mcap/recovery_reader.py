"""What can be read of an MCAP that was cut off, or damaged anywhere."""

import io
from collections.abc import Iterator
from dataclasses import replace
from mmap import ACCESS_READ, mmap
from pathlib import Path

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, McapRecord, Message, Metadata, Schema
from mcap.stream_reader import breakup_chunk

from pose_rig.session.mcap.mcap_reader import DAMAGE, HEAD, MAGIC, MOST_CHUNK_BYTES, most_unpacked, unpacked

LARGEST_RECORD_BYTES = 2 * MOST_CHUNK_BYTES  # ours end near 32 MB; a longer one is a damaged length
OPCODES = range(1, 16)  # of all kinds of records
# Every chunk of ours says how it is compressed, behind two times, a size and a checksum.
COMPRESSION, COMPRESSION_AT = b"\x04\x00\x00\x00zstd", HEAD.size + 8 + 8 + 8 + 4
CHUNK_HEAD_BYTES = COMPRESSION_AT + len(COMPRESSION) + 8  # the last of which say how much it holds
FRAME = b"\x28\xb5\x2f\xfd"  # with which what is compressed begins; the index of a chunk looks like one but for this


class RecoveryReader:
    """Reads what can be read of a file.

    A record whose length cannot be true, or behind which there is no other, leads on to the next chunk.

    Args:
        source: The file; it is not touched.

    Attributes:
        damaged: Pieces that could not be read so far; where the file was cut off does not count.
        lost_ns: From the last message before such pieces to the first one after them.
    """

    def __init__(self, source: Path) -> None:
        self._source = source
        self.damaged = self.lost_ns = 0
        self._newest_ns = 0  # of the messages so far
        self._missing = False  # whether something is between these and those to come
        self._unpacked = 0

    def records(self) -> Iterator[McapRecord]:
        """Yields schemas, channels, messages and metadata in their order."""
        with self._source.open("rb") as file:
            if size := file.seek(0, io.SEEK_END):
                with mmap(file.fileno(), size, access=ACCESS_READ) as data:
                    yield from self._records(data)

    def _records(self, data: mmap) -> Iterator[McapRecord]:
        at = len(MAGIC) if _is_record(data, len(MAGIC)) else 0
        while 0 <= at <= len(data) - HEAD.size:
            body, lengths = at + HEAD.size, _lengths(data, at)
            length = next((length for length in lengths if _is_record(data, body + length)), None)
            content = data[body : body + min(lengths[-1] if length is None else length, LARGEST_RECORD_BYTES)]
            opcode = Opcode.CHUNK if _is_chunk(data, at) else data[at]
            damaged = False
            try:
                found = self._content(opcode, content, len(data))
            except DAMAGE:
                found, damaged = [], opcode == Opcode.CHUNK  # what others say is said elsewhere once more
            self._note_times(found)
            yield from found
            at = _next_chunk(data, body) if length is None else body + length
            if damaged and at >= 0:
                self.damaged, self._missing = self.damaged + 1, True

    def _content(self, opcode: int, body: bytes, size: int) -> list[McapRecord]:
        stream = ReadDataStream(io.BytesIO(body))
        match opcode:
            case Opcode.CHUNK:
                chunk = Chunk.read(stream)
                content = unpacked(chunk)
                self._unpacked += len(content)
                if self._unpacked > most_unpacked(size):
                    raise McapError("the chunks unpack to more than a session can hold")
                return breakup_chunk(replace(chunk, compression="", data=content))
            case Opcode.SCHEMA:
                return [Schema.read(stream)]
            case Opcode.CHANNEL:
                return [Channel.read(stream)]
            case Opcode.METADATA:
                return [Metadata.read(stream)]
        return []

    def _note_times(self, found: list[McapRecord]) -> None:
        """Takes note of how long nothing could be read."""
        times_ns = [record.log_time for record in found if isinstance(record, Message)]
        if not times_ns:
            return
        if self._missing and self._newest_ns:
            self.lost_ns += max(min(times_ns) - self._newest_ns, 0)
        self._newest_ns, self._missing = max(times_ns), False


def _lengths(data: mmap, at: int) -> list[int]:
    """Returns how long a record may be: as it says, and as what a chunk holds says."""
    lengths: list[int] = [HEAD.unpack_from(data, at)[1]]
    if _is_chunk(data, at) and len(data) >= at + CHUNK_HEAD_BYTES:
        held = int.from_bytes(data[at + CHUNK_HEAD_BYTES - 8 : at + CHUNK_HEAD_BYTES], "little")
        lengths.append(CHUNK_HEAD_BYTES - HEAD.size + held)
    return lengths


def _is_record(data: mmap, at: int) -> bool:
    """Returns whether a record can begin here, or the file ends."""
    if at > len(data) - HEAD.size:
        return at <= len(data)
    opcode, length = HEAD.unpack_from(data, at)
    return _is_chunk(data, at) or (opcode in OPCODES and at + HEAD.size + length <= len(data))


def _is_chunk(data: mmap, at: int) -> bool:
    """Returns whether a chunk begins here, even if its opcode is damaged."""
    named = data[at + COMPRESSION_AT : at + COMPRESSION_AT + len(COMPRESSION)] == COMPRESSION
    return named and data[at + CHUNK_HEAD_BYTES : at + CHUNK_HEAD_BYTES + len(FRAME)] == FRAME


def _next_chunk(data: mmap, at: int) -> int:
    """Returns where the next chunk begins, −1 if there is none."""
    found = data.find(COMPRESSION, at + COMPRESSION_AT)
    while found >= 0 and not _is_chunk(data, found - COMPRESSION_AT):
        found = data.find(COMPRESSION, found + 1)
    return found - COMPRESSION_AT if found >= 0 else -1
