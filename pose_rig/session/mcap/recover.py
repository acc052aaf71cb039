"""A session that was cut off → one that opens everywhere. What was cut off is never touched."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mcap.records import Channel, McapRecord, Message, Metadata, Schema
from mcap.stream_reader import StreamReader
from mcap.writer import Writer

from pose_rig.atomic_file import PARTIAL, output_file, partial_path
from pose_rig.errors import SessionError
from pose_rig.session.mcap.info import NAME, SessionInfo
from pose_rig.session.mcap.mcap_reader import DAMAGE, MAGIC, MOST_CHANNELS, is_whole, summary_of
from pose_rig.session.mcap.mcap_writer import CHUNK_BYTES, LIBRARY, PROFILE
from pose_rig.session.mcap.recovery_reader import RecoveryReader

RECOVERED = "pose-rig recovered"  # metadata record of a recovered session
SUFFIX = ".recovered.mcap"
HEADLESS = "The head of a session of pose-rig is not there, or damaged: only other readers of MCAP can read it."
HEAD_BYTES = 128  # of a session: they end behind `started_unix_ns`


@dataclass(frozen=True, slots=True)
class Recovery:
    """What came of it.

    Attributes:
        path: The session that can be read.
        messages: How many messages it holds; None where nothing had to be done.
        damaged_chunks: Pieces of the file that could not be read, or whose topic is not known.
        lost_s: How long nothing could be read, where there is something before and after it.
        anew: Whether it was written just now: False if the source is whole, or had been recovered before.
        headless: Whether its head, without which it is no session, could not be read.
    """

    path: Path
    messages: int | None
    damaged_chunks: int
    lost_s: float
    anew: bool
    headless: bool = False

    @property
    def loss(self) -> str:
        """What could not be read, a sentence or two; empty if all could."""
        said = [HEADLESS] if self.headless else []
        if self.damaged_chunks:
            pieces = "A damaged piece was" if self.damaged_chunks == 1 else f"{self.damaged_chunks} damaged pieces were"
            said.append(f"{pieces} left out" + (f": {self.lost_s:.1f} s are missing." if self.lost_s else "."))
        return " ".join(said)


def recover(source: Path, out: Path | None = None, *, replace: bool = False) -> Recovery:
    """Returns a session that is whole: the source itself, or a copy of all that can be read of it.

    Doing it again changes nothing, unless the source has grown meanwhile. What another recording of the same name left
    is never written over.

    Args:
        source: A session, or its ``.partial``.
        out: Where the copy goes; None = beside the source, see `recovered_path`.
        replace: Whether the copy may replace what comes from elsewhere.

    Raises:
        SessionError: There is no such file, nothing in it can be kept, or something else is in the place of the copy.
        PoseRigError: The copy cannot be written.
    """
    source = find(source)
    if is_whole(source) and out is None:
        return Recovery(source, None, 0, 0.0, anew=False)
    out = out or recovered_path(source)
    print_of_source = _print(source)
    if out.exists() and not replace:
        known = _recovered_from(out)
        if known is None or known.get("source_head") != print_of_source["source_head"]:
            raise SessionError(
                f"{out} exists already and comes from another recording.",
                f"Move it away, or recover {source} to another place with --out, or add --force to replace it.",
            )
        if known.get("source_bytes") == print_of_source["source_bytes"] and (before := _before(out, known)):
            return before
    return _copy(source, out, print_of_source)


def find(path: Path) -> Path:
    """Returns the file that is meant: the session, or its ``.partial`` if only that is there.

    Raises:
        SessionError: There is neither.
    """
    for candidate in (path, partial_path(path)):
        if candidate.is_file():
            return candidate
    raise SessionError(f"There is no session {path}.", "Check the path.")


def recovered_path(source: Path) -> Path:
    """Returns where a recovered copy goes: ``take.mcap.partial`` and ``take.mcap`` → ``take.recovered.mcap``."""
    name = source.name.removesuffix(PARTIAL).removesuffix(".mcap")
    return source.with_name(name + SUFFIX)


def _before(out: Path, known: dict[str, str]) -> Recovery | None:
    """Returns what came of it before, None if that is not known."""
    try:
        lost_s = float(known.get("lost_s", "0"))
        return Recovery(out, int(known["messages"]), int(known["damaged_chunks"]), lost_s, False, "headless" in known)
    except (KeyError, ValueError):
        return None


def _begins_as_session(path: Path) -> bool:
    with path.open("rb") as file:
        return MAGIC.startswith(file.read(len(MAGIC)))


def _copy(source: Path, out: Path, print_of_source: dict[str, str]) -> Recovery:
    salvage = RecoveryReader(source)
    with output_file(out) as copy, copy.open("wb") as file:
        writer = Writer(file, chunk_size=CHUNK_BYTES)
        writer.start(PROFILE, LIBRARY)
        messages, unknown, headless = _write_all(writer, salvage.records())
        if not messages and not _begins_as_session(source):
            raise SessionError(f"{source} is no session.", "Poses files (.npz) are read by pose_rig.session.load.")
        if not messages:
            remedy = "All of it is damaged." if salvage.damaged + unknown else "It was cut off as it began."
            raise SessionError(f"{source} holds nothing that can be kept.", remedy)
        lost_s = salvage.lost_ns * 1e-9
        damaged = salvage.damaged + unknown
        facts = {"messages": str(messages), "damaged_chunks": str(damaged), "lost_s": f"{lost_s:.3f}"}
        writer.add_metadata(RECOVERED, print_of_source | facts | ({"headless": "true"} if headless else {}))
        writer.finish()  # type: ignore[no-untyped-call]
        file.flush()
        os.fsync(file.fileno())
    return Recovery(out, messages, damaged, lost_s, True, headless)


def _write_all(writer: Writer, records: Iterator[McapRecord]) -> tuple[int, int, bool]:
    """Writes records anew.

    Returns how many messages there were, how many channels that nothing declares, and whether no head can be read.
    """
    schemas: dict[int, int] = {0: 0}
    declared: dict[int, Channel] = {}
    channels: dict[int, int] = {}
    messages, unknown, headless = 0, set[int](), True
    for record in records:
        if isinstance(record, Schema) and record.id not in schemas:
            schemas[record.id] = writer.register_schema(record.name, record.encoding, record.data)
        elif isinstance(record, Channel) and len(declared) < MOST_CHANNELS:
            declared.setdefault(record.id, record)
        elif isinstance(record, Message):
            channel = declared.get(record.channel_id)
            if channel and channel.id not in channels and channel.schema_id in schemas:
                schema = schemas[channel.schema_id]
                channels[channel.id] = writer.register_channel(
                    channel.topic, channel.message_encoding, schema, channel.metadata
                )
            if record.channel_id in channels:
                own = channels[record.channel_id]
                writer.add_message(own, record.log_time, record.data, record.publish_time, record.sequence)
                messages += 1
            else:
                unknown.add(record.channel_id)
        elif isinstance(record, Metadata) and record.name == NAME:
            writer.add_metadata(record.name, record.metadata)
            headless &= not _is_head(record)
    return messages, len(unknown), headless


def _is_head(record: Metadata) -> bool:
    try:
        SessionInfo.from_metadata(record.metadata)
    except SessionError:
        return False
    return True


def _print(source: Path) -> dict[str, str]:
    """Returns by what a source is known again: its head says when it was begun, to the nanosecond."""
    with source.open("rb") as file:
        head = hashlib.sha256(file.read(HEAD_BYTES)).hexdigest()
    return {"source": source.name, "source_head": head, "source_bytes": str(source.stat().st_size)}


def _recovered_from(path: Path) -> dict[str, str] | None:
    """Returns what a recovered session says of its source, None if it is no such session."""
    if not is_whole(path):
        return None
    with path.open("rb") as file:
        summary = summary_of(file)
        for index in summary.metadata_indexes if summary else ():
            if index.name == RECOVERED:
                file.seek(index.offset)
                try:
                    record = next(iter(StreamReader(file, skip_magic=True).records))
                except DAMAGE:
                    return None
                return record.metadata if isinstance(record, Metadata) else None
    return None
