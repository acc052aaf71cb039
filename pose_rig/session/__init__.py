"""Sessions: recorded, recovered, read, replayed, converted; `open` and `load` are former names of `pose_rig`'s."""

from pose_rig.session.formats.poses import Poses
from pose_rig.session.formats.poses_file import read_poses as load
from pose_rig.session.reader import Session
from pose_rig.session.reader import Session as open  # noqa: A004, N813

__all__ = ["Poses", "Session", "load", "open"]
