"""What a time step shows of the cameras, by one person."""

from dataclasses import dataclass

from pose_rig.fusion.pose.hypothesis import Hypothesis
from pose_rig.fusion.pose.solved_pose import SolvedPose


@dataclass(frozen=True, slots=True)
class Evidence:
    """One person that cameras show.

    Attributes:
        hypothesis: Which candidate of each view is the person, and what the graph computed.
        pose: The pose in the solved rig, None until it is solved.
        person: Identity.
    """

    hypothesis: Hypothesis
    pose: SolvedPose | None
    person: int = 0
