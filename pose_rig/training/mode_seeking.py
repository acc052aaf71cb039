"""The mode of a sum of Gaussians around points and line segments of the plane, by mean shift, without a grid.

Starts at the highest of all points and all crossings of two segments.

Axes: N sums, U Gaussians in each, C candidates for the mode. Lengths in cells of the paper's grid.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

MAX_STARTS = 5  # highest candidates, from which the mean shift starts
ITERATIONS = 3  # from each start, and again from the best of the results
MIN_PRECISION = 1e-4  # 1/cells²: keeps a candidate in place where all Gaussians are 0


@dataclass(frozen=True, slots=True)
class Segments:
    """Gaussians around line segments; a point is a segment of length 0.

    Attributes:
        x, y: (U,1,N) the middle.
        along_x, along_y: (U,1,N) unit direction.
        reach: (U,1,N) half the length.
        height: (U,1,N) of the Gaussian across the segment.
        precision: (U,1,1) its inverse variance.
    """

    x: Tensor
    y: Tensor
    along_x: Tensor
    along_y: Tensor
    reach: Tensor
    height: Tensor
    precision: Tensor


def find_mode(segments: Segments) -> tuple[Tensor, Tensor]:
    """Returns (N,2) the mode of the sum of the Gaussians, and (N,) its height."""
    x, y = _candidates(segments)
    for kept in (MAX_STARTS, 1):
        height = _evaluate(segments, x, y).height.sum(0)
        best = height.topk(min(kept, len(height)), 0).indices if kept > 1 else height.argmax(0, keepdim=True)
        x, y = x.gather(0, best), y.gather(0, best)
        for _ in range(ITERATIONS):
            x, y = _mean_shift(segments, x, y)
    return torch.cat([x, y]).T, _evaluate(segments, x, y).height.sum(0)[0]


def _candidates(segments: Segments) -> tuple[Tensor, Tensor]:
    """Returns x, y (C,N): all points, and all crossings of two segments."""
    views = (len(segments.x) + 1) // 2
    i, k = torch.triu_indices(views - 1, views - 1, 1, device=segments.x.device) + views
    x, y, along_x, along_y = (value[:, 0] for value in (segments.x, segments.y, segments.along_x, segments.along_y))
    sine = along_x[i] * along_y[k] - along_y[i] * along_x[k]
    sine = torch.where(sine.abs() < 1e-3, 1e-3, sine)
    way = ((x[k] - x[i]) * along_y[k] - (y[k] - y[i]) * along_x[k]) / sine
    reach = segments.reach[i, 0]
    way = torch.clamp(way, -reach, reach)
    return torch.cat([x[:views], x[i] + way * along_x[i]]), torch.cat([y[:views], y[i] + way * along_y[i]])


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """The Gaussians at the candidates, (U,C,N) each.

    Attributes:
        offset_x, offset_y: From the nearest point of the segment.
        height: Value of the Gaussian.
        inside: Whether the nearest point is no end of the segment: the Gaussian is constant along the segment there.
    """

    offset_x: Tensor
    offset_y: Tensor
    height: Tensor
    inside: Tensor


def _evaluate(segments: Segments, x: Tensor, y: Tensor) -> _Evaluation:
    """Returns the Gaussians at x, y (C,N)."""
    offset_x, offset_y = x - segments.x, y - segments.y
    way = offset_x * segments.along_x + offset_y * segments.along_y
    near = torch.clamp(way, -segments.reach, segments.reach)
    offset_x, offset_y = offset_x - near * segments.along_x, offset_y - near * segments.along_y
    height = segments.height * torch.exp((offset_x.square() + offset_y.square()) * (-0.5 * segments.precision))
    return _Evaluation(offset_x, offset_y, height, way.abs() < segments.reach)


def _mean_shift(segments: Segments, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Returns x, y (C,N) after one step of mean shift.

    With r_i the offset from the nearest point of segment i and g_i its Gaussian over its variance, the step δ solves
    (Σ g_i M_i) δ = −Σ g_i r_i; M_i = I, or I − d dᵀ inside a segment of direction d.
    """
    here = _evaluate(segments, x, y)
    weight = here.height * segments.precision
    constant = weight * here.inside
    constant_x, constant_y = constant * segments.along_x, constant * segments.along_y
    total = weight.sum(0) + MIN_PRECISION
    xx, yy = total - (constant_x * segments.along_x).sum(0), total - (constant_y * segments.along_y).sum(0)
    xy = -(constant_x * segments.along_y).sum(0)
    down_x, down_y = (weight * here.offset_x).sum(0), (weight * here.offset_y).sum(0)
    determinant = xx * yy - xy.square()
    return x - (yy * down_x - xy * down_y) / determinant, y - (xx * down_y - xy * down_x) / determinant
