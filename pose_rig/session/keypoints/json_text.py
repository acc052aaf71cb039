"""Reading JSON of detectors, which may have NaN, null and a byte order mark."""

import json
from pathlib import Path
from typing import Any

import msgspec

MAX_BYTES = 1 << 28  # some hours of one camera
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# raised by the two decoders for invalid text
JSON_ERRORS = (OSError, msgspec.DecodeError, ValueError, RecursionError)


def read_json(path: Path, kind: Any) -> Any:
    """Returns the content of a JSON file as a type of msgspec's; numbers that are null, NaN or infinite are NaN.

    Raises:
        OSError, msgspec.DecodeError, ValueError, RecursionError: The file cannot be read, or has another structure.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"it has {path.stat().st_size / 1e6:.0f} MB, more than {MAX_BYTES / 1e6:.0f} MB")
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
    """Returns the beginning of a JSON file, without byte order mark and blanks; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(size_bytes).removeprefix(BYTE_ORDER_MARK).lstrip()
    except OSError:
        return b""


def _numbers(value: Any) -> Any:
    """Returns a JSON value with NaN for null in lists."""
    if isinstance(value, dict):
        return {key: _numbers(part) for key, part in value.items()}
    if isinstance(value, list):
        return [float("nan") if part is None else _numbers(part) for part in value]
    return value
