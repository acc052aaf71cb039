"""One retargeted pose, the input of all encoders.

Axes: J joints, B bones of the humanoid.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import RestPose
from pose_rig.wire.messages import Mode, Refined2D


@dataclass(frozen=True, slots=True, eq=False)
class LivePose:
    """A pose and its humanoid, in ``rig`` and metres.

    Attributes:
        index: Number of the pose; −1 before the first, when the humanoid is in its rest pose.
        t_ns: Capture timestamp, rig clock.
        age_ms: Time since capture.
        lead_ms: How far the pose is predicted beyond the capture timestamp.
        mode: Mode of the rig.
        tracking: 0 while no person is tracked.
        joints: (J) names.
        xyz: (J,3) m.
        score: (J,) 0 = guessed.
        rest: Rest pose.
        root: (3,) m, position of the hips.
        rotation: (B,4) as in `pose_rig.humanoid.bones.Motion`.
        height_m: Body height that sets the scale.
        height_assumed: Whether that height is the default.
        cameras: Image size of each camera, px.
        refined: 2D pose in each camera that detects the person.
        person: Identity of the person, 0 for the first one.
        people: All people who are present, in the order of their identities; None where one person is followed.
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
    person: int = 0
    people: tuple["LivePose", ...] | None = None
