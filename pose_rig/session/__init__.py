"""Sessions: recorded, recovered, read, replayed, converted.

In a notebook::

    import pose_rig.session

    with pose_rig.session.open("take.mcap") as session:
        wrist = session.poses()["r_wrist"]  # (T,3) m
    saved = pose_rig.session.load("poses.npz")
"""

from pose_rig.session.formats.poses import Poses
from pose_rig.session.formats.poses_file import read_poses as load
from pose_rig.session.reader import Session
from pose_rig.session.reader import Session as open  # noqa: A004, N813

__all__ = ["Poses", "Session", "load", "open"]
