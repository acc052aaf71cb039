"""Detections of many views at one time → the poses of all people. Live runs, files and tests use it alike.

Axes: V views.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from msgspec import structs

from pose_rig.arrays import Floats
from pose_rig.config import Config
from pose_rig.fusion.body_heights import BodyHeights
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.keyframes import KEYFRAME_INTERVAL_NS
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.fixed_cameras import FixedCameras
from pose_rig.fusion.followed_clocks import FollowedClocks
from pose_rig.fusion.late_cameras import CompleteSamples
from pose_rig.fusion.lifted_track import lifted_track
from pose_rig.fusion.live_clocks import LiveClocks
from pose_rig.fusion.people.namesakes import Namesakes
from pose_rig.fusion.people.people import People
from pose_rig.fusion.people.person_tracker import PersonTracker
from pose_rig.fusion.people.step_input import StepInput
from pose_rig.fusion.people.tracked_person import PersonStep
from pose_rig.fusion.pose.computation import Computations, alone
from pose_rig.fusion.pose.evidence import Evidence
from pose_rig.fusion.pose.observation import Observe
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.pose.smooth import OneEuro
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.pose_messages import is_publishable
from pose_rig.fusion.rig.background import BackgroundCompute, BackgroundTask
from pose_rig.fusion.rig.camera_properties import CameraProperties
from pose_rig.fusion.rig.rig import Rig
from pose_rig.fusion.rig.rig_view import RigView
from pose_rig.fusion.rig.setup import setup_of
from pose_rig.fusion.rig.solved_rig import SolvedRig
from pose_rig.fusion.synchronisation.camera_clocks import CameraClocks, recorded_clocks
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.resampling import resampled
from pose_rig.graph import Engine
from pose_rig.skeleton import Landmarks
from pose_rig.wire.messages import Mode, RigState
from pose_rig.wire.records import Learned

GROUPS: Literal["groups"] = "groups"  # of detections, which are of one person
LATE_GROUPS: Literal["late-groups"] = "late-groups"
LEFT_OUT = "is left out: its clock could not be checked, and it does not agree with the others"


class Estimator:
    """Estimates the poses of one or several people, and the cameras of the rig.

    Args:
        config: Every camera has a name.
        engine: Runs the graph.
        background: Where long computations run; None = within `step`, which makes runs repeatable.
        fixed: A solved rig to use from the start and to keep.

    Attributes:
        clocks: The clocks of the cameras; whoever samples the cameras applies them. `follow_clocks` finds them live.
        left_out: (V,) cameras whose detections are not used, neither for the rig nor for poses.
        evidence: The people in view at the last time step, the one that most views show first.
        others: Poses of further people than the first at the last time step, in the order of their identities.
        heights: Body heights of the people.
    """

    def __init__(
        self,
        config: Config,
        engine: Engine,
        background: BackgroundCompute | None = None,
        fixed: RigSolution | None = None,
    ) -> None:
        self._config, self._engine, self._background = config, engine, background or BackgroundCompute()
        self._fixed = fixed
        self.heights = BodyHeights.of_config(config)
        self.clocks = CameraClocks.unchecked(len(config.camera))
        self.left_out = np.zeros(len(config.camera), bool)
        self.evidence: Sequence[Evidence] = ()
        self.others: Sequence[PoseEstimate] = ()
        self.restart()

    @classmethod
    def for_cameras(cls, cameras: FixedCameras, engine: Engine) -> "Estimator":
        """Returns an estimator with these cameras; it begins without a person, and does not report on cameras."""
        out = cls(cameras.config, engine, fixed=cameras.solution)
        out.use_properties(cameras.properties)
        out.left_out = cameras.left_out
        out._rig.reports = False
        out._rig.poses.recorded = cameras.recorded
        return out

    def restart(self, *, may_move: bool = True) -> None:
        """Discards everything but the configuration, clocks, and fixed cameras.

        Args:
            may_move: Whether cameras that disagree for long count as moved, so that their earlier keyframes are
                discarded; False where their clocks, or cameras that are not solved well yet, may be the cause.
        """
        self._cameras = CameraProperties(self._config.camera)
        self._rig = Rig(setup_of(self._config, self._fixed, self.heights.given_m), self._engine, self._background)
        self._rig.poses.intrinsics = self._cameras.intrinsics
        self._rig.moved.unchecked[:] = not may_move
        self._grouping = {work: BackgroundTask[Any](self._background) for work in (GROUPS, LATE_GROUPS)}
        self._people = People(self._config, self._grouping[GROUPS])
        self._late_people: People | None = None  # the same, a little later, where cameras are late
        self._namesakes = Namesakes()
        self._steps: Sequence[PersonStep] = ()
        self._learned_ns = 0
        views = len(self._config.camera)
        self._live_clocks = LiveClocks(views, self._engine, self._background, several=self.may_show_several)
        self._followed_clocks = FollowedClocks(self._rig, self._live_clocks, views)
        self._published_clocks = self.clocks

    def forget_people(self) -> None:
        """Tracks people from scratch; what is known of the cameras stays."""
        self._people, self._late_people = People(self._config, self._grouping[GROUPS]), None

    def set_height(self, height_m: float, person: int = 0) -> None:
        """Uses another body height of a person; solved cameras are scaled so that given heights fit in the mean."""
        before_m, self.heights = self.heights.first_m, self.heights.changed(person, height_m)
        if person == 0:
            self._config = structs.replace(self._config, height_m=height_m)
        scale = self.heights.scale_of(self.solution) if self.may_show_several else height_m / before_m
        self._transform(np.zeros(3), scale)

    def move_origin(self, origin: Floats) -> None:
        """Moves the origin of the solved rig to a point (3,) m."""
        self._transform(origin, 1.0)

    def _transform(self, origin: Floats, scale: float) -> None:
        """Continues with solved cameras in another frame, ``x_new = scale (x_old − origin)``; learning starts again."""
        solution, people = self.solution, self._people
        if solution is None:
            self.restart_with(None)
        else:
            self.restart_with(solution.transformed(np.eye(3), origin, scale))
            if self.may_show_several and self._rig.poses.recorded is None:
                people.roster.transform(self._config, origin, scale)
                self._people = people

    def restart_with(self, solution: RigSolution | None) -> None:
        """Restarts with solved cameras, in whichever frame; None = from scratch, also without those of an earlier run.

        Tracking and learning start again from scratch. In a replay that uses the recorded rig, nothing happens: what
        came of this is recorded too.
        """
        before, properties = self._rig.poses, self._cameras
        if before.recorded is not None:
            return
        self.restart()
        self.use_properties(properties)
        self._rig.poses.earlier = None
        if solution is not None:
            cameras = replace(solution.cameras, known=before.known)
            self._rig.poses.solved = SolvedRig(replace(solution, cameras=cameras))

    @property
    def solution(self) -> RigSolution | None:
        """The solved cameras and bones, None until then."""
        return self._rig.poses.solution

    @property
    def most_people(self) -> int:
        """How many people there may be, or have been."""
        return max(self._config.people, self._people.roster.count)

    def track(self, view: int, samples: Sequence[Sample]) -> CameraTrack:
        """Returns the detections of a camera in its frames, each lifted by itself."""
        cameras, landmarks = self._cameras, self._cameras.landmarks[view]
        if landmarks is None:
            return CameraTrack.empty()
        return lifted_track(samples, landmarks, cameras.intrinsics.at(np.array([view])), self._engine)

    def solve(self) -> None:
        """Solves the rig from all keyframes; where that fails, the reason is in the note of `rig_state`."""
        self._rig.solve()

    def set_clocks(self, clocks: CameraClocks, tracks: Sequence[CameraTrack]) -> None:
        """Uses other clocks, for which the rig is solved again; ``tracks`` (V) are what each camera detected."""
        if clocks.by_camera != self.clocks.by_camera:
            keyframes = self._rig.calibrator.keyframes
            self._rig.solve(resampled(keyframes, tracks, self.clocks.by_camera, clocks.by_camera))
        self.clocks = clocks

    @property
    def may_show_several(self) -> bool:
        """Whether more than one person is tracked if there is one."""
        return self._config.people > 1

    def report_clocks(self, offset_s: Floats) -> None:
        """Has `rig_state` report the clock offsets (V,), s, that are found but not used; 0 or NaN for others."""
        self._rig.report_clocks(offset_s)

    def fix_cameras(self) -> None:
        """Restarts with the cameras of the solved rig, which are kept from then on; the note of `rig_state` stays."""
        self._fixed, note = self._rig.poses.solution, self._rig.note
        self.restart()
        self._rig.note = note

    def fixed_cameras(self) -> FixedCameras:
        """Returns the solved cameras, for other estimators (`for_cameras`), also in other processes."""
        poses = self._rig.poses
        assert poses.solution is not None  # noqa: S101 - it is solved
        return FixedCameras(self._config, poses.solution, self._cameras, self.left_out, poses.recorded)

    def with_fixed_cameras(self) -> "Estimator":
        """Returns another estimator, with the solved cameras of this one; it begins without a person."""
        return Estimator.for_cameras(self.fixed_cameras(), self._engine)

    def smoothing_filter(self) -> OneEuro:
        """Returns a fresh filter, that with which poses are smoothed."""
        return OneEuro(self._config.fusion.min_cutoff_hz, self._config.fusion.beta)

    def use_properties(self, properties: CameraProperties) -> None:
        """Uses what is known of the cameras' frames."""
        self._cameras = properties
        self._rig.poses.intrinsics = properties.intrinsics

    def set_camera(self, view: int, size_px: tuple[int, int], schema: str) -> None:
        """Sets a camera's image size and landmark set, which are known from its first frame on and may change.

        Raises:
            UsageError: The landmark set is unknown.
        """
        if self._cameras.set(view, size_px, schema):
            self._rig.use_intrinsics(self._cameras.intrinsics)

    def step(
        self, t_ns: int, samples: Sequence[Sample | None], complete: Sequence[CompleteSamples] = ()
    ) -> PoseEstimate:
        """Returns the pose at a time step, and updates the cameras; arguments as in `computations`."""
        return alone(self.computations(t_ns, samples, complete))

    def computations(
        self, t_ns: int, samples: Sequence[Sample | None], complete: Sequence[CompleteSamples] = ()
    ) -> Computations[PoseEstimate]:
        """Computes the pose at a time step, and updates the cameras.

        Args:
            t_ns: Time.
            samples: (V) the detections of each view.
            complete: The samples from which the rig learns instead: where some cameras deliver too late for the pose,
                or the clocks have changed.
        """
        samples = [None if out else one for one, out in zip(samples, self.left_out.tolist(), strict=True)]
        if not complete:
            self._rename_late(1)
            self._late_people = None
        pose = yield from self._estimate(t_ns, samples, self._people, learn=not complete)
        others = self.others
        if self.may_show_several:
            self._namesakes.add(t_ns, self._steps)
        for one in complete:
            if abs(one.t_ns - self._learned_ns) >= KEYFRAME_INTERVAL_NS:
                self._learned_ns = one.t_ns
                self._late_people = self._late_people or People(self._config, self._grouping[LATE_GROUPS])
                late = yield from self._estimate(one.t_ns, one.samples, self._late_people, learn=True)
                if not is_publishable(late):
                    self._late_people = None
                self._namesakes.compare(one.t_ns, self._steps)
                self._rename_late()
        self.others = others
        return pose

    @property
    def people(self) -> Sequence[PersonStep]:
        """The people of the last time step."""
        return self._steps

    def rename_people(self, names: Mapping[int, int]) -> None:
        """Gives people other identities, by those that they have; new ones begin after these."""
        if names:
            self._people.roster.rename(names, 1 + max(names.values()))

    def _rename_late(self, *least: int) -> None:
        """Gives people who are tracked a little later the identities that they have in the poses."""
        names = {} if self._late_people is None else self._namesakes.found(*least)
        if self._late_people is not None and names:
            self._rig.rename(self._late_people.roster.rename(names, self._people.roster.count))

    def _estimate(
        self, t_ns: int, samples: Sequence[Sample | None], people: People, *, learn: bool
    ) -> Computations[PoseEstimate]:
        cameras, rig = self._cameras, self._rig.view(t_ns)
        cameras.fix_joints()
        observation = yield Observe(t_ns, samples, cameras.landmarks, rig.intrinsics)
        steps = yield from people.estimate(StepInput(observation, samples, cameras, rig, self._engine))
        self._steps = steps
        self.others = tuple(step.pose for step in steps[1:] if step.is_placed)
        self.evidence = _evidence(steps)
        learn = learn and all(is_publishable(step.pose) for step in steps)
        if learn and self.may_show_several:
            self._rig.calibrator.waits = people.are_mixed
        if learn and people.roster.first.vertical is not None:
            self._rig.set_vertical(people.roster.first.vertical)
        if learn and people.corrected:
            self._rig.restart_unsolved()
            for earlier, corrected in people.corrected:
                self._learn(_evidence(corrected), self._rig.view(earlier.t_ns).for_views(earlier.present))
        if learn:
            self._learn(self.evidence, rig.for_views(observation.present))
        if learn and people.rig_is_wrong:
            self._rig.discard_solution()
        return steps[0].pose

    def memory(self, t_ns: int) -> Floats:
        """Returns (3V,) what is remembered of each camera beyond the pose: two estimators of one rig can be compared.

        That is how much it counts, for how long it has disagreed, s, and whether it agreed a moment ago.
        """
        return np.concatenate([self._rig.weight, self._rig.inconsistent_s, self._people.roster.first.may_jump(t_ns)])

    def learn(self, evidence: Sequence[Sequence[Evidence]]) -> None:
        """Updates the cameras with time steps that other estimators have computed; solves them after the last.

        Args:
            evidence: As in `Estimator`, of each time step.
        """
        for number, people in enumerate(evidence, 1):
            self._rig.calibrator.waits = number < len(evidence)
            self._learn(people)

    @property
    def person(self) -> PersonTracker:
        """The first person who is tracked."""
        return self._people.roster.first

    def track_person(self, person: PersonTracker) -> None:
        """Continues with a person that another estimator has tracked."""
        self._people.roster.first = person

    def forget_person(self) -> None:
        """Has the first person found again, wherever they are."""
        self._people.roster.first = PersonTracker(self._config)

    @property
    def steady_steps(self) -> int:
        """How many time steps can be computed with the cameras as they are, and learned together.

        0 while the rig is not solved well, while cameras disagree or move, and where several people are tracked.
        """
        return 0 if self.may_show_several else self._rig.steady_steps

    @property
    def cameras_agree(self) -> bool:
        """Whether the rig is solved, no camera moves, and none of those in use disagrees."""
        return self._rig.cameras_agree

    def _learn(self, people: Sequence[Evidence], rig: RigView | None = None) -> None:
        """Updates the cameras with the people in view at a time step, and with what was known of them; None = is."""
        if not people:
            self._rig.no_person()
            return
        observation = people[0].hypothesis.observation
        self._rig.update(people, rig or self._rig.view(observation.t_ns).for_views(observation.present))

    def follow_clocks(self, t_ns: int, cameras: CameraInputs) -> None:
        """Compares the clocks of live cameras in the background, and uses what was found, from this time step on."""
        self.clocks, learns_again = self._followed_clocks.follow(t_ns, cameras, self._cameras, self.clocks)
        if learns_again:
            cameras.learn_again(t_ns)
            self._late_people = None

    @property
    def landmarks(self) -> Sequence[Landmarks | None]:
        """(V) landmark sets, None until known."""
        return self._cameras.landmarks

    @property
    def moves(self) -> int:
        """How often a camera counted as moved since the last `restart`."""
        return self._rig.moved.count

    @property
    def mode(self) -> Mode:
        """``cold``, ``settled`` or ``solved``: how well the cameras are known."""
        return self._rig.poses.mode

    @property
    def calibration(self) -> Calibration | None:
        """The solved cameras, None until then; those that are not trusted are not known."""
        poses = self._rig.poses
        return None if poses.cameras is None else replace(poses.cameras, known=poses.known)

    @property
    def cameras(self) -> Calibration | None:
        """The solved cameras, None until then; also those that are not trusted."""
        return self._rig.poses.cameras

    def rig_view(self, t_ns: int) -> RigView:
        """Returns what is known of the cameras at a time step."""
        return self._rig.view(t_ns)

    def rig_state(self, t_ns: int = 0) -> RigState:
        """Returns the message of what is known of the cameras; ``t_ns`` is its time."""
        state = self._rig.state(t_ns, self.clocks)
        notes = [self._note(view, camera.note) for view, camera in enumerate(state.cameras)]
        pairs = zip(state.cameras, notes, strict=True)
        return structs.replace(state, cameras=tuple(structs.replace(camera, note=note) for camera, note in pairs))

    def _note(self, view: int, note: str) -> str:
        """Returns the note of a camera, given that of the rig."""
        return LEFT_OUT if self.left_out[view] else "; ".join(filter(None, (self._followed_clocks.note(view), note)))

    def rig_changed(self) -> bool:
        """Returns whether the cameras, bones or clocks in use have changed since this was last called."""
        clocks, self._published_clocks = self._published_clocks, self.clocks
        same = (clocks.offset_s == self.clocks.offset_s).all()
        return self._rig.poses.changed() or not same

    def solve_task(self) -> SolveTask:
        """Returns the task of solving the rig from all keyframes."""
        return self._rig.solve_task()

    def background_results(self) -> list[Learned]:
        """Returns which results of background computations were used since this was last called."""
        grouped = [Learned(work=work, asked=asked) for work, task in self._grouping.items() for asked in task.taken()]
        return self._rig.calibrator.used_results() + self._live_clocks.used_results() + grouped

    def expect(self, result: Learned) -> None:
        """Adds when a background result was used in the run that is replayed."""
        if result.work == "clocks":
            self._live_clocks.expect(result)
        elif result.work in self._grouping:
            self._grouping[result.work].expect(result.asked)
        else:
            self._rig.calibrator.expect(result)

    def follow(self, state: RigState) -> None:
        """Uses the recorded cameras, bones and clocks from now on."""
        self._rig.poses.follow(state)
        self.clocks = recorded_clocks(state, [camera.name for camera in self._config.camera])


def _evidence(steps: Sequence[PersonStep]) -> tuple[Evidence, ...]:
    """Returns the people in view, the one that most views show first."""
    main = max(steps, key=lambda step: step.views)
    ordered = [main, *(step for step in steps if step is not main)]
    return tuple(
        Evidence(step.hypothesis, step.solved, step.pose.person) for step in ordered if step.hypothesis is not None
    )
