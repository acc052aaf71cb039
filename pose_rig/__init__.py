"""pose-rig: live multi-camera motion capture that needs no calibration.

What is in ``__all__`` is the programming interface, described in docs/python.md; everything is imported when it is
first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pose_rig.api import Cameras, Pose, Rig, load, load_people, open, retarget, subscribe  # noqa: A004
    from pose_rig.errors import PoseRigError

__all__ = ["Cameras", "Pose", "PoseRigError", "Rig", "load", "load_people", "open", "retarget", "subscribe"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'pose_rig' has no attribute {name!r}")
    return getattr(import_module("pose_rig.errors" if name == "PoseRigError" else "pose_rig.api"), name)


def __dir__() -> list[str]:
    return __all__
