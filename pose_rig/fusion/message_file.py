"""The messages of one camera, kept for a second pass: in memory, those of a long recording in a temporary file."""

import tempfile
from collections.abc import Iterator
from typing import IO

from pose_rig.errors import SaveError
from pose_rig.wire.encoding import decode_valid, encode_valid
from pose_rig.wire.messages import Keypoints2D, Message

LENGTH_BYTES = 4
READ_AT_ONCE = 64
MAX_IN_MEMORY = 32_000_000  # bytes: about seven minutes of one person at 60 frames per second
MESSAGE_BYTES = 600  # of a message beyond the values of its arrays


class MessageFile:
    """Messages in order; written first, then read like a `pose_rig.wire.bus.Receiver`."""

    def __init__(self) -> None:
        self._first: list[Message] = []
        self._bytes = 0  # of these
        self._next = 0  # of these that is read
        self._file: IO[bytes] | None = None  # those after these

    def add(self, message: Message) -> None:
        """Appends a valid message.

        Raises:
            SaveError: The disk is full.
        """
        if self._bytes < MAX_IN_MEMORY:
            self._first.append(message)
            self._bytes += MESSAGE_BYTES + sum(getattr(message, name).nbytes for name in message.ARRAYS)
            return
        data = encode_valid(message)
        try:
            self._file = self._file or tempfile.TemporaryFile()  # noqa: SIM115  (closed by `close`)
            self._file.write(len(data).to_bytes(LENGTH_BYTES, "little"))
            self._file.write(data)
        except OSError as error:
            raise _full(error) from error

    def rewind(self) -> None:
        """Goes back to the first message.

        Raises:
            SaveError: The disk is full.
        """
        self._next = 0
        try:
            if self._file is not None:
                self._file.seek(0)
        except OSError as error:  # flushes what is buffered
            raise _full(error) from error

    def receive(self, timeout_ms: int, max_messages: int = 1) -> list[Message]:
        """Returns the next messages, none at the end; does not wait."""
        del timeout_ms
        found = self._first[self._next : self._next + max_messages]
        self._next += len(found)
        while self._file is not None and len(found) < max_messages and (head := self._file.read(LENGTH_BYTES)):
            found.append(decode_valid(self._file.read(int.from_bytes(head, "little"))))
        return found

    def keypoints(self) -> Iterator[Keypoints2D]:
        """Yields all keypoints from the first message on."""
        self.rewind()
        while messages := self.receive(0, READ_AT_ONCE):
            yield from (message for message in messages if isinstance(message, Keypoints2D))

    def close(self) -> None:
        """Frees memory and disk."""
        self._first = []
        if self._file is not None:
            self._file.close()


def _full(error: OSError) -> SaveError:
    return SaveError(
        f"The first of two passes cannot store the keypoints in {tempfile.gettempdir()}: {error.strerror}.",
        "Free space there, set the variable TMPDIR to another folder, or use --passes 1.",
    )
