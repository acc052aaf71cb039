"""Landmarks beyond the 17 joints (feet, hands, face), triangulated once the rig is solved.

Axes: V views, E extra landmarks.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.triangulate import Rays, Triangulation, triangulate
from pose_rig.fusion.pose.computation import Computations
from pose_rig.fusion.pose.hypothesis import UNASSIGNED, Hypothesis
from pose_rig.fusion.pose.sync import Sample
from pose_rig.skeleton import INDEX, Landmarks, extra_landmarks, parent_of

PRIOR_SD_M = 0.12  # distance of toes, finger tips and ears from ankles, wrists and the middle of the head
ITERATIONS, RELAXATION = 3, 4.0  # as in `triangulate`: the prior is near
MAX_SD_M = 0.06  # of a landmark whose score is not 0


@dataclass(frozen=True, slots=True)
class PlaceLandmarks:
    """The extra landmarks of one pose, as a `Computation` that returns `Triangulation`.

    Attributes:
        cameras: The solved rig.
        xy_px: (V,E,2).
        sd: (V,1) standard deviation of inliers, ideal coordinates.
        weight: (V,E).
        prior: (E,3) m, their parent joints.
    """

    cameras: Calibration
    xy_px: Floats
    sd: Floats
    weight: Floats
    prior: Floats
    stage: ClassVar[int] = 3

    @property
    def kind(self) -> Hashable:
        """The same landmarks in the same rig."""
        return PlaceLandmarks, id(self.cameras), self.weight.shape

    def alone(self) -> Triangulation:
        """Returns where the landmarks are."""
        rays = Rays(self.cameras.ideal_xy(self.xy_px), self.sd, self.weight)
        return triangulate(rays, self.cameras, self.prior, PRIOR_SD_M, ITERATIONS, RELAXATION)

    @classmethod
    def together(cls, computations: Sequence["PlaceLandmarks"]) -> list[Triangulation]:
        """Returns where those of several poses are."""
        xy_px, sd, weight, prior = (np.stack([getattr(one, name) for one in computations]) for name in PLACED_FROM)
        found = PlaceLandmarks(computations[0].cameras, xy_px, sd, weight, prior).alone()
        return [Triangulation(*parts) for parts in zip(found.points, found.information, found.weight, strict=True)]


PLACED_FROM = ("xy_px", "sd", "weight", "prior")


class ExtraLandmarks:
    """The extra landmarks of a rig whose cameras may have different landmark sets.

    Args:
        sets: Each view's landmark set, None where it is not known.

    Attributes:
        names: (E) their names.
    """

    def __init__(self, sets: Sequence[Landmarks | None]) -> None:
        known = [marks for marks in sets if marks is not None]
        self.names = tuple(dict.fromkeys(name for marks in known for name in extra_landmarks(marks)))
        self._parent = np.array([INDEX[parent_of(name)] for name in self.names], np.int64)
        self._columns: dict[tuple[str, bool], NDArray[np.int64]] = {}

    def at_parents(self, joints: Floats) -> Floats:
        """Returns (E,...) the values (J,...) of their parent joints."""
        return joints[self._parent]

    def triangulate(
        self,
        hypothesis: Hypothesis,
        samples: Sequence[Sample | None],
        sets: Sequence[Landmarks | None],
        cameras: Calibration,
        view_weight: Floats,
        joints: Floats,
        sd: Floats,
    ) -> Computations[tuple[Floats, Floats, Floats]]:
        """Returns positions (E,3) m, covariance (E,3,3) m², and scores (E,), 0 = position from the prior.

        Args:
            hypothesis: The person assigned.
            samples: Detections of each view.
            sets: Each view's landmark set.
            cameras: The solved rig.
            view_weight: (V,).
            joints: (J,3) m, the pose.
            sd: (V,) standard deviation of inliers, ideal coordinates.
        """
        xy, score = self._detected(hypothesis, samples, sets)
        weight = (score > 0) * view_weight[:, None]
        found = yield PlaceLandmarks(cameras, xy, sd[:, None], weight, self.at_parents(joints))
        covariance = found.covariance
        accurate = np.trace(covariance, axis1=1, axis2=2) < MAX_SD_M**2
        return found.points, covariance, (score * np.clip(found.weight, 0, 1)).max(0) * accurate

    def _detected(
        self, hypothesis: Hypothesis, samples: Sequence[Sample | None], sets: Sequence[Landmarks | None]
    ) -> tuple[Floats, Floats]:
        """Returns pixels (V,E,2) and scores (V,E) of the person assigned."""
        xy, score = np.zeros((len(samples), len(self.names), 2)), np.zeros((len(samples), len(self.names)))
        for v, (sample, marks) in enumerate(zip(samples, sets, strict=True)):
            candidate = hypothesis.assignment[v]
            if sample is None or marks is None or candidate == UNASSIGNED:
                continue
            columns = self._columns_in(marks, bool(hypothesis.observation.mirrored[candidate]))
            person = hypothesis.observation.person[candidate]
            score[v] = np.where(columns >= 0, sample.score[person, columns], 0.0)
            xy[v] = np.where(score[v, :, None] > 0, sample.xy_px[person, columns], 0.0)
        return xy, score

    def _columns_in(self, marks: Landmarks, mirrored: bool) -> NDArray[np.int64]:
        """Returns (E,) columns of a landmark set, −1 = not in it; left and right exchanged if mirrored."""
        key = (marks.name, mirrored)
        if key not in self._columns:
            column = {name: k for k, name in enumerate(marks.names)}
            names = [_other_side(name) for name in self.names] if mirrored else self.names
            self._columns[key] = np.array([column.get(name, -1) for name in names], np.int64)
        return self._columns[key]


def _other_side(name: str) -> str:
    if "left" in name:
        return name.replace("left", "right")
    return name.replace("right", "left")
