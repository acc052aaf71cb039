"""Which cameras show a mirrored picture, as many webcams do of whom they film.

A mirrored picture shows a sound person, who is left-handed where the others show a right-handed one: its lifts fit
those of the other views only as their mirror images. But so do those of a detector that takes left for right, as some
do of backs, and in weak perspective the two are the same: a mirrored camera is one on the opposite side whose left and
right are exchanged. Full perspective tells them apart, once the rig is solved: one of the two places explains more.

Nothing can be told where every picture is mirrored: the person then is, and nobody else is there to compare with.

Axes: V views, J = 17 joints, P points (`segments.POINTS`), S looks.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.resection import inlier_share
from pose_rig.fusion.calibration.segments import POINTS
from pose_rig.fusion.pose.association import shape_of
from pose_rig.fusion.pose.hypothesis import UNASSIGNED, Hypothesis
from pose_rig.fusion.pose.solved_pose import SolvedPose
from pose_rig.skeleton import MIRROR

EVERY_NS = 66_000_000
CLEAR = 0.15  # contrast of a pose with its mirror image; somebody who stands straight has none
LOOKS = 20  # that are clear before anything is said
MEMORY = 300  # looks, twenty seconds
OPPOSITE = 0.3  # mean vote, −1 … 1: a real detector that takes every third front for a back reaches −0.36 where it is
# not mirrored, and 0.45 where it is
FEW = 1.5  # over the root of the looks: so much more they must agree
CLEARLY = 0.6  # of the detections that a mirrored picture leaves unexplained, exchanged names leave no more
_POINTS = list(POINTS)
_MIRRORED_POINTS = [_POINTS.index(MIRROR[joint]) for joint in _POINTS]
_REFLECT = np.array([-1.0, 1.0, 1.0])


class Mirrors:
    """Collects what tells mirrored pictures.

    Args:
        names: (V) of the cameras.
        flipped: (V) whether their pictures are turned round already.
    """

    def __init__(self, names: Sequence[str], flipped: Sequence[bool]) -> None:
        views = len(names)
        self._names, self._flipped = names, flipped
        self._vote, self._looks = np.zeros((views, views)), np.zeros((views, views), np.int64)
        self._looked_ns = -EVERY_NS
        self._seen: dict[int, deque[tuple[Floats, Floats, float]]] = {}
        self._exchanged: dict[int, bool] = {}  # whether left and right are, rather than the picture

    def look(self, hypothesis: Hypothesis, pose: SolvedPose | None, cameras: Calibration | None) -> None:
        """Takes in an instant, a few of them a second; pose and cameras of a solved rig, None until then."""
        observation = hypothesis.observation
        if abs(observation.t_ns - self._looked_ns) < EVERY_NS:
            return
        self._looked_ns = observation.t_ns
        raw = _as_detected(hypothesis)
        self._compare(shape_of(hypothesis.out.lifted)[raw], raw != UNASSIGNED)
        if pose is None or cameras is None:
            self._seen.clear()
            return
        flat = cameras.flat(observation.xy_px[raw][:, _POINTS])
        there = (observation.score[raw][:, _POINTS] > 0) & (raw != UNASSIGNED)[:, None]
        for view in np.flatnonzero(there.any(1)).tolist():
            if (cameras.known & (np.arange(len(raw)) != view)).sum() > 1:
                seen = self._seen.setdefault(view, deque(maxlen=LOOKS))
                body = pose.points[_MIRRORED_POINTS]
                seen.append((body[there[view]], flat[view][there[view]], float(pose.sd[view])))
        self._judge()

    def note(self, view: int) -> str:
        """Returns what is to be done about a camera, for people; empty if its picture is as it should be."""
        suspected = self._suspected()
        if not suspected[view] or self._exchanged.get(view, False):
            return ""
        share, opposite = self._share(), self._opposite()[view]
        rivals = [self._names[u] for u in np.flatnonzero(suspected & opposite).tolist() if share[u] >= share[view]]
        if rivals:
            return (
                f"its picture or that of {' and '.join(rivals)} looks mirrored: set mirror = true in the rig.toml for "
                "those that show writing the wrong way round"
            )
        if self._flipped[view]:
            return "its picture looks mirrored since it is flipped: remove mirror = true from the rig.toml"
        return "its picture looks mirrored: set mirror = true for it in the rig.toml"

    def _compare(self, shapes: Floats, there: NDArray[np.bool_]) -> None:
        contrast = contrasts(shapes)
        others = ~np.eye(len(there), dtype=bool)
        told = others & there[:, None] & there & (np.abs(contrast) > CLEAR)
        self._looks = np.minimum(self._looks + told, MEMORY)
        self._vote += told * (np.sign(contrast) - self._vote) / np.maximum(self._looks, 1)

    def _opposite(self) -> NDArray[np.bool_]:
        """Returns (V,V) which views show each other's mirror image."""
        enough = OPPOSITE + FEW / np.sqrt(np.maximum(self._looks, 1))
        return np.asarray((self._vote > enough) & (self._looks >= LOOKS))

    def _share(self) -> Floats:
        """Returns (V,) of how many of the views that a view was compared with it shows the mirror image."""
        return np.asarray(self._opposite().sum(1) / np.maximum((self._looks >= LOOKS).sum(1), 1))

    def _suspected(self) -> NDArray[np.bool_]:
        return self._share() > 0.5

    def _judge(self) -> None:
        """Finds out, now and then, whether mirrored pictures or exchanged names explain what suspected views see."""
        for view in np.flatnonzero(self._suspected()).tolist():
            seen = self._seen.get(view, ())
            if len(seen) < LOOKS:
                continue
            body, ideal = (np.concatenate([look[i] for look in seen]) for i in range(2))
            spread = float(np.median([look[2] for look in seen]))
            exchanged, mirrored = (
                inlier_share(body, side * ideal, spread) for side in (np.ones(2), np.array([-1.0, 1.0]))
            )
            self._exchanged[view] = 1 - exchanged < CLEARLY * (1 - mirrored)
            del self._seen[view]


def _as_detected(hypothesis: Hypothesis) -> NDArray[np.int64]:
    """Returns (V,) the person of each view, left and right as detected; `UNASSIGNED` where that is unclear."""
    observation = hypothesis.observation
    once = len(observation.view) // (2 if observation.mirrored.any() else 1)  # those exchanged come after the others
    out = np.where(hypothesis.present, hypothesis.assignment % max(once, 1), UNASSIGNED)
    for view in np.flatnonzero(~hypothesis.present).tolist():
        candidates = observation.candidates_of(view)
        if (candidates < once).sum() == 1:
            out[view] = candidates[0]
    return np.asarray(out)


def contrasts(shapes: Floats) -> Floats:
    """Returns (V,V) −1 … 1: how much better poses fit each other's mirror images than each other, however turned.

    Args:
        shapes: (V,J,3) centred, of unit size.
    """
    straight = _distance(shapes[:, None].swapaxes(-1, -2) @ shapes)
    mirrored = _distance(shapes[:, None].swapaxes(-1, -2) @ (shapes[:, list(MIRROR)] * _REFLECT))
    return np.asarray((straight - mirrored) / np.maximum(straight + mirrored, 1e-9))


def _distance(product: Floats) -> Floats:
    """Returns (V,V) what is left between two shapes after the rotation that fits best, from AᵀB (V,V,3,3)."""
    fit = np.linalg.svd(product, compute_uv=False)
    fit[..., 2] *= np.sign(np.linalg.det(product))
    return np.asarray(np.sqrt(np.maximum(2 - 2 * fit.sum(-1), 0.0)))
