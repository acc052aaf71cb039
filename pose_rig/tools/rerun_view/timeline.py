"""The two timelines of a session in Rerun."""

import numpy as np
import rerun as rr
from numpy.typing import NDArray


class SessionClock:
    """Says where on Rerun's timelines an instant of a session lies.

    Args:
        start_ns: Start of the session, rig clock; kept.
        frames_ns: (T,) when every pose was, rig clock, increasing; it gives the frames their numbers.
    """

    def __init__(self, start_ns: int, frames_ns: NDArray[np.int64]) -> None:
        self.start_ns = start_ns
        self._frames_ns = frames_ns

    def columns(self, t_ns: NDArray[np.int64]) -> list[rr.TimeColumn]:
        """Returns ``time``, from the start of the session, and ``frame``, the number of the pose then or next."""
        return [
            rr.TimeColumn("time", duration=(t_ns - self.start_ns).astype("timedelta64[ns]")),
            rr.TimeColumn("frame", sequence=np.searchsorted(self._frames_ns, t_ns)),
        ]

    def set(self, t_ns: int, to: rr.RecordingStream) -> None:
        """Sets the instant of what is logged next."""
        to.set_time("time", duration=np.timedelta64(t_ns - self.start_ns, "ns"))
        to.set_time("frame", sequence=int(np.searchsorted(self._frames_ns, t_ns)))
