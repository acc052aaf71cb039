"""What the fusion process publishes and saves: poses, the state of the rig, its own health, and the poses file."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.pose.smooth import OneEuro
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.pose_messages import pose_message, refined_messages
from pose_rig.fusion.publisher import Publisher
from pose_rig.fusion.synchronisation.camera_clocks import CameraClocks
from pose_rig.fusion.time_steps import TimeStep
from pose_rig.graph import Engine
from pose_rig.skeleton import Landmarks
from pose_rig.wire.jobs import FusionJob
from pose_rig.wire.messages import Command, Health, Message, Mode, Pose3D, RigState, State
from pose_rig.wire.meter import Meter
from pose_rig.wire.services import FUSION, FUSION_REPORT_S

IN_STRETCHES = "poses computed side by side, the same to 0.5 mm as one after the other (--exact)"
STOPPED_EARLY = "stopped in the first of two passes: there are no poses, and its detections are not kept"
CONNECTION_REFUSED = "A program that is not part of this rig tried to connect and was refused."


class Endpoint(Protocol):
    """A socket that counts the messages and connections that it rejects."""

    bad: int
    last_error: str

    @property
    def refused(self) -> int:
        """How many connections were refused."""


class PosesWriter(Protocol):
    """Writes the poses file of a run."""

    def set_height(self, height_m: float, person: int = 0) -> None:
        """Sets the body height of the poses to come of a person, which the user gave during the run."""

    def add(self, pose: PoseEstimate, samples: Sequence[Sample | None], landmarks: Sequence[Landmarks | None]) -> None:
        """Adds a pose and the detections of each view; those of further people follow with the same time."""

    def close(
        self, cameras: Calibration | None, backwards: OneEuro | None, clocks: CameraClocks, *, exact: bool
    ) -> object:
        """Finishes the file: with cameras and clocks, and smoothed once more backwards if there is a filter.

        Args:
            cameras: The solved ones; None = not solved.
            backwards: The filter.
            clocks: Those of the cameras.
            exact: Whether every pose was computed after the one before it.

        Raises:
            SaveError: The file cannot be written where it was wanted.
        """


OpenPoses = Callable[[FusionJob], PosesWriter | None]  # None where the job saves no poses


class FusionOutput:
    """Publishes and saves the results of a run.

    Args:
        job: What the process does.
        estimator: Whose poses these are.
        publisher: Where messages go.
        poses: The poses file, if there is one.
        engine: Runs the graph; where and why is reported.
        endpoints: Further sockets, whose rejected messages and connections are reported.

    Attributes:
        exact: Whether every pose is computed after the one before it; else in stretches, side by side.
        in_first_pass: Whether the run was stopped in the first of two passes.
    """

    def __init__(
        self,
        job: FusionJob,
        estimator: Estimator,
        publisher: Publisher,
        poses: PosesWriter | None,
        engine: Engine,
        endpoints: Sequence[Endpoint] = (),
    ) -> None:
        self._config, self._estimator, self._publisher, self._file = job.config, estimator, publisher, poses
        self._cameras = tuple(camera.name for camera in job.config.camera)
        self._meter = Meter(FUSION, job.restarts)
        self._engine, self._provider = engine, engine.provider
        self._meter.detail = self._describe_engine()
        self._endpoints: Sequence[Endpoint] = (publisher, *endpoints)
        self._camera_health: dict[str, Health] = {}
        self._next_index = 0
        self.exact, self.in_first_pass = True, False
        self._heights_m = estimator.heights.given_m
        self._newest_ns = 0  # time of the last pose
        self._rejected = self._skipped = 0  # messages; time steps
        self._reported_s = 0.0
        self._mode: Mode | None = None
        publisher.send(self._meter.health("starting"))

    def expect(self, total: int | None) -> None:
        """Sets how many poses there will be, None if that is unknown."""
        self._meter.total_frames = total

    def ready(self) -> None:
        """Reports that the process can begin."""
        self._publisher.send(self._meter.health("ready"))

    def forward(self, view: int, message: Message) -> None:
        """Records keypoints and commands; publishes and records the health of a camera."""
        if not isinstance(message, Health):
            self._publisher.record(message)
            if isinstance(message, Command):
                self._switch_recording(message)
            return
        if message.total_frames is not None:
            self._meter.total_frames = max(message.total_frames, self._meter.total_frames or 0)
        self._camera_health[message.worker] = message
        self._publisher.send(message)

    def _switch_recording(self, command: Command) -> None:
        """Begins a recording with what is known of the cameras, or ends it."""
        if command.name == "record" and not self._publisher.recording:
            self._publisher.recording = True
            self._publisher.record(self._rig_state())
        elif command.name == "stop-recording" and self._publisher.recording:
            self._publisher.record(self._rig_state())
            self._publisher.record(self._health("ended"))
            self._publisher.recording = False

    def record_keypoints(self, view: int, message: Message) -> None:
        """Records keypoints; the health of cameras was published before."""
        if not isinstance(message, Health):
            self._publisher.record(message)

    def reject(self, reason: str) -> None:
        """Counts a message or a time step that could not be used."""
        self._meter.count_dropped(reason)

    def publish(self, step: TimeStep, recorded: Pose3D | None = None) -> Sequence[Pose3D]:
        """Publishes and saves the poses of a time step, and returns their messages, one for each person.

        Args:
            step: The time step.
            recorded: A pose of the run that is replayed: its number and age are kept.
        """
        if recorded is not None:
            self._next_index = recorded.index
        if step.pose is None:
            self.reject(step.failure)
            return ()
        started_ns = time.perf_counter_ns()
        age_ns = self._age_ns(step) if recorded is None else recorded.age_ns
        self._newest_ns = step.t_ns
        self._publisher.set_time(step.t_ns)
        for result in self._estimator.background_results():
            self._publisher.record(result)
        poses = [step.pose, *step.others]
        height_of = self._estimator.heights.of
        messages = [pose_message(pose, self._next_index, age_ns, *height_of(pose.person)) for pose in poses]
        for message in messages:
            self._publisher.send(message)
        for pose in poses:
            for refined in refined_messages(pose, self._next_index, self._cameras):
                self._publisher.send(refined)
        if self._estimator.rig_changed():  # at once, so that a recording has each rig with the poses made with it
            self._publisher.send(self._rig_state())
        if self._file is not None:
            for person, height_m in self._estimator.heights.given_m.items():
                if height_m != self._heights_m.get(person):
                    self._file.set_height(height_m, person)
            self._heights_m = self._estimator.heights.given_m
            for pose in poses:
                self._file.add(pose, step.samples, self._estimator.landmarks)
        stages_ns = {"sync": step.sync_ns, "fuse": step.estimate_ns, "send": time.perf_counter_ns() - started_ns}
        self._meter.count_sent(age_ns / 1e6, {stage: ns / 1e6 for stage, ns in stages_ns.items()})
        self._next_index += 1
        return messages

    def report(self, skipped: int = 0) -> None:
        """Publishes the state of rig and process, every `FUSION_REPORT_S` and when the mode changes.

        Args:
            skipped: Time steps that were due and left out, since the start.
        """
        self._skipped = skipped
        mode, now_s = self._estimator.mode, time.monotonic()
        if now_s - self._reported_s < FUSION_REPORT_S and mode == self._mode:
            return
        self._reported_s, self._mode = now_s, mode
        self._publisher.send(self._rig_state())
        self._publisher.send(self._health("running" if self._next_index else "ready"))

    def finish(self, notes: Sequence[str] = ()) -> None:
        """Finishes the poses file, and reports for the last time.

        Args:
            notes: Further facts, for display.

        Raises:
            SaveError: The poses file cannot be written where it was wanted.
        """
        self._provider = self._engine.provider
        notes = notes if self.exact else [*notes, IN_STRETCHES]
        notes = [*notes, STOPPED_EARLY] if self.in_first_pass else notes
        self._meter.detail = "; ".join((self._describe_engine(), *notes))
        try:
            if self._file is not None:
                estimator = self._estimator
                both_ways = estimator.smoothing_filter() if self._config.passes == 2 else None
                self._file.close(estimator.calibration, both_ways, estimator.clocks, exact=self.exact)
        finally:
            self._publisher.send(self._rig_state())
            for health in self._camera_health.values():  # subscribers may have missed the last one; a recording has it
                self._publisher.publish(health)
            self._publisher.send(self._health("ended"))

    def _age_ns(self, step: TimeStep) -> int:
        """Returns the time from capture to now; for files, the time that the pose took."""
        if self._config.pace == "realtime":
            return max(time.monotonic_ns() - step.t_ns + self._estimator.clocks.lead_ns, 0)
        return step.sync_ns + step.estimate_ns

    def _health(self, state: State) -> Health:
        """Returns the health of the process, with the newest fault of an endpoint since this was last called."""
        rejected = sum(endpoint.bad for endpoint in self._endpoints)
        refused = sum(endpoint.refused for endpoint in self._endpoints)
        fault = ""
        if rejected > self._rejected:
            fault = next(endpoint.last_error for endpoint in self._endpoints if endpoint.bad)
        if refused > self._meter.refused:
            fault = CONNECTION_REFUSED
        self._rejected, self._meter.refused = rejected, refused
        if self._engine.provider != self._provider:
            self._provider, self._meter.detail = self._engine.provider, self._describe_engine()
            fault = f"Inference changed to {self._meter.detail}."
        return self._meter.health(state, fault, rejected + self._skipped)

    def _describe_engine(self) -> str:
        """Returns the provider, and why it is this one."""
        return f"{self._engine.provider} ({self._engine.reason})"

    def _rig_state(self) -> RigState:
        return self._estimator.rig_state(time.monotonic_ns() if self._config.pace == "realtime" else self._newest_ns)
