"""The duration of the video track of an MP4 or QuickTime file, from its headers (ISO/IEC 14496-12).

OpenCV returns the number of stored frames, but does not decode those that an edit list hides (cut without encoding).
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MAX_HEADER_BYTES = 1 << 20  # the headers that are read have some hundred


def video_duration_s(path: Path) -> float | None:
    """Returns the duration of the video track in seconds; None if the file has another format or no duration."""
    try:
        with path.open("rb") as file:
            return _video_duration_s(file, path.stat().st_size) or None  # 0: a fragmented file
    except (OSError, struct.error, IndexError):
        return None  # OpenCV may still read a file with damaged headers


def _video_duration_s(file: BinaryIO, size: int) -> float | None:
    moov = next((box for kind, *box in _boxes(file, 0, size) if kind == b"moov"), None)
    if moov is None:
        return None
    headers = [_header(file, *box) for kind, *box in _boxes(file, *moov) if kind == b"mvhd"]
    for kind, *trak in _boxes(file, *moov):
        if kind == b"trak" and _is_video(file, *trak) and headers:
            tracks = [_header(file, *box) for kind, *box in _boxes(file, *trak) if kind == b"tkhd"]
            return _duration(tracks[0], 20) / _timescale(headers[0])
    return None


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yields (kind, start, end) of the content of each box between two file positions."""
    while start + 8 <= end:
        file.seek(start)
        length, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if length == 1:
            (length,), head = struct.unpack(">Q", file.read(8)), 16
        stop = start + length if length else end
        if stop < start + head:
            return
        yield kind, start + head, min(stop, end)
        start = stop


def _header(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(min(end - start, MAX_HEADER_BYTES))


def _is_video(file: BinaryIO, start: int, end: int) -> bool:
    for kind, *media in _boxes(file, start, end):
        if kind == b"mdia":
            return any(kind == b"hdlr" and _header(file, *box)[8:12] == b"vide" for kind, *box in _boxes(file, *media))
    return False


def _timescale(header: bytes) -> int:
    """Returns the ticks per second of a ``mvhd``."""
    (ticks,) = struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)
    return max(int(ticks), 1)


def _duration(header: bytes, at: int) -> int:
    """Returns the duration in a ``tkhd``, movie ticks; ``at`` is its offset in version 0."""
    wide = header[0] == 1
    (ticks,) = struct.unpack_from(">Q" if wide else ">I", header, at + 8 if wide else at)
    return int(ticks)
