"""The streaming process: receives poses, sends datagrams and WebSocket frames to engines."""

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from statistics import median

from pose_rig.streaming.live_people import LivePeople
from pose_rig.streaming.live_pose import LivePose
from pose_rig.streaming.outputs import Output, open_outputs, targeted_people
from pose_rig.streaming.send_timer import SendTimer
from pose_rig.wire.bus import Receiver, Sender, bind_publisher
from pose_rig.wire.jobs import Stop, StreamJob
from pose_rig.wire.messages import Message, Pose3D, Refined2D, RigState, Streams
from pose_rig.wire.meter import Meter
from pose_rig.wire.services import REFINED_STALE_S, STREAMS, STREAMS_REPORT_S
from pose_rig.wire.tracked_people import FIRST

MAX_WAIT_MS = 50  # between checks of the stop flag
LINGER_MS = 200  # for the last report to be sent


def main(job: StreamJob, stop: Stop) -> None:
    """Sends the people to every target until it is stopped.

    Args:
        job: Inputs and outputs of the process.
        stop: Stop flag.

    Raises:
        UsageError: A target cannot be opened: unknown host, port in use, unreadable avatar.
    """
    with ExitStack() as stack:
        outputs = [stack.enter_context(closing(output)) for output in open_outputs(job.stream, job.token)]
        topics = (Pose3D.TOPIC, RigState.TOPIC, *([Refined2D.TOPIC] if job.stream.websocket else []))
        receiver = stack.enter_context(Receiver(job.input, keys=job.keys, topics=topics))
        sender = stack.enter_context(bind_publisher(job.output, job.internal, job.keys))
        loop = StreamLoop(job, outputs, sender)
        while not stop.is_set():
            loop.add(receiver.receive(loop.wait_ms()))
            loop.tick()
        loop.send_not_tracking()
        sender.close(linger_ms=LINGER_MS)


class StreamLoop:
    """Collects messages of the rig and sends a frame when it is due.

    Args:
        job: Inputs and outputs of the process.
        outputs: The targets.
        sender: Publisher of health and counters.
    """

    def __init__(self, job: StreamJob, outputs: Sequence[Output], sender: Sender) -> None:
        self._people = LivePeople(
            job.stream.lead,
            foot_lock=job.stream.foot_lock,
            targeted=targeted_people(job.stream),
            all_people=job.people > 1 and bool(job.stream.json or job.stream.websocket),
        )
        self._timer = SendTimer(job.stream.rate_hz)
        self._outputs, self._sender = outputs, sender
        self._meter = Meter(STREAMS, job.restarts)
        self._cameras: dict[str, tuple[int, int]] = {}
        self._refined: dict[tuple[str, int], Refined2D] = {}  # by camera and person
        self._received_ns = 0
        self._received_index = -1
        self._reported_ns = 0
        self._leads_ms: list[float] = []

    def add(self, messages: Sequence[Message]) -> None:
        """Adds received messages."""
        now_ns = time.monotonic_ns()
        for message in messages:
            if isinstance(message, Pose3D):
                if message.index != self._received_index:  # several people have one index
                    self._received_index = message.index
                    self._meter.count_received(message.index)
                self._people.add(message, now_ns)
                self._received_ns = now_ns
            elif isinstance(message, Refined2D):
                self._refined[message.camera, message.person] = message
            elif isinstance(message, RigState):
                self._cameras = {camera.name: camera.size_px for camera in message.cameras if camera.size_px}

    def wait_ms(self) -> int:
        """Returns how long to wait for messages."""
        wait_s = self._timer.wait_s(time.monotonic_ns(), new=self._people.has_new)
        return min(math.ceil(wait_s * 1e3), MAX_WAIT_MS)

    def tick(self) -> None:
        """Sends a frame if one is due, and reports once a second."""
        now_ns, new = time.monotonic_ns(), self._people.has_new
        if self._timer.ready(now_ns, new=new):
            self._timer.sent(now_ns, new=new)
            self._send(now_ns)
        if now_ns - self._reported_ns >= STREAMS_REPORT_S * 1e9:
            self._reported_ns = now_ns
            self._report(now_ns)

    def send_not_tracking(self) -> None:
        """Sends the last poses with ``tracking`` 0, so that receivers do not wait for the next."""
        now_ns = time.monotonic_ns()
        poses = self._people.poses_at(now_ns).changed(lambda pose: replace(pose, tracking=0))
        for output in self._outputs:
            output.send(poses.of(output.person), now_ns)
        self._report(now_ns)

    def _send(self, now_ns: int) -> None:
        poses = self._people.poses_at(now_ns).changed(self._with_cameras)
        pose, retargeted_ns = poses.first, time.monotonic_ns()
        for output in self._outputs:
            output.send(poses.of(output.person), now_ns)
        sent_ns = time.monotonic_ns()
        stages = {
            "wait": (now_ns - self._received_ns) * 1e-6 if self._received_ns else 0.0,
            "solve": (retargeted_ns - now_ns) * 1e-6,
            "send": (sent_ns - retargeted_ns) * 1e-6,
        }
        self._meter.count_sent(pose.age_ms + stages["solve"] + stages["send"], stages)
        self._leads_ms.append(pose.lead_ms)

    def _with_cameras(self, pose: LivePose) -> LivePose:
        """Returns a pose with camera sizes and current 2D poses."""
        max_age_ns = REFINED_STALE_S * 1e9  # an older 2D pose is of a camera that lost the person
        refined = {
            name: view
            for (name, person), view in self._refined.items()
            if person == pose.person and pose.t_ns - view.t_ns < max_age_ns
        }
        return replace(pose, cameras=self._cameras, refined=refined)

    def _report(self, now_ns: int) -> None:
        targets = tuple(target for output in self._outputs for target in output.targets())
        lead_ms = median(self._leads_ms) if self._leads_ms else 0.0
        self._leads_ms.clear()
        errors = [target.error for target in targets if target.error]
        self._refined = {key: view for key, view in self._refined.items() if key[1] in (FIRST, *self._people.present)}
        self._meter.refused = self._sender.refused
        self._meter.detail = ", ".join(f"{target.kind} {target.address}" for target in targets)
        self._sender.send(self._meter.health("running", errors[0] if errors else ""))
        self._sender.send(Streams(t_ns=now_ns, targets=targets, lead_ms=lead_ms))
