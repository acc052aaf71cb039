"""Cameras that are carried about: their rotations are followed from instant to instant, as in cold mode, one by one.

Axes: V views.
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.hypothesis import Hypothesis, RotationPrior
from pose_rig.geometry import nearest_rotation

FRESH_NS = 500_000_000  # where a camera looked says nothing after this
TURN_SD = np.radians(10.0)  # by which a hand turns a camera from one instant to the next, and the lifts err
RESTLESS = 3  # a camera that was moved so often within
AGAIN_NS = 5_000_000_000  # sooner than that it has only not been placed well yet
RESTLESS_NS = 20_000_000_000  # this time is being carried about


class MovingCameras:
    """The cameras that move.

    Args:
        moving: (V,) those known to.

    Attributes:
        moving: (V,) those known or found to.
    """

    def __init__(self, moving: NDArray[np.bool_]) -> None:
        self.moving = moving.copy()
        self._rotation = np.tile(np.eye(3), (len(moving), 1, 1))
        self._seen_ns = np.full(len(moving), -FRESH_NS)
        self._moved_ns: list[list[int]] = [[] for _ in moving]

    def moved(self, view: int, t_ns: int) -> None:
        """Takes note that a camera was moved; one that is moved again and again counts as carried."""
        recent = [before for before in self._moved_ns[view] if t_ns - before < RESTLESS_NS]
        if not recent or t_ns - recent[-1] > AGAIN_NS:
            recent.append(t_ns)
        self._moved_ns[view] = recent
        self.moving[view] |= len(self._moved_ns[view]) >= RESTLESS

    def followed(self, t_ns: int) -> NDArray[np.bool_]:
        """Returns (V,) which moving cameras it is known of where they look."""
        return np.asarray(self.moving & (np.abs(t_ns - self._seen_ns) < FRESH_NS))

    def into(self, prior: RotationPrior, t_ns: int) -> RotationPrior:
        """Returns a rig's rotations with those of the moving cameras."""
        here = self.followed(t_ns)
        if not here.any():
            return prior
        rotation = np.where(here[:, None, None], self._rotation, prior.camera_from_rig)
        return RotationPrior(rotation, np.where(here, TURN_SD, prior.sd))

    def follow(self, hypothesis: Hypothesis) -> None:
        """Takes over how an instant has turned the moving cameras that were followed already."""
        here = self.followed(hypothesis.observation.t_ns) & hypothesis.present
        self._take(hypothesis.observation.t_ns, here, turned(hypothesis))

    def begin(self, guess: Hypothesis, rotation: Floats, known: NDArray[np.bool_]) -> None:
        """Begins to follow cameras that a cold look sees together with known ones.

        Args:
            guess: The cold look.
            rotation: (V,3,3) camera_from_rig.
            known: (V,) of these cameras.
        """
        both = known & guess.present
        if not both.any():
            return
        from_body = turned(guess)
        body_from_rig = nearest_rotation((from_body[both].swapaxes(-1, -2) @ rotation[both]).sum(0))
        t_ns = guess.observation.t_ns
        self._take(t_ns, self.moving & guess.present & ~self.followed(t_ns), from_body @ body_from_rig)

    def _take(self, t_ns: int, here: NDArray[np.bool_], rotation: Floats) -> None:
        self._rotation = np.where(here[:, None, None], rotation, self._rotation)
        self._seen_ns = np.where(here, t_ns, self._seen_ns)


def turned(hypothesis: Hypothesis) -> Floats:
    """Returns (V,3,3) camera_from_body, or from_rig if that was given, as the graph left it."""
    frame = hypothesis.observation.ray_from_camera[hypothesis.candidate]
    return np.asarray(frame.swapaxes(-1, -2) @ hypothesis.out.ray_from_body[0].astype(float))
