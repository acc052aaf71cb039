"""The lenses that bundle adjustment can find: one coefficient from pincushion through perspective to fisheye.

``r_d = tan(s θ) / s`` with s² = 1 + 3 k1, at an angle θ to the optical axis: k1 is the first radial coefficient,
``r_d = r + k1 r³ + …`` with r = tan θ. k1 = 0 is a perspective lens, −1/4 the stereographic, −1/3 the equidistant
fisheye lens; real lenses lie close to it up to the fifth order. Unlike a polynomial it can be inverted at every angle.
(s = 0 is θ itself; for s² < 0 the tangent becomes that of hyperbolic functions.)

What is found is converted to OpenCV's models (`pose_rig.lens`), which other programs read.

Axes: V views, P points.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.geometry import length2
from pose_rig.intrinsics import Intrinsics
from pose_rig.lens import MAX_ANGLE, radial

MIN_K1, MAX_K1 = -0.45, 0.25
MIN_RADIUS = 1e-3  # ideal coordinates nearer to the principal point are treated as there
MIN_SQUARE = 1e-4  # of s; nearer 0 the formulas lose digits
MAX_PHASE = 1.5  # of s θ, below π/2
MAX_HYPERBOLIC = 0.999  # of s r_d
MAX_ERROR = 2e-4  # of the five perspective coefficients against the lens found, as a share of the larger image side
SAMPLES = 200  # of the angle, where lenses are converted
CONVERSION_ITERATIONS = 12
RADIAL = (0, 1, 4)  # columns of k1, k2, k3


def square_of(k1: Floats) -> Floats:
    """Returns s² of coefficients k1, away from 0."""
    square = 1 + 3 * k1
    return np.where(np.abs(square) < MIN_SQUARE, MIN_SQUARE, square)


def distorted_radius(angle: Floats, square: Floats) -> Floats:
    """Returns distorted radii of angles to the optical axis, in radians; ``square`` is s², broadcast to them."""
    s = np.sqrt(np.abs(square))
    phase = s * angle
    return np.asarray(np.where(square > 0, np.tan(np.minimum(phase, MAX_PHASE)), np.tanh(phase)) / s)


@dataclass(frozen=True, slots=True)
class Distortion:
    """What lenses do to points (...,V,P).

    Attributes:
        stretch: Distorted over ideal radius.
        bend: Its derivative by the ideal radius, over that radius: ``stretch I + bend x xᵀ`` is the Jacobian at x.
        stretch_by_k1: Its derivative by k1.
    """

    stretch: Floats
    bend: Floats
    stretch_by_k1: Floats


def distortion(ideal: Floats, k1: Floats) -> Distortion:
    """Returns what lenses of coefficients k1 (V,) do to ideal coordinates (...,V,P,2)."""
    square_radius = np.maximum(length2(ideal), MIN_RADIUS**2)
    radius, square = np.sqrt(square_radius), square_of(k1)[:, None]
    angle = np.arctan(radius)
    distorted = distorted_radius(angle, square)
    slope = 1 + square * distorted * distorted  # by the angle
    stretch = distorted / radius
    bend = (slope / (1 + square_radius) - stretch) / square_radius
    by_k1 = 1.5 * (angle * slope - distorted) / (square * radius)
    return Distortion(stretch, bend, by_k1)


def undistort(distorted: Floats, k1: Floats) -> Floats:
    """Returns ideal coordinates (...,V,P,2) of distorted ones, in closed form.

    Args:
        distorted: (...,V,P,2) in focal lengths.
        k1: (V,).
    """
    if not k1.any():
        return distorted
    square = square_of(k1)[:, None]
    s, radius = np.sqrt(np.abs(square)), np.maximum(np.linalg.norm(distorted, axis=-1), 1e-12)
    hyperbolic = np.arctanh(np.minimum(s * radius, MAX_HYPERBOLIC))
    angle = np.where(square > 0, np.arctan(s * radius), hyperbolic) / s
    return np.asarray(distorted * (np.tan(np.minimum(angle, MAX_ANGLE)) / radius)[..., None])


def to_opencv(assumed: Intrinsics, focal_px: Floats, k1: Floats) -> Intrinsics:
    """Returns the intrinsics of the lenses found; perspective ones where these are within `MAX_ERROR`.

    Args:
        assumed: Intrinsics before; lenses with a distortion of their own keep it.
        focal_px: (V,) as found.
        k1: (V,) as found.
    """
    out = replace(assumed, focal_px=focal_px)
    dist, fisheye = assumed.dist.copy(), assumed.fisheye.copy()
    for v in np.flatnonzero((k1 != 0) & ~has_lens(assumed)).tolist():
        angle = _angles(float(undistort(np.array([[[out.corner_radius[v], 0.0]]]), k1[v : v + 1])[0, 0, 0]))
        radius = distorted_radius(angle, square_of(k1[v]))
        tangent = np.tan(angle)
        perspective = _odd_polynomial(tangent, radius, 3)
        error = np.abs(_evaluate(tangent, perspective) - radius).max() * focal_px[v]
        if error <= MAX_ERROR * out.size_px[v].max() and (np.diff(_evaluate(tangent, perspective)) > 0).all():
            dist[v, RADIAL] = perspective
        else:
            dist[v, :4], fisheye[v] = _odd_polynomial(angle, radius, 4), True
    return replace(out, dist=dist, fisheye=fisheye)


def from_opencv(cameras: Intrinsics, assumed: Intrinsics) -> tuple[Floats, Floats]:
    """Returns the log focal scales (V,), over focal lengths ``assumed``, and k1 (V,) of the nearest lenses.

    Lenses that ``assumed`` has already are not part of them: for these k1 is 0.
    """
    log_scale, k1 = np.log(cameras.focal_px / assumed.focal_px), np.zeros(len(cameras.focal_px))
    changed = np.flatnonzero(has_lens(cameras) & ~has_lens(assumed))
    if len(changed):
        angle, radius = _sampled(cameras.at(changed))
        scale, k1[changed] = _nearest(angle, radius)
        log_scale[changed] += scale
    return log_scale, k1


def has_lens(cameras: Intrinsics) -> NDArray[np.bool_]:
    """Returns (V,) the cameras with distortion."""
    return np.asarray(cameras.dist.any(-1) | cameras.fisheye)


def _sampled(cameras: Intrinsics) -> tuple[Floats, Floats]:
    """Returns angles (V,SAMPLES) from the principal point to the farthest corner, and their distorted radii."""
    share, half_turn = np.linspace(0.0, 1.0, SAMPLES + 1), np.linspace(0.0, MAX_ANGLE, SAMPLES)
    radius = radial(np.tan(half_turn) + np.zeros((len(cameras.focal_px), 1)), cameras.dist, cameras.fisheye)
    growing = np.maximum.accumulate(radius, axis=-1)
    last = [np.interp(corner, one, half_turn) for corner, one in zip(cameras.corner_radius, growing, strict=True)]
    angle = np.array(last)[:, None] * share[1:]
    return angle, radial(np.tan(angle), cameras.dist, cameras.fisheye)


def _angles(max_tangent: float) -> Floats:
    return np.linspace(0.0, np.arctan(max_tangent), SAMPLES + 1)[1:]


def _odd_polynomial(x: Floats, y: Floats, terms: int) -> Floats:
    """Returns the coefficients of x³, x⁵, … of least squares in ``y − x``."""
    powers = np.stack([x ** (2 * i + 3) for i in range(terms)], -1)
    return np.asarray(np.linalg.lstsq(powers, y - x, rcond=None)[0])


def _evaluate(x: Floats, coefficients: Floats) -> Floats:
    return np.asarray(x + sum(c * x ** (2 * i + 3) for i, c in enumerate(coefficients)))


def _nearest(angle: Floats, radius: Floats) -> tuple[Floats, Floats]:
    """Returns log focal scales (V,) and k1 (V,) of least squares in distorted radii (Gauss–Newton).

    Both are (V,SAMPLES).
    """
    scale, k1, step = np.zeros(len(angle)), np.zeros(len(angle)), 1e-4
    for _ in range(CONVERSION_ITERATIONS):
        at, near = (np.exp(scale)[:, None] * distorted_radius(angle, square_of(k)[:, None]) for k in (k1, k1 + step))
        jacobian = np.stack([at, (near - at) / step], -1)
        transposed = jacobian.swapaxes(-1, -2)
        change = np.linalg.solve(transposed @ jacobian, transposed @ (radius - at)[..., None])[..., 0]
        scale, k1 = scale + change[:, 0], np.clip(k1 + change[:, 1], MIN_K1, MAX_K1)
    return scale, k1
