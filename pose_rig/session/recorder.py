"""The recorder: a process of its own, so that no disk and no viewer format ever delays a pose."""

import shutil
import socket
import time
from collections import deque
from itertools import count
from pathlib import Path

from msgspec import structs

from pose_rig.atomic_file import partial_path
from pose_rig.session.mcap.info import new_info
from pose_rig.session.mcap.mcap_writer import McapWriter
from pose_rig.session.mcap.session_writer import SessionWriter
from pose_rig.wire.bus import Receiver, Sender
from pose_rig.wire.encoding import MAX_VIDEO_BYTES, encode
from pose_rig.wire.jobs import RecordJob
from pose_rig.wire.messages import Health, Keypoints2D, Message, Pose3D, Refined2D, RigState, State
from pose_rig.wire.records import Clock, Gap, Learned, Marker, VideoFrame
from pose_rig.wire.services import FUSION, RECORDER, RECORDER_REPORT_S
from pose_rig.wire.stop import Stop

FLUSH_EVERY_S = 0.3  # a killed process loses no more than this
SYNC_EVERY_S = 5.0  # a power cut no more than this
CLOCK_EVERY_S = 10.0
WAIT_MS = 100
IDLE_S = 0.3  # of silence after fusion has ended: nothing more will come
PATIENCE_S = 1.0  # of silence after it was asked to stop
RATE_WINDOW_S = 2.0
ON_RIG_CLOCK = (Keypoints2D, Pose3D, Refined2D, RigState, VideoFrame, Marker, Gap, Learned)


def main(job: RecordJob, stop: Stop) -> None:
    """Records until fusion has ended, or until it is stopped and nothing comes any more.

    When the disk is nearly full or refuses, the recording ends and the rest is let go, so that poses go on.

    Args:
        job: What to do.
        stop: Asks the process to end.

    Raises:
        PoseRigError: An endpoint is taken, or the file cannot be begun.
    """
    with (
        Receiver(job.input, "lossless", bind=True, keys=job.keys, max_bytes=MAX_VIDEO_BYTES) as receiver,
        Sender(job.output, bind=True, keys=job.keys) as sender,
    ):
        recorder = Recorder(job)
        try:
            recorder.run(receiver, sender, stop)
        finally:
            recorder.finish()
            sender.send(recorder.health("failed" if recorder.error else "ended"))
            sender.close(linger_ms=round(IDLE_S * 1000))


class Recorder:
    """One recording.

    Args:
        job: What to do.

    Attributes:
        error: Why it ended before the run did, empty if it did not.
    """

    def __init__(self, job: RecordJob) -> None:
        self._job = job
        self._paced = job.config.pace == "realtime"  # messages come when they happen
        unix_ns = time.time_ns()
        began_ns = time.monotonic_ns() if job.origin == "live" else 0  # what the rig clock shows now
        given_ns = job.unix_from_rig_ns
        self._unix_from_rig_ns = unix_ns - began_ns if given_ns is None else given_ns
        self._path = own_path(Path(job.path), job.restarts)
        whole = Path(job.path).name
        info = new_info(job.config, job.origin, unix_ns, self._unix_from_rig_ns, whole, job.restarts + 1)
        self._file: McapWriter | None = McapWriter(self._path, info)
        self._scribe = SessionWriter(self._file, self._unix_from_rig_ns, over_pictures=job.config.video)
        self._newest_ns = 0  # rig clock of files
        self._log_ns = 0
        self._lost = self._bad = 0  # messages that came too late, and that were none
        self._refused = 0  # connections
        self.error = ""
        self._counts: deque[tuple[float, int]] = deque()
        self._size_bytes = self._written = 0
        self._flushed_s = self._synced_s = time.monotonic()
        self._told_s = self._clocked_s = -CLOCK_EVERY_S
        self._fusion_ended = False

    def run(self, receiver: Receiver, sender: Sender, stop: Stop) -> None:
        """Takes what comes until there is nothing more."""
        heard_s = time.monotonic()
        while True:
            now_s = time.monotonic()
            got = receiver.receive_with_bytes(WAIT_MS)
            if got:
                heard_s = now_s
            elif now_s - heard_s > (IDLE_S if self._fusion_ended else PATIENCE_S) and (
                self._fusion_ended or stop.is_set()
            ):
                return
            self.take(got)
            self.keep_up(now_s)
            self._bad, self._refused = receiver.bad, receiver.refused + sender.refused
            if now_s - self._told_s >= RECORDER_REPORT_S:
                self._told_s = now_s
                sender.send(self.health("running"))

    def take(self, got: list[tuple[Message, bytes]]) -> None:
        """Adds messages to the file, and what is to be drawn of them."""
        for message, data in got:
            if isinstance(message, Health) and message.worker == FUSION:
                self._fusion_ended = message.state == "ended"
            if self._file is None:
                self._lost += 1
                continue
            try:
                self._write(message, data)
            except OSError as error:
                self._give_up(f"The disk refused: {error.strerror}.")

    def keep_up(self, now_s: float) -> None:
        """Flushes, synchronises, notes the clocks and looks at the disk when it is time to."""
        if self._file is None or now_s - self._flushed_s < FLUSH_EVERY_S:
            return
        self._flushed_s = now_s
        try:
            if now_s - self._clocked_s >= CLOCK_EVERY_S:
                self._clocked_s = now_s
                clock = clocks()
                self._write(clock, encode(clock))
            if now_s - self._synced_s >= SYNC_EVERY_S:
                self._synced_s = now_s
                self._file.sync()
            else:
                self._file.flush()
            free_bytes = shutil.disk_usage(self._path.parent).free
        except OSError as error:
            self._give_up(f"The disk refused: {error.strerror}.")
            return
        self._size_bytes, self._written = self._file.size_bytes, self._file.written
        if free_bytes < self._job.least_free_bytes:
            self._end(f"Only {free_bytes / 1e6:.0f} MB are free on the disk.")

    def finish(self) -> None:
        """Finishes the file, if it is still being written."""
        if self._file is not None:
            self._end("")

    def health(self, state: State) -> Health:
        """Returns how the recording is doing."""
        now_s = time.monotonic()
        self._counts.append((now_s, self._written))
        while self._counts[0][0] < now_s - RATE_WINDOW_S:
            self._counts.popleft()
        part = self._job.restarts + 1
        seconds, written = now_s - self._counts[0][0], self._written - self._counts[0][1]
        return Health(
            worker=RECORDER,
            t_ns=time.monotonic_ns(),
            state=state,
            rate_hz=written / seconds if seconds > 0 else 0.0,
            dropped=self._lost + self._bad,
            restarts=self._job.restarts,
            error=self.error,
            detail=f"{self._path}, {self._size_bytes / 1e6:.1f} MB" + (f", part {part}" if part > 1 else ""),
            frames=self._written,
            refused=self._refused,
        )

    def _write(self, message: Message, data: bytes) -> None:
        on_rig_clock = self._paced or isinstance(message, ON_RIG_CLOCK)
        self._log_ns = max(self._log_ns, self._rig_now_ns(message, on_rig_clock) + self._unix_from_rig_ns)
        if not on_rig_clock:
            message = structs.replace(message, t_ns=self._log_ns - self._unix_from_rig_ns)
        self._scribe.write(message, data, self._log_ns)

    def _rig_now_ns(self, message: Message, on_rig_clock: bool) -> int:
        if self._paced:
            return time.monotonic_ns()
        if on_rig_clock:
            self._newest_ns = max(self._newest_ns, getattr(message, "t_ns", 0))
        return self._newest_ns

    def _end(self, reason: str) -> None:
        """Ends the recording in order."""
        file, self._file = self._file, None
        if file is None:
            return
        try:
            file.finish()
        except OSError as error:
            file.abandon()
            reason = f"The disk refused: {error.strerror}."
        self._size_bytes, self._written = self._path.stat().st_size if self._path.exists() else 0, file.written
        self.error = f"The recording ended: {reason} Poses go on." if reason else ""

    def _give_up(self, reason: str) -> None:
        """Leaves the partial file to `recover`."""
        if self._file is not None:
            self._file.abandon()
        self._file = None
        self.error = f"The recording ended: {reason} `pose-rig recover {partial_path(self._path)}` keeps what it has."


def own_path(path: Path, restarts: int) -> Path:
    """Returns the file that an incarnation of the recorder writes: a restarted one begins another, in nobody's way."""
    if not restarts:
        return path
    others = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(restarts + 1))
    return next(other for other in others if not other.exists() and not partial_path(other).exists())


def clocks() -> Clock:
    """Returns what the monotonic clock and the time of day show now."""
    before_ns = time.monotonic_ns()
    unix_ns = time.time_ns()
    after_ns = time.monotonic_ns()
    middle_ns = (before_ns + after_ns) // 2
    return Clock(host=socket.gethostname(), t_ns=middle_ns, unix_ns=unix_ns, uncertainty_ns=after_ns - before_ns)
