"""The camera process: source → detector → keypoints on the bus. Pixels stay inside, but for those of a recording."""

import signal
import threading
import time
from collections.abc import Callable
from typing import Protocol

from pose_rig.capture.image import to_bgr
from pose_rig.capture.source import Detector, Frame, Source
from pose_rig.capture.source_factory import open_source
from pose_rig.capture.video_sender import VideoLane
from pose_rig.config import CameraConfig, Pace
from pose_rig.errors import MessageError, PoseRigError
from pose_rig.wire.bus import Delivery, Sender
from pose_rig.wire.jobs import CameraJob
from pose_rig.wire.messages import Keypoints2D, Message, State
from pose_rig.wire.meter import Meter
from pose_rig.wire.services import CAMERA_READY_REPORT_S, CAMERA_REPORT_S
from pose_rig.wire.stop import Stop

SLICE_S = 0.1  # the longest wait before ``stop`` is looked at again
LANE_OPENS_S = 0.3  # a live delivery drops what is sent before the receiver has heard of it
DRAIN_MS = 2000


class Start(Protocol):
    """What we use of ``multiprocessing.Value("q")``: monotonic ns at which recordings start, 0 until then."""

    value: int


OpenSource = Callable[[CameraConfig, Pace, Callable[[], int]], Source]


def main(job: CameraJob, stop: Stop, start_ns: Start, open_source: OpenSource = open_source) -> None:
    """Runs one camera until it ends, fails or is stopped.

    Sends `Keypoints2D` and, at least once a second, `Health`; the last message says ``ended`` or ``failed``, unless it
    was stopped. With ``job.video`` the pictures go to the recorder, beside the detection.

    Args:
        job: What to do.
        stop: Asks the process to end; heeded within 0.5 s.
        start_ns: When recordings start, with pace ``realtime``.
        open_source: Opens the source: camera, pace, and what returns the start.

    Raises:
        PoseRigError: The camera cannot be opened or was lost; it has been told on the bus too.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor stops us
    delivery: Delivery = "lossless" if job.pace == "all" else "best-effort"
    worker = _Worker(job, stop, start_ns, Sender(job.endpoint, delivery, keys=job.keys))
    try:
        worker.run(open_source)
    except PoseRigError as error:
        worker.fail(str(error))
        raise
    except Exception as error:  # the top of a worker: whatever it is, the rig goes on and tells
        worker.fail(f"{job.camera.name} failed: {type(error).__name__}: {error}")
        raise
    finally:
        worker.close()


class _Worker:
    """One run of the camera process."""

    def __init__(self, job: CameraJob, stop: Stop, start_ns: Start, sender: Sender) -> None:
        self._job, self._stop, self._start_ns, self._sender = job, stop, start_ns, sender
        self._meter = Meter(job.camera.name, job.restarts)
        self._opened_s = time.monotonic()
        self._told_s = 0.0
        self._source: Source | None = None
        self._detector: Detector | None = None
        self._video: VideoLane | None = None

    def run(self, open_source: OpenSource) -> None:
        self._tell("starting")
        job = self._job
        self._source = source = open_source(job.camera, job.pace, lambda: self._start_ns.value)
        self._meter.detail, self._meter.total_frames = source.detail, source.total_frames
        if not source.landmarks:
            if job.video:
                whole = job.pace == "all"
                self._video = VideoLane(
                    job.camera.name, job.video, source.size_px, self._stop, whole=whole, keys=job.keys
                )
            from pose_rig.capture.detector import MediaPipeDetector  # heavy, and not needed by every source

            self._detector = MediaPipeDetector(job.detector)
            if job.pace == "realtime":  # or it would warm up while the first frames pass by
                self._detector.warm_up(source.size_px)
        self._tell("ready")
        state: State = "ready"
        while not self._stop.is_set():
            if source.poll(SLICE_S):
                state = "running"
                frame = source.read()
                if frame is None:
                    if self._video is not None:
                        self._video.close()
                    self._tell("ended")
                    return
                self._handle(frame, source.landmarks)
            if time.monotonic() - self._told_s > (CAMERA_READY_REPORT_S if state == "ready" else CAMERA_REPORT_S):
                self._tell(state)

    def fail(self, text: str) -> None:
        """Tells why the worker ends."""
        if self._job.pace == "realtime":
            time.sleep(max(0.0, LANE_OPENS_S - (time.monotonic() - self._opened_s)))
        self._tell("failed", text)

    def close(self) -> None:
        """Gives everything back; what was sent gets time to leave unless the worker was stopped."""
        if self._video is not None:
            self._video.close()
        if self._source is not None:
            self._source.close()
        if self._detector is not None:
            self._detector.close()
        self._sender.close(linger_ms=0 if self._stop.is_set() else DRAIN_MS)

    def _handle(self, frame: Frame, landmarks: str) -> None:
        """Detects and sends one frame; one that cannot be used is counted."""
        self._meter.count_received(frame.index)
        began = time.monotonic_ns()
        people = frame.detections
        if self._detector is not None:
            image, reason = to_bgr(frame.image, frame.size_px)
            if image is None:
                self._meter.count_dropped(reason)
                return
            if self._video is not None:
                self._video.offer(frame.index, frame.t_ns, image)
            landmarks = self._detector.landmarks
            people = self._detector.detect(Frame(frame.index, frame.t_ns, frame.size_px, image, None))
        if people is None:
            self._meter.count_dropped("A frame came without people.")
            return
        stages_ms = {"detect": (time.monotonic_ns() - began) / 1e6}
        message = Keypoints2D(
            camera=self._job.camera.name, index=frame.index, t_ns=frame.t_ns, size_px=frame.size_px,
            landmarks=landmarks, xy=people.xy, score=people.score, stages_ms=stages_ms,
        )  # fmt: skip
        try:
            sent = self._send(message)
        except MessageError as error:
            self._meter.count_dropped(error.cause)
            return
        if sent:
            self._meter.count_sent(self._age_ms(frame, began), stages_ms)

    def _age_ms(self, frame: Frame, began_ns: int) -> float:
        """Returns the time since the frame was due or grabbed; since it was read, where it has a time of its own."""
        taken_ns = began_ns
        if self._job.pace == "realtime":
            taken_ns = frame.t_ns - round(self._job.camera.offset_ms * 1e6)
        return (time.monotonic_ns() - taken_ns) / 1e6

    def _tell(self, state: State, error: str = "") -> None:
        self._told_s = time.monotonic()
        if self._source is not None and self._video is not None:
            self._meter.detail = f"{self._source.detail}; {self._video.detail}"
        fault = self._source.fault if self._source is not None else ""
        self._send(self._meter.health(state, error or fault))

    def _send(self, message: Message) -> bool:
        """Sends, waiting for room on a lossless delivery; False if the worker was stopped meanwhile."""
        while not self._sender.send(message, timeout_ms=round(SLICE_S * 1000)):
            if self._stop.is_set():
                return False
        return True
