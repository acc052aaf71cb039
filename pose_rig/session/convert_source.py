"""The input of a conversion: a session or a poses file, read when it is needed."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pose_rig.errors import SessionError
from pose_rig.humanoid.bones import Motion
from pose_rig.session.formats.bone_names import BoneNaming
from pose_rig.session.formats.markers import MarkerNaming
from pose_rig.session.formats.poses import Poses, check_range
from pose_rig.session.formats.poses_file import read_poses
from pose_rig.session.reader import Session


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """How files are written.

    Attributes:
        rate_hz: Time steps per second; None = those of the source. BVH, TRC, C3D and MOT have a constant rate in any
            case, the other formats only if it is given.
        from_s: Seconds from the start; None = from the start.
        to_s: Seconds from the start; None = to the end.
        bone_names: Bone names in BVH and glTF.
        bvh_scale: Units of a BVH per metre.
        markers: Marker names in TRC and C3D.
    """

    rate_hz: float | None = None
    from_s: float | None = None
    to_s: float | None = None
    bone_names: BoneNaming = "vrm"
    bvh_scale: float = 100.0
    markers: MarkerNaming = "opensim"


class ConvertSource:
    """A session or a poses file, and what is computed of it.

    Attributes:
        notes: What the user should know of the written files.

    Raises:
        SessionError: There is no such file, or it is not a session.
    """

    def __init__(self, path: Path, options: ConvertOptions) -> None:
        self.path, self.options = path, options
        self.notes: list[str] = []
        self._session = None if path.suffix.lower() == ".npz" else Session(path)

    @property
    def session(self) -> Session:
        """The session.

        Raises:
            SessionError: The source is a poses file.
        """
        if self._session is None:
            raise SessionError(f"{self.path} holds poses only.", "2D keypoints come from a session (.mcap).")
        return self._session

    def check_range(self) -> None:
        """Checks that the range is within a session.

        Raises:
            UsageError: It is not.
        """
        if self._session is not None:
            check_range(self.options.from_s, self.options.to_s, self._session.duration_s)

    @property
    def warnings(self) -> list[str]:
        """What is missing in a session."""
        return [] if self._session is None else self._session.warnings

    @cached_property
    def poses(self) -> Poses:
        """The poses of the range.

        Raises:
            PoseRigError: There are none, or none with a person.
        """
        part = self.options.from_s, self.options.to_s
        if self._session is not None:
            poses = self._session.poses(*part)
        else:
            poses = read_poses(self.path)
            check_range(*part, float(poses.t_s[-1]) if len(poses) else 0.0)
            poses = poses.between(*part)
        if not len(poses) or not poses.tracked.any():
            raise SessionError(f"No person is tracked in this part of {self.path}.", "Choose another part.")
        return poses

    @cached_property
    def resampled(self) -> Poses:
        """The poses at a constant rate."""
        return self.poses.resampled(self.options.rate_hz)

    @property
    def rows(self) -> Poses:
        """The poses for formats that need no constant rate: resampled only if a rate is given."""
        return self.resampled if self.options.rate_hz else self.poses

    def motion(self, *, constant_rate: bool) -> Motion:
        """Returns joint rotations; ``constant_rate`` resamples the poses before."""
        from pose_rig.humanoid.retarget import retarget

        poses = self.resampled if constant_rate else self.rows
        return retarget(poses.joints, poses.t_ns, poses.xyz, poses.score, height_m=poses.height_m)

    def close(self) -> None:
        """Closes the session."""
        if self._session is not None:
            self._session.close()
