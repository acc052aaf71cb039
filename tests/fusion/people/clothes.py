"""Simulated clothes, and the descriptors of them that differently adjusted cameras compute.

Axes: V views, N people, A = 32 numbers of an appearance.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.capture.appearance.colour_histogram import colour_histogram
from pose_rig.fusion.pose.sync import Sample
from pose_rig.wire.precision import APPEARANCE_STEP, quantize
from tests.fusion.people.scenes import PeopleScene

POINTS = 100
COLOURS = 3  # of each half of the body


@dataclass(frozen=True, slots=True)
class Clothes:
    """What a person wears.

    Attributes:
        bgr: (2, `COLOURS`, 3) 0–1, of trunk and legs.
        share: (2, 2, `COLOURS`) seen from the front, and from behind.
    """

    bgr: Floats
    share: Floats


@dataclass(frozen=True, slots=True)
class Adjustment:
    """How a camera shows colours, there and then.

    Attributes:
        gain: (3,) of the channels.
        gamma: Exponent.
    """

    gain: Floats
    gamma: float

    def at_another_place(self, rng: np.random.Generator) -> "Adjustment":
        """The same camera, where the light is another."""
        return Adjustment(self.gain * np.exp(rng.normal(0, 0.12) + rng.normal(0, 0.03, 3)), self.gamma)


def clothes(rng: np.random.Generator) -> Clothes:
    """Returns what somebody may wear: colours and shades of grey, the main one first."""
    grey = rng.random((2, COLOURS, 1)) < 0.4
    value = rng.uniform(0.1, 0.9, (2, COLOURS, 1))
    saturation = np.where(grey, rng.uniform(0, 0.08, (2, COLOURS, 1)), rng.uniform(0.2, 0.9, (2, COLOURS, 1)))
    bgr = value * (1 - saturation * rng.random((2, COLOURS, 3)))
    front = rng.dirichlet([6, 2, 1], 2)
    return Clothes(bgr, np.stack([front, 0.6 * front + 0.4 * rng.dirichlet([6, 2, 1], 2)]))


def camera(rng: np.random.Generator) -> Adjustment:
    """Returns a camera with its own exposure, white balance and contrast."""
    return Adjustment(np.exp(rng.normal(0, 0.15) + rng.normal(0, 0.06, 3)), float(np.exp(rng.normal(0, 0.1))))


def descriptor(worn: Clothes, seen_by: Adjustment, rng: np.random.Generator, turned: float = 0.0) -> Floats:
    """Returns (A,) of one frame, of which some points show the background; ``turned``: 0 = the front, 1 = the back."""
    share = (1 - turned) * worn.share[0] + turned * worn.share[1]
    which = np.stack([rng.choice(COLOURS, POINTS, p=half) for half in share])
    bgr = np.take_along_axis(worn.bgr, which[..., None], 1)
    bgr = bgr * np.exp(rng.normal(0, 0.15, (2, POINTS, 1)))  # folds and shadows
    missed = rng.random((2, POINTS, 1)) < rng.uniform(0, 0.2)
    bgr = np.where(missed, rng.random((2, POINTS, 3)), bgr)
    shown = np.clip(seen_by.gain * bgr, 0, 1) ** seen_by.gamma + rng.normal(0, 0.02, bgr.shape)
    pixels: NDArray[np.uint8] = np.clip(255 * shown, 0, 255).astype(np.uint8)
    shares = colour_histogram(pixels, np.full((2, POINTS), 1 / POINTS))
    return quantize(shares.ravel(), APPEARANCE_STEP).astype(float)


class Wardrobe:
    """Adds appearances to the samples of a scene, as cameras would that are adjusted differently.

    Args:
        scene: Whose samples they are.
        worn: What each person wears.
        later: What they wear from time step ``since`` on.
        since: See ``later``.
        seed: Of the cameras, and of the noise.
    """

    def __init__(
        self,
        scene: PeopleScene,
        worn: Sequence[Clothes],
        later: Sequence[Clothes] | None = None,
        since: int = 0,
        seed: int = 0,
    ) -> None:
        self._scene, self._worn, self._later, self._since = scene, worn, later or worn, since
        self._rng = np.random.default_rng(seed)
        self._cameras = [camera(self._rng) for _ in scene.cameras.focal_px]

    def __call__(self, index: int, samples: list[Sample | None]) -> list[Sample | None]:
        """Returns the samples of a time step, with appearances."""
        worn = self._later if index >= self._since else self._worn
        return [
            sample if sample is None else replace(sample, appearance=self._appearance(worn, view, index))
            for view, sample in enumerate(samples)
        ]

    def _appearance(self, worn: Sequence[Clothes], view: int, index: int) -> Floats:
        shown = self._scene.person[view, index]
        return np.array([descriptor(worn[who], self._cameras[view], self._rng) for who in shown[shown >= 0]])
