"""The lifts of a hypothesis in camera axes, and the fused pose in ray frames.

Axes: V views, J = 17 joints.
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.hypothesis import Hypothesis

MAX_PERSPECTIVE = 0.4  # depth of a joint relative to the pelvis, in shares of its distance


def camera_from_body(hypothesis: Hypothesis) -> Floats:
    """Returns (V,3,3) camera_from_body as the graph computed it; camera_from_rig if rotations were given."""
    ray_from_camera = hypothesis.observation.ray_from_camera[hypothesis.candidate]
    return np.asarray(ray_from_camera.swapaxes(-1, -2) @ hypothesis.out.ray_from_body[0].astype(float))


def own_lifts(hypothesis: Hypothesis, corrected: Hypothesis | None = None) -> Floats:
    """Returns (V,J,3) each view's own lift in its camera's axes, NaN where the person is absent.

    Args:
        hypothesis: As the graph got it.
        corrected: With the person in further views, which the pose has found.
    """
    candidate, present = hypothesis.candidate, hypothesis.present
    if corrected is not None:
        added = corrected.present & ~present  # candidates with exchanged sides were not lifted
        candidate = np.where(added, corrected.assignment % len(hypothesis.out.lifted), candidate)
        present = present | added
    or_nan = np.where(present, 1.0, np.nan)[:, None, None]
    ray_from_camera = hypothesis.observation.ray_from_camera[candidate]
    lifted = hypothesis.out.lifted[candidate].astype(float)
    return np.asarray(np.einsum("vji,vkj->vki", ray_from_camera, lifted) * or_nan)


def reproject(
    body: NDArray[np.float32],
    ray_from_body: NDArray[np.float32],
    scale: NDArray[np.float32],
    offset: NDArray[np.float32],
    norm: Floats,
) -> Floats:
    """Returns (V,J,2) a fused pose (J,3) in the views' ray frames; see `GraphOutput` for the rest."""
    local = scale[:, None, None] * (body @ ray_from_body.swapaxes(-1, -2)).astype(float)
    depth = np.clip(local[..., 2] * norm[:, None], -MAX_PERSPECTIVE, MAX_PERSPECTIVE)
    return np.asarray((local[..., :2] + offset[:, None]) / (1 + depth[..., None]))
