"""Scores of many poses: one row of a table.

Axes: T frames, V views, J = 17 joints. Poses with NaN, and true poses of size 0, are not counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.errors import UsageError
from pose_rig.skeleton import INDEX, JOINTS
from pose_rig.training.evaluation import metrics

AnyFloats = NDArray[np.floating]

# The 16 joints of the paper: ours without the spine. The root is one of them, with error 0 in centred poses: means are
# 1/16 below those over the other 15.
PAPER_JOINTS = tuple(INDEX[name] for name in JOINTS if name != "spine")
# Half of Qiu's head size, a tenth of the 256 px input of his network, in pixels of the images of Human3.6M, where the
# median 2D pose has a norm of 425 px.
HALF_HEAD_PX = 12.8
HALF_HEAD_PER_NORM = HALF_HEAD_PX / 425
_MM = 1e3


@dataclass(frozen=True, slots=True)
class Scores:
    """Means of metrics over 3D poses; `pose_rig.training.evaluation.metrics` has the definitions.

    Attributes:
        mpjpe_mm: None if the predictions have no metric scale.
        n_mpjpe_mm: After the least-squares scale.
        pmpjpe_mm: After a similarity with a proper rotation.
        n_pck: Percent within 150 mm after scaling.
        auc: Percent, mean over the thresholds 0–150 mm.
        cps: 0–300 mm.
        min_over_views_mm: PMPJPE of the released code; mean over frames.
        count: Number of poses.
    """

    mpjpe_mm: float | None
    n_mpjpe_mm: float
    pmpjpe_mm: float
    n_pck: float
    auc: float
    cps: float
    min_over_views_mm: float
    count: int

    @classmethod
    def of(
        cls, predicted: AnyFloats, truth: AnyFloats, joints: Sequence[int] = PAPER_JOINTS, *, metric: bool = False
    ) -> "Scores":
        """Returns the scores of all known poses.

        Args:
            predicted: (T,V,J,3) in the axes of each camera, of any scale; centred on the pelvis here.
            truth: (T,V,J,3) m, likewise.
            joints: Joints that count.
            metric: Whether the predictions are in metres.

        Raises:
            UsageError: No pose is known.
        """
        some = list(joints)
        found, wanted = ((poses - poses[:, :, :1])[:, :, some].astype(np.float64) for poses in (predicted, truth))
        known = np.asarray(np.isfinite(found).all((2, 3)) & _known(truth[:, :, some]))
        if not known.any():
            raise UsageError("There is no pose to score.", "Use footage with ground truth.")
        a, b = found[known], wanted[known]
        best = metrics.min_over_views(np.where(known[..., None, None], found, np.nan), wanted)
        return cls(
            mpjpe_mm=_MM * float(metrics.mpjpe(a, b).mean()) if metric else None,
            n_mpjpe_mm=_MM * float(metrics.n_mpjpe(a, b).mean()),
            pmpjpe_mm=_MM * float(metrics.pmpjpe(a, b).mean()),
            n_pck=float(metrics.n_pck(a, b).mean()),
            auc=float(metrics.auc(a, b).mean()),
            cps=float(metrics.cps(a, b).mean()),
            min_over_views_mm=_MM * float(np.nanmean(best)),
            count=int(known.sum()),
        )


@dataclass(frozen=True, slots=True)
class Jdr:
    """Joint detection rates of 2D poses: percent of the joints within half a head size of the ground truth.

    Attributes:
        hip, knee, ankle, shoulder, elbow, wrist: Left and right together.
        count: Number of images.
    """

    hip: float
    knee: float
    ankle: float
    shoulder: float
    elbow: float
    wrist: float
    count: int

    @classmethod
    def of(cls, xy_px: AnyFloats, truth_px: AnyFloats, half_head_px: float | None = None) -> "Jdr":
        """Returns the rates over the images with a visible person.

        Args:
            xy_px: (T,V,J,2); NaN = not detected.
            truth_px: (T,V,J,2); NaN = unknown.
            half_head_px: `HALF_HEAD_PX` for the images of Human3.6M. None = the same share of the size of the person in
                each image (`size_of_half_head`).

        Raises:
            UsageError: No person is visible.
        """
        counted = np.asarray(np.isfinite(xy_px).any((2, 3)) & _known(truth_px[:, :, list(PAPER_JOINTS)]))
        if not counted.any():
            raise UsageError("There is no 2D pose to score.", "Use footage with ground truth.")
        true = truth_px[counted].astype(np.float64)
        size_px = size_of_half_head(true) if half_head_px is None else half_head_px
        rates = metrics.jdr(xy_px[counted].astype(np.float64), true, size_px).mean(0)
        return cls(**dict(zip(metrics.LIMB_TYPES, rates.tolist(), strict=True)), count=int(counted.sum()))

    @property
    def rates(self) -> tuple[float, ...]:
        """The six, by `metrics.LIMB_TYPES`."""
        return (self.hip, self.knee, self.ankle, self.shoulder, self.elbow, self.wrist)


def size_of_half_head(truth_px: Floats) -> Floats:
    """Returns (N,) px half the head size of people (N,J,2): `HALF_HEAD_PX` per 425 px of the norm of the 2D pose.

    The norm is that of the paper's 16 joints relative to the root.
    """
    around = (truth_px - truth_px[:, :1])[:, list(PAPER_JOINTS)]
    return np.asarray(HALF_HEAD_PER_NORM * np.sqrt((around**2).sum((1, 2))))


def _known(truth: AnyFloats) -> NDArray[np.bool_]:
    """Returns (T,V) which poses (T,V,J,C) are known: neither NaN nor of size 0."""
    return np.asarray(np.isfinite(truth).all((2, 3)) & (truth != truth[:, :, :1]).any((2, 3)))
