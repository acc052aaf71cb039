"""The summary of an MCAP file: read from a finished file, or rebuilt by reading a damaged one."""

import io
import zlib
from collections import Counter
from pathlib import Path
from typing import IO

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, ChunkIndex, Footer, McapRecord, MetadataIndex, Schema, Statistics
from mcap.summary import Summary

from pose_rig.errors import SessionError
from pose_rig.session.mcap.mcap_reader import (
    DECODE_ERRORS,
    MAGIC,
    MAX_CHANNELS,
    RECORD_HEADER,
    RawMessage,
    max_decompressed_bytes,
    records_in,
)
from pose_rig.session.mcap.recovery_reader import Piece, RecoveryReader

FOOTER_BYTES = 1 + 8 + 20 + len(MAGIC)
MAX_SUMMARY_BYTES = 1 << 28  # a day of such a rig needs half
SUMMARY_RECORDS: dict[int, type[McapRecord]] = {
    Opcode.SCHEMA: Schema,
    Opcode.CHANNEL: Channel,
    Opcode.CHUNK_INDEX: ChunkIndex,
    Opcode.METADATA_INDEX: MetadataIndex,
    Opcode.STATISTICS: Statistics,
}


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


def recovered_summary(reader: RecoveryReader) -> Summary:
    """Returns the summary that the file would have if it had been finished, from reading all of it.

    Raises:
        SessionError: There is no message that can be read.
    """
    summary, counts = Summary(), Counter[int]()
    for piece in reader.pieces():
        messages = [record for record in piece.records if isinstance(record, RawMessage)]
        for record in piece.records:
            if isinstance(record, Schema):
                summary.schemas.setdefault(record.id, record)
            elif isinstance(record, Channel) and len(summary.channels) < MAX_CHANNELS:
                summary.channels.setdefault(record.id, record)
        if messages:
            summary.chunk_indexes.append(_chunk_index(piece, messages))
            counts.update(message.channel for message in messages)
    for channel in list(summary.channels.values()):
        if channel.schema_id and channel.schema_id not in summary.schemas:
            del summary.channels[channel.id]
    reader.damaged += len(counts.keys() - summary.channels.keys())
    counts = Counter({channel: count for channel, count in counts.items() if channel in summary.channels})
    check_readable(reader.source, counts.total(), reader.damaged)
    summary.statistics = Statistics(
        attachment_count=0,
        channel_count=len(summary.channels),
        channel_message_counts=dict(counts),
        chunk_count=len(summary.chunk_indexes),
        message_count=counts.total(),
        message_end_time=max(index.message_end_time for index in summary.chunk_indexes),
        message_start_time=min(index.message_start_time for index in summary.chunk_indexes),
        metadata_count=0,
        schema_count=len(summary.schemas),
    )
    return summary


def check_readable(source: Path, messages: int, damaged: int) -> None:
    """Checks that something in a file could be read.

    Raises:
        SessionError: There are no messages.
    """
    if messages:
        return
    with source.open("rb") as file:
        if not MAGIC.startswith(file.read(len(MAGIC))):
            raise SessionError(f"{source} is not a session.", "Poses files (.npz) are read by pose_rig.load.")
    remedy = "All of it is damaged." if damaged else "It was cut off as it began."
    raise SessionError(f"{source} has no readable message.", remedy)


def _chunk_index(piece: Piece, messages: list[RawMessage]) -> ChunkIndex:
    times_ns = [message.log_unix_ns for message in messages]
    return ChunkIndex(
        chunk_length=piece.length,
        chunk_start_offset=piece.offset,
        compression="",
        compressed_size=0,
        message_end_time=max(times_ns),
        message_index_length=0,
        message_index_offsets=dict.fromkeys((message.channel for message in messages), 0),
        message_start_time=min(times_ns),
        uncompressed_size=piece.decompressed_bytes,
    )


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
