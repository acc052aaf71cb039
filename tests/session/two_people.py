"""A session of two people: that of `tests.tools.sessions`, and another 1 m away who comes late and goes away."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from pose_rig.session.formats.poses import ROWS, Poses
from pose_rig.wire.messages import Keypoints2D, Message, Pose3D, Refined2D
from tests.session.posed import made
from tests.tools.sessions import FRAMES, sample, write_session

ASIDE_M = np.array([1.0, 0.0, 0.0], np.float32)
ASIDE_PX = np.array([200.0, 0.0], np.float32)
HEIGHT_M = 1.6  # of the second person
AWAY = (*range(5), *range(20, 30))  # time steps without the second person
PRESENT = tuple(i for i in range(FRAMES) if i not in AWAY)


def messages() -> Iterator[Message]:
    """Yields the messages of a session; the second person is detected by the first camera only."""
    index = 0
    for message in sample():
        if isinstance(message, Keypoints2D) and message.camera == "cam0":
            both = np.concatenate([message.xy + ASIDE_PX, message.xy])
            yield msgspec.structs.replace(message, xy=both, score=np.repeat(message.score, 2, 0))
            continue
        yield message
        if isinstance(message, Refined2D) and index not in AWAY:
            yield msgspec.structs.replace(message, xy=message.xy + ASIDE_PX, person=1)
        if isinstance(message, Pose3D):
            if index not in AWAY:
                aside = {"xyz": message.xyz + ASIDE_M, "tracking": 1, "height_m": HEIGHT_M, "height_assumed": False}
                yield msgspec.structs.replace(message, person=1, **aside)
            index += 1


def session_of_two(path: Path) -> Path:
    """Writes the session, and returns its path."""
    return write_session(path, messages())


def poses_of_two(count: int = 30) -> list[Poses]:
    """Returns the poses of `tests.session.posed.made`, and those 1 m beside of a person who leaves for 0.3 s."""
    first = made(count)
    rows = np.array([i for i in range(count) if not 5 <= i < 23])
    part = {name: getattr(first, name)[rows] for name in ROWS}
    part["xyz"] = part["xyz"] + ASIDE_M
    return [first, replace(first, **part, person=1, height_m=HEIGHT_M)]
