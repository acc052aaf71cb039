"""Writing a session as MCAP: readable after every flush, named ``.partial`` until it is finished."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from google.protobuf.message import Message as Protobuf
from mcap.data_stream import RecordBuilder
from mcap.records import Channel, ChunkIndex, Metadata, Schema
from mcap.writer import CompressionType, Writer

from pose_rig.atomic_file import partial_path
from pose_rig.errors import SessionError, UsageError
from pose_rig.session.draw.viewer_messages import ViewerMessage, schema_of
from pose_rig.session.mcap.info import METADATA_NAME, SessionInfo
from pose_rig.wire.encoding import json_schema
from pose_rig.wire.messages import Message

CHUNK_BYTES = 1 << 20  # a chunk of this size is written before the next flush
PROFILE = ""
LIBRARY = "pose-rig"
CHUNK_INDEXES = "_Writer__chunk_indices"  # where the library keeps them until the end


class PackedIndex:
    """The index of a chunk as it is written in the summary: a tenth of the memory of the library's object.

    Args:
        index: Of the chunk.
    """

    __slots__ = ("_record",)

    def __init__(self, index: ChunkIndex) -> None:
        builder = RecordBuilder()
        index.write(builder)
        self._record: bytes = builder.end()  # type: ignore[no-untyped-call]

    def write(self, stream: RecordBuilder) -> None:
        """Writes it, as the library's object does."""
        stream.write(self._record)


class McapWriter:
    """Writes one session.

    What was added before a `flush` survives a killed process; what was added before a `sync` survives a power cut.

    Args:
        path: The finished session; ``<path>.partial`` until then.
        info: Its header.

    Attributes:
        written: Messages added.

    Raises:
        UsageError: The file exists.
        SessionError: It cannot be written.
    """

    def __init__(self, path: Path, info: SessionInfo) -> None:
        self._path, self._partial = path, partial_path(path)
        self._unix_from_rig_ns = info.unix_from_rig_ns
        self._schemas: dict[object, int] = {}
        self._declarations = RecordBuilder()
        self._channels: dict[tuple[str, type], int] = {}  # one of each kind: a camera may change from H.264 to JPEG
        self._sequences: dict[str, int] = {}
        self.written = 0
        refuse_existing(path)
        try:
            self._file = self._partial.open("xb")
        except OSError as error:
            raise SessionError(f"Cannot write {path}: {error.strerror}.", "Choose another place.") from error
        self._writer = Writer(self._file, chunk_size=CHUNK_BYTES, compression=CompressionType.ZSTD)
        self._indexes: list[Any] = vars(self._writer)[CHUNK_INDEXES]
        self._packed = 0  # of these, so many are packed
        self._writer.start(PROFILE, LIBRARY)
        self._writer.add_metadata(METADATA_NAME, info.to_metadata())
        self.flush()
        Metadata(METADATA_NAME, info.to_metadata()).write(self._declarations)

    @property
    def size_bytes(self) -> int:
        """Current size of the file."""
        return self._file.tell()

    def add(self, message: Message, data: bytes, log_unix_ns: int) -> None:
        """Adds a message of the bus.

        Args:
            message: The message.
            data: Its bytes as received, with topic; stored unchanged.
            log_unix_ns: When it was received.
        """
        topic = message.topic
        channel = self._channel(topic, type(message), _bus_schema, "msgpack")
        t_ns = getattr(message, "t_ns", None)
        publish_unix_ns = log_unix_ns if t_ns is None else t_ns + self._unix_from_rig_ns
        self._add(
            topic, channel, log_unix_ns, data[len(topic.encode()) + 1 :], max(publish_unix_ns, 0), _index(message)
        )

    def add_viewer_message(self, shown: ViewerMessage, index: int | None = None) -> None:
        """Adds a message for viewers; ``index`` is its sequence number, if it has one."""
        channel = self._channel(shown.topic, type(shown.message), _foxglove_schema, "protobuf")
        self._add(shown.topic, channel, shown.unix_ns, shown.message.SerializeToString(), shown.unix_ns, index)

    def flush(self) -> None:
        """Hands all messages to the operating system.

        Raises:
            OSError: The disk is full or gone.
        """
        self._writer.flush()  # type: ignore[no-untyped-call]
        self._pack_indexes()
        # A second copy outside of any chunk, in case the header or the chunk that declares a channel is damaged.
        if self.written:
            self._file.write(self._declarations.end())  # type: ignore[no-untyped-call]
        self._file.flush()

    def sync(self) -> None:
        """Flushes, and waits until the data is on the disk.

        Raises:
            OSError: The disk is full or gone.
        """
        self.flush()
        os.fsync(self._file.fileno())

    def finish(self) -> Path:
        """Writes the summary, renames the file and returns its path.

        Raises:
            OSError: The disk is full or gone; flushed messages stay in the partial file.
        """
        self._writer.finish()  # type: ignore[no-untyped-call]
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._partial, self._path)
        return self._path

    def abandon(self) -> None:
        """Closes the partial file as it is, for `recover`."""
        with suppress(OSError):  # closing retries a failed write
            self._file.close()

    def _channel(self, topic: str, kind: type, schema: Callable[[type], tuple[str, str, bytes]], encoding: str) -> int:
        key = topic, kind
        if key not in self._channels:
            if kind not in self._schemas:
                name, form, data = schema(kind)
                self._schemas[kind] = self._writer.register_schema(name, form, data)
                Schema(self._schemas[kind], data, form, name).write(self._declarations)
            self._channels[key] = self._writer.register_channel(topic, encoding, self._schemas[kind])
            Channel(self._channels[key], topic, encoding, {}, self._schemas[kind]).write(self._declarations)
        return self._channels[key]

    def _pack_indexes(self) -> None:
        """Packs the indexes of the chunks that were written since the last call: of an hour these are thousands."""
        indexes = self._indexes
        while self._packed < len(indexes):
            indexes[self._packed] = PackedIndex(indexes[self._packed])
            self._packed += 1

    def _add(
        self, topic: str, channel: int, log_unix_ns: int, data: bytes, publish_unix_ns: int, index: int | None
    ) -> None:
        sequence = self._sequences.get(topic, -1) + 1 if index is None else index
        self._sequences[topic] = sequence
        self._writer.add_message(channel, log_unix_ns, data, publish_unix_ns, sequence)
        self.written += 1


def refuse_existing(path: Path) -> None:
    """Checks that no session would be overwritten.

    Raises:
        UsageError: The file exists, or an unfinished one.
    """
    if path.exists():
        raise UsageError(f"{path} exists already.", "Choose another name, or remove it.")
    refuse_unfinished(path)


def refuse_unfinished(path: Path) -> None:
    """Checks that no unfinished session would be overwritten.

    Raises:
        UsageError: There is one.
    """
    if (partial := partial_path(path)).exists():
        raise UsageError(
            f"{partial} is left from a recording that was not finished.",
            f"Keep it with `pose-rig recover {partial}`, or remove it.",
        )


def _bus_schema(kind: type[Message]) -> tuple[str, str, bytes]:
    return f"pose_rig.{kind.__name__}", "jsonschema", json_schema(kind)


def _foxglove_schema(kind: type[Protobuf]) -> tuple[str, str, bytes]:
    name, files = schema_of(kind)
    return name, "protobuf", files


def _index(message: Message) -> int | None:
    index: int | None = getattr(message, "index", None)
    return index
