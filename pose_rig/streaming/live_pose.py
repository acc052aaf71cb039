"""The person at one instant, ready to be sent.

Axes: J joints, B bones of the humanoid.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import RestPose
from pose_rig.wire.messages import Mode, Refined2D


@dataclass(frozen=True, slots=True, eq=False)
class LivePose:
    """What is sent of an instant, in ``rig`` and metres.

    Attributes:
        index: Number of the pose; −1 before the first, when the person is at rest.
        t_ns: Capture instant, rig clock.
        age_ms: How old the picture is.
        lead_ms: How far this looks ahead of the capture instant.
        mode: How the rig is known.
        tracking: 0 when nobody is seen.
        joints: (J) names.
        xyz: (J,3) m.
        score: (J,) 0 = guessed.
        rest: The person's humanoid.
        root: (3,) m, where the hips are.
        rotation: (B,4) as in `pose_rig.humanoid.bones.Motion`.
        height_m: Stature that lengths rest on.
        height_assumed: Whether nobody gave it.
        cameras: Size of each camera's picture, px.
        refined: The 2D pose in each camera that sees the person.
    """

    index: int
    t_ns: int
    age_ms: float
    lead_ms: float
    mode: Mode
    tracking: int
    joints: tuple[str, ...]
    xyz: Floats
    score: Floats
    rest: RestPose
    root: Floats
    rotation: Floats
    height_m: float
    height_assumed: bool
    cameras: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    refined: Mapping[str, Refined2D] = field(default_factory=dict)
