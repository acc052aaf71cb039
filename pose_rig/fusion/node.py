"""One run of the fusion: messages in, poses out, live or through files.

Where the messages come from, what runs the network and where the poses go is told from outside (`process.main`).
"""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from typing import Protocol

import cv2
import numpy as np

from pose_rig.config import ASSUMED_HEIGHT_M
from pose_rig.errors import PoseRigError
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.self_solve import Solved
from pose_rig.fusion.clocks import FileClock, LiveClock
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.keypoint_checks import checked
from pose_rig.fusion.message_file import MessageFile
from pose_rig.fusion.pose.smooth import OneEuro
from pose_rig.fusion.pose.sync import Sample, SampleBuffer
from pose_rig.fusion.pose_estimate import PoseEstimate
from pose_rig.fusion.pose_messages import is_tellable, pose_of, refined_of
from pose_rig.fusion.publisher import Publisher
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.fusion.rig.likeness import Likeness
from pose_rig.graph import Engine
from pose_rig.skeleton import Landmarks
from pose_rig.wire.bus import Receiver
from pose_rig.wire.jobs import FusionJob
from pose_rig.wire.messages import Health, Keypoints2D, Message, Pose3D, RigState, State
from pose_rig.wire.meter import Meter
from pose_rig.wire.records import Learned
from pose_rig.wire.services import FUSION, FUSION_REPORT_S
from pose_rig.wire.stop import Stop

AHEAD = 32  # samples a file may run ahead of the others
IDLE_MS = 20  # wait for more of a file
SPOILT = 10  # instants in a row without a usable pose after which the fusion begins anew ...
HOPELESS = 600  # ... and ends; ten seconds
ARITHMETIC = (ArithmeticError, ValueError, np.linalg.LinAlgError, cv2.error)
STRANGER = "A program that is not part of this rig tried to connect and was refused."


class Door(Protocol):
    """What counts the messages and the connections that it lets no further."""

    bad: int
    last_error: str

    @property
    def refused(self) -> int:
        """How many connections were turned away."""


class Source(Door, Protocol):
    """Where the messages of one camera come from: a `Receiver`, or a `MessageFile` of what it once said."""

    def receive(self, timeout_ms: int, max_messages: int = ...) -> list[Message]:
        """Returns what is there, oldest first."""


class PosesWriter(Protocol):
    """Writes the poses file of a run."""

    def add(
        self, instant: PoseEstimate, samples: Sequence[Sample | None], landmarks: Sequence[Landmarks | None]
    ) -> None:
        """Adds a pose and the detections of each view at its time."""

    def close(self, cameras: Calibration | None, backwards: OneEuro | None) -> object:
        """Finishes the file: with the solved cameras, and smoothed once more backwards if there is a filter.

        Raises:
            SaveError: The file cannot be written where it was wanted.
        """


OpenPoses = Callable[[FusionJob], PosesWriter | None]  # None where the job saves no poses


class Node:
    """One run of the fusion process."""

    def __init__(
        self, job: FusionJob, engine: Engine, outlet: Publisher, learner: BackgroundCompute, poses: PosesWriter | None
    ) -> None:
        config = job.config
        self._config, self._outlet = config, outlet
        self._engine, self._learner = engine, learner
        self._index = {camera.name: v for v, camera in enumerate(config.camera)}
        self._tracks = [SampleBuffer() for _ in config.camera]
        self._fusion = Estimator(config, engine, learner)
        self._spools: list[MessageFile] | None = None  # during the first of two passes
        self._meter = Meter(FUSION, job.restarts)
        self._meter.detail = f"{engine.provider} ({engine.reason})"
        height = config.height_m or ASSUMED_HEIGHT_M
        self._height = (height, config.height_m is None)
        self._file = poses
        self._fixed: Solved | None = None  # the rig that is used from the start and kept
        self._fused = 0
        self._spoilt = 0  # instants in a row of which no pose could be made
        self._newest_ns = 0  # instant fused last
        self._told_s = 0.0
        self._mode = ""
        self._doors: tuple[Door, ...] = (outlet,)  # all since the start: their counts never fall
        self._bad = self._left_out = 0  # messages, and instants that were due and not fused
        self._likeness: Likeness | None = None  # of a replay
        self._again = False  # whether this is the second of two passes
        self._outlet.send(self._meter.health("starting"))

    def expects(self, total: int | None) -> None:
        """Says how many poses there will be, as far as that is known."""
        self._meter.total_frames = total

    def ready(self) -> None:
        """Says that it could begin."""
        self._outlet.send(self._meter.health("ready"))

    def run_live(self, receiver: Receiver, stop: Stop) -> None:
        """Fuses at even ticks what has arrived by then."""
        self._doors += (receiver,)
        clock = LiveClock(self._config.fusion.rate_hz, len(self._tracks))
        while not stop.is_set() and not all(track.ended for track in self._tracks):
            for message in receiver.receive(clock.wait_ms(time.monotonic_ns())):
                view = self._take(message)
                if view is not None and isinstance(message, Keypoints2D):
                    now_ns = time.monotonic_ns()
                    clock.arrived(view, now_ns - message.t_ns, now_ns)
            t_ns = clock.tick(time.monotonic_ns(), self._tracks)
            if t_ns is not None:
                self._fuse(t_ns, live=True)
            self._tell(clock.left_out)

    def run_again(self, messages: Iterable[Message], stop: Stop, rig: RigState | None = None) -> None:
        """Goes through a live run once more: what was heard, in its order, and a pose wherever there was one.

        Where messages are missing, what the rig learned can no longer be told: from there on the rig is the one that
        the recording says was in use.

        Args:
            messages: Those of a recording, in the order in which the fusion took and sent them.
            stop: Asks to end.
            rig: The first state of the rig among them, for a recording that begins in the middle of a run.
        """
        self._likeness = likeness = Likeness()
        next_index, follows = 0, False
        for message in messages:
            if stop.is_set():
                return
            if isinstance(message, Learned):
                self._fusion.rig.expect(message)
            elif isinstance(message, RigState):
                rig = message
                if follows:
                    self._fusion.rig.follow(rig)
            elif isinstance(message, Pose3D):
                if message.index != next_index and not follows:
                    follows = True
                    likeness.follows(message.t_ns)
                    if rig is not None:
                        self._fusion.rig.follow(rig)
                next_index = message.index + 1
                self._fused = message.index
                likeness.compare(message, self._fuse(message.t_ns, age_ns=message.age_ns))
            elif isinstance(message, Health) and message.worker == FUSION:
                if message.state == "starting":  # it was restarted then
                    self._begin_anew()
                    next_index, follows = 0, False
            else:
                self._take(message)
            self._tell()

    def run_twice(self, receivers: Sequence[Source], stop: Stop) -> None:
        """Learns the rig from the whole of the files, then fuses all of it with that rig."""
        with ExitStack() as stack:
            self._spools = spools = [stack.enter_context(closing(MessageFile())) for _ in self._tracks]
            self.run_files(receivers, stop)
            self._spools, self._again = None, True
            if stop.is_set():
                return
            solved = self._fusion.rig.finish()
            note = self._fusion.rig.note
            self._begin_anew(solved)
            self._fusion.rig.note = note
            for spool in spools:
                spool.rewind()
            self.run_files(spools, stop)

    def run_files(self, receivers: Sequence[Source], stop: Stop) -> None:
        """Fuses every frame of the fastest file, waiting for all."""
        self._doors += tuple(receivers)
        clock = FileClock()
        while not stop.is_set():
            for receiver, track in zip(receivers, self._tracks, strict=True):
                if clock.ahead(track) < AHEAD:
                    for message in receiver.receive(0, max_messages=8):
                        self._take(message)
            t_ns = clock.tick(self._tracks)
            if t_ns is not None:
                self._fuse(t_ns)
            elif all(track.ended for track in self._tracks):
                return
            else:
                self._wait(receivers, clock)
            self._tell()

    def _begin_anew(self, solved: Solved | None = None) -> None:
        """Forgets all that was heard and learned; ``solved`` is a rig to begin and to end with."""
        self._fixed = solved
        self._tracks = [SampleBuffer() for _ in self._tracks]
        self._fusion = Estimator(self._config, self._engine, self._learner, solved)

    def finish(self, remarks: Sequence[str] = ()) -> None:
        """Finishes the poses file and says good-bye.

        Args:
            remarks: What else is to be said of the run.

        Raises:
            SaveError: The poses cannot be kept where they were wanted.
        """
        alike = self._likeness.verdict() if self._likeness else ()
        self._meter.detail = "; ".join((self._meter.detail, *remarks, *alike))
        try:
            if self._file is not None:
                settings = self._config.fusion
                both_ways = OneEuro(settings.min_cutoff_hz, settings.beta) if self._config.passes == 2 else None
                self._file.close(self._fusion.calibration, both_ways)
        finally:
            self._outlet.send(self._rig_state())
            self._outlet.send(self._health("ended"))

    def _wait(self, receivers: Sequence[Source], clock: FileClock) -> None:
        behind = [
            r
            for r, track in zip(receivers, self._tracks, strict=True)
            if not track.ended and clock.ahead(track) < AHEAD
        ]
        for receiver in behind[:1]:
            for message in receiver.receive(IDLE_MS, max_messages=8):
                self._take(message)

    def _take(self, message: Message) -> int | None:
        """Takes a message; returns the view it is of, None if it is nothing for us."""
        if isinstance(message, Keypoints2D):
            return self._take_keypoints(message)
        if isinstance(message, Health) and message.worker in self._index:
            view = self._index[message.worker]
            # a file that failed is over; a camera that failed is restarted and comes back
            over = message.state == "ended" or (message.state == "failed" and self._config.pace == "all")
            self._tracks[view].ended = over
            if message.total_frames is not None:
                self._meter.total_frames = max(message.total_frames, self._meter.total_frames or 0)
            if self._spools is not None:
                self._spools[view].add(message)
            if not self._again:
                self._outlet.send(message)
            return view
        self._meter.count_dropped(f"{message.topic} is nothing for a fusion process.")
        return None

    def _take_keypoints(self, message: Keypoints2D) -> int | None:
        view = self._index.get(message.camera)
        if view is None:
            self._meter.count_dropped(f"A camera calls itself {message.camera!r}, which is not part of this rig.")
            return None
        track = self._tracks[view]
        try:
            usable = checked(message, track.landmarks, live=self._config.pace == "realtime")
            self._fusion.describe(view, message.size_px, message.landmarks)
        except PoseRigError as error:
            self._meter.count_dropped(error.cause)
            return None
        if self._spools is None:
            self._outlet.keep(message)
        if track.add(usable):
            track.ended = False
            if self._spools is not None:
                self._spools[view].add(message)
        else:
            self._meter.count_dropped(f"{message.camera} sent a frame that is not newer than the one before.")
        return view

    def _fuse(self, t_ns: int, *, live: bool = False, age_ns: int | None = None) -> Pose3D | None:
        """Makes, publishes and returns the pose of an instant; None in the first of two passes.

        Args:
            t_ns: The instant.
            live: Whether it happens now.
            age_ns: How old the pose was when it was made first; None = it is made now.
        """
        began = time.perf_counter_ns()
        samples = [track.at(t_ns) for track in self._tracks]
        synced = time.perf_counter_ns()
        instant = self._step(t_ns, samples)
        if self._spools is not None or instant is None:
            return None
        stepped = time.perf_counter_ns()
        if age_ns is None:
            age_ns = max(time.monotonic_ns() - t_ns, 0) if live else stepped - began
        self._outlet.at(t_ns)
        self._newest_ns = t_ns
        for learned in self._fusion.rig.news():
            self._outlet.keep(learned)
        pose = self._publish(instant, age_ns)
        if self._fusion.rig.changed():  # at once, so that a recording has each rig with the poses made with it
            self._outlet.send(self._rig_state())
        if self._file is not None:
            self._file.add(instant, samples, self._fusion.landmarks)
        stages_ms = {
            "sync": (synced - began) / 1e6,
            "fuse": (stepped - synced) / 1e6,
            "send": (time.perf_counter_ns() - stepped) / 1e6,
        }
        self._meter.count_sent(age_ns / 1e6, stages_ms)
        self._fused += 1
        return pose

    def _step(self, t_ns: int, samples: Sequence[Sample | None]) -> PoseEstimate | None:
        """Returns what the samples say of an instant, None if that is no pose; it is counted then.

        What has spoilt one pose may stay in the state, so the fusion begins anew when pose after pose is none.

        Raises:
            PoseRigError: None has come out for so long that it is no matter of the samples.
        """
        try:
            instant = self._fusion.step(t_ns, samples)
            reason = "" if is_tellable(instant) else "it is not finite"
        except ARITHMETIC as error:
            reason = f"{type(error).__name__}: {str(error)[:200]}"
        if not reason:
            self._spoilt = 0
            return instant
        self._spoilt += 1
        cause = f"No pose could be made of what the cameras sent: {reason}."
        self._meter.count_dropped(cause)
        if self._spoilt >= HOPELESS:
            raise PoseRigError(cause, "Run again with --debug and report what the cameras show.")
        if self._spoilt % SPOILT == 0:
            self._fusion = Estimator(self._config, self._engine, self._learner, self._fixed)
            for view, track in enumerate(self._tracks):
                if track.landmarks:
                    self._fusion.describe(view, track.size_px, track.landmarks)
        return None

    def _publish(self, instant: PoseEstimate, age_ns: int) -> Pose3D:
        pose = pose_of(instant, self._fused, age_ns, *self._height)
        self._outlet.send(pose)
        for refined in refined_of(instant, self._fused, tuple(self._index)):
            self._outlet.send(refined)
        return pose

    def _tell(self, left_out: int = 0) -> None:
        """Publishes the state of rig and process, now and then and when the mode changes.

        Args:
            left_out: Instants that were due and not fused.
        """
        self._left_out = left_out
        rig, now_s = self._fusion.rig, time.monotonic()
        if now_s - self._told_s < FUSION_REPORT_S and rig.mode == self._mode:
            return
        self._told_s, self._mode = now_s, rig.mode
        self._outlet.send(self._rig_state())
        self._outlet.send(self._health("running" if self._fused else "ready"))

    def _health(self, state: State) -> Health:
        """Returns how the process is doing, with what was wrong since this was last called."""
        bad, refused = sum(door.bad for door in self._doors), sum(door.refused for door in self._doors)
        fault = next((door.last_error for door in self._doors if door.bad), "") if bad > self._bad else ""
        fault = STRANGER if refused > self._meter.refused else fault
        self._bad, self._meter.refused = bad, refused
        return self._meter.health(state, fault, bad + self._left_out)

    def _rig_state(self) -> RigState:
        rig = self._fusion.rig
        live = self._config.pace == "realtime"
        now_ns = time.monotonic_ns() if live else self._newest_ns
        return RigState(t_ns=now_ns, mode=rig.mode, cameras=rig.states(), note=rig.note, bones_m=rig.bones_m)
