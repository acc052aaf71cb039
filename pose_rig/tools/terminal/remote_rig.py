"""A running rig as it is heard from outside, and why an avatar does not move."""

from pose_rig.tools.terminal.decoded_stream import fault_lines, last_vmc
from pose_rig.wire.messages import Health, Message, Pose3D, RigState, Streams, Target
from pose_rig.wire.services import REPORT_STALE_S, RESERVED_NAMES, STREAMS

MOST_WORKERS = 64
ALL_WELL = "All is sent: look at the receiver (docs/engines.md)."


class RemoteRig:
    """Keeps the newest of what a rig says.

    Args:
        port: Where it publishes.
        now_ns: Monotonic clock.

    Attributes:
        port: As given.
        workers: What each worker said of itself, and when (ns, monotonic).
        rig: The cameras as the rig knows them.
        pose: The newest pose.
        streams: What is sent where.
    """

    def __init__(self, port: int, now_ns: int) -> None:
        self.port = port
        self.workers: dict[str, tuple[Health, int]] = {}
        self.rig: RigState | None = None
        self.pose: Pose3D | None = None
        self.streams: Streams | None = None
        self._began_ns = now_ns
        self._heard_ns = self._first_ns = self._pose_ns = self._streams_ns = 0

    def take(self, message: Message, now_ns: int) -> None:
        """Takes a message that has just come."""
        if isinstance(message, Streams):
            self.streams, self._streams_ns = message, now_ns
            return
        if isinstance(message, Health):
            if message.worker in self.workers or len(self.workers) < MOST_WORKERS:
                self.workers[message.worker] = (message, now_ns)
            if message.worker == STREAMS:
                return
        elif isinstance(message, Pose3D):
            self.pose, self._pose_ns = message, now_ns
        elif isinstance(message, RigState):
            self.rig = message
        self._first_ns = self._first_ns or now_ns
        self._heard_ns = now_ns

    def cameras(self) -> list[tuple[Health, int]]:
        """Returns what cameras said of themselves, and when, by their names."""
        return [said for name, said in sorted(self.workers.items()) if name not in RESERVED_NAMES]

    def verdict(self, now_ns: int) -> list[str]:
        """Returns why an avatar may not move, what matters most first; or that it is not for want of what is sent."""
        if not self._heard_ns:
            if now_ns - self._began_ns < REPORT_STALE_S * 1e9:
                return [f"Listening to port {self.port}."]
            return [
                f"No rig is running on port {self.port}: start one with `pose-rig run --cams 0,1,2 --vmc 127.0.0.1`."
            ]
        if now_ns - self._heard_ns > REPORT_STALE_S * 1e9:
            return [
                f"The rig on port {self.port} has said nothing for {_s(now_ns, self._heard_ns)}: it ended, or hangs."
            ]
        return [*self._of_pose(now_ns), *self._of_streams(now_ns)] or [ALL_WELL]

    def _of_pose(self, now_ns: int) -> list[str]:
        cameras = self.cameras()
        if cameras and all(health.state != "running" for health, _ in cameras):
            errors = " ".join(f"{health.worker}: {health.error}" for health, _ in cameras if health.error)
            return [f"No camera is running. {errors}".rstrip()]
        if self.pose is None:
            return ["The rig has made no pose yet: it is starting."]
        if now_ns - self._pose_ns > REPORT_STALE_S * 1e9:
            return [f"The rig has made no pose for {_s(now_ns, self._pose_ns)}."]
        if not self.pose.tracking:
            return ["The rig sees nobody: the avatar rests until somebody stands in the picture."]
        return []

    def _of_streams(self, now_ns: int) -> list[str]:
        if self.streams is None:
            if now_ns - self._first_ns < REPORT_STALE_S * 1e9:
                return ["Waiting to hear what is sent to engines."]
            return ["Nothing is sent to engines: add --vmc 127.0.0.1 to `pose-rig run`."]
        if now_ns - self._streams_ns > REPORT_STALE_S * 1e9:
            silent = _s(now_ns, self._streams_ns)
            return [
                f"What feeds engines has said nothing for {silent}: the rig starts it again, or was not given --vmc."
            ]
        return [text for target in self.streams.targets for text in _of_target(target)]


def _of_target(target: Target) -> list[str]:
    name = f"{target.kind} {target.address}"
    if target.clients == 0:
        return [f"Nobody is connected to ws://{target.address}. {target.error}".rstrip()]
    if target.error:
        return [f"Sent to {name}, but: {target.error} Is the receiver running there, on that port?"]
    if not target.rate_hz:
        return [f"Nothing goes to {name} at present."]
    if target.kind == "vmc":
        return [f"{name}: {line}" for line in fault_lines(last_vmc(target))]
    return []


def _s(now_ns: int, then_ns: int) -> str:
    return f"{(now_ns - then_ns) / 1e9:.0f} s"
