"""The connection of one camera to the rig on another machine: converts its times, and passes its messages on."""

import socket
import time
from collections import OrderedDict
from typing import Literal

from msgspec import structs

from pose_rig.names import as_name
from pose_rig.remote.clock_offset import ClockEstimate, ClockOffset, Exchange
from pose_rig.wire.authentication import Keys, generate_keys
from pose_rig.wire.bus import Receiver
from pose_rig.wire.encoding import MAX_VIDEO_BYTES
from pose_rig.wire.jobs import SYSTEM_CLOCK, WallClock
from pose_rig.wire.live_images import Thumbnail
from pose_rig.wire.messages import Health, Keypoints2D, Message
from pose_rig.wire.records import Gap, VideoFrame
from pose_rig.wire.remote_messages import TimeReply, TimeRequest
from pose_rig.wire.router import Dealer, new_session, wait
from pose_rig.wire.services import LOOPBACK

FAST_INTERVAL_S, INTERVAL_S = 0.03, 0.25  # between requests, until the clock of the rig is known, and then
LOST_AFTER_S = 2.0  # without a reply
MAX_AGE_NS = 2_000_000_000  # of keypoints: after a pause, older ones are useless to the rig
MAX_SLEEP_S = 0.2  # by which the wall clock may get ahead of the monotonic clock between two looks: more is a sleep
KEPT_TIMES = 512  # of frames, so that keypoints and video of one frame get the same time
VIDEO_SESSION = b"v"  # appended to the session: images have their own connection and do not delay keypoints
State = Literal["no reply", "wrong key", "refused", "joined"]


class RigLink:
    """Receives from the worker of a camera on this machine, and sends to the rig.

    Args:
        camera: Name of the camera in the rig.
        rig: Endpoint of the rig, ``tcp://HOST:PORT``.
        rig_keys: Its keys.
        clock: The clock of this machine, by which the worker times frames.

    Attributes:
        keys: Those of this machine's worker.
        start_ns: When files start, by this machine's clock; 0 = not yet.
        video: Whether the rig wants video; None until it has replied.
        refusal: Why the rig does not take the camera; empty if it does.
        reported_s: When the worker last sent anything.
        health: The newest report of the worker.
    """

    def __init__(self, camera: str, rig: str, rig_keys: Keys, clock: WallClock = SYSTEM_CLOCK) -> None:
        self._camera, self._clock, self._host = camera, clock, as_name(socket.gethostname())
        self.keys = generate_keys()
        local, session = f"tcp://{LOOPBACK}:0", new_session()
        self._inputs = Receiver(local, bind=True, keys=self.keys)
        self._thumbnails = Receiver(local, bind=True, keys=self.keys, topics=())
        self._images = Receiver(local, "lossless", bind=True, keys=self.keys, max_bytes=MAX_VIDEO_BYTES)
        self._rig = Dealer(rig, rig_keys, session)
        self._rig_images = Dealer(rig, rig_keys, session + VIDEO_SESSION)
        self._offset = ClockOffset()
        self._sleep = SleepDetector(clock)
        self._times_ns: OrderedDict[int, int] = OrderedDict()
        self._image: Message | None = None  # that could not be sent yet
        self._requested_s = self._replied_s = 0.0
        self._rejected = self._dropped = 0
        self._rig_start_ns = self.start_ns = 0
        self._shown = False  # on a page
        self.video: bool | None = None
        self.appearance = False
        self.refusal = ""
        self.reported_s = 0.0
        self.health: Health | None = None

    @property
    def endpoint(self) -> str:
        """Where the worker sends keypoints."""
        return self._inputs.endpoint

    @property
    def image_endpoint(self) -> str:
        """Where the worker sends images."""
        return self._images.endpoint

    @property
    def thumbnail_endpoint(self) -> str:
        """Where the worker sends thumbnails; it makes none unless the rig wants some."""
        return self._thumbnails.endpoint

    @property
    def estimate(self) -> ClockEstimate | None:
        """The clock of the rig, as far as it is known."""
        return self._offset.estimate

    @property
    def state(self) -> State:
        """Whether the rig replies, and takes the camera."""
        if time.monotonic() - self._replied_s < LOST_AFTER_S:
            return "refused" if self.refusal else "joined"
        return "wrong key" if self._rig.rejected > self._rejected else "no reply"

    def step(self, timeout_ms: int = 5) -> None:
        """Passes on what arrives within a time."""
        if self._sleep.happened():
            self._offset.restart()
        self._request_time()
        waits_for_images = [] if self._image is not None else [self._images]
        interval_s = INTERVAL_S if self.estimate else FAST_INTERVAL_S
        wait([self._rig, self._inputs, *waits_for_images], round(min(timeout_ms, 1000 * interval_s)))
        for message in self._rig.receive():
            returned_ns = self._clock.monotonic_ns()
            if isinstance(message, TimeReply):
                self._take_reply(message, returned_ns)
        for message in self._inputs.receive(0):
            self.reported_s = time.monotonic()
            self.send(message)
        self._send_images()
        for message in self._thumbnails.receive(0):
            if isinstance(message, Thumbnail) and self.estimate is not None:
                self._rig_images.send(structs.replace(message, t_ns=self._rig_ns(message.t_ns, self.estimate)))

    def send(self, message: Message) -> None:
        """Sends keypoints or health of the camera; counts keypoints that cannot be sent or are too old."""
        if isinstance(message, Health):
            self.health = message
            self._send_health(message)
        elif isinstance(message, Keypoints2D):
            is_old = self._clock.monotonic_ns() - message.t_ns > MAX_AGE_NS
            if self.state != "joined" or self.estimate is None or is_old:
                self._dropped += 1
            else:
                mapped = structs.replace(message, t_ns=self._rig_ns(message.t_ns, self.estimate))
                self._dropped += not self._rig.send(mapped)

    def close(self) -> None:
        """Closes all sockets, once the rig has what was sent last."""
        self._rig.close(linger_ms=500)
        for one in (self._rig_images, self._inputs, self._images, self._thumbnails):
            one.close()

    def _request_time(self) -> None:
        now_s = time.monotonic()
        if now_s - self._requested_s < (INTERVAL_S if self.estimate else FAST_INTERVAL_S):
            return
        self._requested_s = now_s
        self._rig.send(TimeRequest(camera=self._camera, host=self._host, sent_ns=self._clock.monotonic_ns()))

    def _take_reply(self, reply: TimeReply, returned_ns: int) -> None:
        self._replied_s, self._rejected = time.monotonic(), self._rig.rejected
        self.refusal = reply.refusal
        self._offset.add(Exchange(reply.sent_ns, reply.received_ns, reply.answered_ns, returned_ns))
        if not reply.refusal and self.estimate is not None:
            self.video, self.appearance = reply.video, reply.appearance
            if reply.thumbnails is not self._shown:
                self._shown = reply.thumbnails
                self._thumbnails.set_topics((Thumbnail.TOPIC,) if self._shown else ())
            if reply.start_ns != self._rig_start_ns:
                self._rig_start_ns = reply.start_ns
                self.start_ns = self.estimate.own_ns(reply.start_ns) if reply.start_ns else 0

    def _send_health(self, health: Health) -> None:
        estimate, now_ns = self.estimate, self._clock.monotonic_ns()
        if self.state != "joined" or estimate is None:
            return
        self._rig.send(
            structs.replace(
                health,
                t_ns=max(estimate.other_ns(now_ns), 0),
                host=self._host,
                dropped=health.dropped + self._dropped,
                clock_offset_s=(estimate.other_ns(now_ns) - now_ns) * 1e-9,
                clock_uncertainty_s=estimate.uncertainty_s,
                clock_drift=estimate.drift,
            )
        )

    def _send_images(self) -> None:
        """Sends images, or waits until the rig can take more: the worker then drops images before it encodes them."""
        if self._image is None:
            self._image = next(iter(self._images.receive(0, 1)), None)
        while self._image is not None and self.estimate is not None:
            image = self._image
            if isinstance(image, VideoFrame):
                image = structs.replace(image, t_ns=self._rig_ns(image.t_ns, self.estimate))
            elif isinstance(image, Gap):
                from_ns, t_ns = (self._rig_ns(one, self.estimate) for one in (image.from_ns, image.t_ns))
                image = structs.replace(image, from_ns=from_ns, t_ns=max(from_ns, t_ns))
            if not self._rig_images.send(image):
                return
            self._image = next(iter(self._images.receive(0, 1)), None)

    def _rig_ns(self, own_ns: int, estimate: ClockEstimate) -> int:
        """Returns the rig time of a frame; always the same for one frame, though the estimate changes."""
        if own_ns not in self._times_ns:
            self._times_ns[own_ns] = max(estimate.other_ns(own_ns), 0)
            if len(self._times_ns) > KEPT_TIMES:
                self._times_ns.popitem(last=False)
        return self._times_ns[own_ns]


class SleepDetector:
    """Detects that the machine has slept: on most systems its monotonic clock then stands still, its wall clock not.

    Args:
        clock: The monotonic clock.
    """

    def __init__(self, clock: WallClock) -> None:
        self._clock = clock
        self._ahead_ns = self._measure()

    def happened(self) -> bool:
        """Returns whether the machine has slept, or its wall clock was set, since this was last called."""
        before_ns, self._ahead_ns = self._ahead_ns, self._measure()
        return abs(self._ahead_ns - before_ns) > MAX_SLEEP_S * 1e9

    def _measure(self) -> int:
        return time.time_ns() - self._clock.monotonic_ns()
