"""What one camera sent, kept on disk so that it can be gone through again."""

import tempfile
from typing import IO

from pose_rig.errors import SaveError
from pose_rig.wire.encoding import decode, encode
from pose_rig.wire.messages import Message

LENGTH_BYTES = 4


class MessageFile:
    """Messages in their order; written first, then read like a `pose_rig.wire.bus.Receiver`."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `close`)

    def add(self, message: Message) -> None:
        """Appends a message.

        Raises:
            SaveError: The disk is full.
        """
        data = encode(message)
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
        except OSError as error:  # what was still to be written
            raise _full(error) from error

    def receive(self, timeout_ms: int, max_messages: int = 1) -> list[Message]:
        """Returns the next messages, at most so many; none at the end. Nothing is waited for."""
        del timeout_ms
        found: list[Message] = []
        while len(found) < max_messages and (head := self._file.read(LENGTH_BYTES)):
            found.append(decode(self._file.read(int.from_bytes(head, "little"))))
        return found

    def close(self) -> None:
        """Frees the disk."""
        self._file.close()


def _full(error: OSError) -> SaveError:
    return SaveError(
        f"The first of two passes cannot keep what the cameras saw in {tempfile.gettempdir()}: {error.strerror}.",
        "Make room there, name another folder in the variable TMPDIR, or use --passes 1.",
    )
