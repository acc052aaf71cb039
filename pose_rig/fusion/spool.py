"""What one camera sent, kept on disk so that it can be gone through again."""

import tempfile
from typing import IO

from pose_rig.encoding import decode, encode
from pose_rig.messages import Message

LENGTH_BYTES = 4


class Spool:
    """Messages in their order; written first, then read like a `pose_rig.bus.Receiver`."""

    bad = 0
    last_error = ""
    refused = 0

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `close`)

    def add(self, message: Message) -> None:
        """Appends a message."""
        data = encode(message)
        self._file.write(len(data).to_bytes(LENGTH_BYTES, "little"))
        self._file.write(data)

    def rewind(self) -> None:
        """Goes back to the first message."""
        self._file.seek(0)

    def receive(self, timeout_ms: int, most: int = 1) -> list[Message]:
        """Returns the next messages, at most so many; none at the end. Nothing is waited for."""
        del timeout_ms
        found: list[Message] = []
        while len(found) < most and (head := self._file.read(LENGTH_BYTES)):
            found.append(decode(self._file.read(int.from_bytes(head, "little"))))
        return found

    def close(self) -> None:
        """Frees the disk."""
        self._file.close()
