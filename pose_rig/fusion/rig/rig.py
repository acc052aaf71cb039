"""The state of the rig: cold → settled → solved; cameras that disagree for long are estimated from scratch.

Axes: V views.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.rotation_averaging import consistency_weight
from pose_rig.fusion.calibration.self_solve import self_solve
from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.fusion.calibration.vertical import VERTICAL_UNCERTAIN, is_sideways
from pose_rig.fusion.pose.evidence import Evidence
from pose_rig.fusion.pose.hypothesis import Hypothesis, run_graph
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.fusion.rig.calibrator import MAX_KEYFRAMES_BETWEEN_SOLVES, Calibrator
from pose_rig.fusion.rig.camera_poses import CameraPoses
from pose_rig.fusion.rig.camera_report import CameraReport
from pose_rig.fusion.rig.consistency import MIN_AGREEMENT, Consistency
from pose_rig.fusion.rig.moved_cameras import MovedCameras
from pose_rig.fusion.rig.recorded_rig import bones_of_people
from pose_rig.fusion.rig.rig_view import RigView
from pose_rig.fusion.rig.setup import Setup
from pose_rig.fusion.synchronisation.camera_clocks import CameraClocks
from pose_rig.fusion.synchronisation.live_comparison import Comparison
from pose_rig.graph import Engine
from pose_rig.intrinsics import Intrinsics
from pose_rig.wire.messages import RigState

MIN_WEIGHT = 0.1  # of a view that disagrees
MIN_STEADY_KEYFRAMES = 48  # from which cameras are solved well enough to compute as many time steps with them

DOES_NOT_FIT = "the rig of an earlier run no longer fits: the cameras are estimated from scratch"


class Rig:
    """Estimates the cameras from the people they detect.

    Attributes:
        poses: The camera poses in use.
        calibrator: Collects the keyframes that they are estimated from.
        moved: Excludes cameras that were moved.
        reports: Whether it finds out what is wrong with cameras, for their notes; poses do not depend on it.
    """

    def __init__(self, setup: Setup, engine: Engine, background: BackgroundCompute) -> None:
        self._setup, self._engine = setup, engine
        self.poses = CameraPoses(setup)
        self.calibrator = Calibrator(engine, background)
        self._consistency = Consistency(len(setup.names))
        self.moved = MovedCameras(self.poses, self._consistency, self.calibrator)
        self._report = CameraReport(setup, self._consistency, self.poses)
        self._why_unsolved = ""
        self.reports = True

    @property
    def weight(self) -> Floats:
        """(V,) 0–1, how much each view counts, by how well it agrees with the others."""
        agreement = self._consistency.agreement
        return np.where(agreement > 0, np.clip(agreement / MIN_AGREEMENT, MIN_WEIGHT, 1.0), 1.0)

    @property
    def inconsistent_s(self) -> Floats:
        """(V,) for how long each camera of a solved rig has disagreed with the others; 0 until it is solved."""
        used = self.poses.known if self.poses.solved is not None else np.zeros_like(self.poses.known)
        return np.where(used, self._consistency.inconsistent_s, 0.0)

    @property
    def note(self) -> str:
        """Why the rig is not solved, or what is uncertain about it, for display."""
        said = (self._why_unsolved, self.poses.vertical_warning, self._report.warning)
        parts = [part for part in said if part]
        return ". ".join([*(part.removesuffix(".") for part in parts[:-1]), *parts[-1:]])

    @note.setter
    def note(self, text: str) -> None:
        self._why_unsolved, self.poses.vertical_warning = text, ""

    @property
    def steady_steps(self) -> int:
        """As in `Estimator`."""
        steady = self.cameras_agree and self.calibrator.count >= MIN_STEADY_KEYFRAMES
        return min(self.calibrator.count, MAX_KEYFRAMES_BETWEEN_SOLVES) if steady else 0

    @property
    def cameras_agree(self) -> bool:
        """Whether the rig is solved, no camera moves, and none of those in use disagrees."""
        return (
            self.poses.solved is not None
            and not self.poses.moving.moving.any()
            and not self._consistency.inconsistent_s[self.poses.known].any()
        )

    def report_clocks(self, offset_s: Floats) -> None:
        """Reports clock offsets (V,), s, that are not used; 0 or NaN for those that are right or unknown."""
        self._report.unused_offset_s = offset_s

    def set_vertical(self, up: Floats) -> None:
        """Checks the vertical (3,), in camera axes, of a rig with one camera."""
        self.poses.vertical_warning = VERTICAL_UNCERTAIN if is_sideways(up) else ""

    def use_intrinsics(self, intrinsics: Intrinsics) -> None:
        """Uses the given or assumed intrinsics of the images that cameras send now, from their first frames on."""
        before = self.poses.intrinsics.size_px
        self.poses.use_intrinsics(intrinsics)
        if self.poses.recorded is not None:
            return
        resized = (before > 1).all(-1) & (before != intrinsics.size_px).any(-1)
        for view in np.flatnonzero(resized).tolist():  # its keyframes have other pixels
            self._consistency.reset(view)
            self.moved.clear()
            self.calibrator.remove_view(view, keeps_solution=self.poses.solved is not None)

    def view(self, t_ns: int) -> RigView:
        """Returns what is known of the cameras at a time step."""
        poses, weight = self.poses, self.weight
        if poses.mode != "cold":
            weight = weight * (poses.known | poses.moving.known(t_ns))
        return RigView(poses.mode, poses.used_intrinsics, poses.prior(t_ns), weight, poses.known, poses.solution)

    def update(self, people: Sequence[Evidence], view: RigView) -> None:
        """Updates the estimated cameras with one more time step.

        Args:
            people: Those in view, the one that most views show first; at least one.
            view: The cameras that were used.
        """
        hypothesis = people[0].hypothesis
        t_ns, present, moving = hypothesis.observation.t_ns, hypothesis.observation.present, self.poses.moving
        cold = hypothesis if view.prior is None else None
        if self._needs_cold(present, t_ns):
            cold = self._without_prior(hypothesis)
        if self.poses.recorded is None:
            self._discard_other_person(hypothesis)
        agreement = self._agreement(people[0])
        for other in people[1:]:  # a camera that agrees about one person was not moved
            present = present | other.hypothesis.present
            agreement = np.maximum(agreement, self._agreement(other))
        self._consistency.update(t_ns, present, agreement)
        prior = self.poses.prior(t_ns) if moving.moving.any() else None
        if prior is not None:
            moving.update(hypothesis)
            if cold is not None and cold is not hypothesis:
                moving.initialise(cold, prior.camera_from_rig, self.poses.known)
        if self.poses.recorded is None:
            self._check(people[0])
            if self._setup.fixed is None:
                self._collect(people, cold)

    def _agreement(self, seen: Evidence) -> Floats:
        """Returns (V,) 0–1 how well each view agrees with the others about a person."""
        hypothesis, pose = seen.hypothesis, seen.pose
        agreement = np.where(hypothesis.present, consistency_weight(hypothesis.out.model_sd[0].astype(float)), 0.0)
        if pose is None:
            return agreement
        return np.where(self.poses.moving.moving, agreement, pose.agreement)  # it is not fitted to moving cameras

    def restart_unsolved(self) -> None:
        """Discards what was learned, if the rig is not solved: people were taken for each other."""
        if self.poses.solved is None:
            self._discard_cameras()

    def discard_solution(self) -> None:
        """Discards the cameras, which are wrong; fixed ones are kept."""
        if self._setup.fixed is None and self.poses.recorded is None:
            self._discard_cameras()
            self.poses.earlier = None

    def rename(self, names: Mapping[int, int]) -> None:
        """Gives people other identities, by those so far."""
        self.calibrator.rename(names)
        solved = self.poses.solved
        if solved is not None:
            solved.solution = solved.solution.renamed(names)

    def no_person(self) -> None:
        """Adds a time step at which no camera detects a person."""
        self._consistency.no_person()

    def state(self, t_ns: int, clocks: CameraClocks) -> RigState:
        """Returns the message of what is known of the cameras; ``t_ns`` is its time."""
        solution = self.poses.solution
        bones_m = () if solution is None else tuple(solution.bone_length_m.tolist())
        note = self.note
        if clocks.note and (self.poses.mode == "solved" or clocks.offset_s.any()):
            note = f"{note.removesuffix('.')}. {clocks.note}" if note else clocks.note
        cameras = clocks.added_to(self._report.states())
        return RigState(
            t_ns=t_ns,
            mode=self.poses.mode,
            cameras=cameras,
            note=note,
            bones_m=bones_m,
            people=() if solution is None else bones_of_people(solution),
        )

    def solve(self, keyframes: Sequence[Keyframe] | None = None) -> None:
        """Solves the rig from all keyframes, or from others; it stays as it is where that fails."""
        if self.poses.mode != "cold":
            task = self.solve_task() if keyframes is None else self.poses.solve_task(keyframes)
            self._adopt(self_solve(task))

    def use_clocks(self, found: Comparison, changed: NDArray[np.bool_]) -> bool:
        """Continues with other clocks; returns whether the rig is to learn from earlier detections again.

        Args:
            found: How they were found.
            changed: (V,) whose clock is another one now.
        """
        self._report.lags.clear()
        if found.step is not None:  # the keyframes before it remain
            self._consistency.reset(found.step.view)
            self.moved.clear()
            self.calibrator.remove_view(found.step.view, keeps_solution=False, since_ns=found.step.from_ns)
        elif found.keyframes is not None:
            self.calibrator.replace_keyframes(found.keyframes)
            self._adopt(found.solution)
        elif self._setup.fixed is None:
            self._restart_views(changed)
            return True
        return False

    def _restart_views(self, changed: NDArray[np.bool_]) -> None:
        """Discards what was estimated from the detections of some views (V,) at other clocks.

        Two cameras that show several people are solved less surely than with the others, so these are discarded, too.
        """
        known = self.poses.known
        sure = known.sum() > 2 or not self._setup.several_people
        if self.poses.solved is not None and sure and not (known & changed).any():
            for view in np.flatnonzero(changed).tolist():
                self.poses.exclude(view)
                self._consistency.reset(view)
            self.calibrator.discard_keyframes()
            return
        self._discard_cameras()
        self.poses.earlier = None
        for view in range(len(changed)):
            self._consistency.reset(view)

    def solve_task(self) -> SolveTask:
        """Returns the task of solving the rig from all keyframes."""
        return self.poses.solve_task(self.calibrator.keyframes)

    def _needs_cold(self, present: NDArray[np.bool_], t_ns: int) -> bool:
        """Whether a view is present whose rotation only this time step can give."""
        poses = self.poses
        new = present & ~poses.known & ~poses.moving.known(t_ns)
        if poses.mode == "solved":  # static cameras are then placed by resection
            new = new & poses.moving.moving
        return poses.mode != "cold" and self.calibrator.is_due(t_ns) and bool(new.any())

    def _without_prior(self, hypothesis: Hypothesis) -> Hypothesis:
        observation, assignment = hypothesis.observation, hypothesis.assignment
        out = run_graph(self._engine, observation, assignment[None], None, np.ones(observation.views))
        return Hypothesis(observation, assignment, out)

    def _check(self, seen: Evidence) -> None:
        """Finds out which cameras were moved, which agree again, and what is wrong with the others."""
        hypothesis, pose = seen.hypothesis, seen.pose
        t_ns, solved, moving = hypothesis.observation.t_ns, self.poses.solved, self.poses.moving.moving
        if self.reports:
            self._report.update(hypothesis, pose)
        if solved is not None and pose is not None:
            self.moved.add(hypothesis, pose, solved.solution.bone_length_m)
            solved.readmit(t_ns, pose, self._consistency, moving)
        if not self.moved.exclude(t_ns) and self._setup.fixed is None:
            self._discard_cameras()

    def _collect(self, people: Sequence[Evidence], cold: Hypothesis | None) -> None:
        """Adds keyframes, and starts what is due with them; ``cold``: the first person without a prior."""
        self._take_results()
        solved, moving = self.poses.solved, self.poses.moving.moving
        used = ~moving if solved is None else ~moving & solved.known
        main, *others = people
        for other in others:
            if self._is_due(other):
                without_prior = other.hypothesis if self.poses.mode == "cold" else None
                self.calibrator.add(other.hypothesis, without_prior, used, person=other.person)
        if self._is_due(main):
            self.calibrator.add(main.hypothesis, cold, used, person=main.person)
            self._start_computations()

    def _is_due(self, seen: Evidence) -> bool:
        """Whether a person is to give a keyframe: two static cameras show them, and the last one was long ago."""
        static = seen.hypothesis.present & ~self.poses.moving.moving
        return self.calibrator.is_due(seen.hypothesis.observation.t_ns, seen.person) and bool(static.sum() > 1)

    def _start_computations(self) -> None:
        poses, calibrator = self.poses, self.calibrator
        if (self._consistency.inconsistent_s > 0)[poses.known].any():  # keyframes of a moved camera are not mixed in
            return
        if not calibrator.has_enough:
            return
        if poses.solved is not None:
            poses.solved.measure_person(calibrator.keyframes)
        elif poses.earlier is not None:
            if poses.relocalise(calibrator.keyframes):
                self.note = ""
            else:
                self._why_unsolved = DOES_NOT_FIT
        if poses.solved is None and calibrator.averaging_due:
            calibrator.start_averaging(poses.intrinsics, poses.rotations)
            self._take_results()
        if poses.mode != "cold" and calibrator.solving_due:
            calibrator.start_solving(self.solve_task())
            self._take_results()

    def _take_results(self) -> None:
        rotations, solution = self.calibrator.results()
        if rotations is not None:
            self.poses.settle(rotations)
        self._adopt(solution)
        if self.calibrator.failure:
            self._why_unsolved = f"{self.calibrator.failure} It is tried again."

    def _adopt(self, found: RigSolution | str | None) -> None:
        """Uses a solution if it is accepted; else sets why not. None = there is no result."""
        if found is None:
            return
        is_first = self.poses.solved is None
        reason = found if isinstance(found, str) else self.poses.adopt(found)
        self._why_unsolved = reason if is_first else ""

    def _discard_other_person(self, hypothesis: Hypothesis) -> None:
        """Discards what was estimated from another person, if the person has, or may have, changed."""
        if hypothesis.switched and self.poses.solved is None:
            self._discard_cameras()
        elif hypothesis.switched or (
            not self._setup.several_people and self.calibrator.is_outdated(hypothesis.observation.t_ns)
        ):
            self._discard_person()

    def _discard_cameras(self) -> None:
        if self.poses.solved is not None:
            self.poses.earlier, self.poses.solved = self.poses.solution, None  # they may not have been moved
        self.poses.rotations = None
        self.calibrator.discard_rotations()
        self._consistency.inconsistent_s[:] = 0
        self.moved.clear()
        self._discard_person()

    def _discard_person(self) -> None:
        if self.poses.solved is not None and self._setup.fixed is None:
            self.poses.solved.discard_person(self._setup.height_m)
        self.calibrator.discard_keyframes()
