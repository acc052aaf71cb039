"""The messages of one camera in a temporary file, for a second pass."""

import tempfile
from collections.abc import Iterator
from typing import IO

from pose_rig.errors import SaveError
from pose_rig.wire.encoding import decode_valid, encode_valid
from pose_rig.wire.messages import Keypoints2D, Message

LENGTH_BYTES = 4
READ_AT_ONCE = 64


class MessageFile:
    """Messages in order; written first, then read like a `pose_rig.wire.bus.Receiver`."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `close`)

    def add(self, message: Message) -> None:
        """Appends a valid message.

        Raises:
            SaveError: The disk is full.
        """
        data = encode_valid(message)
        try:
            self._file.write(len(data).to_bytes(LENGTH_BYTES, "little"))
            self._file.write(data)
        except OSError as error:
            raise _full(error) from error

    def rewind(self) -> None:
        """Goes back to the first message.

        Raises:
            SaveError: The disk is full.
        """
        try:
            self._file.seek(0)
        except OSError as error:  # flushes what is buffered
            raise _full(error) from error

    def receive(self, timeout_ms: int, max_messages: int = 1) -> list[Message]:
        """Returns the next messages, none at the end; does not wait."""
        del timeout_ms
        found: list[Message] = []
        while len(found) < max_messages and (head := self._file.read(LENGTH_BYTES)):
            found.append(decode_valid(self._file.read(int.from_bytes(head, "little"))))
        return found

    def keypoints(self) -> Iterator[Keypoints2D]:
        """Yields all keypoints from the first message on."""
        self.rewind()
        while messages := self.receive(0, READ_AT_ONCE):
            yield from (message for message in messages if isinstance(message, Keypoints2D))

    def close(self) -> None:
        """Frees the disk."""
        self._file.close()


def _full(error: OSError) -> SaveError:
    return SaveError(
        f"The first of two passes cannot store the keypoints in {tempfile.gettempdir()}: {error.strerror}.",
        "Free space there, set the variable TMPDIR to another folder, or use --passes 1.",
    )
