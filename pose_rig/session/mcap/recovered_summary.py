"""The summary of an MCAP file that was not finished, made by reading the file."""

from collections import Counter
from pathlib import Path

from mcap.records import Channel, ChunkIndex, Schema, Statistics
from mcap.summary import Summary

from pose_rig.errors import SessionError
from pose_rig.session.mcap.mcap_reader import MAGIC, MAX_CHANNELS, RawMessage
from pose_rig.session.mcap.recovery_reader import Piece, RecoveryReader


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
            raise SessionError(f"{source} is no session.", "Poses files (.npz) are read by pose_rig.session.load.")
    remedy = "All of it is damaged." if damaged else "It was cut off as it began."
    raise SessionError(f"{source} holds nothing that can be kept.", remedy)


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
