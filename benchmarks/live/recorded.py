"""What the recordings of one run lack, compared with the poses that a subscriber has received."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.live.pose_watch import Arrival
from pose_rig.atomic_file import PARTIAL
from pose_rig.errors import PoseRigError
from pose_rig.session.mcap.recover import find, recover
from pose_rig.session.reader import Session
from pose_rig.wire.messages import Pose3D

UNFLUSHED_S = 1.0  # of a recorder that is killed


@dataclass(frozen=True, slots=True)
class Damage:
    """A time in which the recorder or the fusion was disturbed.

    Attributes:
        from_ns: Rig clock.
        to_ns: Until everything worked again.
    """

    from_ns: int
    to_ns: int


@dataclass(slots=True)
class Missing:
    """What the recordings of one run lack.

    Attributes:
        received: Poses that a subscriber received.
        missing: Of these, those that are in no part and were not published while the recorder was disturbed.
        faults: In words.
    """

    received: int
    missing: int = 0
    faults: list[str] = field(default_factory=list)


def missing_poses(folder: Path, arrivals: Sequence[Arrival], damages: Sequence[Damage]) -> Missing:
    """Returns what the recordings in a folder lack; unfinished parts are recovered first."""
    out = Missing(len(arrivals))
    recorded: set[int] = set()
    for path in sorted(folder.iterdir()):
        try:
            recorded |= _times(path)
        except PoseRigError as error:
            out.faults.append(f"{path.name}: {error.cause}")
    lost = [arrival for arrival in arrivals if arrival.published_ns not in recorded]
    lost = [arrival for arrival in lost if not any(_within(arrival.published_ns, damage) for damage in damages)]
    out.missing = len(lost)
    if lost:
        out.faults.append(f"{len(lost)} poses that were received are in no recording")
    return out


def _times(path: Path) -> set[int]:
    """Returns when the poses of a part were published."""
    if path.name.endswith(PARTIAL):
        path = recover(find(path)).path
    with Session(path) as session:
        poses = [message for message in session.messages((Pose3D.TOPIC,)) if isinstance(message, Pose3D)]
    return {pose.t_ns + pose.age_ns for pose in poses}


def _within(time_ns: int, damage: Damage) -> bool:
    return damage.from_ns - UNFLUSHED_S * 1e9 <= time_ns <= damage.to_ns + UNFLUSHED_S * 1e9
