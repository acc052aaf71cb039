"""Reading an MCAP file that was cut off, or is damaged anywhere."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, Metadata, Schema

from pose_rig.session.mcap.mcap_reader import (
    DECODE_ERRORS,
    MAGIC,
    MAX_CHUNK_BYTES,
    RECORD_HEADER,
    RawMessage,
    decompressed,
    max_decompressed_bytes,
    raw_message,
    records_in,
)

MAX_RECORD_BYTES = 2 * MAX_CHUNK_BYTES  # written records end near 32 MB; a longer one has a damaged length
OPCODES = range(1, 16)  # of all record types
# The header of a chunk has its compression after two times, a size and a checksum.
COMPRESSION, COMPRESSION_OFFSET = b"\x04\x00\x00\x00zstd", RECORD_HEADER.size + 8 + 8 + 8 + 4
CHUNK_HEADER_BYTES = COMPRESSION_OFFSET + len(COMPRESSION) + 8  # the last 8 are the size of the compressed data
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"  # begins the compressed data; apart from this an index has the form of a chunk

Record = RawMessage | Schema | Channel | Metadata


@dataclass(frozen=True, slots=True)
class Piece:
    """A record of the data section and what it contains.

    Attributes:
        offset: Where it begins in the file.
        length: Bytes, header included.
        decompressed_bytes: Size of the content of a chunk; 0 for other records.
        records: The records of a chunk, or the record itself.
    """

    offset: int
    length: int
    decompressed_bytes: int
    records: list[Record]


class RecoveryReader:
    """Reads all that is readable in a file.

    Where the length of a record is invalid, or no record follows it, reading continues at the next chunk.

    Args:
        source: The file; only read.

    Attributes:
        source: The file.
        damaged: Pieces that could not be read so far; the end of a file that was cut off does not count.
        lost_ns: Time between the last message before such pieces and the first one after them, in total.
    """

    def __init__(self, source: Path) -> None:
        self.source = source
        self.damaged = self.lost_ns = 0
        self._newest_ns = 0  # log time of the messages so far
        self._missing = False  # whether a piece could not be read since
        self._decompressed_bytes = 0

    @property
    def loss(self) -> str:
        """What could not be read, in a sentence; empty if all could."""
        return loss_text(self.damaged, self.lost_ns * 1e-9)

    def records(self) -> Iterator[Record]:
        """Yields schemas, channels, messages and metadata in file order."""
        for piece in self.pieces():
            yield from piece.records

    def pieces(self) -> Iterator[Piece]:
        """Yields the chunks and the schemas, channels and metadata outside of them, in file order."""
        with self.source.open("rb") as file:
            if size := file.seek(0, io.SEEK_END):
                with mmap(file.fileno(), size, access=ACCESS_READ) as data:
                    yield from self._pieces(data)

    def _pieces(self, data: mmap) -> Iterator[Piece]:
        at = len(MAGIC) if _is_record(data, len(MAGIC)) else 0
        while 0 <= at <= len(data) - RECORD_HEADER.size:
            body, lengths = at + RECORD_HEADER.size, _lengths(data, at)
            length = next((length for length in lengths if _is_record(data, body + length)), None)
            content = data[body : body + min(lengths[-1] if length is None else length, MAX_RECORD_BYTES)]
            opcode = Opcode.CHUNK if _is_chunk(data, at) else data[at]
            damaged = False
            try:
                size, records = self._content(opcode, content, len(data))
            except DECODE_ERRORS:
                damaged = opcode == Opcode.CHUNK  # other records are in the file twice
            else:
                self._note_times(records)
                yield Piece(at, RECORD_HEADER.size + len(content), size, records)
            at = _next_chunk(data, body) if length is None else body + length
            if damaged and at >= 0:
                self.damaged, self._missing = self.damaged + 1, True

    def _content(self, opcode: int, body: bytes, file_size: int) -> tuple[int, list[Record]]:
        """Returns the decompressed size of a chunk, and the records."""
        if opcode != Opcode.CHUNK:
            return 0, _records(opcode, body)
        data = memoryview(decompressed(Chunk.read(ReadDataStream(io.BytesIO(body)))))
        self._decompressed_bytes += len(data)
        if self._decompressed_bytes > max_decompressed_bytes(file_size):
            raise McapError("the chunks decompress to more than the limit")
        found: list[Record] = []
        for kind, begin, end in records_in(data):
            if kind == Opcode.MESSAGE:
                found.append(raw_message(data, begin, end))
            else:
                found += _records(kind, bytes(data[begin:end]))
        return len(data), found

    def _note_times(self, found: list[Record]) -> None:
        """Adds to `lost_ns` if pieces before these records could not be read."""
        times_ns = [record.log_unix_ns for record in found if isinstance(record, RawMessage)]
        if not times_ns:
            return
        if self._missing and self._newest_ns:
            self.lost_ns += max(min(times_ns) - self._newest_ns, 0)
        self._newest_ns, self._missing = max(times_ns), False


def loss_text(damaged: int, lost_s: float) -> str:
    """Returns how many damaged pieces were skipped and how long they are, in a sentence; empty if none."""
    if not damaged:
        return ""
    pieces = "A damaged piece was" if damaged == 1 else f"{damaged} damaged pieces were"
    return f"{pieces} left out" + (f": {lost_s:.1f} s are missing." if lost_s else ".")


def _records(opcode: int, body: bytes) -> list[Record]:
    stream = ReadDataStream(io.BytesIO(body))
    match opcode:
        case Opcode.SCHEMA:
            return [Schema.read(stream)]
        case Opcode.CHANNEL:
            return [Channel.read(stream)]
        case Opcode.METADATA:
            return [Metadata.read(stream)]
    return []


def _lengths(data: mmap, at: int) -> list[int]:
    """Returns the possible lengths of a record: as its header says, and as the size of the data of a chunk says."""
    lengths: list[int] = [RECORD_HEADER.unpack_from(data, at)[1]]
    if _is_chunk(data, at) and len(data) >= at + CHUNK_HEADER_BYTES:
        held = int.from_bytes(data[at + CHUNK_HEADER_BYTES - 8 : at + CHUNK_HEADER_BYTES], "little")
        lengths.append(CHUNK_HEADER_BYTES - RECORD_HEADER.size + held)
    return lengths


def _is_record(data: mmap, at: int) -> bool:
    """Returns whether a record can begin here, or the file ends."""
    if at > len(data) - RECORD_HEADER.size:
        return at <= len(data)
    opcode, length = RECORD_HEADER.unpack_from(data, at)
    return _is_chunk(data, at) or (opcode in OPCODES and at + RECORD_HEADER.size + length <= len(data))


def _is_chunk(data: mmap, at: int) -> bool:
    """Returns whether a chunk begins here, even if its opcode is damaged."""
    named = data[at + COMPRESSION_OFFSET : at + COMPRESSION_OFFSET + len(COMPRESSION)] == COMPRESSION
    return named and data[at + CHUNK_HEADER_BYTES : at + CHUNK_HEADER_BYTES + len(ZSTD_MAGIC)] == ZSTD_MAGIC


def _next_chunk(data: mmap, at: int) -> int:
    """Returns where the next chunk begins, −1 if there is none."""
    found = data.find(COMPRESSION, at + COMPRESSION_OFFSET)
    while found >= 0 and not _is_chunk(data, found - COMPRESSION_OFFSET):
        found = data.find(COMPRESSION, found + 1)
    return found - COMPRESSION_OFFSET if found >= 0 else -1
