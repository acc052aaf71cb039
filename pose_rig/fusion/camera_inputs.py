"""The messages of a rig's cameras, checked and sorted into one sample buffer per camera."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import numpy as np

from pose_rig.errors import MessageError, PoseRigError
from pose_rig.fusion.late_cameras import KEEP_NS, CompleteSamples, LateCameras, times_behind
from pose_rig.fusion.pose.sync import Sample, SampleBuffer
from pose_rig.fusion.synchronisation.camera_clock import RIG_CLOCK, CameraClock
from pose_rig.skeleton import landmarks
from pose_rig.wire.messages import Command, Health, Keypoints2D, Message

MAX_PEOPLE = 16  # per image
MAX_LANDMARKS = 1024  # per person; the largest known set has 543
MAX_CLOCK_ERROR_NS = 10_000_000_000  # files may be shifted against each other by some seconds
MAX_OFFSET_IMAGES = 10  # image sizes beyond the border: detectors extrapolate a foot, but no person is that large


class MessageSource(Protocol):
    """Where messages are read from: a `pose_rig.wire.bus.Receiver`, a `MessageFile` or a recording."""

    def receive(self, timeout_ms: int, max_messages: int = ...) -> list[Message]:
        """Returns the available messages, oldest first."""


class CameraInputs:
    """One sample buffer per camera, filled from messages.

    Args:
        names: (V) of the cameras.
        sources: Where their messages come from: one per camera, or one for all.
        live: Whether timestamps are those of this machine's clock; otherwise they are those of a file.
        accept: Called with the view and each message that is used; a command has the view −1.
        reject: Called with the reason for each message that is not.
        clocks: (V) of the cameras; None = all have the clock of the rig.
        follow: Whether this is a live run, or the exact repetition of one: clocks are followed, and cameras that
            deliver too late for a time step are left out of it.

    Attributes:
        buffers: (V) the recent samples of each camera, by the clock of the rig.
        clocks: (V) by which the timestamps of the messages to come are converted to rig time.
    """

    def __init__(
        self,
        names: Sequence[str],
        sources: Sequence[MessageSource],
        *,
        live: bool = False,
        accept: Callable[[int, Message], None] = lambda view, message: None,
        reject: Callable[[str], None] = lambda reason: None,
        clocks: Sequence[CameraClock] | None = None,
        follow: bool = False,
    ) -> None:
        self._view = {name: v for v, name in enumerate(names)}
        self._live, self._accept, self._reject = live, accept, reject
        self.sources = sources
        self._late = LateCameras(len(names)) if follow else None
        self._next_ns: int | None = None  # from which the rig learns again
        self.buffers = self._empty_buffers(len(names))
        self.clocks = list(clocks or [RIG_CLOCK] * len(names))
        self._commands: list[Command] = []

    @property
    def ended(self) -> bool:
        """Whether no camera will send anything more."""
        return all(buffer.ended for buffer in self.buffers)

    @property
    def followed(self) -> bool:
        """Whether clocks are followed, and late cameras left out."""
        return self._late is not None

    @property
    def late_age_ns(self) -> Sequence[float]:
        """(V) as in `LateCameras`."""
        return [0.0] * len(self.buffers) if self._late is None else self._late.age_ns

    def take_commands(self) -> list[Command]:
        """Returns the commands of the user since this was last called."""
        commands, self._commands = self._commands, []
        return commands

    def reject(self, reason: str) -> None:
        """Reports a message that cannot be used."""
        self._reject(reason)

    def samples(self, t_ns: int) -> list[Sample | None]:
        """Returns (V) the detections of each camera at a time step of the rig clock, None where there are none near it.

        Late cameras are left out.
        """
        if self._late is None:
            return [buffer.at(t_ns) for buffer in self.buffers]
        self._late.update(t_ns, self.buffers)
        return [
            None if age_ns else buffer.at(t_ns) for buffer, age_ns in zip(self.buffers, self.late_age_ns, strict=True)
        ]

    def learn_again(self, t_ns: int) -> None:
        """Has `complete_samples` begin with the oldest samples that are kept, at a time step."""
        self._next_ns = t_ns - KEEP_NS

    def complete_samples(self, t_ns: int) -> list[CompleteSamples]:
        """Returns the samples of times from which the rig is to learn instead of a time step; usually there are none.

        Where cameras are late, it is the last time for which they have delivered too. After `learn_again` they are the
        next ones of the times until then.
        """
        if self._late is None:
            return []
        common_ns = self._late.common_ns(t_ns)
        times_ns = [common_ns] if any(self._late.age_ns) else []
        if self._next_ns is not None:
            times_ns, self._next_ns = times_behind(self._next_ns, common_ns)
        return [CompleteSamples(time_ns, [buffer.at(time_ns) for buffer in self.buffers]) for time_ns in times_ns]

    def restart(self) -> None:
        """Discards all samples, and the clocks that were followed."""
        if self._late is not None:
            self._late, self.clocks = LateCameras(len(self.buffers)), [RIG_CLOCK] * len(self.buffers)
            self._next_ns = None
        self.buffers = self._empty_buffers(len(self.buffers))

    def set_clock(self, view: int, clock: CameraClock, from_ns: int | None = None) -> None:
        """Uses another clock for a camera, also for the samples so far; ``from_ns`` as in `SampleBuffer.set_clock`."""
        self.clocks[view] = clock
        self.buffers[view].set_clock(clock, from_ns)

    def _empty_buffers(self, views: int) -> list[SampleBuffer]:
        return [SampleBuffer(KEEP_NS if self.followed else 0) for _ in range(views)]

    def take(self, message: Message) -> int | None:
        """Adds a message to the buffer of its camera; returns the view, None if the message was rejected."""
        if isinstance(message, Keypoints2D):
            return self._take_keypoints(message)
        if isinstance(message, Command):
            self._commands.append(message)
            self._accept(-1, message)
            return None
        view = self._view.get(message.worker) if isinstance(message, Health) else None
        if view is None or not isinstance(message, Health):
            self._reject(f"{message.topic} is not a message of a camera.")
            return None
        # a file that failed is over; a camera that failed is restarted
        self.buffers[view].ended = message.state == "ended" or (message.state == "failed" and not self._live)
        self._accept(view, message)
        return view

    def _take_keypoints(self, message: Keypoints2D) -> int | None:
        view = self._view.get(message.camera)
        if view is None:
            self._reject(f"Unknown camera {message.camera!r}: not in this rig's configuration.")
            return None
        buffer = self.buffers[view]
        try:
            usable = checked(message, buffer.landmarks, live=self._live)
        except PoseRigError as error:
            self._reject(error.cause)
            return None
        self._accept(view, message)
        if buffer.add(usable, self.clocks[view]):
            buffer.ended = False
        else:
            self._reject(f"{message.camera} sent a frame that is not newer than the one before.")
        return view


def checked(message: Keypoints2D, known: str, *, live: bool) -> Keypoints2D:
    """Returns keypoints without points far outside the image: their score becomes 0.

    Args:
        message: From a camera.
        known: The landmark set of the camera's earlier messages; empty = none.
        live: As in `CameraInputs`.

    Raises:
        MessageError: It cannot be from a camera of this rig.
        UsageError: The landmark set is unknown.
    """
    people, count = message.xy.shape[:2]
    if count > MAX_LANDMARKS:
        raise MessageError(message.topic, "xy", f"has {count} landmarks")
    if count != len(landmarks(message.landmarks).names):
        raise MessageError(message.topic, "xy", f"has {count} landmarks, {message.landmarks[:80]} has not")
    if not live and known not in ("", message.landmarks):
        raise MessageError(message.topic, "landmarks", f"changes from {known[:80]} within a file")
    if people > MAX_PEOPLE:
        raise MessageError(message.topic, "xy", f"has {people} people")
    if live and abs(message.t_ns - time.monotonic_ns()) > MAX_CLOCK_ERROR_NS:
        when = "future" if message.t_ns > time.monotonic_ns() else "past"
        raise MessageError(message.topic, "t_ns", f"lies in the {when}: the sender has another clock, or hangs")
    size = np.asarray(message.size_px, np.float32)
    far = np.any(np.abs(message.xy - size / 2) > (MAX_OFFSET_IMAGES + 0.5) * size, axis=-1)
    if not far.any():
        return message
    return msgspec.structs.replace(
        message,
        xy=np.where(far[..., None], np.float32(0), message.xy),
        score=np.where(far, np.float32(0), message.score),
        depth=np.where(far, np.float32(0), message.depth) if message.depth.size else message.depth,
    )
