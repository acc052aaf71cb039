"""How sure a pose is where cameras do not tell: joints that none of them sees, and depth that only one of them sees.

The fit takes the lift anew at every instant, as if its error were another one each time; of a limb that stays hidden,
and of a person whom one camera sees, it is the same one. So what is sent says more than the fit:

- a joint that no view sees: for every bone between it and the nearest joint that is seen, a share of its length;
- a joint that one view sees: along its ray;
- a person whom one view sees: along the ray, as much as sizes in a picture tell distances.

Measured per axis in known rigs on clips of CMU, OpenCap and idle motion (three simulated cameras, detector noise) and
on a real four-camera take, of which no clip was trained on (docs/fusion.md has the figures).

Axes: V views, J = 17 joints.
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.skeleton import INDEX, PARENTS, J

BELIEVED = 0.1  # a detection that is believed less shows nothing
# standard deviation per axis that a hidden bone adds, as a share of its length
SHARES = {"knee": 0.21, "ankle": 0.19, "elbow": 0.43, "wrist": 0.58, "head": 0.36, "nose": 0.36}
ALONE_M = 0.1  # along the ray of a joint that one view sees: what lifts err in depth
DISTANCE = 0.08  # of the distance, along the ray, of a person whom one view sees
PLACED_BY = 3  # joints that two views see tell where a person stands
_CHAIN = tuple(  # joint, what it hangs on, share; parents before children
    (i, PARENTS[i], SHARES[joint.split("_")[-1]]) for joint, i in INDEX.items() if joint.split("_")[-1] in SHARES
)
_HEAD = [INDEX["head"], INDEX["nose"]]


def inflate_covariance(covariance: Floats, joints: Floats, believed: Floats, centre: Floats) -> Floats:
    """Returns the covariance (J,3,3) m² of a pose, larger where it is guessed.

    Args:
        covariance: (J,3,3) m² of the fit.
        joints: (J,3) m.
        believed: (V,J) 0–1, how far each detection is believed, 0 = not seen, or by a view that is not trusted.
        centre: (V,3) m, where the cameras stand.
    """
    shown = (believed >= BELIEVED).sum(0)
    hidden = _hidden_m(joints, shown == 0)
    alone = np.where(shown == 1, ALONE_M, 0.0)
    ray = joints - centre[believed.argmax(0)]
    distance = np.linalg.norm(ray, axis=-1)
    if (shown > 1).sum() < PLACED_BY:
        ray = np.broadcast_to(joints[0] - centre[believed.sum(1).argmax()], ray.shape)
        alone = np.full(J, DISTANCE * np.linalg.norm(ray[0]))
        distance = np.linalg.norm(ray, axis=-1)
    along = ray * (alone / np.maximum(distance, 1e-9))[:, None]
    return np.asarray(covariance + hidden[:, None, None] ** 2 * np.eye(3) + along[:, :, None] * along[:, None])


def _hidden_m(joints: Floats, guessed: NDArray[np.bool_]) -> Floats:
    """Returns (J,) m by how much the standard deviations of guessed joints grow."""
    guessed, added = guessed.copy(), np.zeros(J)
    guessed[_HEAD] = guessed[_HEAD].all()  # the ears tell where the nose is, and the nose where they are
    for joint, parent, share in _CHAIN:
        if guessed[joint]:
            added[joint] = added[parent] + share * np.linalg.norm(joints[joint] - joints[parent])
    return added
