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
OPCODES = range(1, 16)
# Every chunk of ours says how it is compressed, behind two times, a size and a checksum.
COMPRESSION, COMPRESSION_AT = b"\x04\x00\x00\x00zstd", HEAD.size + 8 + 8 + 8 + 4


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
        at = len(MAGIC)
        while 0 <= at <= len(data) - HEAD.size:
            opcode, length = HEAD.unpack_from(data, at)
            body = at + HEAD.size
            try:
                yield from _content(opcode, data[body : body + min(length, LARGEST_RECORD_BYTES)])
                damaged = False
            except DAMAGE:
                damaged = True
            at = body + length if _is_record(data, body + length) else _next_chunk(data, body)
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


def _is_record(data: mmap, at: int) -> bool:
    """Returns whether a record can begin here, or the file ends."""
    if at > len(data) - HEAD.size:
        return at <= len(data)
    opcode, length = HEAD.unpack_from(data, at)
    return opcode in OPCODES and at + HEAD.size + length <= len(data)


def _next_chunk(data: mmap, at: int) -> int:
    """Returns where the next chunk begins, −1 if there is none."""
    found = data.find(COMPRESSION, at + COMPRESSION_AT)
    while found >= 0 and data[found - COMPRESSION_AT] != Opcode.CHUNK:
        found = data.find(COMPRESSION, found + 1)
    return found - COMPRESSION_AT if found >= 0 else -1
