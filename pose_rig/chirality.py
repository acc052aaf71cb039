"""Telling a person from their mirror image, which projects alike.

Axes: N poses, J = 17 joints.
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.skeleton import INDEX


def chirality(body: NDArray[np.floating]) -> float:
    """Returns how surely poses (N,J,3) are human rather than mirrored: −1 … 1, 0 = cannot tell.

    Three witnesses, each weighing as much as it sticks out: the nose lies before the ears, knees bend forward, elbows
    backward; "forward" is (right → left) × (pelvis → thorax).
    """

    def at(name: str) -> NDArray[np.float64]:
        return np.asarray(body[:, INDEX[name]], np.float64)

    left = at("l_hip") - at("r_hip") + at("l_shoulder") - at("r_shoulder")
    forward = np.cross(left, at("thorax") - at("pelvis"))
    forward = forward / np.maximum(np.linalg.norm(forward, axis=-1, keepdims=True), 1e-9)
    witnesses = [at("nose") - at("head")]
    for side in "lr":
        witnesses.append(at(f"{side}_knee") - 0.5 * (at(f"{side}_hip") + at(f"{side}_ankle")))
        witnesses.append(0.5 * (at(f"{side}_shoulder") + at(f"{side}_wrist")) - at(f"{side}_elbow"))
    votes = np.stack([(witness * forward).sum(-1) for witness in witnesses])
    return float(votes.sum() / max(float(np.abs(votes).sum()), 1e-9))
