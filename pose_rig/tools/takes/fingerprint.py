"""The content of input files as one number, which shows whether a take has changed."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from pose_rig.errors import SourceError


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """Some files at some time.

    Attributes:
        files: How many there are.
        bytes: Their sizes together.
        stat_sha256: Of their paths, sizes and times of modification: while it is the same, no content has to be read.
        sha256: Of their names and contents, in order.
    """

    files: int = 0
    bytes: int = 0
    stat_sha256: str = ""
    sha256: str = ""


def fingerprint(paths: Sequence[Path], known: Fingerprint | None = None) -> Fingerprint:
    """Returns the fingerprint of files; their contents are read only if ``known`` is not of the same, unmodified files.

    Raises:
        SourceError: A file cannot be read.
    """
    try:
        found = _stat(paths)
        if known is not None and known.stat_sha256 == found.stat_sha256:
            return known
        return msgspec.structs.replace(found, sha256=_content_sum(paths))
    except OSError as error:
        raise SourceError(f"{error.filename} cannot be read: {error.strerror}.", "Check its permissions.") from error


def _stat(paths: Sequence[Path]) -> Fingerprint:
    total, size = hashlib.sha256(), 0
    for path in paths:
        status = path.stat()
        size += status.st_size
        total.update(f"{path.absolute()}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return Fingerprint(files=len(paths), bytes=size, stat_sha256=total.hexdigest())


def _content_sum(paths: Sequence[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path.name}\0{digest}\n".encode())
    return total.hexdigest()
