"""The header of a session, and the other parts of a recording whose recorder was restarted."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from mcap.records import Metadata

from pose_rig.atomic_file import partial_path
from pose_rig.errors import SessionError
from pose_rig.session.mcap.info import METADATA_NAME, SessionInfo
from pose_rig.session.mcap.recovery_reader import RecoveryReader

MAX_HEADER_RECORDS = 20_000  # the header is among these: first in the file, and again after the first chunk
MAX_PARTS = 32


def read_info(path: Path) -> SessionInfo:
    """Returns the header of a session; the second copy if the first is damaged.

    Raises:
        SessionError: There is none.
    """
    fault: SessionError | None = None
    for record in islice(RecoveryReader(path).records(), MAX_HEADER_RECORDS):
        if isinstance(record, Metadata) and record.name == METADATA_NAME:
            try:
                return SessionInfo.from_metadata(record.metadata)
            except SessionError as error:
                fault = error
    if fault:
        raise SessionError(f"{path}: {fault.cause}", fault.remedy) from fault
    raise SessionError(
        f"{path} is an MCAP file, but no session of pose-rig.",
        "Sessions come from `pose-rig record` and `pose-rig import`.",
    )


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
