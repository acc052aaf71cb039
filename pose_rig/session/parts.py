"""The parts of a recording whose recorder was restarted."""

from collections.abc import Iterator
from pathlib import Path

from pose_rig.atomic_file import partial_path
from pose_rig.errors import SessionError
from pose_rig.session.mcap.info import SessionInfo, read_info

MAX_PARTS = 32


def later_parts(path: Path, info: SessionInfo) -> Iterator[Path]:
    """Yields the files in the folder of a session in which its recording continues."""
    stem = Path(info.recording or path.name).stem
    for number in range(2, MAX_PARTS + 1):
        part = path.with_name(f"{stem}-{number}.mcap")
        found = next((one for one in (part, partial_path(part)) if one.is_file()), None)
        if found is None:
            continue
        try:
            other = read_info(found)
        except (OSError, SessionError):
            continue
        if other.recording == info.recording != "" and other.started_unix_ns > info.started_unix_ns:
            yield part
