"""The exceptions of pose-rig.

PoseRigError            cause and remedy; the command line prints both
├── UsageError          the request is wrong (exit code 2)
├── SourceError         a camera, file or stream cannot be opened or read
│   └── ContentError    a file has the wrong content (exit code 2)
├── SessionError        a recording cannot be written, read or converted
├── AssetError          a model or clip cannot be downloaded or is damaged
├── EngineError         no inference provider can run the graph
├── SaveError           a result cannot be saved
└── MessageError        received bytes are not a valid message
"""

from pose_rig.redaction import redacted


class PoseRigError(Exception):
    """A failure with one sentence of cause and one of remedy.

    Args:
        cause: What happened, with the name of the file, device or option. Passwords are redacted here.
        remedy: What the user can do.

    Attributes:
        final: Whether a retry would fail in the same way: the worker is not restarted, and the run fails.
    """

    exit_code = 1
    final = False

    def __init__(self, cause: str, remedy: str) -> None:
        self.cause, self.remedy = redacted(cause), redacted(remedy)
        super().__init__(f"{self.cause} {self.remedy}")

    def __reduce__(self) -> tuple[type["PoseRigError"], tuple[str, str]]:
        return type(self), (self.cause, self.remedy)


class UsageError(PoseRigError):
    """The request is wrong."""

    exit_code = 2


class SourceError(PoseRigError):
    """A camera, file or stream cannot be opened or read."""


class ContentError(SourceError):
    """A file has the wrong content."""

    exit_code = 2


class SessionError(PoseRigError):
    """A recording cannot be written, read or converted."""


class AssetError(PoseRigError):
    """A model or clip cannot be downloaded, or the cached one is damaged."""

    final = True


class EngineError(PoseRigError):
    """No inference provider can run the graph."""

    final = True


class SaveError(PoseRigError):
    """A result cannot be saved."""

    final = True


class MessageError(PoseRigError):
    """Received bytes are not a valid message."""

    def __init__(self, topic: str, field: str, reason: str) -> None:
        super().__init__(f"Message on topic {topic!r}: field {field!r} {reason}.", "Check the sender's version.")
        self.topic, self.field, self.reason = topic, field, reason

    def __reduce__(self) -> tuple[type["MessageError"], tuple[str, str, str]]:  # type: ignore[override]
        return type(self), (self.topic, self.field, self.reason)
