"""The mode of a sum of Gaussians, compared with a fine grid."""

import numpy as np
import torch

from pose_rig.training.mode_seeking import Segments, find_mode

VIEWS = 4


def drawn(count: int) -> Segments:
    """Points and segments all over a field of 30 × 30 cells."""
    rng = np.random.default_rng(0)

    def per_vote(low: float, high: float) -> torch.Tensor:
        return torch.from_numpy(rng.uniform(low, high, (2 * VIEWS - 1, 1, count)))

    angle, reach = per_vote(0, np.pi), per_vote(5, 40)
    reach[:VIEWS] = 0
    precision = torch.tensor([1 / 9] * VIEWS + [1 / 4] * (VIEWS - 1), dtype=torch.float64)[:, None, None]
    return Segments(
        per_vote(-15, 15), per_vote(-15, 15), angle.cos(), angle.sin(), reach, per_vote(0.2, 1), precision
    )  # fmt: skip


def height_at(votes: Segments, places: torch.Tensor) -> torch.Tensor:
    """Returns (P,N) the sum of the votes at places (P,N or 1,2)."""
    off_x, off_y = places[..., 0] - votes.x, places[..., 1] - votes.y  # U,P,N
    way = (off_x * votes.along_x + off_y * votes.along_y).clamp(-votes.reach, votes.reach)
    square = (off_x - way * votes.along_x) ** 2 + (off_y - way * votes.along_y) ** 2
    return (votes.height * torch.exp(-0.5 * votes.precision * square)).sum(0)


def test_nothing_on_a_fine_grid_is_higher() -> None:
    votes = drawn(60)
    place, height = find_mode(votes)
    axis = torch.arange(-20.0, 20.5, 0.5, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)[:, None]
    best = height_at(votes, grid).amax(0)
    at_place = height_at(votes, place[None])[0]
    lower = (best - at_place) / best
    assert lower.max() < 0.2
    assert (lower > 0.01).float().mean() < 0.05
    torch.testing.assert_close(height, at_place, atol=1e-9, rtol=0)
