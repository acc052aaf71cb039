"""The worker that shows the images of a session while it is replayed: as far as fusion has come, if a page wants them.

Decoding has a process of its own with a low priority, so that poses do not wait for it.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Generic, TypeVar

import numpy as np

from pose_rig.arrays import Image
from pose_rig.capture.source import Detections
from pose_rig.capture.thumbnails import ThumbnailSender
from pose_rig.errors import SessionError
from pose_rig.session.reader import Session
from pose_rig.session.video_decoder import VideoDecoder, open_h264
from pose_rig.skeleton import JOINT_SET, J
from pose_rig.wire.bus import Receiver
from pose_rig.wire.jobs import ImagesJob, Stop
from pose_rig.wire.messages import Keypoints2D, Pose3D
from pose_rig.wire.records import VideoFrame

POLL_MS = 50  # the stop event is checked at least this often
KEYFRAME_NS = 1_200_000_000  # recorded video has a keyframe every second
JUMP_NS = 2_000_000_000  # what lies further ahead is read from its last keyframe on, nothing in between
NICENESS = 15
NO_VIDEO = "recorded without video"
NO_DECODER = "H.264 needs PyAV"
NO_PEOPLE = Detections(np.zeros((0, J, 2), np.float32), np.zeros((0, J), np.float32))
T = TypeVar("T", Keypoints2D, VideoFrame)


def main(job: ImagesJob, stop: Stop) -> None:
    """Sends thumbnails and detections of a session while a page wants them, until it is stopped.

    Args:
        job: The session and the endpoints.
        stop: Stop flag; the worker ends within 0.5 s.

    Raises:
        SessionError: The session cannot be read.
    """
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    with ExitStack() as stack:
        session = stack.enter_context(Session(job.path))
        poses = stack.enter_context(Receiver(job.input, keys=job.keys, topics=(Pose3D.TOPIC,)))
        cameras = [
            stack.enter_context(closing(ReplayedCamera(session, name, job, images=name not in job.without)))
            for name in job.cameras
        ]
        now_ns = 0
        while not stop.is_set():
            for message in poses.receive(POLL_MS):
                if isinstance(message, Pose3D):
                    now_ns = message.t_ns
            for camera in cameras:
                if not stop.is_set():
                    camera.show(now_ns)


def why_no_images(session: Session, camera: str) -> str:
    """Returns why a camera of a session has no images that can be shown, empty if it has."""
    first = next(session.video_frames(camera), None)
    if first is None:
        return NO_VIDEO
    if first.format == "h264":
        try:
            open_h264()
        except SessionError:
            return NO_DECODER
    return ""


class ReplayedCamera:
    """Shows what one camera of a session saw.

    Args:
        session: The session.
        name: Of the camera.
        job: Where thumbnails go.
        images: Whether there are images; else the detections are shown alone.
    """

    def __init__(self, session: Session, name: str, job: ImagesJob, *, images: bool) -> None:
        self._session, self._name, self._images = session, name, images
        self._sender = ThumbnailSender(name, job.thumbnails, job.keys)
        self._decoder = VideoDecoder()
        self._shown_ns: int | None = None
        self._keypoints = Forwards[Keypoints2D](iter(()))
        self._frames = Forwards[VideoFrame](iter(()))

    def show(self, t_ns: int) -> None:
        """Sends what was seen last at a time (rig clock), if a page wants it and it is new."""
        if not self._sender.due or t_ns == self._shown_ns:
            return
        if self._shown_ns is None or not 0 <= t_ns - self._shown_ns < JUMP_NS:
            self._jump(t_ns)
        self._shown_ns = t_ns
        detected = {one.t_ns: one for one in self._keypoints.until(t_ns)}
        image, image_ns = self._decoded(t_ns) if self._images else (None, max(detected, default=0))
        seen = detected.get(image_ns)
        if image is not None or seen is not None:
            self._send(image, image_ns, seen)

    def close(self) -> None:
        """Closes the socket."""
        self._sender.close()

    def _send(self, image: Image | None, t_ns: int, seen: Keypoints2D | None) -> None:
        if seen is not None:
            found = Detections(seen.xy, seen.score)
            self._sender.offer(image, found, t_ns=t_ns, size_px=seen.size_px, landmarks=seen.landmarks)
        elif image is not None:
            size = image.shape[1], image.shape[0]
            self._sender.offer(image, NO_PEOPLE, t_ns=t_ns, size_px=size, landmarks=JOINT_SET)

    def _decoded(self, t_ns: int) -> tuple[Image | None, int]:
        """Returns the newest image up to a time that was not returned yet, and its own time."""
        image, image_ns = None, 0
        for frame in from_last_keyframe(self._frames.until(t_ns)):
            decoded = self._decoder.decode(frame)
            if decoded is not None:
                image, image_ns = decoded, frame.t_ns
        return image, image_ns

    def _jump(self, t_ns: int) -> None:
        """Begins to read shortly before a time."""
        start_ns = self._session.start_unix_ns - self._session.info.unix_from_rig_ns
        from_s = max(t_ns - KEYFRAME_NS - start_ns, 0) * 1e-9
        messages = self._session.messages((Keypoints2D.TOPIC + self._name,), from_s)
        self._keypoints = Forwards(one for one in messages if isinstance(one, Keypoints2D))
        self._frames = Forwards(self._session.video_frames(self._name, from_s) if self._images else iter(()))
        self._decoder.restart()


class Forwards(Generic[T]):
    """Messages of one camera, taken up to a time.

    Args:
        messages: In order of their times.
    """

    def __init__(self, messages: Iterator[T]) -> None:
        self._messages: Iterator[T] = messages
        self._next: T | None = next(messages, None)

    def until(self, t_ns: int) -> list[T]:
        """Returns the messages up to a time that were not returned yet."""
        found = []
        while self._next is not None and self._next.t_ns <= t_ns:
            found.append(self._next)
            self._next = next(self._messages, None)
        return found


def from_last_keyframe(frames: list[VideoFrame]) -> list[VideoFrame]:
    """Returns the frames that the last image needs: those from the last keyframe on, all if there is none."""
    return frames[max((number for number, frame in enumerate(frames) if frame.keyframe), default=0) :]
