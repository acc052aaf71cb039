"""Chirality: a person against their mirror image, which has the same projections.

Axes: N poses, J = 17 joints.
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.skeleton import INDEX


def chirality(body: NDArray[np.floating]) -> float:
    """Returns the chirality of poses (N,J,3): 1 = human, −1 = mirrored, 0 = ambiguous.

    Three cues, weighted by their size: the nose is in front of the ears, knees bend forward, elbows backward;
    "forward" is (right → left) × (pelvis → thorax).
    """

    def at(name: str) -> NDArray[np.float64]:
        return np.asarray(body[:, INDEX[name]], np.float64)

    left = at("l_hip") - at("r_hip") + at("l_shoulder") - at("r_shoulder")
    forward = np.cross(left, at("thorax") - at("pelvis"))
    forward = forward / np.maximum(np.linalg.norm(forward, axis=-1, keepdims=True), 1e-9)
    cues = [at("nose") - at("head")]
    for side in "lr":
        cues.append(at(f"{side}_knee") - 0.5 * (at(f"{side}_hip") + at(f"{side}_ankle")))
        cues.append(0.5 * (at(f"{side}_shoulder") + at(f"{side}_wrist")) - at(f"{side}_elbow"))
    votes = np.stack([(cue * forward).sum(-1) for cue in cues])
    return float(votes.sum() / max(float(np.abs(votes).sum()), 1e-9))
