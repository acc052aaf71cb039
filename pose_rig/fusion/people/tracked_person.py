"""One of several people in a solved rig: where they are expected, how well they are visible, their bones.

Axes: V views, J = 17 joints, P points (`segments.POINTS`), L segment lengths.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.config import ASSUMED_HEIGHT_M, Config
from pose_rig.fusion.calibration.bundle.segments import LENGTH_PER_HEIGHT, RELATIVE_LENGTH_SD, body_height
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.people.appearance import Appearance
from pose_rig.fusion.people.bone_lengths import BoneLengths
from pose_rig.fusion.people.person_tracker import PersonTracker
from pose_rig.fusion.people.step_input import StepInput
from pose_rig.fusion.pose.computation import Computations
from pose_rig.fusion.pose.hypothesis import Hypothesis
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.pose.solved_pose import MIN_AGREEMENT, SolvedPose

MAX_DISTANCE, DISTANCE_PER_S, LOST_DISTANCE = 0.2, 0.25, 0.5  # of a candidate, in body heights
CONFIRMED_AFTER_S = 0.3  # of a new person in two views; the rays of two people may meet by chance
WEAK_AFTER_S = 0.25  # without two views that agree, a person may have been lost
LEAVES_AFTER_S = 2.0  # without a view that agrees
MAX_BONE_DIFFERENCE = 0.8  # of solved and measured bones of one person; 1 = of any two people in the mean
MAX_HEIGHT_DIFFERENCE = 0.2  # relative; that of one time step is off by 0.1
MIN_REACH_M, REACH_M_S = 0.6, 2.0  # within which a person who was lost is found again


@dataclass(frozen=True, slots=True)
class PersonStep:
    """A person at one time step.

    Attributes:
        pose: The pose.
        hypothesis: Which candidate of each view is the person; None = they are in no view.
        solved: The pose in the solved rig, None until it is solved.
    """

    pose: PoseEstimate
    hypothesis: Hypothesis | None
    solved: SolvedPose | None

    @property
    def is_placed(self) -> bool:
        """Whether the pose has a place in the room, or is the last one that had."""
        return self.solved is not None or self.hypothesis is None

    @property
    def views(self) -> int:
        """How many views show the person."""
        return 0 if self.hypothesis is None else int(self.hypothesis.present.sum())


class TrackedPerson:
    """A person.

    Args:
        identity: Their number; None for a person who was just detected.
        config: The configuration of the rig.
        began_ns: When they were detected first.

    Attributes:
        identity: As above.
        tracker: Their pose over time.
        began_ns: As above.
        confirmed_after_s: How long a new person must be visible before they get an identity.
        views: How many views agreed at the last time step.
        steps: Time steps since ``began_ns``, well_seen: those of them at which two views or more agreed.
        rough_place: (3,) body heights, in the rig of an `Arrangement`; None = unknown.
        bones_m: (L,) segment lengths; None = those with which the rig was solved.
        seen_ns: When a view agreed last, well_seen_ns: when two or more did.
        appearance: What they look like in the solved rig.
    """

    def __init__(self, identity: int | None, config: Config, began_ns: int = 0) -> None:
        self.identity = identity
        self.tracker = PersonTracker(config)
        self.began_ns = began_ns
        self.confirmed_after_s = CONFIRMED_AFTER_S
        self.views = self.steps = self.well_seen = 0
        self.bones_m: Floats | None = None
        self.rough_place: Floats | None = None
        self.appearance = Appearance(len(config.camera))
        self._bones = BoneLengths()
        self.seen_ns = self.well_seen_ns = began_ns
        self._found: Floats | None = None  # (P,3) m where they were found, until there is a pose

    def expected(self, t_ns: int) -> Floats | None:
        """Returns (P,3) m where the person is expected, None if they were never in the solved rig."""
        return self._found if self._found is not None else self.tracker.expected(t_ns)

    def max_distance(self, t_ns: int) -> float:
        """Returns how far a candidate may be from where the person is expected, in body heights."""
        return min(MAX_DISTANCE + DISTANCE_PER_S * self.lost_s(t_ns), LOST_DISTANCE)

    def lost_s(self, t_ns: int) -> float:
        """Returns for how long no view has agreed."""
        return max(t_ns - self.seen_ns, 0) * 1e-9

    def is_weak(self, t_ns: int) -> bool:
        """Whether the person may be elsewhere: fewer than two views have agreed for a while."""
        return t_ns - self.well_seen_ns > WEAK_AFTER_S * 1e9

    def reach_m(self, t_ns: int) -> float:
        """Returns how far from the last place a person may be who has been lost."""
        return MIN_REACH_M + REACH_M_S * max(t_ns - self.well_seen_ns, 0) * 1e-9

    def may_be_as_tall_as(self, height_m: float) -> bool:
        """Whether a body height that two views show may be that of the person."""
        measured = self.measured_bones_m
        return measured is None or abs(np.log(height_m / body_height(measured))) < MAX_HEIGHT_DIFFERENCE

    def move_to(self, t_ns: int, points: Floats) -> None:
        """Continues at points (P,3) m where the person was found again; NaN where unknown."""
        self.tracker.restart_position()
        self._found = points
        self.seen_ns = self.well_seen_ns = t_ns

    def transform(self, config: Config, origin: Floats, scale: float) -> None:
        """Continues in another frame of the solved rig; arguments as in `Roster.transform`."""
        place = self.expected(self.seen_ns)
        self.tracker = PersonTracker(config)
        self._found = None if place is None else scale * (place - origin)
        if scale != 1.0:
            measured = self.bones_m if self.measured_bones_m is None else self.measured_bones_m
            self.bones_m, self._bones = None if measured is None else scale * measured, BoneLengths()

    def bones(self, solution: RigSolution) -> Floats:
        """Returns (L,) m the segment lengths with which the person is fitted: solved, or else measured, or average.

        Solved ones that differ much from those measured are of another person, whose keyframes were taken for theirs.
        """
        solved, measured = None if self.identity is None else solution.bones_of(self.identity), self.measured_bones_m
        if solved is not None and (measured is None or bone_difference(solved, measured) < MAX_BONE_DIFFERENCE):
            return solved
        if measured is not None:
            return measured
        return solution.bone_length_m if self.bones_m is None else self.bones_m

    def estimate(self, given: StepInput) -> Computations[PersonStep]:
        """Returns the person at a time step, given their candidates and the rig of all cameras, whoever they show."""
        rig = given.rig.for_views(given.observation.present)
        if rig.solution is not None and (own := self.bones(rig.solution)) is not rig.solution.bone_length_m:
            rig = replace(rig, solution=replace(rig.solution, bone_length_m=own))
        pose, hypothesis, solved = yield from self.tracker.estimate(replace(given, rig=rig))
        return PersonStep(pose if not self.identity else replace(pose, person=self.identity), hypothesis, solved)

    @property
    def measured_bones_m(self) -> Floats | None:
        """(L,) segment lengths as measured, None until they are."""
        return self._bones.length_m

    def update(self, t_ns: int, step: PersonStep, cameras: Calibration | None) -> None:
        """Adds what was estimated at a time step with the cameras whose pose is known; None = the rig is not solved."""
        self.steps += 1
        if cameras is None:
            self.views = step.views
        elif step.solved is None:
            self.views = 0
        else:
            self._found = None
            agree = cameras.known & (step.solved.agreement > MIN_AGREEMENT)
            self.views = int(agree.sum())
            if step.hypothesis is not None:
                self._look(t_ns, step.hypothesis, agree)
        if self.views:
            self.seen_ns = t_ns
        if self.views > 1:
            self.well_seen_ns = t_ns
            self.well_seen += 1
            if cameras is not None and step.solved is not None:
                self._measure(t_ns, step.solved, cameras)

    def _look(self, t_ns: int, hypothesis: Hypothesis, agree: NDArray[np.bool_]) -> None:
        view = np.flatnonzero(agree & hypothesis.present)
        self.appearance.add(t_ns, view, hypothesis.observation.appearance[hypothesis.assignment[view]])

    def _measure(self, t_ns: int, pose: SolvedPose, cameras: Calibration) -> None:
        self._bones.add(t_ns, pose, cameras)
        if self.bones_m is not None and self.measured_bones_m is not None:
            self.bones_m = self.measured_bones_m


def average_bones(height_m: float | None) -> Floats:
    """Returns (L,) m the segment lengths of an average person of a body height; None = the assumed one."""
    return np.asarray(LENGTH_PER_HEIGHT * (height_m or ASSUMED_HEIGHT_M))


def bone_difference(a_m: Floats, b_m: Floats) -> float:
    """Returns how different two people's segment lengths (L,) m are: 1 = as those of any two people in the mean."""
    ratio = np.log(a_m / b_m) / RELATIVE_LENGTH_SD
    return float(np.sqrt(np.mean(ratio**2) / 2))


def mean_distance(a: Floats, b: Floats) -> Floats:
    """Returns (...) the mean distance, m, of points (...,P,3) that neither lacks; NaN without any."""
    distance = np.linalg.norm(a - b, axis=-1)
    known = np.isfinite(distance)
    count = known.sum(-1)
    return np.asarray(np.where(count > 0, np.where(known, distance, 0.0).sum(-1) / np.maximum(count, 1), np.nan))
