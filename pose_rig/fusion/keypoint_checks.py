"""What the fusion takes of what its cameras send: everything that a picture could hold."""

import time

import msgspec
import numpy as np

from pose_rig.errors import MessageError
from pose_rig.skeleton import landmarks
from pose_rig.wire.messages import Keypoints2D

MOST_PEOPLE = 16  # in one picture
MOST_LANDMARKS = 1024  # of one person; the largest known set has 543
CLOCK_MARGIN_NS = 10_000_000_000  # files may be shifted against each other by some seconds
FAR = 10  # pictures beside the picture: a detector guesses a foot below its edge, but nobody is that large


def checked(message: Keypoints2D, known: str, *, live: bool) -> Keypoints2D:
    """Returns keypoints as the fusion can use them: points far beyond the picture are not seen.

    Args:
        message: What a camera sent.
        known: The landmark set that the camera has had until now; empty = none.
        live: Whether its instants are those of this machine's clock; otherwise they are those of a file.

    Raises:
        MessageError: It cannot be of a camera of this rig.
        UsageError: The landmark set is unknown.
    """
    people, count = message.xy.shape[:2]
    if count > MOST_LANDMARKS:
        raise MessageError(message.topic, "xy", f"has {count} landmarks")
    if count != len(landmarks(message.landmarks).names):
        raise MessageError(message.topic, "xy", f"has {count} landmarks, {message.landmarks[:80]} has not")
    if not live and known not in ("", message.landmarks):
        raise MessageError(message.topic, "landmarks", f"changes from {known[:80]} within a file")
    if people > MOST_PEOPLE:
        raise MessageError(message.topic, "xy", f"has {people} people")
    if live and abs(message.t_ns - time.monotonic_ns()) > CLOCK_MARGIN_NS:
        when = "future" if message.t_ns > time.monotonic_ns() else "past"
        raise MessageError(message.topic, "t_ns", f"lies in the {when}: the sender has another clock, or hangs")
    return _within_reach(message)


def _within_reach(message: Keypoints2D) -> Keypoints2D:
    size = np.asarray(message.size_px, np.float32)
    far = np.any(np.abs(message.xy - size / 2) > (FAR + 0.5) * size, axis=-1)
    if not far.any():
        return message
    return msgspec.structs.replace(
        message,
        xy=np.where(far[..., None], np.float32(0), message.xy),
        score=np.where(far, np.float32(0), message.score),
    )
