"""What a run has received from its workers: the newest messages and the statistics of the summary."""

import time
from array import array
from dataclasses import dataclass, field

from pose_rig.wire.messages import CameraState, Health, Message, Pose3D, RigState, Streams
from pose_rig.wire.services import FUSION
from pose_rig.wire.tracked_people import TrackedPeople


@dataclass(slots=True)
class RestartCounter:
    """A count that continues when the process that reports it is restarted."""

    earlier: int = 0
    latest: int = 0

    def update(self, count: int) -> None:
        """Takes the newest count of the process; a smaller one than before means that it was restarted."""
        if count < self.latest:
            self.earlier += self.latest
        self.latest = count

    @property
    def total(self) -> int:
        """The count over all restarts."""
        return self.earlier + self.latest


@dataclass(slots=True)
class WorkerTelemetry:
    """The newest report of a worker, and its counts over all restarts.

    Attributes:
        health: The newest report.
        received_ns: When it was received, monotonic clock.
        last_frame_ns: When ``frames`` last grew.
        frames: Frames or poses processed.
        dropped: Frames or messages dropped.
        refused: Connections of foreign programs that were refused.
    """

    health: Health
    received_ns: int
    last_frame_ns: int
    frames: RestartCounter = field(default_factory=RestartCounter)
    dropped: RestartCounter = field(default_factory=RestartCounter)
    refused: RestartCounter = field(default_factory=RestartCounter)

    def update(self, health: Health, now_ns: int) -> None:
        """Takes a new report."""
        before = self.frames.total
        self.health, self.received_ns = health, now_ns
        self.frames.update(health.frames)
        self.dropped.update(health.dropped)
        self.refused.update(health.refused)
        if self.frames.total > before:
            self.last_frame_ns = health.t_ns


class Telemetry:
    """The newest message of every kind, and statistics over all of them.

    Attributes:
        start_ns: When the run started, monotonic clock; 0 until then.
        end_ns: When it ended; 0 until then.
        workers: Reports by the name of the worker.
        rig: The newest state of the rig.
        solved: The newest state in which it was solved.
        pose: The newest pose; of several people that of the first.
        people: The newest pose of each.
        ages_ns: Age of every received pose, of several people once per time step.
        modes: Each mode that the rig entered, and when (s after the first pose).
        tracked: Number of received poses in which a person was tracked.
        streams: The newest report on the streams to engines.
    """

    def __init__(self) -> None:
        self.start_ns = 0
        self.end_ns = 0
        self.workers: dict[str, WorkerTelemetry] = {}
        self.rig: RigState | None = None
        self.solved: RigState | None = None
        self.pose: Pose3D | None = None
        self.people = TrackedPeople()
        self.ages_ns = array("q")
        self.modes: list[tuple[str, float]] = []
        self.tracked = 0
        self.streams: Streams | None = None
        self._indices = RestartCounter()
        self._first_pose = self._last_pose = (0, 0)  # number of poses, and when they were received
        self._first_pose_ns = 0  # timestamp of the first pose

    def update(self, message: Message) -> None:
        """Takes a message."""
        if isinstance(message, Health):
            now_ns = time.monotonic_ns()
            worker = self.workers.setdefault(message.worker, WorkerTelemetry(message, now_ns, message.t_ns))
            worker.update(message, now_ns)
        elif isinstance(message, RigState):
            self.rig = message
            if message.mode == "solved":
                self.solved = message
        elif isinstance(message, Pose3D):
            self._update_pose(message)
        elif isinstance(message, Streams):
            self.streams = message

    @property
    def poses(self) -> int:
        """Number of poses that were computed, including those that were not received here."""
        fusion = self.workers.get(FUSION)
        return max(self._indices.total, fusion.frames.total if fusion else 0)

    @property
    def pose_rate_hz(self) -> float:
        """Poses per second between the first and the last received one; 0 for fewer than two."""
        (first_count, first_ns), (last_count, last_ns) = self._first_pose, self._last_pose
        return (last_count - first_count) / (last_ns - first_ns) * 1e9 if last_ns > first_ns else 0.0

    @property
    def person_detected(self) -> bool:
        """Whether a person was detected in any camera at any time."""
        cameras = self.rig.cameras if self.rig else ()
        return self.tracked > 0 or any(camera.agreement is not None for camera in cameras)

    @property
    def refused(self) -> int:
        """Number of connections of foreign programs that all workers together refused."""
        return sum(worker.refused.total for worker in self.workers.values())

    def camera(self, name: str) -> CameraState | None:
        """Returns the newest state of a camera, None if there is none."""
        return next((camera for camera in self.rig.cameras if camera.name == name), None) if self.rig else None

    def _update_pose(self, pose: Pose3D) -> None:
        self.tracked += pose.tracking > 0
        if not self.people.update(pose):
            return  # the time step is counted already
        self._indices.update(pose.index + 1)
        if not self.end_ns:  # poses read after the end arrived earlier, at an unknown time
            self._last_pose = (self._indices.total, time.monotonic_ns())
        if not self.pose:
            self._first_pose, self._first_pose_ns = self._last_pose, pose.t_ns
        self.pose = pose
        self.ages_ns.append(pose.age_ns)
        if not self.modes or self.modes[-1][0] != pose.mode:
            self.modes.append((pose.mode, (pose.t_ns - self._first_pose_ns) / 1e9))
