"""The pose of an instant in a solved rig: rays of all views, segment_residuals of known length, and what the lifts say.

Rays decide where two views or more see a joint; segment_residuals and lifts decide where they do not.

Axes: N instants, V views, P points (`segments.POINTS`), S spans.
"""

from dataclasses import dataclass

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle import OUTLIER_SD
from pose_rig.fusion.calibration.cameras import NEAREST_M, Calibration
from pose_rig.fusion.calibration.segments import segment_residuals
from pose_rig.fusion.calibration.triangulate import (
    EYE3,
    Rays,
    dlt_rows,
    length2,
    normal_equations,
    to_camera_frames,
    triangulate,
)

START_ROUNDS, ROUNDS = 3, 4  # more change nothing
STILL_M = 2e-3  # steps below this end the rounds: the next one is a third as long
LIFT_SD_M = 0.06  # of a joint in a fused lift about where the body is: 4–8 cm suit simulated takes alike
LIFT_INFORMATION = LIFT_SD_M**-2
SPEED_M_S = 3.0  # of joints, now and then; the hands of a thrower do three times that
LOOSE = 8.0  # the first round forgives so much more
KNOWN = 0.25  # share of that if it is known where the person was
START_LOOSE = 2.0  # and from a start nearby


@dataclass(frozen=True, slots=True)
class Fit:
    """Poses.

    Attributes:
        points: (N,P,3) m.
        covariance: (N,P,3,3) m².
        inlier: (N,V,P) 0–1, how far each detection was believed.
        error: (N,V,P) its distance, in standard deviations.
    """

    points: Floats
    covariance: Floats
    inlier: Floats
    error: Floats


@dataclass(frozen=True, slots=True)
class TemporalPrior:
    """Where the person's points were an instant ago.

    Attributes:
        points: (P,3) m.
        precision: (P,3,3) 1/m², how sure it is that they are still there.
        expected: (P,3) m, where they are now if they went on as they did.
    """

    points: Floats
    precision: Floats
    expected: Floats

    @classmethod
    def after(
        cls, elapsed_s: float, points: Floats, covariance: Floats, velocity: Floats | float = 0.0
    ) -> "TemporalPrior":
        """Returns what points (P,3) with covariance (P,3,3) m² and velocity (P,3) m/s tell after some time."""
        precision = np.linalg.inv(covariance + (SPEED_M_S * elapsed_s) ** 2 * EYE3)
        return cls(points, np.asarray(precision, np.float64), points + velocity * elapsed_s)


def fit(
    rays: Rays,
    cameras: Calibration,
    length: Floats,
    shape: Floats,
    before: TemporalPrior | None = None,
    start: Floats | None = None,
) -> Fit:
    """Returns the poses that explain detections best.

    Args:
        rays: What was seen.
        cameras: The rig.
        length: (L,) m, the person's segments.
        shape: (N,P,3) m, the pose as the lifts see it, rig axes, anywhere.
        before: Where the points were an instant ago; None = unknown.
        start: (N,P,3) m, near where the points are; None = they are looked for.
    """
    x = _found(rays, cameras, shape, before) if start is None else start
    loose = 1.0 if start is None else START_LOOSE
    middle, weight = _median(x - shape), rays.by_point[2]
    known, hold = LIFT_INFORMATION * EYE3, np.zeros(1)  # information beside what is seen, and what it says
    if before is not None:
        known, hold = known + before.precision, (before.precision @ before.points[..., None])[..., 0]
    for _ in range(ROUNDS):
        look = _look(rays, cameras, x)
        trust = weight * look.inlier(loose)
        a, g = _of_detections(look, rays, cameras, trust)
        middle = _middle(x - shape, middle, trust.sum(-1))
        told = hold + LIFT_INFORMATION * (shape + middle) - (known @ x[..., None])[..., 0]
        a, g = _with_bones(a + known, g + told, x, length)
        step = np.linalg.solve(a, g[..., None]).reshape(x.shape)
        x = x + step
        if loose == 1.0 and np.abs(step).max() < STILL_M:
            break
        loose = 1.0
    look = _look(rays, cameras, x)
    covariance = np.ascontiguousarray(_blocks(np.asarray(np.linalg.inv(a), np.float64)))
    return Fit(x, covariance, look.inlier().swapaxes(1, 2), np.sqrt(look.square).swapaxes(1, 2))


def _found(rays: Rays, cameras: Calibration, shape: Floats, before: TemporalPrior | None) -> Floats:
    """Returns points (N,P,3) near where the rays meet and the lifts say."""
    loose = LOOSE if before is None else KNOWN * LOOSE
    x = shape + placed(rays, cameras, shape, before, loose)
    return triangulate(rays, cameras, x, LIFT_SD_M, START_ROUNDS, loose)


def errors(rays: Rays, cameras: Calibration, points: Floats) -> Floats:
    """Returns (N,V,P) how far detections are from points (N,P,3) m, in standard deviations."""
    return np.sqrt(_look(rays, cameras, points).square).swapaxes(1, 2)


@dataclass(frozen=True, slots=True)
class _Look:
    """Detections beside points.

    Attributes:
        local: (N,P,V,3) m, the points in the cameras' frames.
        ideal: (N,P,V,2) where they should be seen.
        error: (N,P,V,2) how far from there they are seen, in standard deviations.
        square: (N,P,V) of that.
    """

    local: Floats
    ideal: Floats
    error: Floats
    square: Floats

    def inlier(self, loose: float = 1.0) -> Floats:
        """Returns (N,P,V) how far each detection is believed; outliers are forgiven ``loose`` times more."""
        c2 = (OUTLIER_SD * loose) ** 2
        return np.asarray((self.local[..., 2] > NEAREST_M) * (c2 / (c2 + self.square)) ** 2)


def _look(rays: Rays, cameras: Calibration, x: Floats) -> _Look:
    ideal_xy, sd, _ = rays.by_point
    local = to_camera_frames(cameras, x)
    ideal = local[..., :2] / np.maximum(local[..., 2:], NEAREST_M)
    error = (ideal_xy - ideal) / sd[..., None]
    return _Look(local, ideal, error, length2(error))


def _of_detections(look: _Look, rays: Rays, cameras: Calibration, trust: Floats) -> tuple[Floats, Floats]:
    """Returns the normal equations (N,P,3,3), (N,P,3) of what is seen, trusted (N,P,V)."""
    count, points, views = trust.shape
    scale = np.maximum(look.local[..., 2], NEAREST_M) * rays.by_point[1]
    turn = cameras.rotation
    by = (turn[:, :2] - look.ideal[..., None] * turn[:, 2:]) / scale[..., None, None]  # derivatives of predictions
    rows = by.reshape(count, points, 2 * views, 3)
    weighed = (by * trust[..., None, None]).reshape(rows.shape).swapaxes(-1, -2)
    return weighed @ rows, (weighed @ look.error.reshape(count, points, 2 * views, 1))[..., 0]


def _with_bones(blocks: Floats, g: Floats, x: Floats, length: Floats) -> tuple[Floats, Floats]:
    """Returns normal equations of all points together (N,P·3,P·3), (N,P·3) from those of each point, with segments."""
    rows, off, sound = segment_residuals(x, length)
    weighed = (rows * sound[..., None]).swapaxes(1, 2)
    a = weighed @ rows
    _blocks(a)[...] += blocks
    return a, g.reshape(len(x), -1) + (weighed @ off[..., None])[..., 0]


def _blocks(a: Floats) -> Floats:
    """Returns the blocks (N,P,3,3) on the diagonal of matrices (N,P·3,P·3), a view of them."""
    count, size = a.shape[:2]
    return np.asarray(np.einsum("npipj->npij", a.reshape(count, size // 3, 3, size // 3, 3)))


def placed(rays: Rays, cameras: Calibration, shape: Floats, before: TemporalPrior | None, loose: float) -> Floats:
    """Returns (N,1,3) where a pose of known shape and size stands, as all rays together say."""
    ideal_xy, sd, weight = rays.by_point
    rows = dlt_rows(ideal_xy, cameras)
    rows[..., 3] += (rows[..., :3] @ shape[:, :, None, :, None])[..., 0]  # what is left to the place
    rows = rows.reshape(len(shape), 1, -1, 2, 4)
    depth, trust = np.ones_like(weight), weight
    place = np.zeros((len(shape), 1, 3))
    if before is not None:
        place = (before.points - shape).mean(1, keepdims=True)
        depth, trust = _misses(rays, cameras, shape + place, loose)
    for k in range(ROUNDS):
        w = trust / np.maximum(sd * depth, LIFT_SD_M) ** 2
        a, b = normal_equations(rows, w.reshape(len(w), 1, -1))
        hold = (1e-6 * np.trace(a, axis1=2, axis2=3) + 1e-9)[..., None]
        place = np.linalg.solve(a + hold[..., None] * EYE3, (b + hold * place)[..., None])[..., 0]
        depth, trust = _misses(rays, cameras, shape + place, max(1.0, loose * 0.5**k))
    return place


def _misses(rays: Rays, cameras: Calibration, points: Floats, loose: float) -> tuple[Floats, Floats]:
    """Returns depths (N,P,V) of points and the trust (N,P,V) in the rays that should meet them."""
    ideal_xy, _, weight = rays.by_point
    local = to_camera_frames(cameras, points)
    depth = np.maximum(local[..., 2], NEAREST_M)
    square = length2(local[..., :2] - ideal_xy * depth[..., None]) / LIFT_SD_M**2  # at that distance
    trust = weight * (local[..., 2] > NEAREST_M) / (1 + square / (OUTLIER_SD * loose) ** 2) ** 2
    return depth, trust + 1e-6 * weight


def _middle(offset: Floats, middle: Floats, trust: Floats) -> Floats:
    """Returns (N,1,3) the robust mean of where a shape must be moved, from offsets (N,P,3), near what it was."""
    away = offset - middle
    w = trust / (1 + (away * away).sum(-1) / LIFT_SD_M**2)
    return np.asarray((w[:, None] @ offset) / np.maximum(w.sum(1), 1e-9)[:, None, None])


def _median(offset: Floats) -> Floats:
    """Returns (N,1,3) the median of offsets (N,P,3)."""
    ordered, last = np.sort(offset, axis=1), offset.shape[1] - 1
    return np.asarray(0.5 * (ordered[:, last // 2, None] + ordered[:, (last + 1) // 2, None]))
