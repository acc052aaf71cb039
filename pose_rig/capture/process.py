"""The camera process: source → detector → keypoints to the fusion process. Images go to the recorder only.

It depends on endpoints, a stop event and a start time, not on running on the same machine as the rest of the rig.
"""

import signal
import threading
import time
from collections.abc import Callable

import numpy as np

from pose_rig.capture.appearance.descriptor import AppearanceDescriptor
from pose_rig.capture.detector import Detector, open_detector, to_bgr
from pose_rig.capture.source import Frame, Source
from pose_rig.capture.source_factory import open_source
from pose_rig.capture.thumbnails import ThumbnailSender
from pose_rig.capture.video_sender import VideoSender
from pose_rig.config import CameraConfig, Pace
from pose_rig.errors import MessageError, PoseRigError
from pose_rig.wire.bus import Delivery, Sender
from pose_rig.wire.jobs import CameraJob, Start, Stop, WallClock
from pose_rig.wire.messages import Keypoints2D, Message, State
from pose_rig.wire.meter import Meter
from pose_rig.wire.services import CAMERA_READY_REPORT_S, CAMERA_REPORT_S

POLL_S = 0.1  # the stop event is checked at least this often
START_POLL_S = 0.02
# ZeroMQ's "slow joiner": a publisher drops messages until the subscriber has connected.
SUBSCRIPTION_DELAY_S = 0.3
LINGER_MS = 2000


OpenSource = Callable[[CameraConfig, Pace, Callable[[], int], WallClock], Source]


def main(job: CameraJob, stop: Stop, start_ns: Start, open_source: OpenSource = open_source) -> None:
    """Runs one camera until it ends, fails or is stopped.

    Sends `Keypoints2D` and, at least once a second, `Health`; the last state is ``ended`` or ``failed``, unless the
    worker was stopped. With ``job.video`` the images go to the recorder too.

    Args:
        job: The camera, the detector and the endpoints.
        stop: Set when the process has to exit; it exits within 0.5 s.
        start_ns: When recordings start; 0 until it is known. With pace ``all`` the first frame is read then.
        open_source: Opens the source: camera, pace, a function that returns the start, and the clock.

    Raises:
        PoseRigError: The camera cannot be opened or was lost; `Health` has reported it.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor sets ``stop``
    delivery: Delivery = "lossless" if job.pace == "all" else "best-effort"
    worker = _CameraWorker(job, stop, start_ns, Sender(job.endpoint, delivery, keys=job.keys))
    try:
        worker.run(open_source)
    except PoseRigError as error:
        worker.fail(str(error))
        raise
    except Exception as error:  # the top of a worker: report every failure; the other workers continue
        worker.fail(f"{job.camera.name} failed: {type(error).__name__}: {error}")
        raise
    finally:
        worker.close()


class _CameraWorker:
    """One run of the camera process."""

    def __init__(self, job: CameraJob, stop: Stop, start_ns: Start, sender: Sender) -> None:
        self._job, self._stop, self._start_ns, self._sender = job, stop, start_ns, sender
        self._meter = Meter(job.camera.name, job.restarts)
        self._opened_s = time.monotonic()
        self._reported_s = 0.0
        self._source: Source | None = None
        self._detector: Detector | None = None
        self._video: VideoSender | None = None
        self._appearance = AppearanceDescriptor() if job.appearance else None
        self._thumbnails = ThumbnailSender(job.camera.name, job.thumbnails, job.keys) if job.thumbnails else None

    def run(self, open_source: OpenSource) -> None:
        self._report("starting")
        job = self._job
        self._source = source = open_source(job.camera, job.pace, lambda: self._start_ns.value, job.clock)
        self._meter.total_frames = source.info.total_frames
        if not source.info.landmarks:
            self._open_detector(source)
        self._report("ready")
        if job.pace == "all" and not self._started():
            return
        state: State = "ready"
        while not self._stop.is_set():
            if source.poll(POLL_S):
                state = "running"
                frame = source.read()
                if frame is None:
                    if self._video is not None:
                        self._video.close()
                    self._report("ended")
                    return
                self._process(frame, source.info.landmarks)
            interval_s = CAMERA_READY_REPORT_S if state == "ready" else CAMERA_REPORT_S
            if time.monotonic() - self._reported_s > interval_s:
                self._report(state)

    def _started(self) -> bool:
        """Waits for the start, before which poses would reach no program; returns False if the worker was stopped."""
        while not self._start_ns.value:
            if self._stop.is_set():
                return False
            time.sleep(START_POLL_S)
        return True

    def fail(self, text: str) -> None:
        """Reports why the worker exits."""
        if self._job.pace == "realtime":
            time.sleep(max(0.0, SUBSCRIPTION_DELAY_S - (time.monotonic() - self._opened_s)))
        self._report("failed", text)

    def close(self) -> None:
        """Releases everything; queued messages are still sent unless the worker was stopped."""
        for opened in (self._video, self._source, self._detector, self._thumbnails):
            if opened is not None:
                opened.close()
        self._sender.close(linger_ms=0 if self._stop.is_set() else LINGER_MS)

    def _open_detector(self, source: Source) -> None:
        job = self._job
        if job.video:
            self._video = VideoSender(
                job.camera.name, job.video, source.info.size_px, self._stop, lossless=job.pace == "all", keys=job.keys
            )
        self._detector = open_detector(job.detector)
        if job.pace == "realtime":  # or the first frames would be dropped during the warm-up
            self._detector.warm_up(source.info.size_px)

    def _process(self, frame: Frame, landmarks: str) -> None:
        """Detects and sends one frame, or counts it as dropped."""
        self._meter.count_received(frame.index)
        start_ns = self._job.clock.monotonic_ns()
        detections, image, appearance = frame.detections, None, np.zeros(0, np.float32)
        if self._detector is not None:
            image, reason = to_bgr(frame.image, frame.size_px)
            if image is None:
                self._meter.count_dropped(reason)
                return
            if self._video is not None:
                self._video.put(frame.index, frame.t_ns, image)
            landmarks = self._detector.landmarks
            detections = self._detector.detect(image, frame.t_ns)
            if self._appearance is not None:
                found = detections.xy, detections.score
                appearance = self._appearance.of_frame(image, *found, landmarks, frame.t_ns)
        if detections is None:
            self._meter.count_dropped("A frame came without detections.")
            return
        stages_ms = {"detect": (self._job.clock.monotonic_ns() - start_ns) / 1e6}
        message = Keypoints2D(
            camera=self._job.camera.name, index=frame.index, t_ns=frame.t_ns, size_px=frame.size_px,
            landmarks=landmarks, xy=detections.xy, score=detections.score, depth=detections.depth, stages_ms=stages_ms,
            appearance=appearance,
        )  # fmt: skip
        try:
            sent = self._send(message)
        except MessageError as error:
            self._meter.count_dropped(error.cause)
            return
        if sent:
            self._meter.count_sent(self._latency_ms(frame, start_ns), stages_ms)
        if self._thumbnails is not None:
            self._thumbnails.offer(image, detections, t_ns=frame.t_ns, size_px=frame.size_px, landmarks=landmarks)

    def _latency_ms(self, frame: Frame, start_ns: int) -> float:
        """Returns the time since the frame was grabbed or due; with pace ``all``, since it was read."""
        captured_ns = start_ns
        if self._job.pace == "realtime":
            captured_ns = frame.t_ns - round(self._job.camera.offset_ms * 1e6)
        return (self._job.clock.monotonic_ns() - captured_ns) / 1e6

    def _report(self, state: State, error: str = "") -> None:
        self._reported_s = time.monotonic()
        if self._source is not None:
            video = f"; {self._video.detail}" if self._video is not None else ""
            self._meter.detail = self._source.info.detail + video
        fault = self._source.fault if self._source is not None else ""
        self._send(self._meter.health(state, error or fault))

    def _send(self, message: Message) -> bool:
        """Sends; a lossless sender blocks while its queue is full. Returns False if the worker was stopped."""
        while not self._sender.send(message, timeout_ms=round(POLL_S * 1000)):
            if self._stop.is_set():
                return False
        return True
