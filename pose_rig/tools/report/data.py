"""What a report of a session rests on, in seconds from its start.

Axes: T poses, F frames of one camera, S states of the rig.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.session.formats.poses import Poses
from pose_rig.session.formats.poses_file import read_poses
from pose_rig.session.reader import Session
from pose_rig.wire.messages import Keypoints2D, Pose3D, RigState
from pose_rig.wire.records import Gap


@dataclass(frozen=True, slots=True)
class Hole:
    """Frames of a camera that are missing.

    Attributes:
        from_s: The last frame before.
        to_s: The first one after.
        missing: How many.
    """

    from_s: float
    to_s: float
    missing: int


@dataclass(frozen=True, slots=True, eq=False)
class CameraTrack:
    """One camera over time.

    Attributes:
        name: Its name.
        frames_s: (F,) when it gave a frame.
        holes: Where frames are missing.
        states_s: (S,) when the rig spoke of it.
        agreement: (S,) 0–1, how far it agreed with the others.
        place_m: (3,) where it stood at the end, m, ``rig``; None if that was not solved.
        looks: (3,) the way it looked then.
    """

    name: str
    frames_s: Floats
    holes: tuple[Hole, ...]
    states_s: Floats
    agreement: Floats
    place_m: Floats | None = None
    looks: Floats | None = None

    @property
    def missing(self) -> int:
        """How many frames are missing in all."""
        return sum(hole.missing for hole in self.holes)


@dataclass(frozen=True, slots=True, eq=False)
class ReportData:
    """A session, or a poses file, as far as a report speaks of it.

    Attributes:
        name: Name of the file.
        origin: ``live``, ``files``, ``import``, or ``poses`` for a poses file.
        began_unix_s: When it was recorded; None if nobody knows.
        duration_s: How long it is.
        poses: What was fused; None if nothing was.
        poses_s: (T,) when.
        cameras: One by one.
        markers: What the user marked: when, and how they called it.
    """

    name: str
    origin: str
    began_unix_s: float | None
    duration_s: float
    poses: Poses | None
    poses_s: Floats
    cameras: tuple[CameraTrack, ...] = ()
    markers: tuple[tuple[float, str], ...] = ()


def of_poses_file(path: Path) -> ReportData:
    """Returns what a poses file (.npz) tells.

    Raises:
        SourceError: It is none.
    """
    poses = read_poses(path)
    poses_s = poses.t_s
    return ReportData(path.name, "poses", None, float(poses_s[-1]) if len(poses) else 0.0, poses, poses_s)


def of_session(session: Session) -> ReportData:
    """Returns what a session tells."""
    start_ns = session.start_unix_ns - session.info.unix_from_rig_ns
    poses = session.poses() if session.topics.get(Pose3D.TOPIC) else None
    states = session.rig_states()
    gaps = session.gaps()
    return ReportData(
        name=session.path.name,
        origin=session.info.origin,
        began_unix_s=session.info.started_unix_ns * 1e-9,
        duration_s=session.duration_s,
        poses=poses,
        poses_s=_seconds([] if poses is None else poses.t_ns, start_ns),
        cameras=tuple(_camera(session, name, states, gaps, start_ns) for name in session.cameras),
        markers=tuple(((marker.t_ns - start_ns) * 1e-9, marker.text) for marker in session.markers()),
    )


def _camera(session: Session, name: str, states: Sequence[RigState], gaps: Sequence[Gap], start_ns: int) -> CameraTrack:
    seen = session.topics.get(Keypoints2D.TOPIC + name)
    known = [(state.t_ns, camera) for state in states for camera in state.cameras if camera.name == name]
    place = looks = None
    if known and (last := known[-1][1]).rotation and last.translation_m:
        camera_from_rig = np.reshape(last.rotation, (3, 3))
        place, looks = -camera_from_rig.T @ np.array(last.translation_m), camera_from_rig[2]
    return CameraTrack(
        name,
        _seconds(session.keypoints(name).t_ns if seen else [], start_ns),
        tuple(
            Hole((gap.from_ns - start_ns) * 1e-9, (gap.t_ns - start_ns) * 1e-9, gap.missing)
            for gap in gaps
            if gap.source == name and gap.what == "frames"
        ),
        _seconds([t_ns for t_ns, _ in known], start_ns),
        np.array([camera.health for _, camera in known]),
        place,
        looks,
    )


def _seconds(t_ns: "Sequence[int] | NDArray[np.int64]", start_ns: int) -> Floats:
    return np.asarray((np.array(t_ns, np.int64) - start_ns) * 1e-9, np.float64)


def spans(values: NDArray[np.str_]) -> list[tuple[int, int, str]]:
    """Returns the runs of equal values: the first, the one past the last, and the value."""
    if not len(values):
        return []
    cuts = [0, *(np.flatnonzero(values[1:] != values[:-1]) + 1).tolist(), len(values)]
    return [(a, b, str(values[a])) for a, b in pairwise(cuts)]
