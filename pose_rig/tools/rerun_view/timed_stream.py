"""A Rerun recording with the two timelines of a session."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import rerun as rr
from numpy.typing import NDArray


class TimedStream:
    """Logs data at times of the rig clock.

    The timelines are ``time`` since the start of the session, and ``frame``, the index of the pose then or next.

    Args:
        stream: The recording.
        start_ns: Start of the session, rig clock; kept.
        poses_ns: (T,) time of every pose, rig clock, increasing.
    """

    def __init__(self, stream: rr.RecordingStream, start_ns: int, poses_ns: NDArray[np.int64]) -> None:
        self.start_ns = start_ns
        self._stream, self._poses_ns = stream, poses_ns

    def log_static(self, path: str, *values: Any) -> None:
        """Logs values that do not change."""
        self._stream.log(path, *values, static=True)

    def log(self, path: str, t_ns: int, *values: Any) -> None:
        """Logs values at one time."""
        self._stream.set_time("time", duration=np.timedelta64(t_ns - self.start_ns, "ns"))
        self._stream.set_time("frame", sequence=int(np.searchsorted(self._poses_ns, t_ns)))
        self._stream.log(path, *values)

    def send(self, path: str, t_ns: NDArray[np.int64], columns: Iterable[Any]) -> None:
        """Logs columns with one row per time (T,)."""
        time = rr.TimeColumn("time", duration=(t_ns - self.start_ns).astype("timedelta64[ns]"))
        frame = rr.TimeColumn("frame", sequence=np.searchsorted(self._poses_ns, t_ns))
        self._stream.send_columns(path, [time, frame], columns)
