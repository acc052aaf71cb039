"""Encodes the images of one camera and sends them to the recorder, without delaying the detector.

`VideoSender.put` adds an image to a short queue; a thread encodes and sends it. While the thread is behind, because
encoding takes long or the recorder does not receive, images are dropped *before* they are encoded, so that the sent
stream can be decoded without them. Dropped images are counted, and reported as a `Gap` in their place.
"""

import os
import queue
import sys
import threading
import time
from dataclasses import dataclass

from pose_rig.arrays import Image
from pose_rig.video.encoder import EncoderLoad, FallbackEncoder, OpenEncoder, open_h264
from pose_rig.wire.authentication import Keys
from pose_rig.wire.bus import Sender
from pose_rig.wire.encoding import encode
from pose_rig.wire.jobs import Stop
from pose_rig.wire.messages import Message
from pose_rig.wire.records import Gap, VideoFrame

QUEUE_FRAMES = 4  # 100 MB at 3840×2160
SEND_HWM = 32  # encoded images; bridges a pause of the recorder of one second
POLL_S = 0.05  # the stop event is checked at least this often
CLOSE_TIMEOUT_S = 2.0  # for queued images when the camera ends by itself
STOP_TIMEOUT_S = 0.15  # for queued images after the worker was stopped
# Measured on two cores that one camera's detector nearly fills: encoding 1080×1920 reduces its throughput to 0.63 × at
# the same priority, and to 0.99 × at this one, at the expense of images.
NICENESS = 19
LINGER_MS, LINGER_STOPPED_MS = 2000, 50
SLOW_ENCODER = "Encoding took too long."
SLOW_RECORDER = "The recorder did not receive them."
STOPPED = "The camera was stopped."
TOO_SLOW = "It is too slow."


@dataclass(slots=True)
class DroppedFrames:
    """Consecutive dropped images.

    Attributes:
        count: Number of images.
        first_ns: Capture time of the first.
        last_ns: Capture time of the last.
        reason: Why the first was dropped.
    """

    count: int = 0
    first_ns: int = 0
    last_ns: int = 0
    reason: str = ""

    def add(self, other: "DroppedFrames") -> None:
        """Appends the images that follow."""
        if other.count:
            if not self.count:
                self.first_ns, self.reason = other.first_ns, other.reason
            self.count, self.last_ns = self.count + other.count, other.last_ns

    def add_one(self, t_ns: int, reason: str) -> None:
        """Appends the image that follows."""
        self.add(DroppedFrames(1, t_ns, t_ns, reason))


@dataclass(frozen=True, slots=True)
class QueuedFrame:
    """An image in the queue.

    Attributes:
        index: As in `Frame`.
        t_ns: As in `Frame`.
        image: (H,W,3) uint8 BGR.
        dropped_before: The images dropped right before it.
    """

    index: int
    t_ns: int
    image: Image
    dropped_before: DroppedFrames


class VideoSender:
    """Encodes and sends the images of one camera in a thread.

    Args:
        camera: Name of the camera.
        endpoint: Endpoint of the recorder.
        size_px: Expected image (width, height), to open the encoder in advance.
        stop: Set when the worker has to exit.
        lossless: Block instead of dropping images: for files with pace ``all``.
        keys: Keys of this run, which the recorder requires.
        open_encoder: Opens the encoder; if that fails, images are sent as JPEG.

    Attributes:
        dropped: Images dropped since the start.
    """

    def __init__(
        self,
        camera: str,
        endpoint: str,
        size_px: tuple[int, int],
        stop: Stop,
        *,
        lossless: bool = False,
        keys: Keys | None = None,
        open_encoder: OpenEncoder = open_h264,
    ) -> None:
        self._camera, self._size_px, self._stop, self._lossless = camera, size_px, stop, lossless
        self._encoder = FallbackEncoder(open_encoder)
        self._encoder_load = EncoderLoad()
        self._queue: queue.Queue[QueuedFrame] = queue.Queue(QUEUE_FRAMES)
        self._dropped_since_put = DroppedFrames()
        self._unreported = DroppedFrames()  # used by the thread only
        self._sent_ns: int | None = None
        self._blocked = False  # by the recorder
        self._closing = threading.Event()
        self._deadline_s = float("inf")
        self._fault = ""
        self.dropped = 0
        self._sender = Sender(endpoint, "lossless", keys=keys, send_hwm=SEND_HWM)
        self._thread = threading.Thread(target=self._run, name=f"video {camera}")
        self._thread.start()

    @property
    def detail(self) -> str:
        """The video format and the number of dropped images, for display."""
        dropped = f", {self.dropped} images dropped" if self.dropped else ""
        return (self._fault or self._encoder.note) + dropped

    def put(self, index: int, t_ns: int, image: Image) -> None:
        """Queues an image; if the queue is full, blocks (lossless) or drops the image.

        Args:
            index: As in the keypoints of the same frame.
            t_ns: Capture time, as in those keypoints.
            image: (H,W,3) uint8 BGR. It is not copied and must not be changed afterwards.
        """
        queued = self._put(QueuedFrame(index, t_ns, image, self._dropped_since_put))
        if queued:
            self._dropped_since_put = DroppedFrames()
        else:
            self._dropped_since_put.add_one(t_ns, SLOW_RECORDER if self._blocked else SLOW_ENCODER)
            self.dropped += 1
        self._encoder_load.add(t_ns, not queued and not self._blocked)

    def close(self) -> None:
        """Sends the queued images and ends; within 0.25 s after the worker was stopped."""
        self._closing.set()
        deadline_s = time.monotonic() + (float("inf") if self._lossless else CLOSE_TIMEOUT_S)
        while self._thread.is_alive() and not self._stop.is_set() and time.monotonic() < deadline_s:
            self._thread.join(POLL_S)
        self._deadline_s = time.monotonic() + STOP_TIMEOUT_S
        self._thread.join()

    def _put(self, frame: QueuedFrame) -> bool:
        while self._thread.is_alive():
            try:
                self._queue.put(frame, block=self._lossless, timeout=POLL_S)
                return True
            except queue.Full:
                if not self._lossless or self._stop.is_set():
                    return False
        return False

    def _run(self) -> None:
        """The thread."""
        try:
            if not self._lossless:
                _lower_priority()
            self._encoder.open(self._size_px)
            while time.monotonic() < self._deadline_s:
                closing = self._closing.is_set()
                try:
                    self._process(self._queue.get(timeout=POLL_S))
                except queue.Empty:
                    if closing:
                        break
            self._drop_queued()
        except Exception as error:  # the top of a thread: report every failure; the detector continues
            self._fault = f"no more video: {type(error).__name__}: {error}"
        finally:
            self._sender.close(linger_ms=LINGER_STOPPED_MS if self._stop.is_set() else LINGER_MS)

    def _process(self, frame: QueuedFrame) -> None:
        """Encodes and sends an image, or drops it after the deadline."""
        self._unreported.add(frame.dropped_before)
        if self._encoder_load.too_high:
            self._encoder.fall_back(TOO_SLOW)
        height, width = frame.image.shape[:2]
        encoded = self._encoder.encode(frame.t_ns, frame.image)
        message = VideoFrame(
            camera=self._camera, index=frame.index, t_ns=frame.t_ns, size_px=(width, height),
            format=encoded.format, keyframe=encoded.keyframe, data=encoded.data,
        )  # fmt: skip
        if self._report_dropped(frame.t_ns) and self._send(message):
            self._sent_ns = frame.t_ns
        else:
            self._drop(frame)

    def _drop_queued(self) -> None:
        """Drops the images that are still queued, and reports them."""
        while not self._queue.empty():
            frame = self._queue.get_nowait()
            self._unreported.add(frame.dropped_before)
            self._drop(frame)
        self._unreported.add(self._dropped_since_put)
        self._report_dropped(self._unreported.last_ns)

    def _drop(self, frame: QueuedFrame) -> None:
        self._unreported.add_one(frame.t_ns, STOPPED)
        self.dropped += 1

    def _report_dropped(self, t_ns: int) -> bool:
        """Sends the `Gap` before a time; returns whether no dropped image is left unreported."""
        dropped = self._unreported
        if not dropped.count:
            return True
        from_ns = dropped.first_ns if self._sent_ns is None else self._sent_ns
        gap = Gap(
            source=self._camera, what="video", from_ns=from_ns, t_ns=t_ns, missing=dropped.count, reason=dropped.reason
        )  # fmt: skip
        if not self._send(gap):
            return False
        self._unreported = DroppedFrames()
        return True

    def _send(self, message: Message) -> bool:
        """Sends as soon as the recorder receives; returns False after the deadline."""
        data = encode(message)
        self._blocked = not self._sender.send_bytes(data, timeout_ms=0)
        while self._blocked and time.monotonic() < self._deadline_s:
            self._blocked = not self._sender.send_bytes(data, timeout_ms=round(POLL_S * 1000))
        return not self._blocked


def _lower_priority() -> None:
    """Lowers the priority of the calling thread; on Linux only, elsewhere all threads of a process share one."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
