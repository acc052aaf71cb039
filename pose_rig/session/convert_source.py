"""The input of a conversion: a session or a poses file, read when it is needed."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pose_rig.errors import SessionError, UsageError
from pose_rig.humanoid.bones import Motion
from pose_rig.session.formats.bone_names import BoneNaming
from pose_rig.session.formats.markers import MarkerNaming
from pose_rig.session.formats.people import at_common_times, rate_of
from pose_rig.session.formats.poses import Poses, check_range
from pose_rig.session.formats.poses_file import read_people
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
        person: Identity of the only one who is converted; None = all.
    """

    rate_hz: float | None = None
    from_s: float | None = None
    to_s: float | None = None
    bone_names: BoneNaming = "vrm"
    bvh_scale: float = 100.0
    markers: MarkerNaming = "opensim"
    person: int | None = None


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
    def people(self) -> list[Poses]:
        """The poses of each person who is converted, in the range, in ascending order of identity.

        Raises:
            PoseRigError: There are none, or none with a person.
            UsageError: The person who was asked for is not tracked there.
        """
        part = self.options.from_s, self.options.to_s
        if self._session is not None:
            people = self._session.people(*part)
        else:
            people = read_people(self.path)
            t_ns = [t_ns for one in people if len(one) for t_ns in (one.t_ns[0], one.t_ns[-1])]
            start_ns = min(t_ns, default=0)
            check_range(*part, (max(t_ns, default=0) - start_ns) * 1e-9)
            people = [one.between(*part, start_ns=start_ns) for one in people]
        people = [one for one in people if len(one) and one.tracked.any()]
        if not people:
            raise SessionError(f"No person is tracked in this part of {self.path}.", "Choose another part.")
        return people if self.options.person is None else [self._chosen(people, self.options.person)]

    def _chosen(self, people: list[Poses], person: int) -> Poses:
        chosen = next((one for one in people if one.person == person), None)
        if chosen is None:
            known = ", ".join(str(one.person + 1) for one in people)
            raise UsageError(
                f"Person {person + 1} is not tracked in this part of {self.path}.", f"Choose from {known}."
            )
        return chosen

    @property
    def start_ns(self) -> int:
        """Time of the first pose."""
        return min(int(one.t_ns[0]) for one in self.people)

    @property
    def rate_hz(self) -> float:
        """Time steps per second of formats with a constant rate.

        Raises:
            SessionError: There is one pose, which has none.
        """
        if rate_hz := self.options.rate_hz or rate_of(self.people):
            return rate_hz
        raise SessionError("A file with a frame rate needs at least two poses; there is 1.", "Choose a longer part.")

    @cached_property
    def resampled(self) -> list[Poses]:
        """The poses of each person, all at the same times and a constant rate."""
        return at_common_times(self.people, self.options.rate_hz)

    @property
    def rows(self) -> list[Poses]:
        """The poses for formats that need no constant rate: resampled only if a rate is given."""
        return self.resampled if self.options.rate_hz else self.people

    def motions(self, *, constant_rate: bool) -> list[Motion]:
        """Returns the joint rotations of each person; ``constant_rate`` resamples the poses before."""
        from pose_rig.humanoid.retarget import retarget

        people = self.resampled if constant_rate else self.rows
        return [retarget(one.joints, one.t_ns, one.xyz, one.score, height_m=one.height_m) for one in people]

    def close(self) -> None:
        """Closes the session."""
        if self._session is not None:
            self._session.close()
