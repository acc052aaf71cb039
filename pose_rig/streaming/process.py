"""The process that feeds engines: poses in, datagrams and WebSocket frames out."""

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from statistics import median

from pose_rig.config import StreamConfig
from pose_rig.streaming.live_pose import LivePose
from pose_rig.streaming.outputs import Output, open_outputs
from pose_rig.streaming.pace import Pace
from pose_rig.streaming.performer import Performer
from pose_rig.wire.bus import Receiver, Sender, bind_publisher
from pose_rig.wire.jobs import StreamJob
from pose_rig.wire.messages import Message, Pose3D, Refined2D, RigState, Streams
from pose_rig.wire.meter import Meter
from pose_rig.wire.services import REFINED_STALE_S, STREAMS, STREAMS_REPORT_S
from pose_rig.wire.stop import Stop

PATIENCE_MS = 50  # between looks at whether to stop
FAREWELL_MS = 200  # for the last report to leave


def main(job: StreamJob, stop: Stop) -> None:
    """Sends the person to every target until it is stopped.

    Args:
        job: What goes where.
        stop: Asks the process to end.

    Raises:
        UsageError: A target cannot be had: an unknown host, a port that is taken, an avatar that cannot be read.
    """
    with ExitStack() as stack:
        outputs = [stack.enter_context(closing(output)) for output in open_outputs(job.stream)]
        topics = (Pose3D.TOPIC, RigState.TOPIC, *([Refined2D.TOPIC] if job.stream.websocket else []))
        receiver = stack.enter_context(Receiver(job.input, keys=job.keys, topics=topics))
        sender = stack.enter_context(bind_publisher(job.output, job.inside, job.keys))
        feeder = Feeder(job, outputs, sender)
        while not stop.is_set():
            feeder.hear(receiver.receive(feeder.patience_ms()))
            feeder.go_on()
        feeder.say_goodbye()
        sender.close(linger_ms=FAREWELL_MS)


class Feeder:
    """Takes what the rig says, and sends when it is time to.

    Args:
        job: What goes where.
        outputs: The targets.
        sender: Where it says how it is doing.
    """

    def __init__(self, job: StreamJob, outputs: Sequence[Output], sender: Sender) -> None:
        stream: StreamConfig = job.stream
        self._performer = Performer(stream.lead, foot_lock=stream.foot_lock)
        self._pace = Pace(stream.rate_hz)
        self._outputs, self._sender = outputs, sender
        self._meter = Meter(STREAMS, job.restarts)
        self._cameras: dict[str, tuple[int, int]] = {}
        self._refined: dict[str, Refined2D] = {}
        self._came_ns = 0
        self._reported_ns = 0
        self._leads_ms: list[float] = []

    def hear(self, messages: Sequence[Message]) -> None:
        """Takes messages of the rig."""
        now_ns = time.monotonic_ns()
        for message in messages:
            if isinstance(message, Pose3D):
                self._meter.count_received(message.index)
                self._performer.take(message, now_ns)
                self._came_ns = now_ns
            elif isinstance(message, Refined2D):
                self._refined[message.camera] = message
            elif isinstance(message, RigState):
                self._cameras = {camera.name: camera.size_px for camera in message.cameras if camera.size_px}

    def patience_ms(self) -> int:
        """Returns how long to wait for the rig."""
        wait_s = self._pace.wait_s(time.monotonic_ns(), new=self._performer.has_new)
        return min(math.ceil(wait_s * 1e3), PATIENCE_MS)

    def go_on(self) -> None:
        """Sends if it is time to, and reports once a second."""
        now_ns, new = time.monotonic_ns(), self._performer.has_new
        if self._pace.ready(now_ns, new=new):
            self._pace.sent(now_ns, new=new)
            self._send(now_ns)
        if now_ns - self._reported_ns >= STREAMS_REPORT_S * 1e9:
            self._reported_ns = now_ns
            self._report(now_ns)

    def say_goodbye(self) -> None:
        """Sends the last pose as one in which nobody is seen, lest an avatar waits for the next."""
        now_ns = time.monotonic_ns()
        pose = replace(self._performer.at(now_ns), tracking=0)
        for output in self._outputs:
            output.send(pose, now_ns)
        self._report(now_ns)

    def _send(self, now_ns: int) -> None:
        pose = self._complete(self._performer.at(now_ns))
        played_ns = time.monotonic_ns()
        for output in self._outputs:
            output.send(pose, now_ns)
        sent_ns = time.monotonic_ns()
        stages = {
            "wait": (now_ns - self._came_ns) * 1e-6 if self._came_ns else 0.0,
            "solve": (played_ns - now_ns) * 1e-6,
            "send": (sent_ns - played_ns) * 1e-6,
        }
        self._meter.count_sent(pose.age_ms + stages["solve"] + stages["send"], stages)
        self._leads_ms.append(pose.lead_ms)

    def _complete(self, pose: LivePose) -> LivePose:
        """Returns a pose with what the cameras see."""
        if not self._refined:
            return replace(pose, cameras=self._cameras)
        fresh = {name: view for name, view in self._refined.items() if pose.t_ns - view.t_ns < REFINED_STALE_S * 1e9}
        return replace(pose, cameras=self._cameras, refined=fresh)

    def _report(self, now_ns: int) -> None:
        targets = tuple(target for output in self._outputs for target in output.targets())
        lead_ms = median(self._leads_ms) if self._leads_ms else 0.0
        self._leads_ms.clear()
        errors = [target.error for target in targets if target.error]
        self._meter.refused = self._sender.refused
        self._meter.detail = ", ".join(f"{target.kind} {target.address}" for target in targets)
        self._sender.send(self._meter.health("running", errors[0] if errors else ""))
        self._sender.send(Streams(t_ns=now_ns, targets=targets, lead_ms=lead_ms))
