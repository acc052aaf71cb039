"""The Cross-view Self-fusion Module of the paper: where a view is unsure of a joint, all views vote where it should be.

After Kim et al., ACCV 2022: once as their released code computes it, on a grid of 64×64 cells, and once the same idea
without what is wrong there: no grid, one scale per view, lines in any direction, every vote with its own confidence.
Only limbs below a confidence are refined; what comes out is a constant for the lifter.

Axes: B instants, V views, J joints; N joints to be refined, of all instants and views, U sources (views) of each,
M lines. Lengths of the 2D in units of its norm, within about ±0.5.
"""

import torch
from torch import Tensor

from pose_rig.skeleton import LIMBS
from pose_rig.training.mode_seeking import Votes, highest

SURE = 0.85  # joints above keep what was detected
CELLS = 64  # of the grid, per unit of length and in all
BLOB_SD, LINE_SD = 3, 2  # cells; the windows that are pasted reach as far
LINE_X, LINE_Y = (12.8, 51.2), (6.4, 57.6)  # cells, where lines are looked for
LINE_POINTS = 16
FAR = 3.0  # depths ±3 are the ends of a line
DEPTH_REACH = 1.0  # no joint is further before or behind the root, even of a person seen end-on
MISFIT = 0.03  # a joint this far off has half a say in the fit of a view


@torch.no_grad()
def released(flat: Tensor, confidence: Tensor, rotation: Tensor, canonical: Tensor) -> Tensor:
    """Returns (B,V,J,2) the 2D as the released code refines it, its faults included.

    On a grid, cell = 64 x + 32, of every joint j with c_vj < 0.85 in view v: for every view u a Gaussian of height
    c_uj (of the *first* instant of the batch) at ⌊cell(P R_v X_u)⌋, pictures scaled to norm 1; for every other view u
    a Gaussian of height c_uj at each of 16 points of the line through R_v R_uᵀ (w_uj, ±3), each overwriting the window
    of the one before. Lines are functions of x, so that steep ones are lost; if all but one are, that one is dropped,
    the only one of two views. The joint moves to the corner of the highest cell.

    Args:
        flat: (B,V,J,2) w, root-centred, norm 1.
        confidence: (B,V,J) c.
        rotation: (B,V,3,3) R, view_from_canonical.
        canonical: (B,V,J,3) X.
    """
    b, v, j = _unsure(confidence)
    votes = flat.new_zeros(len(b) * CELLS**2)
    picture = torch.einsum("bvci,buji->bvujc", rotation[:, :, :2], canonical)
    picture = picture / picture.square().sum((-1, -2), keepdim=True).sqrt().clamp_min(1e-9)
    _paste_blobs(votes, picture[b, v, :, j], confidence[0, :, j].T)
    u = _sources(v, flat.shape[1])[:, :-1]
    rows = (b[:, None], u, j[:, None])
    relative = rotation[b, v].unsqueeze(1) @ rotation[b[:, None], u].transpose(-1, -2)
    _paste_lines(votes, relative[..., :2, :], flat[rows], confidence[rows])
    best = votes.view(-1, CELLS**2).argmax(1)
    refined = flat.clone()
    cell = torch.stack([best % CELLS, best // CELLS], -1).to(flat.dtype)
    refined[b, v, j] = (cell - CELLS / 2) / CELLS
    return refined


def _unsure(confidence: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns instant, view and joint, (N,) each, of the limbs to be refined."""
    limbs = torch.tensor(LIMBS, device=confidence.device)
    b, v, limb = (confidence[..., limbs] < SURE).nonzero(as_tuple=True)
    return b, v, limbs[limb]


def _sources(view: Tensor, views: int) -> Tensor:
    """Returns (N,V) all views, the one that is refined (N,) last."""
    return (view[:, None] + 1 + torch.arange(views, device=view.device)) % views


def _paste_blobs(votes: Tensor, points: Tensor, height: Tensor) -> None:
    """Adds windows of Gaussians to maps (N·64·64,), at points (N,U,2), of height (N,U)."""
    reach = torch.arange(-BLOB_SD, BLOB_SD + 1, device=votes.device)
    cell = torch.floor(CELLS * points + CELLS / 2).long().unsqueeze(-1) + reach  # N,U,2,7
    inside = ((cell >= 0) & (cell < CELLS)).to(votes.dtype)
    slope = torch.exp(-reach.to(votes.dtype).square() / (2 * BLOB_SD**2)) * inside
    value = height[..., None, None] * (slope[:, :, 1, :, None] * slope[:, :, 0, None, :])
    cell = cell.clamp(0, CELLS - 1)
    start = CELLS**2 * torch.arange(len(points), device=votes.device)[:, None, None, None]
    index = start + CELLS * cell[:, :, 1, :, None] + cell[:, :, 0, None, :]
    votes.scatter_add_(0, index.flatten(), value.flatten())


def _paste_lines(votes: Tensor, relative: Tensor, seen: Tensor, height: Tensor) -> None:
    """Adds the maps of lines to maps (N·64·64,).

    Args:
        votes: The maps.
        relative: (N,U,2,3) first rows of R_v R_uᵀ.
        seen: (N,U,2) w_u.
        height: (N,U).
    """
    middle = (relative[..., :2] @ seen.unsqueeze(-1))[..., 0]
    first = CELLS * (middle - FAR * relative[..., 2]) + CELLS / 2
    last = CELLS * (middle + FAR * relative[..., 2]) + CELLS / 2
    slope = (last[..., 1] - first[..., 1]) / (last[..., 0] - first[..., 0])  # not finite: no line
    level = first[..., 1] - slope * first[..., 0]
    x = torch.arange(CELLS, device=votes.device, dtype=votes.dtype)
    y = slope[..., None] * x + level[..., None]
    kept = (x > LINE_X[0]) & (x < LINE_X[1]) & (y > LINE_Y[0]) & (y < LINE_Y[1])
    there = (kept.sum(-1) >= 2) & (height > 0)
    there &= (~there).sum(1, keepdim=True) != seen.shape[1] - 1
    target, source = there.nonzero(as_tuple=True)
    slope, level, kept = slope[target, source], level[target, source], kept[target, source].to(votes.dtype)
    left, right = kept.argmax(-1), CELLS - 1 - kept.flip(-1).argmax(-1)
    ends_x = torch.stack([left, right], -1).to(votes.dtype)
    ends = torch.stack([ends_x, slope[:, None] * ends_x + level[:, None]], 1)  # M,2,2: x and y; first and last
    step = (ends[..., 1] - ends[..., 0]) / (LINE_POINTS - 1)
    along = torch.arange(LINE_POINTS, device=votes.device, dtype=votes.dtype)
    points = torch.floor(along * step[..., None] + ends[..., :1]).long()  # M,2,16
    _overwrite(votes, target, points, height[target, source])


def _overwrite(votes: Tensor, target: Tensor, points: Tensor, height: Tensor) -> None:
    """Adds lines to maps, in each line every window replacing what it covers of the ones before.

    Along a straight line the windows over one cell follow each other, so what is left of a window is what the next one
    does not cover.

    Args:
        votes: (N·64·64,) the maps.
        target: (M,) whose map.
        points: (M,2,16) cells, x and y.
        height: (M,).
    """
    apart = 2 * LINE_SD + 1  # steps from one point to the next that are longer leave the window whole
    step = points.diff(dim=-1).clamp(-apart, apart) + apart
    step = torch.nn.functional.pad(step, (0, 1))
    kind = (2 * apart + 1) * step[:, 1] + step[:, 0]
    value = height[:, None, None] * _what_is_left(apart, votes)[kind]
    reach = torch.arange(-LINE_SD, LINE_SD + 1, device=votes.device)
    window = (CELLS * reach[:, None] + reach).flatten()
    index = (CELLS**2 * target[:, None] + CELLS * points[:, 1] + points[:, 0]).unsqueeze(-1) + window
    votes.scatter_add_(0, index.flatten(), value.flatten())


def _what_is_left(apart: int, votes: Tensor) -> Tensor:
    """Returns ((2 apart + 1)²,25) windows without what the next one covers, by the step to it in y and x."""
    reach = torch.arange(-LINE_SD, LINE_SD + 1, device=votes.device)
    step = torch.arange(-apart, apart + 1, device=votes.device)
    covered = (reach - step[:, None]).abs() <= LINE_SD
    slope = torch.exp(-reach.to(votes.dtype).square() / (2 * LINE_SD**2))
    left = ~(covered[:, None, :, None] & covered[None, :, None, :])
    return (left * slope[:, None] * slope).flatten(0, 1).flatten(1)


@torch.no_grad()
def corrected(flat: Tensor, confidence: Tensor, rotation: Tensor, canonical: Tensor) -> Tensor:
    """Returns (B,V,J,2) the 2D refined by the votes of `released`, without its faults.

    With s_v, t_v the scale and root offset of view v against the shape that all views agree on (`fit`), the votes for
    joint j in view v are Gaussians, of height c_uj and standard deviations 3 and 2 cells (1/64), around

        the points    s_v P R_v X_uj + t_v                                            of every view u, and
        the segments  s_v/s_u P R_v R_uᵀ (w_uj − t_u, z) + t_v, |z| ≤ 1,          of every view u ≠ v.

    Two views that look the same way have a segment without length: the point itself. The joint moves to where the
    sum of the votes is highest, found by climbing from points and crossings of segments. A view that saw
    nothing votes for nothing and stays as it is, as does a joint that nobody votes for.

    Args:
        flat: (B,V,J,2) w, root-centred, norm 1; ignored where the confidence is 0.
        confidence: (B,V,J) c.
        rotation: (B,V,3,3) R, view_from_canonical.
        canonical: (B,V,J,3) X.
    """
    shape = canonical / _rms(canonical, confidence.square().clamp_min(1e-6))
    scale, offset = fit(flat, confidence, rotation, shape)
    b, v, j = _unsure(confidence + 2 * (confidence <= 0).all(-1, keepdim=True))
    votes = _segments(flat, confidence, rotation, shape, scale, offset, (b, v, j))
    refined = flat.clone()
    place, height = highest(votes)
    refined[b, v, j] = torch.where(height[:, None] > 0, place / CELLS, flat[b, v, j])
    return refined


def fit(flat: Tensor, confidence: Tensor, rotation: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
    """Returns scale (B,V,1) and offset (B,V,2) of every view: w_v ≈ s_v P R_v X̄ + t_v, X̄ the mean of the shapes.

    Joints count by the square of their confidence, and less where they do not fit. The scale is a ratio of spreads,
    which noise does not shrink as it would a regression.

    Args:
        flat: (B,V,J,2).
        confidence: (B,V,J).
        rotation: (B,V,3,3).
        shape: (B,V,J,3) canonical poses of one size.
    """
    share = confidence.square().unsqueeze(-1).clamp_min(1e-6)
    mean = (share * shape).sum(1) / share.sum(1)
    picture = torch.einsum("bvci,bji->bvjc", rotation[:, :, :2], mean)
    weight = confidence.square()
    for _ in range(2):
        part = (weight / weight.sum(-1, keepdim=True).clamp_min(1e-6)).unsqueeze(-1)
        middle, around = (part * flat).sum(2, keepdim=True), (part * picture).sum(2, keepdim=True)
        scale = _rms(flat - middle, part[..., 0]) / _rms(picture - around, part[..., 0])
        offset = middle - scale * around
        miss = (flat - scale * picture - offset).square().sum(-1)
        weight = confidence.square() / (1 + miss / MISFIT**2)
    return scale[..., 0], offset[..., 0, :]


def _rms(points: Tensor, weight: Tensor) -> Tensor:
    """Returns (...,1,1) the weighted root mean square length of points (...,J,C); weights (...,J)."""
    square = (points.square().sum(-1) * weight).sum(-1) / weight.sum(-1).clamp_min(1e-6)
    return square.sqrt().clamp_min(1e-6)[..., None, None]


def _segments(
    flat: Tensor, confidence: Tensor, rotation: Tensor, shape: Tensor, scale: Tensor, offset: Tensor,
    joint: tuple[Tensor, Tensor, Tensor],
) -> Votes:  # fmt: skip
    """Returns the votes for the joints (instant, view, joint): V points, then V − 1 segments each."""
    b, v, j = joint
    u = _sources(v, flat.shape[1])
    rows = (b[:, None], u, j[:, None])
    others = (b[:, None], u[:, :-1], j[:, None])
    here, root = scale[b, v, None], offset[b, v, None]
    plane = rotation[b, v, :2]
    points = here * (shape[rows] @ plane.transpose(-1, -2)) + root
    relative = plane.unsqueeze(1) @ rotation[others[:2]].transpose(-1, -2)
    seen = (flat[others] - offset[others[:2]]) / scale[others[:2]]
    middle = here * (relative[..., :2] @ seen.unsqueeze(-1))[..., 0] + root
    depth = here / scale[others[:2]] * relative[..., 2]
    length = depth.square().sum(-1, keepdim=True).sqrt()
    direction = torch.cat([torch.zeros_like(points), depth / length.clamp_min(1e-9)], 1)
    reach = torch.cat([torch.zeros_like(points[..., 0]), DEPTH_REACH * CELLS * length[..., 0]], 1)
    centre = CELLS * torch.cat([points, middle], 1)
    height = torch.cat([confidence[rows], confidence[others]], 1)
    precision = torch.full((height.shape[1], 1, 1), LINE_SD**-2.0, device=flat.device, dtype=flat.dtype)
    precision[: u.shape[1]] = BLOB_SD**-2.0
    columns = torch.cat([centre, direction, reach.unsqueeze(-1), height.unsqueeze(-1)], -1)
    x, y, along_x, along_y, long, high = columns.permute(2, 1, 0).unsqueeze(2).contiguous()
    return Votes(x, y, along_x, along_y, long, high, precision)
