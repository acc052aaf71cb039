"""Which cameras deliver mirrored images, as many webcams do.

A mirrored image shows a person whose left and right are exchanged: its lifts fit those of the other views only as their
mirror images. So do those of a detector that confuses left and right, as some do with backs; in weak perspective the
two are the same: a mirrored camera is one on the opposite side whose left and right are exchanged. Full perspective
separates them once the rig is solved: one of the two camera poses has more inliers.

One mirrored image cannot be distinguished from all others being mirrored: both are named. Where all images are
mirrored, so is the person, and nothing shows it.

Axes: V views, J = 17 joints, P points (`segments.POINTS`).
"""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.segments import POINTS
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.keyframes import KEYFRAME_INTERVAL_NS
from pose_rig.fusion.calibration.resection import inlier_share
from pose_rig.fusion.pose.association import shape_of
from pose_rig.fusion.pose.hypothesis import UNASSIGNED, Hypothesis
from pose_rig.fusion.pose.solved_pose import SolvedPose
from pose_rig.skeleton import MIRROR

MIN_CONTRAST = 0.15  # of a pose with its mirror image; a person who stands straight has none
MIN_SAMPLES = 20  # with enough contrast
MAX_SAMPLES = 300  # twenty seconds
MIN_VOTE = 0.3  # mean, −1 … 1: a real detector that takes every third front for a back reaches −0.36 where the image is
# not mirrored, and 0.45 where it is
VOTE_SDS = 1.5  # over the root of the number of samples: the vote must be larger by so much
MAX_OUTLIER_RATIO = 0.6  # exchanged sides leave at most this share of the outliers that a mirrored image leaves
_POINTS = list(POINTS)
_MIRRORED_POINTS = [_POINTS.index(MIRROR[joint]) for joint in _POINTS]
_REFLECT = np.array([-1.0, 1.0, 1.0])


class MirrorDetector:
    """Collects evidence of mirrored images; those that are ``flipped`` before detection get another note."""

    def __init__(self, names: Sequence[str], flipped: Sequence[bool]) -> None:
        views = len(names)
        self._names, self._flipped = names, flipped
        self._vote, self._count = np.zeros((views, views)), np.zeros((views, views), np.int64)
        self._last_ns = -KEYFRAME_INTERVAL_NS
        self._samples: dict[int, deque[tuple[Floats, Floats, float]]] = {}
        self._sides_exchanged: dict[int, bool] = {}  # by the detector, in an image that is not mirrored

    def update(self, hypothesis: Hypothesis, pose: SolvedPose | None, cameras: Calibration | None) -> None:
        """Adds a time step, a few of them per second; pose and cameras of a solved rig, None until then."""
        observation = hypothesis.observation
        if abs(observation.t_ns - self._last_ns) < KEYFRAME_INTERVAL_NS:
            return
        self._last_ns = observation.t_ns
        raw = _as_detected(hypothesis)
        self._compare(shape_of(hypothesis.out.lifted)[raw], raw != UNASSIGNED)
        if pose is None or cameras is None:
            self._samples.clear()
            return
        ideal_xy = cameras.ideal_xy(observation.xy_px[raw][:, _POINTS])
        visible = (observation.score[raw][:, _POINTS] > 0) & (raw != UNASSIGNED)[:, None]
        for view in np.flatnonzero(visible.any(1)).tolist():
            if (cameras.known & (np.arange(len(raw)) != view)).sum() > 1:
                samples = self._samples.setdefault(view, deque(maxlen=MIN_SAMPLES))
                body = pose.points[_MIRRORED_POINTS]
                samples.append((body[visible[view]], ideal_xy[view][visible[view]], float(pose.sd[view])))
        self._compare_camera_poses()

    def note(self, view: int) -> str:
        """Returns what to do about a camera whose image seems mirrored, for display; empty for others."""
        suspected = self._suspected()
        if not suspected[view] or self._sides_exchanged.get(view, False):
            return ""
        share, opposite = self._share(), self._opposite()[view]
        others = [self._names[u] for u in np.flatnonzero(suspected & opposite).tolist() if share[u] >= share[view]]
        if others:
            return (
                f"its image or that of {' and '.join(others)} looks mirrored: set mirror = true in the rig.toml for "
                "those that show writing the wrong way round"
            )
        if self._flipped[view]:
            return "its image looks mirrored since it is flipped: remove mirror = true from the rig.toml"
        rest = " and ".join(self._names[u] for u in np.flatnonzero(opposite).tolist())
        return (
            "its image looks mirrored: set mirror = true for it in the rig.toml, or, if it shows writing the right way "
            f"round, for {rest}"
        )

    def _compare(self, shapes: Floats, present: NDArray[np.bool_]) -> None:
        contrast = contrasts(shapes)
        others = ~np.eye(len(present), dtype=bool)
        clear = others & present[:, None] & present & (np.abs(contrast) > MIN_CONTRAST)
        self._count = np.minimum(self._count + clear, MAX_SAMPLES)
        self._vote += clear * (np.sign(contrast) - self._vote) / np.maximum(self._count, 1)

    def _opposite(self) -> NDArray[np.bool_]:
        """Returns (V,V) which views show each other's mirror image."""
        enough = MIN_VOTE + VOTE_SDS / np.sqrt(np.maximum(self._count, 1))
        return np.asarray((self._vote > enough) & (self._count >= MIN_SAMPLES))

    def _share(self) -> Floats:
        """Returns (V,) the share of the views compared with a view that show its mirror image."""
        return np.asarray(self._opposite().sum(1) / np.maximum((self._count >= MIN_SAMPLES).sum(1), 1))

    def _suspected(self) -> NDArray[np.bool_]:
        return self._share() > 0.5

    def _compare_camera_poses(self) -> None:
        """Decides for suspected views whether mirrored images or exchanged sides explain their keypoints."""
        for view in np.flatnonzero(self._suspected()).tolist():
            samples = self._samples.get(view, ())
            if len(samples) < MIN_SAMPLES:
                continue
            body, ideal_xy = (np.concatenate([sample[i] for sample in samples]) for i in range(2))
            sd = float(np.median([sample[2] for sample in samples]))
            exchanged, mirrored = (
                inlier_share(body, sign * ideal_xy, sd) for sign in (np.ones(2), np.array([-1.0, 1.0]))
            )
            self._sides_exchanged[view] = 1 - exchanged < MAX_OUTLIER_RATIO * (1 - mirrored)
            del self._samples[view]


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
    """Returns (V,V) −1 … 1: how much better poses fit each other's mirror images than each other, after rotation.

    Args:
        shapes: (V,J,3) centred, of unit size.
    """
    straight = _distance(shapes[:, None].swapaxes(-1, -2) @ shapes)
    mirrored = _distance(shapes[:, None].swapaxes(-1, -2) @ (shapes[:, list(MIRROR)] * _REFLECT))
    return np.asarray((straight - mirrored) / np.maximum(straight + mirrored, 1e-9))


def _distance(product: Floats) -> Floats:
    """Returns (V,V) the distance of two shapes after the best rotation, from AᵀB (V,V,3,3)."""
    fit = np.linalg.svd(product, compute_uv=False)
    fit[..., 2] *= np.sign(np.linalg.det(product))
    return np.asarray(np.sqrt(np.maximum(2 - 2 * fit.sum(-1), 0.0)))
