"""The worker that receives from cameras of other machines and passes on what they send, as if they were of this one.

It is a process of its own, so that nothing that arrives from the network can delay a pose.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import structs

from pose_rig.wire.bus import OnDemandSender, Sender
from pose_rig.wire.jobs import GatewayJob, Start, Stop
from pose_rig.wire.live_images import Thumbnail
from pose_rig.wire.messages import Health, Keypoints2D, Message
from pose_rig.wire.meter import Meter
from pose_rig.wire.records import Gap, VideoFrame
from pose_rig.wire.remote_messages import TimeReply, TimeRequest
from pose_rig.wire.router import SESSION_BYTES, Router, wait
from pose_rig.wire.services import GATEWAY, GATEWAY_REPORT_S

WAIT_MS = 100
LOST_AFTER_S = 2.0  # without a message
VIDEO_HWM = 32  # images; a recorder that is behind by more loses them
MAX_SESSIONS = 1024  # that are kept: a process that is not the newest of its camera is refused
LINGER_MS = 200
REFUSED = "A program without the key of this machine tried to connect and was refused."
RECORDER_BEHIND = "The recorder did not receive an image."


@dataclass(slots=True)
class RemoteCamera:
    """A camera of another machine.

    Attributes:
        name: Its name in the rig.
        session: Of the process that sends it; empty until one does.
        received_s: When its last message was received.
        health: Its newest report.
        reported_s: When a report was passed on or made here.
        needs_keyframe: Whether the recorder lacks an image before which its video cannot be decoded.
    """

    name: str
    session: bytes = b""
    received_s: float = 0.0
    health: Health | None = None
    reported_s: float = 0.0
    needs_keyframe: bool = False

    def is_lost(self, now_s: float) -> bool:
        """Returns whether nothing has been received for a while."""
        return now_s - self.received_s > LOST_AFTER_S


def main(job: GatewayJob, stop: Stop, start_ns: Start) -> None:
    """Receives until it is stopped.

    Raises:
        UsageError: An endpoint is taken.
    """
    with (
        Router(job.endpoint, job.remote_keys) as router,
        Sender(job.input, keys=job.keys) as fusion,
        Sender(job.output, bind=True, keys=job.keys) as output,
    ):
        recorder = Sender(job.video, "lossless", keys=job.keys, send_hwm=VIDEO_HWM) if job.video else None
        pages = OnDemandSender(job.thumbnails, job.keys) if job.thumbnails else None
        try:
            Gateway(job, router, fusion, output, recorder, pages, start_ns).run(stop)
        finally:
            for sender in (recorder, pages):
                if sender is not None:
                    sender.close(linger_ms=LINGER_MS)


class Gateway:
    """What the worker does.

    Args:
        job: Cameras and endpoints.
        router: Receives from the cameras.
        fusion: Sends to the fusion process.
        output: Publishes the health of this worker.
        recorder: Sends to the recorder; None = the video is not recorded.
        pages: Sends to the web worker; None = there is none.
        start_ns: When files start, rig clock.
    """

    def __init__(
        self,
        job: GatewayJob,
        router: Router,
        fusion: Sender,
        output: Sender,
        recorder: Sender | None,
        pages: OnDemandSender | None,
        start_ns: Start,
    ) -> None:
        self._appearance = job.appearance
        self._cameras = {name: RemoteCamera(name) for name in job.cameras}
        self._by_session: dict[bytes, RemoteCamera] = {}
        self._router, self._fusion, self._output, self._recorder = router, fusion, output, recorder
        self._pages, self._start_ns = pages, start_ns
        self._meter = Meter(GATEWAY, job.restarts)
        self._meter.detail = f"cameras of other machines connect to {router.endpoint}"
        self._reported_s = 0.0

    def run(self, stop: Stop) -> None:
        """Passes messages on until it is stopped."""
        while not stop.is_set():
            wait([self._router], WAIT_MS)
            for session, message, data in self._router.receive():
                if isinstance(message, TimeRequest):
                    self._answer(session, message, time.monotonic_ns())
                else:
                    self._pass_on(session, message, data)
            self._report()

    def _answer(self, session: bytes, request: TimeRequest, received_ns: int) -> None:
        refusal = self._refusal(session, request)
        reply = TimeReply(
            sent_ns=request.sent_ns,
            received_ns=received_ns,
            answered_ns=time.monotonic_ns(),
            start_ns=self._start_ns.value,
            video=self._recorder is not None,
            thumbnails=self._pages is not None and self._pages.wanted,
            appearance=self._appearance,
            refusal=refusal,
        )
        self._router.send(session, reply)

    def _refusal(self, session: bytes, request: TimeRequest) -> str:
        """Returns why a camera is not taken; empty if it is, which makes its session that of the camera."""
        camera = self._cameras.get(request.camera)
        if camera is None:
            return f"This rig has no remote camera {request.camera}. {_expected(list(self._cameras))}"
        if camera.session != session:
            if session in self._by_session and not camera.is_lost(time.monotonic()):
                return f"Another machine sends as {camera.name} now. Give every camera a name of its own with --name."
            camera.session = session
            self._by_session[session] = camera
            if len(self._by_session) > MAX_SESSIONS:
                del self._by_session[next(iter(self._by_session))]
        camera.received_s = time.monotonic()
        return ""

    def _pass_on(self, session: bytes, message: Message, data: bytes) -> None:
        """Sends a message of a camera to the worker that it is for; others are counted."""
        session = session[:SESSION_BYTES]
        camera = self._by_session.get(session)
        name = getattr(message, {Health: "worker", Gap: "source"}.get(type(message), "camera"), "")
        if camera is None or camera.session != session or name != camera.name:
            self._meter.count_dropped(f"{message.topic} is not of a camera that has joined.")
            return
        camera.received_s = time.monotonic()
        if isinstance(message, Keypoints2D):
            self._fusion.send_bytes(data)
        elif isinstance(message, Health):
            camera.health, camera.reported_s = message, camera.received_s
            self._fusion.send_bytes(data)
        elif isinstance(message, VideoFrame | Gap):
            self._record(camera, message, data)
        elif isinstance(message, Thumbnail):
            if self._pages is not None:
                self._pages.send(message)
        else:
            self._meter.count_dropped(f"{message.topic} is not a message of a camera.")

    def _record(self, camera: RemoteCamera, message: VideoFrame | Gap, data: bytes) -> None:
        """Sends an image to the recorder; after one that was dropped, those that need it are dropped too."""
        if isinstance(message, VideoFrame) and camera.needs_keyframe and not message.keyframe:
            self._meter.count_dropped(RECORDER_BEHIND)
            return
        sent = self._recorder is not None and self._recorder.send_bytes(data, timeout_ms=0)
        if isinstance(message, VideoFrame):
            camera.needs_keyframe = not sent
        if not sent:
            self._meter.count_dropped(RECORDER_BEHIND)

    def _report(self) -> None:
        now_s = time.monotonic()
        for camera in self._cameras.values():
            if camera.is_lost(now_s) and now_s - camera.reported_s > GATEWAY_REPORT_S:
                camera.reported_s = now_s
                if (health := _absent(camera)) is not None:
                    self._fusion.send(health)
        if now_s - self._reported_s > GATEWAY_REPORT_S:
            self._reported_s = now_s
            fault = REFUSED if self._router.refused > self._meter.refused else ""
            self._meter.refused = self._router.refused
            if fault or self._router.last_error:
                self._meter.set_fault(fault or self._router.last_error)
                self._router.last_error = ""
            self._output.send(self._meter.health("running", dropped=self._router.bad))


def _absent(camera: RemoteCamera) -> Health | None:
    """Returns the report of a camera that does not send; None if it has ended."""
    if camera.health is None:
        return Health(
            worker=camera.name,
            t_ns=time.monotonic_ns(),
            state="starting",
            detail=f"waiting for its machine: pose-rig camera --name {camera.name}",
        )
    if camera.health.state == "ended":
        return None
    return structs.replace(
        camera.health,
        t_ns=time.monotonic_ns(),
        state="starting",
        rate_hz=0.0,
        error=f"No message from its machine {camera.health.host}: waiting for it.",
    )


def _expected(names: Sequence[str]) -> str:
    return f"Start with --name {' or '.join(names)}, or run the rig with remote:NAME in --cams."
