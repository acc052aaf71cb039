"""The highest place among votes, against all places of a fine grid."""

import numpy as np
import torch

from pose_rig.training.summit import Votes, highest

VIEWS = 4


def drawn(count: int) -> Votes:
    """Points and segments all over a field of 30 × 30 cells."""
    rng = np.random.default_rng(0)

    def per_vote(low: float, high: float) -> torch.Tensor:
        return torch.from_numpy(rng.uniform(low, high, (count, 1, 2 * VIEWS - 1)))

    angle, reach = per_vote(0, np.pi), per_vote(5, 40)
    reach[..., :VIEWS] = 0
    precision = torch.tensor([1 / 9] * VIEWS + [1 / 4] * (VIEWS - 1), dtype=torch.float64)
    return Votes(
        per_vote(-15, 15), per_vote(-15, 15), angle.cos(), angle.sin(), reach, per_vote(0.2, 1), precision
    )  # fmt: skip


def height_at(votes: Votes, places: torch.Tensor) -> torch.Tensor:
    """Returns (N,P) the sum of the votes at places (N or 1,P,2)."""
    off = places[:, :, None] - torch.stack([votes.x, votes.y], -1)
    along = torch.stack([votes.along_x, votes.along_y], -1)
    way = (off * along).sum(-1).clamp(-votes.reach, votes.reach)
    square = (off - way[..., None] * along).square().sum(-1)
    return (votes.height * torch.exp(-0.5 * votes.precision * square)).sum(-1)


def test_nothing_on_a_fine_grid_is_higher() -> None:
    votes = drawn(60)
    place, height = highest(votes)
    axis = torch.arange(-20.0, 20.5, 0.5, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)[None]
    best = height_at(votes, grid).amax(1)
    at_place = height_at(votes, place[:, None])
    lower = (best - at_place[:, 0]) / best
    assert lower.max() < 0.15
    assert (lower > 0.01).float().mean() < 0.03
    assert (height <= at_place + 1e-9).all()
    assert (at_place - height).max() < 0.02
