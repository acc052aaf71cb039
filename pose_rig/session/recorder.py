"""The recorder: a separate process, so that neither the disk nor viewer formats delay a pose."""

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
from pose_rig.wire.jobs import RecordJob, Stop
from pose_rig.wire.messages import Command, Health, Keypoints2D, Message, Pose3D, Refined2D, RigState, State
from pose_rig.wire.records import Clock, Gap, Learned, Marker, VideoFrame
from pose_rig.wire.services import FUSION, RECORDER, RECORDER_REPORT_S

FLUSH_INTERVAL_S = 0.3  # the most that a killed process loses
SYNC_INTERVAL_S = 5.0  # the most that a power cut loses
CLOCK_INTERVAL_S = 10.0
WAIT_MS = 100
IDLE_S = 0.3  # without a message after fusion has ended
STOP_IDLE_S = 1.0  # without a message after a stop was requested
RATE_WINDOW_S = 2.0
ON_RIG_CLOCK = (Keypoints2D, Pose3D, Refined2D, RigState, Command, VideoFrame, Marker, Gap, Learned)


def main(job: RecordJob, stop: Stop) -> None:
    """Records until the fusion has exited, or until it is stopped and no more messages arrive.

    When the disk is nearly full or fails, the recording ends and later messages are dropped; the run continues.

    Raises:
        PoseRigError: An endpoint is taken, or the file cannot be created.
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

    Attributes:
        error: Why the recording ended before the run; else empty.
    """

    def __init__(self, job: RecordJob) -> None:
        self._job = job
        self._paced = job.config.pace == "realtime"  # messages arrive when they happen
        unix_ns = time.time_ns()
        rig_ns = time.monotonic_ns() if job.origin == "live" else 0
        given_ns = job.unix_from_rig_ns
        self._unix_from_rig_ns = unix_ns - rig_ns if given_ns is None else given_ns
        self._path = part_path(Path(job.path), job.restarts)
        name, part = Path(job.path).name, job.restarts + 1
        info = new_info(job.config, job.origin, unix_ns, self._unix_from_rig_ns, name, part)
        self._file: McapWriter | None = McapWriter(self._path, info)
        self._writer = SessionWriter(self._file, self._unix_from_rig_ns, with_video=job.config.video)
        self._newest_ns = 0  # newest rig time of files
        self._log_ns = 0
        self._lost = self._bad = 0  # messages after the end of the recording, and invalid ones
        self._refused = 0  # connections
        self.error = ""
        self._counts: deque[tuple[float, int]] = deque()
        self._size_bytes = self._written = 0
        self._flushed_s = self._synced_s = time.monotonic()
        self._reported_s = self._clock_s = -CLOCK_INTERVAL_S
        self._fusion_ended = False

    def run(self, receiver: Receiver, sender: Sender, stop: Stop) -> None:
        """Records messages until there are no more."""
        received_s = time.monotonic()
        while True:
            now_s = time.monotonic()
            got = receiver.receive_with_bytes(WAIT_MS)
            if got:
                received_s = now_s
            elif now_s - received_s > (IDLE_S if self._fusion_ended else STOP_IDLE_S) and (
                self._fusion_ended or stop.is_set()
            ):
                return
            self.add(got)
            self.maintain(now_s)
            self._bad, self._refused = receiver.bad, receiver.refused + sender.refused
            if now_s - self._reported_s >= RECORDER_REPORT_S:
                self._reported_s = now_s
                sender.send(self.health("running"))

    def add(self, messages: list[tuple[Message, bytes]]) -> None:
        """Writes messages, and what viewers show of them."""
        for message, data in messages:
            if isinstance(message, Health) and message.worker == FUSION:
                self._fusion_ended = message.state == "ended"
            if isinstance(message, VideoFrame) and message.t_ns < self._job.from_ns:
                continue
            if self._file is None:
                self._lost += 1
                continue
            try:
                self._write(message, data)
            except OSError as error:
                self._abandon(f"Writing failed: {error.strerror}.")

    def maintain(self, now_s: float) -> None:
        """Flushes, syncs, records the clocks and checks the free space, each when due."""
        if self._file is None or now_s - self._flushed_s < FLUSH_INTERVAL_S:
            return
        self._flushed_s = now_s
        try:
            if now_s - self._clock_s >= CLOCK_INTERVAL_S:
                self._clock_s = now_s
                clock = read_clocks()
                self._write(clock, encode(clock))
            if now_s - self._synced_s >= SYNC_INTERVAL_S:
                self._synced_s = now_s
                self._file.sync()
            else:
                self._file.flush()
            free_bytes = shutil.disk_usage(self._path.parent).free
        except OSError as error:
            self._abandon(f"Writing failed: {error.strerror}.")
            return
        self._size_bytes, self._written = self._file.size_bytes, self._file.written
        if free_bytes < self._job.least_free_bytes:
            self._end(f"Only {free_bytes / 1e6:.0f} MB are free on the disk.")

    def finish(self) -> None:
        """Finishes the file, if it is still being written."""
        if self._file is not None:
            self._end("")

    def health(self, state: State) -> Health:
        """Returns the state of the recording."""
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
        self._writer.write(message, data, self._log_ns)

    def _rig_now_ns(self, message: Message, on_rig_clock: bool) -> int:
        if self._paced:
            return time.monotonic_ns()
        if on_rig_clock:
            self._newest_ns = max(self._newest_ns, getattr(message, "t_ns", 0))
        return self._newest_ns

    def _end(self, reason: str) -> None:
        """Finishes the file."""
        file, self._file = self._file, None
        if file is None:
            return
        try:
            file.finish()
        except OSError as error:
            file.abandon()
            reason = f"Writing failed: {error.strerror}."
        self._size_bytes, self._written = self._path.stat().st_size if self._path.exists() else 0, file.written
        self.error = f"The recording ended: {reason} The run continues." if reason else ""

    def _abandon(self, reason: str) -> None:
        """Leaves the partial file for `recover`."""
        if self._file is not None:
            self._file.abandon()
        self._file = None
        self.error = f"The recording ended: {reason} `pose-rig recover {partial_path(self._path)}` recovers it."


def part_path(path: Path, restarts: int) -> Path:
    """Returns the file of a recorder; each restart writes a new one, ``take-2.mcap`` and so on."""
    if not restarts:
        return path
    others = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(restarts + 1))
    return next(other for other in others if not other.exists() and not partial_path(other).exists())


def read_clocks() -> Clock:
    """Returns the monotonic clock and the Unix time, read together."""
    before_ns = time.monotonic_ns()
    unix_ns = time.time_ns()
    after_ns = time.monotonic_ns()
    middle_ns = (before_ns + after_ns) // 2
    return Clock(host=socket.gethostname(), t_ns=middle_ns, unix_ns=unix_ns, uncertainty_ns=after_ns - before_ns)
