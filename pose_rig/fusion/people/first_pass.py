"""Which people of the second pass are which of the first one: those of the same detections in the keyframes.

The solved bones and given body heights are those of the identities of the first pass.

Axes: V views, J = 17 joints.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.people.tracked_person import PersonStep
from pose_rig.fusion.pose.hypothesis import Hypothesis

MAX_BETWEEN_NS = 20_000_000  # of a keyframe and a time step
MAX_DISTANCE = 0.05  # median of the joints, in sizes of the person in the image, of one detection at two times


def identities_of_first_pass(
    keyframes: Sequence[Keyframe], steps: Sequence[tuple[int, Sequence[PersonStep]]]
) -> dict[int, int]:
    """Returns the identities of the first pass of people of the second one, by their identities there.

    Args:
        keyframes: Of the first pass.
        steps: Times, and the people of the second pass at these.
    """
    votes: Counter[tuple[int, int]] = Counter()
    for keyframe in keyframes:
        t_ns, people = min(steps, key=lambda step: abs(step[0] - keyframe.t_ns), default=(0, ()))
        if abs(t_ns - keyframe.t_ns) > MAX_BETWEEN_NS:
            continue
        for one in people:
            if one.hypothesis is not None and (views := _same_detections(keyframe, one.hypothesis)):
                votes[one.pose.person, keyframe.person] += views
    found: dict[int, int] = {}
    for (second, first), _ in votes.most_common():
        if second not in found and first not in found.values():
            found[second] = first
    return found


def _same_detections(keyframe: Keyframe, hypothesis: Hypothesis) -> int:
    """Returns in how many views a person has the detection of a keyframe."""
    count = 0
    for view in np.flatnonzero((keyframe.weight > 0) & hypothesis.present).tolist():
        both = (keyframe.score[view] > 0) & (hypothesis.score[view] > 0)
        if not both.any():
            continue
        xy_px = keyframe.xy_px[view, both]
        away = np.median(np.linalg.norm(xy_px - hypothesis.xy_px[view, both], axis=-1))
        count += bool(away <= MAX_DISTANCE * np.ptp(xy_px, axis=0).max())
    return count
