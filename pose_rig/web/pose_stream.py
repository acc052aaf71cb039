"""The poses for the live page: retargeted, encoded once for all pages, at an even rate."""

import time

from pose_rig.config import StreamConfig
from pose_rig.streaming.axes import RIG
from pose_rig.streaming.json_frames import SchemaCache, frame
from pose_rig.streaming.live_people import LivePeople
from pose_rig.streaming.send_timer import SendTimer
from pose_rig.wire.messages import Pose3D

RATE_HZ = 60.0


class PoseStream:
    """Makes frames of received poses.

    Args:
        stream: Options of the retargeter.
        sizes_px: (width, height) by camera, filled by the caller.
        people: How many are tracked at most; frames have all of several.
    """

    def __init__(self, stream: StreamConfig, sizes_px: dict[str, tuple[int, int]], people: int = 1) -> None:
        self._people = LivePeople(stream.lead, foot_lock=stream.foot_lock, all_people=people > 1)
        self._timer, self._schemas = SendTimer(RATE_HZ), SchemaCache(RIG)
        self._sizes_px = sizes_px

    def add(self, pose: Pose3D) -> None:
        """Adds a received pose."""
        self._people.add(pose, time.monotonic_ns())

    def wait_s(self) -> float:
        """Returns how long to wait for the next frame if no further pose arrives."""
        return self._timer.wait_s(time.monotonic_ns(), new=self._people.has_new)

    def due(self) -> tuple[str, str] | None:
        """Returns the schema and a frame, as JSON, if one is due; None otherwise and before the first pose."""
        now_ns, new = time.monotonic_ns(), self._people.has_new
        if not self._timer.ready(now_ns, new=new):
            return None
        self._timer.sent(now_ns, new=new)
        pose = self._people.poses_at(now_ns).first
        if pose.index < 0:
            return None
        return self._schemas.get(pose).decode(), frame(pose, RIG).decode()
