"""Sessions: recorded, recovered, read, replayed, converted.

In a notebook::

    import pose_rig.session

    with pose_rig.session.open("take.mcap") as session:
        wrist = session.poses().joint("r_wrist")  # (T,3) m
"""

from pose_rig.session.reader import Session
from pose_rig.session.reader import open_session as open  # noqa: A004

__all__ = ["Session", "open"]
