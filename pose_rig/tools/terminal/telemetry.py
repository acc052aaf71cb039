"""What a running rig has said about itself so far."""

import time
from array import array
from dataclasses import dataclass, field

from pose_rig.wire.messages import CameraState, Health, Message, Pose3D, RigState, Streams
from pose_rig.wire.services import FUSION


@dataclass(slots=True)
class Counter:
    """A count that starts again at 0 whenever the process that counts is restarted."""

    before: int = 0
    latest: int = 0

    def take(self, count: int) -> None:
        """Notes the newest count of that process."""
        if count < self.latest:
            self.before += self.latest
        self.latest = count

    @property
    def total(self) -> int:
        """All that was counted."""
        return self.before + self.latest


@dataclass(slots=True)
class WorkerTelemetry:
    """What one worker last said, and its counts over all its restarts.

    Attributes:
        health: Its newest message.
        at_ns: When that arrived, monotonic clock.
        frames: Frames or poses done.
        dropped: Frames or messages lost.
        refused: Connections of programs that are not part of the rig, turned away.
        busy_until_ns: When ``frames`` last grew.
    """

    health: Health
    at_ns: int
    busy_until_ns: int
    frames: Counter = field(default_factory=Counter)
    dropped: Counter = field(default_factory=Counter)
    refused: Counter = field(default_factory=Counter)


class Telemetry:
    """Keeps the newest of every message and the figures for the summary.

    Attributes:
        start_ns: Monotonic instant at which the run began, 0 until then.
        end_ns: When it ended, 0 until then.
        workers: What each worker said, by name.
        rig: The cameras as the rig knows them.
        solved: The newest of these that was solved.
        pose: The newest pose.
        ages_ns: Age of every pose heard.
        modes: Each mode entered, and when (s from the first pose).
        tracked: Poses heard in which somebody was seen.
        streams: What goes to engines.
    """

    def __init__(self) -> None:
        self.start_ns = 0
        self.end_ns = 0
        self.workers: dict[str, WorkerTelemetry] = {}
        self.rig: RigState | None = None
        self.solved: RigState | None = None
        self.pose: Pose3D | None = None
        self.ages_ns = array("q")
        self.modes: list[tuple[str, float]] = []
        self.tracked = 0
        self.streams: Streams | None = None
        self._indices = Counter()
        self._first_pose = self._last_pose = (0, 0)  # poses until then, and when
        self._first_ns = 0  # the first pose's own instant

    def take(self, message: Message) -> None:
        """Notes one message."""
        if isinstance(message, Health):
            self._take_health(message)
        elif isinstance(message, RigState):
            self.rig = message
            if message.mode == "solved":
                self.solved = message
        elif isinstance(message, Pose3D):
            self._take_pose(message)
        elif isinstance(message, Streams):
            self.streams = message

    @property
    def poses(self) -> int:
        """Poses made, including those that a busy terminal missed."""
        fusion = self.workers.get(FUSION)
        return max(self._indices.total, fusion.frames.total if fusion else 0)

    @property
    def pose_rate_hz(self) -> float:
        """Poses per second between the first and the last heard; 0 with fewer than two."""
        (count, instant_ns), (last_count, last_ns) = self._first_pose, self._last_pose
        return (last_count - count) / (last_ns - instant_ns) * 1e9 if last_ns > instant_ns else 0.0

    @property
    def seen(self) -> bool:
        """Whether anybody was ever seen in any camera."""
        return self.tracked > 0 or any(
            camera.agreement is not None for camera in (self.rig.cameras if self.rig else ())
        )

    @property
    def refused(self) -> int:
        """Connections of programs that are not part of this rig, turned away by all workers together."""
        return sum(heard.refused.total for heard in self.workers.values())

    def camera(self, name: str) -> CameraState | None:
        """Returns what the rig knows about a camera, None if nothing yet."""
        return next((camera for camera in self.rig.cameras if camera.name == name), None) if self.rig else None

    def _take_health(self, health: Health) -> None:
        now = time.monotonic_ns()
        if health.worker not in self.workers:
            self.workers[health.worker] = WorkerTelemetry(health, now, health.t_ns)
        heard = self.workers[health.worker]
        before = heard.frames.total
        heard.health, heard.at_ns = health, now
        heard.frames.take(health.frames)
        heard.dropped.take(health.dropped)
        heard.refused.take(health.refused)
        if heard.frames.total > before:
            heard.busy_until_ns = health.t_ns

    def _take_pose(self, pose: Pose3D) -> None:
        self._indices.take(pose.index + 1)
        if not self.end_ns:  # what is read when all has stopped arrived earlier, nobody knows when
            self._last_pose = (self._indices.total, time.monotonic_ns())
        if not self.pose:
            self._first_pose, self._first_ns = self._last_pose, pose.t_ns
        self.pose = pose
        self.ages_ns.append(pose.age_ns)
        self.tracked += pose.tracking > 0
        if not self.modes or self.modes[-1][0] != pose.mode:
            self.modes.append((pose.mode, (pose.t_ns - self._first_ns) / 1e9))
