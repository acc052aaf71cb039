"""The exceptions of pose-rig.

PoseRigError            what happened, and what to do next; the command line prints both
├── UsageError          the request is wrong (exit code 2)
├── SourceError         a camera, file or stream cannot be opened or read
│   └── ContentError    a file that was given holds something else than it should (exit code 2)
├── SessionError        a recording cannot be written, read or converted
├── AssetError          a model or clip cannot be fetched or is damaged
├── EngineError         no inference provider can run the graph
├── SaveError           what a run found out cannot be kept
└── MessageError        bytes on the wire are not one of our messages
"""

from pose_rig.redaction import redacted


class PoseRigError(Exception):
    """A failure with one sentence of cause and one of remedy.

    Args:
        cause: What happened, naming the thing it happened to.
        remedy: What the user can do about it.


    Passwords in them are hidden, wherever they come from.

    Attributes:
        final: Whether it would fail in the same way again: a worker is not restarted for it, and the run fails.
    """

    exit_code = 1
    final = False

    def __init__(self, cause: str, remedy: str) -> None:
        self.cause, self.remedy = redacted(cause), redacted(remedy)
        super().__init__(f"{self.cause} {self.remedy}")

    def __reduce__(self) -> tuple[type["PoseRigError"], tuple[str, str]]:
        return type(self), (self.cause, self.remedy)


class UsageError(PoseRigError):
    """The request itself is wrong."""

    exit_code = 2


class SourceError(PoseRigError):
    """A camera, file or stream cannot be opened or read."""


class ContentError(SourceError):
    """A file that was given holds something else than it should."""

    exit_code = 2


class SessionError(PoseRigError):
    """A recording cannot be written, read or converted."""


class AssetError(PoseRigError):
    """A model or clip cannot be fetched, or what is cached is damaged."""

    final = True


class EngineError(PoseRigError):
    """No inference provider can run the graph."""

    final = True


class SaveError(PoseRigError):
    """What a run found out cannot be kept where it was wanted."""

    final = True


class MessageError(PoseRigError):
    """Bytes on the wire are not one of our messages."""

    def __init__(self, topic: str, field: str, reason: str) -> None:
        super().__init__(f"Message on topic {topic!r}: field {field!r} {reason}.", "Check the sender's version.")
        self.topic, self.field, self.reason = topic, field, reason

    def __reduce__(self) -> tuple[type["MessageError"], tuple[str, str, str]]:  # type: ignore[override]
        return type(self), (self.topic, self.field, self.reason)
