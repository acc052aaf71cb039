"""A running rig as received from its ports, and a diagnosis of why an avatar does not move."""

from collections.abc import Sequence

from pose_rig.tools.terminal.decoded_stream import fault_lines, last_vmc
from pose_rig.wire.messages import Health, Message, Pose3D, RigState, Streams, Target
from pose_rig.wire.services import REPORT_STALE_S, RESERVED_NAMES, STREAMS
from pose_rig.wire.tracked_people import TrackedPeople

MAX_WORKERS = 64
ALL_SENT = "Everything is sent: check the receiver (docs/engines.md)."


class RemoteRig:
    """Keeps the newest messages of a rig.

    Args:
        port: The port that it publishes on.
        now_ns: Monotonic clock.

    Attributes:
        port: As given.
        workers: The newest report of each worker, and when it was received (ns, monotonic).
        rig: The newest state of the rig.
        pose: The newest pose; of several people that of the first.
        people: The newest pose of each.
        streams: The newest report on the streams to engines.
    """

    def __init__(self, port: int, now_ns: int) -> None:
        self.port = port
        self.workers: dict[str, tuple[Health, int]] = {}
        self.rig: RigState | None = None
        self.pose: Pose3D | None = None
        self.people = TrackedPeople()
        self.streams: Streams | None = None
        self._start_ns = now_ns
        self._first_ns = self._newest_ns = self._pose_ns = self._streams_ns = 0

    def update(self, message: Message, now_ns: int) -> None:
        """Takes a message that was received now."""
        if isinstance(message, Streams):
            self.streams, self._streams_ns = message, now_ns
            return
        if isinstance(message, Health):
            if message.worker in self.workers or len(self.workers) < MAX_WORKERS:
                self.workers[message.worker] = (message, now_ns)
            if message.worker == STREAMS:
                return
        elif isinstance(message, Pose3D):
            if self.people.update(message):
                self.pose, self._pose_ns = message, now_ns
        elif isinstance(message, RigState):
            self.rig = message
        self._first_ns = self._first_ns or now_ns
        self._newest_ns = now_ns

    def cameras(self) -> list[tuple[Health, int]]:
        """Returns the newest report of each camera and when it was received, ordered by name."""
        return [report for name, report in sorted(self.workers.items()) if name not in RESERVED_NAMES]

    def diagnosis(self, now_ns: int) -> list[str]:
        """Returns the reasons why an avatar may not move, most important first; `ALL_SENT` if there are none."""
        if not self._newest_ns:
            if not _stale(self._start_ns, now_ns):
                return [f"Listening to port {self.port}."]
            return [
                f"No rig is running on port {self.port}: start one with `pose-rig run --cams 0,1,2 --vmc 127.0.0.1`."
            ]
        if _stale(self._newest_ns, now_ns):
            since = _seconds(self._newest_ns, now_ns)
            return [f"No message from the rig on port {self.port} for {since}: it ended or hangs."]
        return [*self._pose_problems(now_ns), *self._stream_problems(now_ns)] or [ALL_SENT]

    def _pose_problems(self, now_ns: int) -> list[str]:
        cameras = self.cameras()
        if cameras and all(health.state != "running" for health, _ in cameras):
            errors = " ".join(f"{health.worker}: {health.error}" for health, _ in cameras if health.error)
            return [f"No camera is running. {errors}".rstrip()]
        if self.pose is None:
            return ["The rig has published no pose yet: it is starting."]
        if _stale(self._pose_ns, now_ns):
            return [f"The rig has published no pose for {_seconds(self._pose_ns, now_ns)}."]
        if not self.people.count:
            return ["No person is detected: the avatar keeps its rest pose until a person is in the images."]
        return []

    def _stream_problems(self, now_ns: int) -> list[str]:
        if self.streams is None:
            if not _stale(self._first_ns, now_ns):
                return ["Waiting for a report on what is sent to engines."]
            return ["Nothing is sent to engines: add --vmc 127.0.0.1 to `pose-rig run`."]
        if _stale(self._streams_ns, now_ns):
            since = _seconds(self._streams_ns, now_ns)
            return [f"No report from the streams worker for {since}: it is being restarted, or the rig has no --vmc."]
        people = [pose.person for pose in self.people.present if pose.tracking]
        return [text for target in self.streams.targets for text in _target_problems(target, people)]


def _target_problems(target: Target, people: Sequence[int]) -> list[str]:
    name = f"{target.kind} {target.address}"
    number = target.profile.partition("@")[2]
    if number.isdecimal() and int(number) - 1 not in people:
        return [f"Person {number} is not tracked: {name} gets the rest pose until then."]
    if target.clients == 0:
        return [f"No client is connected to ws://{target.address}. {target.error}".rstrip()]
    if target.error:
        return [f"Sent to {name}, but: {target.error} Is the receiver running there, on that port?"]
    if not target.rate_hz:
        return [f"Nothing is sent to {name} at present."]
    if target.kind == "vmc":
        return [f"{name}: {line}" for line in fault_lines(last_vmc(target))]
    return []


def _stale(then_ns: int, now_ns: int) -> bool:
    return now_ns - then_ns >= REPORT_STALE_S * 1e9


def _seconds(then_ns: int, now_ns: int) -> str:
    return f"{(now_ns - then_ns) / 1e9:.0f} s"
