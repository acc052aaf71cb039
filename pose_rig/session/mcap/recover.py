"""Recovering a session that was cut off or damaged, into a complete MCAP file. The source is only read."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mcap.records import Channel, Metadata, Schema
from mcap.stream_reader import StreamReader
from mcap.writer import Writer

from pose_rig.atomic_file import PARTIAL, output_file, partial_path
from pose_rig.errors import SessionError
from pose_rig.session.mcap.info import METADATA_NAME, SessionInfo
from pose_rig.session.mcap.mcap_reader import DECODE_ERRORS, MAX_CHANNELS, RawMessage
from pose_rig.session.mcap.mcap_writer import CHUNK_BYTES, LIBRARY, PROFILE
from pose_rig.session.mcap.recovery_reader import Record, RecoveryReader, loss_text
from pose_rig.session.mcap.summary import check_readable, is_complete, read_summary

RECOVERED = "pose-rig recovered"  # metadata record of a recovered session
SUFFIX = ".recovered.mcap"
NO_HEADER = "The header of the session is missing or damaged: only other MCAP readers can open it."
FINGERPRINT_BYTES = 128  # they include `started_unix_ns`, to the nanosecond


@dataclass(frozen=True, slots=True)
class Recovery:
    """The result of a recovery.

    Attributes:
        path: A complete session.
        messages: Number of messages; None if the source was complete.
        damaged_chunks: Chunks that could not be read, and channels without a declaration.
        lost_s: Duration of what could not be read, where there are messages before and after it.
        written: Whether the file was written now; False if the source is complete, or was recovered before.
        headless: Whether the header of the session could not be read.
    """

    path: Path
    messages: int | None
    damaged_chunks: int
    lost_s: float
    written: bool
    headless: bool = False

    @property
    def loss(self) -> str:
        """What could not be read, a sentence or two; empty if all could."""
        return f"{NO_HEADER if self.headless else ''} {loss_text(self.damaged_chunks, self.lost_s)}".strip()


def recover(source: Path, out: Path | None = None, *, replace: bool = False) -> Recovery:
    """Returns a complete session: the source itself, or a copy of all that can be read of it.

    A second call changes nothing, unless the source has grown. A copy of another recording is not overwritten.

    Args:
        source: A session, or its ``.partial``.
        out: Where the copy goes; None = next to the source, see `recovered_path`.
        replace: Whether the copy may replace any other file.

    Raises:
        SessionError: There is no such file, nothing in it can be read, or another file is in the place of the copy.
        PoseRigError: The copy cannot be written.
    """
    source = find(source)
    if is_complete(source) and out is None:
        return Recovery(source, None, 0, 0.0, written=False)
    out = out or recovered_path(source)
    fingerprint = _fingerprint(source)
    if out.exists() and not replace:
        known = _recovery_metadata(out)
        if known is None or known.get("source_head") != fingerprint["source_head"]:
            raise SessionError(
                f"{out} exists already and comes from another recording.",
                f"Move it away, or recover {source} to another place with --out, or add --force to replace it.",
            )
        if known.get("source_bytes") == fingerprint["source_bytes"] and (earlier := _earlier(out, known)):
            return earlier
    return _copy(source, out, fingerprint)


def find(path: Path) -> Path:
    """Returns the session, or its ``.partial`` if only that exists.

    Raises:
        SessionError: Neither exists.
    """
    for candidate in (path, partial_path(path)):
        if candidate.is_file():
            return candidate
    raise SessionError(f"There is no session {path}.", "Check the path.")


def recovered_path(source: Path) -> Path:
    """Returns where a recovered copy goes: ``take.mcap.partial`` and ``take.mcap`` → ``take.recovered.mcap``."""
    name = source.name.removesuffix(PARTIAL).removesuffix(".mcap")
    return source.with_name(name + SUFFIX)


def _earlier(out: Path, known: dict[str, str]) -> Recovery | None:
    """Returns the result of an earlier recovery from its metadata, None if that is incomplete."""
    try:
        lost_s = float(known.get("lost_s", "0"))
        return Recovery(out, int(known["messages"]), int(known["damaged_chunks"]), lost_s, False, "headless" in known)
    except (KeyError, ValueError):
        return None


def _copy(source: Path, out: Path, fingerprint: dict[str, str]) -> Recovery:
    reader = RecoveryReader(source)
    with output_file(out) as copy, copy.open("wb") as file:
        writer = Writer(file, chunk_size=CHUNK_BYTES)
        writer.start(PROFILE, LIBRARY)
        messages, undeclared, headless = _copy_records(writer, reader.records())
        damaged, lost_s = reader.damaged + undeclared, reader.lost_ns * 1e-9
        check_readable(source, messages, damaged)
        facts = {"messages": str(messages), "damaged_chunks": str(damaged), "lost_s": f"{lost_s:.3f}"}
        writer.add_metadata(RECOVERED, fingerprint | facts | ({"headless": "true"} if headless else {}))
        writer.finish()  # type: ignore[no-untyped-call]
        file.flush()
        os.fsync(file.fileno())
    return Recovery(out, messages, damaged, lost_s, True, headless)


def _copy_records(writer: Writer, records: Iterator[Record]) -> tuple[int, int, bool]:
    """Copies records; returns the number of messages and of undeclared channels, and whether there is no header."""
    schemas: dict[int, int] = {0: 0}
    declared: dict[int, Channel] = {}
    channels: dict[int, int] = {}
    messages, undeclared, headless = 0, set[int](), True
    for record in records:
        if isinstance(record, Schema) and record.id not in schemas:
            schemas[record.id] = writer.register_schema(record.name, record.encoding, record.data)
        elif isinstance(record, Channel) and len(declared) < MAX_CHANNELS:
            declared.setdefault(record.id, record)
        elif isinstance(record, RawMessage):
            channel = declared.get(record.channel)
            if channel and channel.id not in channels and channel.schema_id in schemas:
                schema = schemas[channel.schema_id]
                channels[channel.id] = writer.register_channel(
                    channel.topic, channel.message_encoding, schema, channel.metadata
                )
            if record.channel in channels:
                number, data = channels[record.channel], bytes(record.data)
                writer.add_message(number, record.log_unix_ns, data, record.publish_unix_ns, record.sequence)
                messages += 1
            else:
                undeclared.add(record.channel)
        elif isinstance(record, Metadata) and record.name == METADATA_NAME:
            writer.add_metadata(record.name, record.metadata)
            headless &= not _is_valid_header(record)
    return messages, len(undeclared), headless


def _is_valid_header(record: Metadata) -> bool:
    try:
        SessionInfo.from_metadata(record.metadata)
    except SessionError:
        return False
    return True


def _fingerprint(source: Path) -> dict[str, str]:
    """Returns what identifies a source."""
    with source.open("rb") as file:
        head = hashlib.sha256(file.read(FINGERPRINT_BYTES)).hexdigest()
    return {"source": source.name, "source_head": head, "source_bytes": str(source.stat().st_size)}


def _recovery_metadata(path: Path) -> dict[str, str] | None:
    """Returns the metadata that a recovery wrote to a session, None if there is none."""
    if not is_complete(path):
        return None
    with path.open("rb") as file:
        summary = read_summary(file)
        for index in summary.metadata_indexes if summary else ():
            if index.name == RECOVERED:
                file.seek(index.offset)
                try:
                    record = next(iter(StreamReader(file, skip_magic=True).records))
                except DECODE_ERRORS:
                    return None
                return record.metadata if isinstance(record, Metadata) else None
    return None
