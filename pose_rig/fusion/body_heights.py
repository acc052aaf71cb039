"""The body heights of people, as the user gave them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pose_rig.config import ASSUMED_HEIGHT_M, Config
from pose_rig.fusion.calibration.bundle.segments import body_height
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.rig.setup import given_heights_m


@dataclass(frozen=True, slots=True)
class BodyHeights:
    """Body heights.

    Attributes:
        given_m: Those that the user gave, by person.
    """

    given_m: Mapping[int, float]

    @classmethod
    def of_config(cls, config: Config) -> "BodyHeights":
        """Returns those of a configuration."""
        return cls(given_heights_m(config))

    @property
    def first_m(self) -> float:
        """That of the first person, given or assumed."""
        return self.given_m.get(0, ASSUMED_HEIGHT_M)

    def of(self, person: int) -> tuple[float, bool]:
        """Returns the body height of a person, m, and whether it is assumed, then as tall as the first person."""
        height_m = self.given_m.get(person)
        return (self.first_m, True) if height_m is None else (height_m, False)

    def changed(self, person: int, height_m: float) -> "BodyHeights":
        """Returns them with another height of a person."""
        return BodyHeights({**self.given_m, person: height_m})

    def scale_of(self, solution: RigSolution | None) -> float:
        """Returns the factor of a solved rig by which people are as tall as given, in the mean; None = 1."""
        bones = {} if solution is None else {person: solution.bones_of(person) for person in self.given_m}
        ratios = [body_height(own) / self.given_m[person] for person, own in bones.items() if own is not None]
        return 1 / float(np.mean(ratios)) if ratios else 1.0
