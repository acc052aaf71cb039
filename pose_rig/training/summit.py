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
    for kept in (CLIMBERS, 1):
        height = _look(votes, x, y)[2].sum(-1, keepdim=True)
        best = height.topk(min(kept, height.shape[1]), 1).indices
        x, y = x.gather(1, best), y.gather(1, best)
        for _ in range(CLIMBS):
            x, y = _climb(votes, x, y)
    return torch.cat([x, y], -1)[:, 0], _look(votes, x, y)[2].sum(-1)


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


def _look(votes: Votes, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns, (N,C,U) each, the way to here (x, y) from the nearest point of every vote, its vote, and if it is flat.

    Beside a segment a vote is flat along it, beyond its ends it is not.
    """
    off_x, off_y = x - votes.x, y - votes.y
    way = off_x * votes.along_x + off_y * votes.along_y
    near = torch.clamp(way, -votes.reach, votes.reach)
    off_x, off_y = off_x - near * votes.along_x, off_y - near * votes.along_y
    vote = votes.height * torch.exp(-0.5 * votes.precision * (off_x.square() + off_y.square()))
    return off_x, off_y, vote, way.abs() < votes.reach


def _climb(votes: Votes, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Returns x, y (N,C,1) after one step of mean shift uphill.

    With r_i the way from the nearest point of vote i to here and g_i its height here over its variance, the step δ
    solves (Σ g_i M_i) δ = −Σ g_i r_i; M_i = I, or I − d dᵀ where the vote is flat along its direction d.
    """
    off_x, off_y, vote, flat = _look(votes, x, y)
    pull = vote * votes.precision
    flat_x, flat_y = pull * flat * votes.along_x, pull * flat * votes.along_y
    total = pull.sum(-1, keepdim=True) + STILL
    xx = total - (flat_x * votes.along_x).sum(-1, keepdim=True)
    yy = total - (flat_y * votes.along_y).sum(-1, keepdim=True)
    xy = -(flat_x * votes.along_y).sum(-1, keepdim=True)
    down_x, down_y = (pull * off_x).sum(-1, keepdim=True), (pull * off_y).sum(-1, keepdim=True)
    size = xx * yy - xy.square()
    return x - (yy * down_x - xy * down_y) / size, y - (xx * down_y - xy * down_x) / size
