"""How well each pair of cameras agrees by itself: of three cameras, it shows which one was moved.

The pose of all cameras cannot show it: if the person is lost in one view, it follows the moved camera, and an unmoved
one seems to disagree. Poses are therefore fitted again to the detections of two views at a time.

Axes: N samples, V views, P points (`segments.POINTS`).
"""

from collections import deque
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.keyframes import KEYFRAME_INTERVAL_NS
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.triangulate import Rays
from pose_rig.fusion.pose.fit import fit_pose
from pose_rig.fusion.pose.hypothesis import Hypothesis
from pose_rig.fusion.pose.solved_pose import AGREEMENT_SCALE_SD, SolvedPose, lifted_shape

MAX_SAMPLES = 15  # one second
INTERVAL_NS = 500_000_000  # of the comparison, which takes a few milliseconds
MIN_SAMPLES = 5  # with the person in both views
MIN_POINTS = 4  # of a person, in each view
MIN_PAIR_AGREEMENT = 0.7  # of cameras that were not moved: 0.8 and more in simulated rigs
MIN_ADVANTAGE = 0.15  # of the best pair; less may be noise, for some movements leave two pairs in agreement


@dataclass(frozen=True, slots=True)
class _Sample:
    t_ns: int
    ideal_xy: Floats  # (V,P,2)
    sd: Floats  # (V,)
    visible: Floats  # (V,P)
    shape: Floats  # (P,3) m


class PairAgreement:
    """Collects the detections of the last second."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque(maxlen=MAX_SAMPLES)
        self._compared_ns, self._agreement = 0, np.zeros((0, 0))

    def add(self, hypothesis: Hypothesis, pose: SolvedPose, length: Floats) -> None:
        """Adds a time step, at most 15 times a second; ``length`` (L,) m are the person's segments."""
        t_ns = hypothesis.observation.t_ns
        if not self._samples or abs(t_ns - self._samples[-1].t_ns) >= KEYFRAME_INTERVAL_NS:
            shape = lifted_shape(hypothesis, length)
            self._samples.append(_Sample(t_ns, pose.ideal_xy, pose.sd, pose.visible, shape))

    def clear(self) -> None:
        """Discards the detections; they were of another person."""
        self._samples.clear()
        self._agreement = np.zeros((0, 0))

    def between(self, t_ns: int, solution: RigSolution) -> Floats:
        """Returns (V,V) 0–1 how well pairs of cameras with a pose agree, computed at most once in `INTERVAL_NS`.

        NaN where they rarely saw the person together.
        """
        if not len(self._agreement) or not 0 <= t_ns - self._compared_ns < INTERVAL_NS:
            self._compared_ns, self._agreement = t_ns, self._computed(solution)
        return self._agreement

    def _computed(self, solution: RigSolution) -> Floats:
        known = solution.cameras.known
        out = np.full((len(known), len(known)), np.nan)
        if len(self._samples) < MIN_SAMPLES:
            return out
        names = ("ideal_xy", "sd", "visible", "shape")
        ideal_xy, sd, visible, shape = (np.stack([getattr(sample, name) for sample in self._samples]) for name in names)
        for a, b in combinations(np.flatnonzero(known).tolist(), 2):
            together = (visible[:, [a, b]].sum(-1) >= MIN_POINTS).all(-1)
            if together.sum() >= MIN_SAMPLES:
                weight = visible[together] * np.isin(np.arange(len(known)), (a, b))[:, None]
                rays = Rays(ideal_xy[together], np.maximum(sd[together], 1e-6)[..., None], weight)
                error = fit_pose(rays, solution.cameras, solution.bone_length_m, shape[together]).error
                out[a, b] = out[b, a] = min(_agreement(error[:, view], weight[:, view]) for view in (a, b))
        return out


def _agreement(error: Floats, visible: Floats) -> float:
    """Returns the median agreement of the visible points, from their errors (N,P) in standard deviations."""
    return float(np.median(1 / (1 + (error[visible > 0] / AGREEMENT_SCALE_SD) ** 2)))


def unmoved_pair(agreement: Floats, placed: NDArray[np.bool_], trusted: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    """Returns the two cameras that were not moved, None if no pair clearly agrees best.

    Args:
        agreement: (V,V) as of `PairAgreement.between`; pairs that are not compared are NaN.
        placed: (V,) cameras that were moved before. Two others that agree are right, even if one of them agrees better
            with one of these, which were placed on the poses of both.
        trusted: (V,) cameras that are in use; each of them must have been compared.
    """
    compared = np.isfinite(agreement)
    if (trusted & ~compared.any(1)).any():
        return None
    pairs = np.where(np.triu(compared, 1), agreement, -1.0)
    others = np.where(placed | placed[:, None], -1.0, pairs)
    candidates = others if others.max() >= MIN_PAIR_AGREEMENT else pairs
    best, second = np.sort(candidates, axis=None)[-1:-3:-1].tolist()
    if best < MIN_PAIR_AGREEMENT or best < second + MIN_ADVANTAGE:
        return None
    return np.array(np.unravel_index(int(np.argmax(candidates)), candidates.shape))
