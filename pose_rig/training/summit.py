"""Where Gaussian votes around points and segments of the plane are highest, without a grid.

Climbs from all points and all crossings of two segments: a maximum elsewhere would have to be uphill of none of them.

Axes: N sums of votes, U votes in each, C candidates for the maximum. Lengths in cells of the paper's grid.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

CLIMBS = 3  # steps from every candidate, and again from the best
STILL = 1e-4  # 1/cells²: holds a candidate where no vote reaches


@dataclass(frozen=True, slots=True)
class Votes:
    """Where the sources of every joint think it is: on segments, blobs being segments without length.

    Attributes:
        x, y: (N,1,U) the middle.
        along_x, along_y: (N,1,U) unit direction.
        reach: (N,1,U) half the length.
        height: (N,1,U) of the Gaussian across.
        precision: (U,) its inverse variance.
    """

    x: Tensor
    y: Tensor
    along_x: Tensor
    along_y: Tensor
    reach: Tensor
    height: Tensor
    precision: Tensor


def highest(votes: Votes) -> tuple[Tensor, Tensor]:
    """Returns (N,2) where the sum of the votes is highest, and (N,1) how high."""
    x, y = _candidates(votes)
    for _ in range(CLIMBS):
        x, y, _ = _climb(votes, x, y)
    best = _climb(votes, x, y)[2].argmax(1, keepdim=True)
    x, y = x.gather(1, best.unsqueeze(-1)), y.gather(1, best.unsqueeze(-1))
    for _ in range(CLIMBS):
        x, y, height = _climb(votes, x, y)
    return torch.cat([x, y], -1)[:, 0], height


def _candidates(votes: Votes) -> tuple[Tensor, Tensor]:
    """Returns x, y (N,C,1): all points, and all crossings of two segments."""
    views = (votes.x.shape[-1] + 1) // 2
    i, k = torch.triu_indices(views - 1, views - 1, 1, device=votes.x.device) + views
    x, y, along_x, along_y = (value[:, 0] for value in (votes.x, votes.y, votes.along_x, votes.along_y))
    sine = along_x[:, i] * along_y[:, k] - along_y[:, i] * along_x[:, k]
    sine = torch.where(sine.abs() < 1e-3, 1e-3, sine)
    way = ((x[:, k] - x[:, i]) * along_y[:, k] - (y[:, k] - y[:, i]) * along_x[:, k]) / sine
    reach = votes.reach[:, 0, i]
    way = torch.clamp(way, -reach, reach)
    cross_x, cross_y = x[:, i] + way * along_x[:, i], y[:, i] + way * along_y[:, i]
    return torch.cat([x[:, :views], cross_x], 1).unsqueeze(-1), torch.cat([y[:, :views], cross_y], 1).unsqueeze(-1)


def _climb(votes: Votes, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns x, y (N,C,1) one step of mean shift uphill, and (N,C) the height of the votes before it.

    With r_i the way from the nearest point of segment i to here and g_i its vote over its variance, the step solves
    (Σ g_i M_i) δ = −Σ g_i r_i; M_i = I beyond the ends of a segment, and beside it I − d dᵀ, along which it is flat.
    """
    off_x, off_y = x - votes.x, y - votes.y
    way = off_x * votes.along_x + off_y * votes.along_y
    near = torch.clamp(way, -votes.reach, votes.reach)
    off_x, off_y = off_x - near * votes.along_x, off_y - near * votes.along_y
    vote = votes.height * torch.exp(-0.5 * votes.precision * (off_x.square() + off_y.square()))
    pull = vote * votes.precision
    flat = pull * (way.abs() < votes.reach)
    total = pull.sum(-1, keepdim=True) + STILL
    xx = total - (flat * votes.along_x.square()).sum(-1, keepdim=True)
    yy = total - (flat * votes.along_y.square()).sum(-1, keepdim=True)
    xy = -(flat * votes.along_x * votes.along_y).sum(-1, keepdim=True)
    down_x, down_y = (pull * off_x).sum(-1, keepdim=True), (pull * off_y).sum(-1, keepdim=True)
    size = xx * yy - xy.square()
    return x - (yy * down_x - xy * down_y) / size, y - (xx * down_y - xy * down_x) / size, vote.sum(-1)
