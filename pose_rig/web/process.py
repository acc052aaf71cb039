"""The web worker: a live page for browsers, and phones as cameras."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
from aiohttp import web

from pose_rig.errors import MessageError
from pose_rig.web.camera_views import CameraViews, thumbnail_bytes
from pose_rig.web.certificate import load_root
from pose_rig.web.live_state import LiveState
from pose_rig.web.message_thread import MessageThread
from pose_rig.web.phone_places import PhonePlaces
from pose_rig.web.phones import Phones
from pose_rig.web.pose_stream import PoseStream
from pose_rig.web.server import PageServer
from pose_rig.web.watchers import CommandRequest, Watchers
from pose_rig.wire.bus import Receiver, Sender
from pose_rig.wire.jobs import Stop, WebJob
from pose_rig.wire.live_images import Thumbnail
from pose_rig.wire.messages import Command, Health, Message, Pose3D, Refined2D, RigState
from pose_rig.wire.meter import Meter
from pose_rig.wire.services import WEB, WEB_REPORT_S
from pose_rig.wire.tokens import Access

TICK_S = 0.1  # the stop event is checked at least this often
RIG_INTERVAL_S, STATUS_INTERVAL_S = 0.25, 1.0
LINGER_MS = 200
ALWAYS = (RigState.TOPIC, Health.TOPIC)  # without a page open, nothing else is received


def main(job: WebJob, stop: Stop) -> None:
    """Serves pages and phones until it is stopped.

    Args:
        job: Addresses, tokens and endpoints.
        stop: Stop flag; the worker ends within 0.5 s.

    Raises:
        UsageError: The port is in use.
        PoseRigError: The certificate cannot be saved.
    """
    asyncio.run(_serve(job, stop))


async def _serve(job: WebJob, stop: Stop) -> None:
    async with AsyncExitStack() as stack:
        sender = stack.enter_context(Sender(job.output, bind=True, keys=job.keys))
        images = stack.enter_context(Sender(job.phones, bind=True, keys=job.keys))
        worker = WebWorker(job, sender, images)
        stack.push_async_callback(worker.close)
        worker.start()
        while not stop.is_set():
            worker.tick()
            await asyncio.sleep(TICK_S)


class WebWorker:
    """Connects the server, the pages, and the messages of the other workers; runs in one event loop.

    Args:
        job: As of `main`.
        sender: Publisher of health and commands.
        images: Publisher of the images of phones.
    """

    def __init__(self, job: WebJob, sender: Sender, images: Sender) -> None:
        self._job, self._sender = job, sender
        self._meter = Meter(WEB, job.restarts)
        self._state = LiveState(job.config, live=job.live, recorded=job.recorded)
        self._sizes_px: dict[str, tuple[int, int]] = {}
        self._poses: PoseStream | None = None
        self._pose_timer: asyncio.TimerHandle | None = None
        self._watchers = Watchers(job, run_command=self._run_command, changed=self._subscribe)
        folder = Path(job.folder)
        self._server = PageServer(job, load_root(folder), self._serve_socket)
        self._views = CameraViews(self._sizes_px, job.config.people)
        phones = job.config.phone_cameras
        places = PhonePlaces([camera.name for camera in phones], folder)
        self._phones = Phones(phones, places, self._state, images.send)
        self._sent_rig_s = self._sent_status_s = self._reported_s = 0.0
        self._threads: list[MessageThread] = []

    def start(self) -> None:
        """Starts to listen.

        Raises:
            UsageError: The port is in use.
        """
        loop = asyncio.get_running_loop()
        first, *others = self._job.inputs
        receiver = Receiver(first, keys=self._job.keys, topics=())
        for endpoint in others:
            receiver.connect(endpoint)
        self._reports = MessageThread(receiver, loop, self._take, ALWAYS)
        thumbnails = Receiver(self._job.thumbnails, bind=True, keys=self._job.keys, topics=())
        self._thumbnails = MessageThread(thumbnails, loop, self._take_thumbnails, ())
        self._threads += [self._reports, self._thumbnails]
        self._server.listen()

    async def close(self) -> None:
        """Ends all connections and threads."""
        if self._pose_timer is not None:
            self._pose_timer.cancel()
        await asyncio.gather(self._phones.close(), self._watchers.close())
        await self._server.close()
        for thread in self._threads:
            thread.close()
        self._sender.close(linger_ms=LINGER_MS)

    def tick(self) -> None:
        """Sends what is due apart from poses; called every `TICK_S`."""
        now_s = time.monotonic()
        for line in self._state.take_events():
            self._watchers.add_event(line)
        self._phones.tick()
        if self._watchers.shows_cameras:
            for name, keypoints in self._views.take():
                self._watchers.put(("keypoints", name), keypoints, cameras=True)
        if len(self._watchers) and now_s - self._sent_rig_s >= RIG_INTERVAL_S and (rig := self._state.rig_text()):
            self._sent_rig_s = now_s
            self._watchers.put("rig", rig)
        if len(self._watchers) and now_s - self._sent_status_s >= STATUS_INTERVAL_S:
            self._sent_status_s = now_s
            self._watchers.put("status", self._state.status_text(self._phones.status_fields()))
        if now_s - self._reported_s >= WEB_REPORT_S:
            self._reported_s = now_s
            self._report()

    async def _serve_socket(self, request: web.BaseRequest, access: Access) -> web.StreamResponse:
        if access == "camera":
            return await self._phones.serve(request)
        return await self._watchers.serve(request, access)

    def _subscribe(self) -> None:
        """Receives what the open pages show."""
        watched = len(self._watchers) > 0
        self._sent_rig_s = self._sent_status_s = 0.0  # at once for a page that was just opened
        shown = self._watchers.shows_cameras
        poses = (Pose3D.TOPIC,) if watched else ()
        self._reports.set_topics((*ALWAYS, *poses, *((Refined2D.TOPIC,) if shown else ())))
        self._thumbnails.set_topics((Thumbnail.TOPIC,) if shown else ())
        if not watched:
            self._poses = None
        elif self._poses is None:
            self._poses = PoseStream(self._job.config.stream, self._sizes_px, self._job.config.people)

    def _take(self, messages: Sequence[Message]) -> None:
        """Takes messages of other workers."""
        for message in messages:
            if isinstance(message, Refined2D):
                self._views.add(message)
                continue
            self._state.add(message)
            if isinstance(message, Pose3D) and self._poses is not None:
                self._poses.add(message)
            elif isinstance(message, RigState):
                self._sizes_px.update({camera.name: camera.size_px for camera in message.cameras if camera.size_px})
        self._send_pose()

    def _take_thumbnails(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if isinstance(message, Thumbnail):
                self._views.add(message)
                if message.jpeg:
                    data = thumbnail_bytes(message)
                    self._watchers.put(("thumbnail", message.camera), data, cameras=True)

    def _send_pose(self) -> None:
        """Sends a pose if one is due, and sees to it that the next one is sent."""
        if self._pose_timer is not None:
            self._pose_timer.cancel()
            self._pose_timer = None
        if self._poses is None:
            return
        if (due := self._poses.due()) is not None:
            self._watchers.put_pose(*due)
        self._pose_timer = asyncio.get_running_loop().call_later(self._poses.wait_s(), self._send_pose)

    def _run_command(self, request: CommandRequest) -> str:
        """Publishes a command; returns why it cannot be, or an empty text."""
        fields = {"number": request.id, "name": request.name, "value": request.text(), "person": request.person}
        try:
            self._sender.send(msgspec.convert({"t_ns": time.monotonic_ns(), **fields}, Command))
        except (msgspec.ValidationError, MessageError):
            return "There is no such command."
        return ""

    def _report(self) -> None:
        self._meter.refused = self._server.refused + self._watchers.refused + self._phones.refused
        counts = ((len(self._watchers), "page"), (len(self._phones), "phone"))
        self._meter.detail = ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for count, name in counts if count)
        dropped = self._watchers.dropped + self._phones.dropped + sum(thread.bad for thread in self._threads)
        self._sender.send(self._meter.health("running", dropped=dropped))
