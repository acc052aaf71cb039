"""What can be read of an MCAP that was cut off, or damaged anywhere."""

import io
from collections.abc import Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path

from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, McapRecord, Metadata, Schema
from mcap.stream_reader import breakup_chunk

from pose_rig.session.mcap_file import DAMAGE, HEAD, MAGIC

LARGEST_RECORD_BYTES = 1 << 28  # ours end near 32 MB; a longer one is a damaged length
OPCODES = range(1, 16)  # of all kinds of records
# Every chunk of ours says how it is compressed, behind two times, a size and a checksum.
COMPRESSION, COMPRESSION_AT = b"\x04\x00\x00\x00zstd", HEAD.size + 8 + 8 + 8 + 4
CHUNK_HEAD_BYTES = COMPRESSION_AT + len(COMPRESSION) + 8  # the last of which say how much it holds


class Salvage:
    """Reads what can be read of a file.

    A record whose length cannot be true, or behind which there is no other, leads on to the next chunk.

    Args:
        source: The file; it is not touched.

    Attributes:
        damaged: Pieces that could not be read so far; where the file was cut off does not count.
    """

    def __init__(self, source: Path) -> None:
        self._source = source
        self.damaged = 0

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
            try:
                yield from _content(Opcode.CHUNK if _is_chunk(data, at) else data[at], content)
                damaged = False
            except DAMAGE:
                damaged = True
            at = _next_chunk(data, body) if length is None else body + length
            self.damaged += damaged and at >= 0


def _content(opcode: int, body: bytes) -> list[McapRecord]:
    stream = ReadDataStream(io.BytesIO(body))
    match opcode:
        case Opcode.CHUNK:
            return breakup_chunk(Chunk.read(stream), validate_crc=True)
        case Opcode.SCHEMA:
            return [Schema.read(stream)]
        case Opcode.CHANNEL:
            return [Channel.read(stream)]
        case Opcode.METADATA:
            return [Metadata.read(stream)]
    return []


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
    return data[at + COMPRESSION_AT : at + COMPRESSION_AT + len(COMPRESSION)] == COMPRESSION


def _next_chunk(data: mmap, at: int) -> int:
    """Returns where the next chunk begins, −1 if there is none."""
    found = data.find(COMPRESSION, at + COMPRESSION_AT)
    return found - COMPRESSION_AT if found >= 0 else -1
