"""The data of a report, in seconds from the start of the session.

Axes: T poses, F frames of one camera, S states of the rig.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.session.formats.poses import Poses
from pose_rig.session.formats.poses_file import read_people
from pose_rig.session.reader import Session
from pose_rig.wire.messages import NO_PERSON, CameraState, Keypoints2D, Pose3D, RigState
from pose_rig.wire.records import Gap


@dataclass(frozen=True, slots=True)
class FrameGap:
    """Missing frames of a camera.

    Attributes:
        from_s: Time of the last frame before.
        to_s: Time of the first frame after.
        missing: Number of missing frames.
    """

    from_s: float
    to_s: float
    missing: int


@dataclass(frozen=True, slots=True, eq=False)
class CameraTrack:
    """One camera over time.

    Attributes:
        name: Its name.
        frames_s: (F,) time of its frames.
        gaps: Where frames are missing.
        states_s: (S,) time of the states.
        agreement: (S,) 0–1 with the other cameras.
        position_m: (3,) last position, m, ``rig``; None if it was never solved.
        optical_axis: (3,) viewing direction then.
        mean_agreement: Over all time steps in which it detected a person, 0–1; None before the first.
        clock_offset_s: Rig time minus camera time, as applied at the end.
        clock_offset_sd_s: Its standard deviation; None where nothing is known of it.
        note: What was wrong with it at the end; empty if all was well, or if it only saw no person.
    """

    name: str
    frames_s: Floats
    gaps: tuple[FrameGap, ...]
    states_s: Floats
    agreement: Floats
    position_m: Floats | None = None
    optical_axis: Floats | None = None
    mean_agreement: float | None = None
    clock_offset_s: float = 0.0
    clock_offset_sd_s: float | None = None
    note: str = ""

    @property
    def missing(self) -> int:
        """Number of missing frames."""
        return sum(gap.missing for gap in self.gaps)


@dataclass(frozen=True, slots=True, eq=False)
class ReportData:
    """The content of a session or a poses file.

    Attributes:
        name: Name of the file.
        origin: ``live``, ``files``, ``import``, or ``poses`` for a poses file.
        start_unix_s: Start of the recording; None if unknown.
        duration_s: Its length.
        poses: The fused poses, of several people those of the first; None if there are none.
        poses_s: (T,) their times.
        cameras: The cameras.
        markers: Time and text of the markers that the user set.
        notes: What is missing in the file, and the note of the rig at the end.
        others: Poses of further people and (T,) their times, in the order of their identities.
        whose: What titles end with where there are several people; empty otherwise.
    """

    name: str
    origin: str
    start_unix_s: float | None
    duration_s: float
    poses: Poses | None
    poses_s: Floats
    cameras: tuple[CameraTrack, ...] = ()
    markers: tuple[tuple[float, str], ...] = ()
    notes: tuple[str, ...] = ()
    others: tuple[tuple[Poses, Floats], ...] = ()
    whose: str = ""

    def people(self) -> list["ReportData"]:
        """Returns the data of each person who has poses; of one person these data themselves."""
        if self.poses is None or not self.others:
            return [self]
        every = ((self.poses, self.poses_s), *self.others)
        return [
            replace(self, poses=poses, poses_s=poses_s, others=(), whose=f" of person {poses.person + 1}")
            for poses, poses_s in every
        ]

    @property
    def tracked_poses(self) -> Poses | None:
        """The poses; None if a person is tracked in none of them."""
        return self.poses if self.poses is not None and self.poses.tracked.any() else None


def poses_file_data(path: Path) -> ReportData:
    """Returns the data of a poses file (.npz).

    Raises:
        SourceError: The file cannot be read.
    """
    people = read_people(path)
    start_ns = min((int(poses.t_ns[0]) for poses in people if len(poses)), default=0)
    first, *others = ((poses, _seconds(poses.t_ns, start_ns)) for poses in people)
    duration_s = max((float(poses_s[-1]) for _, poses_s in (first, *others) if len(poses_s)), default=0.0)
    return ReportData(path.name, "poses", None, duration_s, *first, others=tuple(others))


def session_data(session: Session) -> ReportData:
    """Returns the data of a session."""
    start_ns = session.start_unix_ns - session.info.unix_from_rig_ns
    people = session.people() if session.topics.get(Pose3D.TOPIC) else []
    poses = people[0] if people else None
    states = session.rig_states()
    gaps = session.gaps()
    return ReportData(
        name=session.path.name,
        origin=session.info.origin,
        start_unix_s=session.info.started_unix_ns * 1e-9,
        duration_s=session.duration_s,
        poses=poses,
        poses_s=_seconds([] if poses is None else poses.t_ns, start_ns),
        cameras=tuple(_camera(session, name, states, gaps, start_ns) for name in session.cameras),
        markers=tuple(((marker.t_ns - start_ns) * 1e-9, marker.text) for marker in session.markers()),
        notes=(*session.warnings, *(state.note for state in states[-1:] if state.note)),
        others=tuple((one, _seconds(one.t_ns, start_ns)) for one in people[1:]),
    )


def _camera(session: Session, name: str, states: Sequence[RigState], gaps: Sequence[Gap], start_ns: int) -> CameraTrack:
    has_frames = session.topics.get(Keypoints2D.TOPIC + name)
    known = [(state.t_ns, camera) for state in states for camera in state.cameras if camera.name == name]
    last = known[-1][1] if known else None
    position = axis = None
    if last is not None and last.rotation and last.translation_m:
        camera_from_rig = np.reshape(last.rotation, (3, 3))
        position, axis = -camera_from_rig.T @ np.array(last.translation_m), camera_from_rig[2]
    return CameraTrack(
        name,
        _seconds(session.keypoints(name).t_ns if has_frames else [], start_ns),
        tuple(
            FrameGap((gap.from_ns - start_ns) * 1e-9, (gap.t_ns - start_ns) * 1e-9, gap.missing)
            for gap in gaps
            if gap.source == name and gap.what == "frames"
        ),
        _seconds([t_ns for t_ns, _ in known], start_ns),
        np.array([camera.health for _, camera in known]),
        position,
        axis,
        *(_at_end(last) if last is not None else ()),
    )


def _at_end(camera: CameraState) -> tuple[float | None, float, float | None, str]:
    """Returns mean agreement, clock and note of a camera, for `CameraTrack`."""
    note = "" if camera.note == NO_PERSON else camera.note  # true of the last frames only
    return camera.agreement, camera.time_offset_s, camera.time_offset_sd_s, note


def _seconds(t_ns: "Sequence[int] | NDArray[np.int64]", start_ns: int) -> Floats:
    return np.asarray((np.array(t_ns, np.int64) - start_ns) * 1e-9, np.float64)
