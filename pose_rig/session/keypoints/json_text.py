"""JSON of detectors, as they write it: with NaN and null where something is missing, and maybe a byte order mark."""

import json
from pathlib import Path
from typing import Any

import msgspec

MOST_BYTES = 1 << 28  # 256 MB: some hours of one camera in one file
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# what the two decoders raise about damaged text
DAMAGE = (OSError, msgspec.DecodeError, ValueError, RecursionError)


def read_json(path: Path, kind: Any) -> Any:
    """Returns the content of a JSON file as a type of msgspec's; numbers that are null, NaN or infinite are NaN.

    Raises:
        OSError, msgspec.DecodeError, ValueError, RecursionError: It cannot be read, or is something else (`DAMAGE`).
    """
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"it has {path.stat().st_size / 1e6:.0f} MB, {MOST_BYTES / 1e6:.0f} at most are read")
    text = path.read_bytes().removeprefix(BYTE_ORDER_MARK)
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError as error:
        if not any(word in text for word in (b"NaN", b"Infinity", b"null")):
            raise
        try:
            return msgspec.convert(_numbers(json.loads(text)), kind)
        except (msgspec.DecodeError, ValueError):
            raise error from None


def beginning(path: Path, size_bytes: int = 4096) -> bytes:
    """Returns how the text of a JSON file begins, without mark and blanks; nothing of what cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(size_bytes).removeprefix(BYTE_ORDER_MARK).lstrip()
    except OSError:
        return b""


def _numbers(value: Any) -> Any:
    """Returns lists in which what is null has become NaN."""
    if isinstance(value, dict):
        return {key: _numbers(part) for key, part in value.items()}
    if isinstance(value, list):
        return [float("nan") if part is None else _numbers(part) for part in value]
    return value
