"""The pictures of one camera on their way to the recorder, beside the detection and never before it.

`VideoLane.offer` puts a picture into a short queue; a thread compresses and sends it. Where the thread is behind,
because compressing takes long or the recorder does not take what it is sent, pictures are left out *before* they are
compressed, so that what is sent can be decoded without them. They are counted, and told as a `Gap` in their place.
"""

import os
import queue
import sys
import threading
import time
from dataclasses import dataclass

from pose_rig.arrays import Image
from pose_rig.video.encoder import Compressor, EncoderLoad, OpenEncoder, open_h264
from pose_rig.wire.authentication import Keys
from pose_rig.wire.bus import Sender
from pose_rig.wire.encoding import encode
from pose_rig.wire.messages import Message
from pose_rig.wire.records import Gap, VideoFrame
from pose_rig.wire.stop import Stop

WAITING = 4  # pictures in the queue; 100 MB at 3840×2160
MARK = 32  # compressed ones on their way: a recorder may pause for a second
SLICE_S = 0.05  # the longest wait before it is looked whether to end
CLOSE_S = 2.0  # for what is still queued when the camera ends by itself
FLUSH_S = 0.15  # the same once the worker has been stopped
# Measured on two cores that one camera's detector nearly fills: pictures of 1080×1920 make it do 0.63 × as many frames
# if they are compressed at the same priority, 0.99 × at this one, at the expense of pictures.
NICENESS = 19
LINGER_MS = (2000, 50)  # for what the recorder has not yet taken then
SLOW_ENCODER = "Compressing them took too long."
SLOW_RECORDER = "The recorder did not take them."
STOPPED = "The camera was stopped."
GIVEN_UP = "It takes too long."


@dataclass(slots=True)
class Missing:
    """Pictures in a row that are left out.

    Attributes:
        count: How many.
        first_ns: Instant of the first, and
        last_ns: of the last.
        reason: Why the first was.
    """

    count: int = 0
    first_ns: int = 0
    last_ns: int = 0
    reason: str = ""

    def add(self, other: "Missing") -> None:
        """Adds those that follow."""
        if other.count:
            if not self.count:
                self.first_ns, self.reason = other.first_ns, other.reason
            self.count, self.last_ns = self.count + other.count, other.last_ns

    def add_one(self, t_ns: int, reason: str) -> None:
        """Adds the one that follows."""
        self.add(Missing(1, t_ns, t_ns, reason))


@dataclass(frozen=True, slots=True)
class Picture:
    """What waits in the queue.

    Attributes:
        index: As in the frame, and
        t_ns: too.
        image: (H,W,3) uint8 BGR.
        before: Those left out right before it.
    """

    index: int
    t_ns: int
    image: Image
    before: Missing


class VideoLane:
    """The pictures of one camera, compressed and sent by a thread of its own.

    Args:
        camera: Its name.
        endpoint: Where the recorder listens (lossless).
        size_px: (width, height) that the pictures will have, so that all is ready for the first.
        stop: Set when the worker is to end; nothing waits long then.
        whole: Wait rather than leave anything out: for files with pace ``all``.
        keys: Those of this run, which the recorder asks for.
        open_encoder: Opens the encoder; if that fails pictures go as JPEG.

    Attributes:
        missing: Pictures left out since the start.
    """

    def __init__(
        self,
        camera: str,
        endpoint: str,
        size_px: tuple[int, int],
        stop: Stop,
        *,
        whole: bool = False,
        keys: Keys | None = None,
        open_encoder: OpenEncoder = open_h264,
    ) -> None:
        self._camera, self._size_px, self._stop, self._whole = camera, size_px, stop, whole
        self._compressor = Compressor(open_encoder)
        self._keeping_up = EncoderLoad()
        self._queue: queue.Queue[Picture] = queue.Queue(WAITING)
        self._left_out = Missing()  # since the last picture that found room
        self._unsaid = Missing()  # of which the thread has not told yet
        self._sent_ns: int | None = None
        self._blocked = False
        self._closing = threading.Event()
        self._until_s = float("inf")
        self._fault = ""
        self.missing = 0
        self._sender = Sender(endpoint, "lossless", keys=keys, send_hwm=MARK)
        self._thread = threading.Thread(target=self._work, name=f"video {camera}")
        self._thread.start()

    @property
    def detail(self) -> str:
        """What becomes of the pictures, for people."""
        missing = f", {self.missing} pictures left out" if self.missing else ""
        return (self._fault or self._compressor.note) + missing

    def offer(self, index: int, t_ns: int, image: Image) -> None:
        """Takes a picture, or leaves it out and counts it: at once, but for a ``whole`` lane, which waits for room.

        Args:
            index: As in the keypoints of the same picture.
            t_ns: Capture instant, as there.
            image: (H,W,3) uint8 BGR. It is not copied: nobody may write to it from now on.
        """
        fits = self._put(Picture(index, t_ns, image, self._left_out))
        if fits:
            self._left_out = Missing()
        else:
            self._left_out.add_one(t_ns, SLOW_RECORDER if self._blocked else SLOW_ENCODER)
            self.missing += 1
        self._keeping_up.add(t_ns, not fits and not self._blocked)

    def close(self) -> None:
        """Sends what is still queued and ends; within 0.25 s once the worker has been stopped."""
        self._closing.set()
        patience_s = float("inf") if self._whole else CLOSE_S
        asked_s = time.monotonic()
        while self._thread.is_alive() and not self._stop.is_set() and time.monotonic() - asked_s < patience_s:
            self._thread.join(SLICE_S)
        self._until_s = time.monotonic() + FLUSH_S
        self._thread.join()

    def _put(self, picture: Picture) -> bool:
        while self._thread.is_alive():
            try:
                self._queue.put(picture, block=self._whole, timeout=SLICE_S)
                return True
            except queue.Full:
                if not self._whole or self._stop.is_set():
                    return False
        return False

    def _work(self) -> None:
        """The thread."""
        try:
            if not self._whole:
                _yield_to_others()
            self._compressor.prepare(self._size_px)
            while time.monotonic() < self._until_s:
                closing = self._closing.is_set()
                try:
                    self._record(self._queue.get(timeout=SLICE_S))
                except queue.Empty:
                    if closing:
                        break
            self._tell_rest()
        except Exception as error:  # the top of a thread: whatever it is, the detection goes on and tells
            self._fault = f"no more video: {type(error).__name__}: {error}"
        finally:
            self._sender.close(linger_ms=LINGER_MS[self._stop.is_set()])

    def _record(self, picture: Picture) -> None:
        """Sends a picture, or counts it if time is up."""
        self._unsaid.add(picture.before)
        if self._keeping_up.failed:
            self._compressor.give_up(GIVEN_UP)
        height, width = picture.image.shape[:2]
        encoded = self._compressor.compress(picture.t_ns, picture.image)
        message = VideoFrame(
            camera=self._camera, index=picture.index, t_ns=picture.t_ns, size_px=(width, height),
            format=encoded.format, keyframe=encoded.keyframe, data=encoded.data,
        )  # fmt: skip
        if self._tell_missing(picture.t_ns) and self._send(message):
            self._sent_ns = picture.t_ns
        else:
            self._lose(picture)

    def _tell_rest(self) -> None:
        """Counts what is not sent any more, and tells it."""
        while not self._queue.empty():
            picture = self._queue.get_nowait()
            self._unsaid.add(picture.before)
            self._lose(picture)
        self._unsaid.add(self._left_out)
        self._tell_missing(self._unsaid.last_ns)

    def _lose(self, picture: Picture) -> None:
        self._unsaid.add_one(picture.t_ns, STOPPED)
        self.missing += 1

    def _tell_missing(self, t_ns: int) -> bool:
        """Tells what is missing before an instant; returns whether that is done."""
        missing = self._unsaid
        if not missing.count:
            return True
        from_ns = missing.first_ns if self._sent_ns is None else self._sent_ns
        told = self._send(
            Gap(
                source=self._camera, what="video", from_ns=from_ns, t_ns=t_ns, missing=missing.count,
                reason=missing.reason,
            )
        )  # fmt: skip
        if told:
            self._unsaid = Missing()
        return told

    def _send(self, message: Message) -> bool:
        """Sends as soon as the recorder lets it; returns False if time is up."""
        data = encode(message)
        self._blocked = not self._sender.send_bytes(data, timeout_ms=0)
        while self._blocked and time.monotonic() < self._until_s:
            self._blocked = not self._sender.send_bytes(data, timeout_ms=round(SLICE_S * 1000))
        return not self._blocked


def _yield_to_others() -> None:
    """Lets the thread that calls it run when no other wants to; on Linux, elsewhere a process has one priority."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
