"""Where Gaussian votes around points and segments of the plane are highest, without a grid.

Climbs from the highest of all points and all crossings of two segments.

Axes: N sums of votes, U votes in each, C candidates for the maximum. Lengths in cells of the paper's grid.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

CLIMBERS = 5  # candidates to climb from, the highest
CLIMBS = 3  # steps from each, and again from the highest then
STILL = 1e-4  # 1/cells²: holds a candidate where no vote reaches


@dataclass(frozen=True, slots=True)
class Votes:
    """Where the sources of every joint think it is: on segments, blobs being segments without length.

    Attributes:
        x, y: (U,1,N) the middle.
        along_x, along_y: (U,1,N) unit direction.
        reach: (U,1,N) half the length.
        height: (U,1,N) of the Gaussian across.
        precision: (U,1,1) its inverse variance.
    """

    x: Tensor
    y: Tensor
    along_x: Tensor
    along_y: Tensor
    reach: Tensor
    height: Tensor
    precision: Tensor


def highest(votes: Votes) -> tuple[Tensor, Tensor]:
    """Returns (N,2) where the sum of the votes is highest, and (N,) how high."""
    x, y = _candidates(votes)
    for kept in (CLIMBERS, 1):
        height = _look(votes, x, y).vote.sum(0)
        best = height.topk(min(kept, len(height)), 0).indices if kept > 1 else height.argmax(0, keepdim=True)
        x, y = x.gather(0, best), y.gather(0, best)
        for _ in range(CLIMBS):
            x, y = _climb(votes, x, y)
    return torch.cat([x, y]).T, _look(votes, x, y).vote.sum(0)[0]


def _candidates(votes: Votes) -> tuple[Tensor, Tensor]:
    """Returns x, y (C,N): all points, and all crossings of two segments."""
    views = (len(votes.x) + 1) // 2
    i, k = torch.triu_indices(views - 1, views - 1, 1, device=votes.x.device) + views
    x, y, along_x, along_y = (value[:, 0] for value in (votes.x, votes.y, votes.along_x, votes.along_y))
    sine = along_x[i] * along_y[k] - along_y[i] * along_x[k]
    sine = torch.where(sine.abs() < 1e-3, 1e-3, sine)
    way = ((x[k] - x[i]) * along_y[k] - (y[k] - y[i]) * along_x[k]) / sine
    reach = votes.reach[i, 0]
    way = torch.clamp(way, -reach, reach)
    return torch.cat([x[:views], x[i] + way * along_x[i]]), torch.cat([y[:views], y[i] + way * along_y[i]])


@dataclass(frozen=True, slots=True)
class _Sight:
    """What is seen from candidates, (U,C,N) each.

    Attributes:
        off_x, off_y: The way here from the nearest point of every vote.
        vote: Its height here.
        beside: Whether it is a segment and its ends are not the nearest: it is flat along the segment then.
    """

    off_x: Tensor
    off_y: Tensor
    vote: Tensor
    beside: Tensor


def _look(votes: Votes, x: Tensor, y: Tensor) -> _Sight:
    """Returns what is seen from x, y (C,N)."""
    off_x, off_y = x - votes.x, y - votes.y
    way = off_x * votes.along_x + off_y * votes.along_y
    near = torch.clamp(way, -votes.reach, votes.reach)
    off_x, off_y = off_x - near * votes.along_x, off_y - near * votes.along_y
    vote = votes.height * torch.exp((off_x.square() + off_y.square()) * (-0.5 * votes.precision))
    return _Sight(off_x, off_y, vote, way.abs() < votes.reach)


def _climb(votes: Votes, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Returns x, y (C,N) after one step of mean shift uphill.

    With r_i the way from the nearest point of vote i to here and g_i its height here over its variance, the step δ
    solves (Σ g_i M_i) δ = −Σ g_i r_i; M_i = I, or I − d dᵀ beside a segment of direction d.
    """
    sight = _look(votes, x, y)
    pull = sight.vote * votes.precision
    flat = pull * sight.beside
    flat_x, flat_y = flat * votes.along_x, flat * votes.along_y
    total = pull.sum(0) + STILL
    xx, yy = total - (flat_x * votes.along_x).sum(0), total - (flat_y * votes.along_y).sum(0)
    xy = -(flat_x * votes.along_y).sum(0)
    down_x, down_y = (pull * sight.off_x).sum(0), (pull * sight.off_y).sum(0)
    size = xx * yy - xy.square()
    return x - (yy * down_x - xy * down_y) / size, y - (xx * down_y - xy * down_x) / size
