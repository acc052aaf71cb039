"""The paper's Cross-view Self-fusion Module: 2D joints of low confidence move to the maximum of the votes of all views.

After Kim et al., ACCV 2022: `released` computes it as their released code does, on a grid of 64×64 cells; `corrected`
is the same idea without the defects of that code: no grid, one scale per view, lines in any direction, each vote with
its own confidence. Only limb joints are refined; the result has no gradient.

Axes: B frames, V views, J joints; N joints to be refined, of all frames and views, U source views of each, M lines.
Lengths in units of the 2D norm, within about ±0.5.
"""

import torch
from torch import Tensor

from pose_rig.skeleton import LIMBS
from pose_rig.training.mode_seeking import Segments, find_mode

MIN_CONFIDENCE = 0.85  # joints above keep their detection
CELLS = 64  # of the grid, per unit of length and in all
POINT_SD_CELLS, LINE_SD_CELLS = 3, 2  # also the half widths of the windows of `released`
LINE_X_CELLS, LINE_Y_CELLS = (12.8, 51.2), (6.4, 57.6)  # range of the lines of `released`
LINE_POINTS = 16
LINE_DEPTH = 3.0  # depths ±3 are the ends of a line of `released`
MAX_DEPTH = 1.0  # of a joint from the root, also of a person seen end-on
OUTLIER_DISTANCE = 0.03  # joints with this residual have half the weight in `fit`


@torch.no_grad()
def released(pose_2d: Tensor, confidence: Tensor, rotation: Tensor, canonical: Tensor) -> Tensor:
    """Returns (B,V,J,2) the 2D as the released code refines it, including its defects.

    On a grid, cell = 64 x + 32, of every joint j with c_vj < 0.85 in view v: for every view u a Gaussian of height
    c_uj (of the *first* frame of the batch) at ⌊cell(P R_v X_u)⌋, projections scaled to norm 1; for every other view u
    a Gaussian of height c_uj at each of 16 points of the line through R_v R_uᵀ (w_uj, ±3), each overwriting the window
    of the previous one. Lines are functions of x, so steep ones are lost; if only one is left it is dropped, which with
    two views is the only one. The joint moves to the corner of the highest cell.

    Args:
        pose_2d: (B,V,J,2) w, root-centred, norm 1.
        confidence: (B,V,J) c.
        rotation: (B,V,3,3) R, view_from_canonical.
        canonical: (B,V,J,3) X.
    """
    b, v, j = _low_confidence_limbs(confidence)
    grids = pose_2d.new_zeros(len(b) * CELLS**2)
    projected = torch.einsum("bvci,buji->bvujc", rotation[:, :, :2], canonical)
    projected = projected / projected.square().sum((-1, -2), keepdim=True).sqrt().clamp_min(1e-9)
    _add_points(grids, projected[b, v, :, j], confidence[0, :, j].T)
    u = _sources(v, pose_2d.shape[1])[:, :-1]
    rows = (b[:, None], u, j[:, None])
    relative = rotation[b, v].unsqueeze(1) @ rotation[b[:, None], u].transpose(-1, -2)
    _add_lines(grids, relative[..., :2, :], pose_2d[rows], confidence[rows])
    best = grids.view(-1, CELLS**2).argmax(1)
    refined = pose_2d.clone()
    cell = torch.stack([best % CELLS, best // CELLS], -1).to(pose_2d.dtype)
    refined[b, v, j] = (cell - CELLS / 2) / CELLS
    return refined


def _low_confidence_limbs(confidence: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns frame, view and joint, (N,) each, of the joints to be refined."""
    limbs = torch.tensor(LIMBS, device=confidence.device)
    b, v, limb = (confidence[..., limbs] < MIN_CONFIDENCE).nonzero(as_tuple=True)
    return b, v, limbs[limb]


def _sources(view: Tensor, views: int) -> Tensor:
    """Returns (N,V) all views, the one that is refined (N,) last."""
    return (view[:, None] + 1 + torch.arange(views, device=view.device)) % views


def _add_points(grids: Tensor, points: Tensor, height: Tensor) -> None:
    """Adds windows of Gaussians to grids (N·64·64,), at points (N,U,2), of height (N,U)."""
    reach = torch.arange(-POINT_SD_CELLS, POINT_SD_CELLS + 1, device=grids.device)
    cell = torch.floor(CELLS * points + CELLS / 2).long().unsqueeze(-1) + reach  # N,U,2,7
    inside = ((cell >= 0) & (cell < CELLS)).to(grids.dtype)
    slope = torch.exp(-reach.to(grids.dtype).square() / (2 * POINT_SD_CELLS**2)) * inside
    value = height[..., None, None] * (slope[:, :, 1, :, None] * slope[:, :, 0, None, :])
    cell = cell.clamp(0, CELLS - 1)
    start = CELLS**2 * torch.arange(len(points), device=grids.device)[:, None, None, None]
    index = start + CELLS * cell[:, :, 1, :, None] + cell[:, :, 0, None, :]
    grids.scatter_add_(0, index.flatten(), value.flatten())


def _add_lines(grids: Tensor, relative: Tensor, pose_2d: Tensor, height: Tensor) -> None:
    """Adds the epipolar lines of points (N,U,2), height (N,U), to grids (N·64·64,); relative (N,U,2,3) = P R_v R_uᵀ."""
    middle = (relative[..., :2] @ pose_2d.unsqueeze(-1))[..., 0]
    first = CELLS * (middle - LINE_DEPTH * relative[..., 2]) + CELLS / 2
    last = CELLS * (middle + LINE_DEPTH * relative[..., 2]) + CELLS / 2
    slope = (last[..., 1] - first[..., 1]) / (last[..., 0] - first[..., 0])  # not finite: no line
    level = first[..., 1] - slope * first[..., 0]
    x = torch.arange(CELLS, device=grids.device, dtype=grids.dtype)
    y = slope[..., None] * x + level[..., None]
    kept = (x > LINE_X_CELLS[0]) & (x < LINE_X_CELLS[1]) & (y > LINE_Y_CELLS[0]) & (y < LINE_Y_CELLS[1])
    drawn = (kept.sum(-1) >= 2) & (height > 0)
    drawn &= (~drawn).sum(1, keepdim=True) != pose_2d.shape[1] - 1
    target, source = drawn.nonzero(as_tuple=True)
    slope, level, kept = slope[target, source], level[target, source], kept[target, source].to(grids.dtype)
    left, right = kept.argmax(-1), CELLS - 1 - kept.flip(-1).argmax(-1)
    ends_x = torch.stack([left, right], -1).to(grids.dtype)
    ends = torch.stack([ends_x, slope[:, None] * ends_x + level[:, None]], 1)  # M,2,2: x and y; first and last
    step = (ends[..., 1] - ends[..., 0]) / (LINE_POINTS - 1)
    along = torch.arange(LINE_POINTS, device=grids.device, dtype=grids.dtype)
    points = torch.floor(along * step[..., None] + ends[..., :1]).long()  # M,2,16
    _overwrite(grids, target, points, height[target, source])


def _overwrite(grids: Tensor, target: Tensor, points: Tensor, height: Tensor) -> None:
    """Adds lines to grids, in each line every window replacing what it covers of the previous ones.

    Along a straight line the windows over one cell follow each other, so a window keeps what the next one does not
    cover. Lines have a grid ``target`` (M,), ``points`` (M,2,16) in cells, x and y, and a height (M,).
    """
    apart = 2 * LINE_SD_CELLS + 1  # after a longer step to the next point a window is not covered
    step = points.diff(dim=-1).clamp(-apart, apart) + apart
    step = torch.nn.functional.pad(step, (0, 1))
    kind = (2 * apart + 1) * step[:, 1] + step[:, 0]
    value = height[:, None, None] * _uncovered_windows(apart, grids)[kind]
    reach = torch.arange(-LINE_SD_CELLS, LINE_SD_CELLS + 1, device=grids.device)
    window = (CELLS * reach[:, None] + reach).flatten()
    index = (CELLS**2 * target[:, None] + CELLS * points[:, 1] + points[:, 0]).unsqueeze(-1) + window
    grids.scatter_add_(0, index.flatten(), value.flatten())


def _uncovered_windows(apart: int, grids: Tensor) -> Tensor:
    """Returns ((2 apart + 1)²,25) windows without what the next one covers, by the step to it in y and x."""
    reach = torch.arange(-LINE_SD_CELLS, LINE_SD_CELLS + 1, device=grids.device)
    step = torch.arange(-apart, apart + 1, device=grids.device)
    covered = (reach - step[:, None]).abs() <= LINE_SD_CELLS
    slope = torch.exp(-reach.to(grids.dtype).square() / (2 * LINE_SD_CELLS**2))
    left = ~(covered[:, None, :, None] & covered[None, :, None, :])
    return (left * slope[:, None] * slope).flatten(0, 1).flatten(1)


@torch.no_grad()
def corrected(pose_2d: Tensor, confidence: Tensor, rotation: Tensor, canonical: Tensor) -> Tensor:
    """Returns (B,V,J,2) the 2D refined by the votes of `released`, without its defects.

    With s_v, t_v the scale and root offset of view v against the mean shape of all views (`fit`), the votes for joint j
    in view v are Gaussians, of height c_uj and standard deviations 3 and 2 cells (1/64), around

        the points    s_v P R_v X_uj + t_v                                            of every view u, and
        the segments  s_v/s_u P R_v R_uᵀ (w_uj − t_u, z) + t_v, |z| ≤ 1,          of every view u ≠ v.

    Two views of the same direction have a segment of length 0: the point itself. The joint moves to the mode of the sum
    of the votes. A view without detections has no votes and is not changed, nor is a joint without votes. Arguments as
    for `released`; 2D of confidence 0 is ignored.
    """
    shape = canonical / _rms(canonical, confidence.square().clamp_min(1e-6))
    scale, offset = fit(pose_2d, confidence, rotation, shape)
    b, v, j = _low_confidence_limbs(confidence + 2 * (confidence <= 0).all(-1, keepdim=True))
    mode, height = find_mode(_segments(pose_2d, confidence, rotation, shape, scale, offset, (b, v, j)))
    refined = pose_2d.clone()
    refined[b, v, j] = torch.where(height[:, None] > 0, mode / CELLS, pose_2d[b, v, j])
    return refined


def fit(pose_2d: Tensor, confidence: Tensor, rotation: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
    """Returns scale (B,V,1) and offset (B,V,2) of every view: w_v ≈ s_v P R_v X̄ + t_v, X̄ the mean of the shapes.

    Joints are weighted by the square of their confidence, and robustly by their residual. The scale is a ratio of
    spreads, which has no bias by noise, as a regression would. ``shape`` (B,V,J,3) are canonical poses of one size.
    """
    share = confidence.square().unsqueeze(-1).clamp_min(1e-6)
    mean = (share * shape).sum(1) / share.sum(1)
    projected = torch.einsum("bvci,bji->bvjc", rotation[:, :, :2], mean)
    weight = confidence.square()
    for _ in range(2):
        part = (weight / weight.sum(-1, keepdim=True).clamp_min(1e-6)).unsqueeze(-1)
        centre, projected_centre = (part * pose_2d).sum(2, keepdim=True), (part * projected).sum(2, keepdim=True)
        scale = _rms(pose_2d - centre, part[..., 0]) / _rms(projected - projected_centre, part[..., 0])
        offset = centre - scale * projected_centre
        square = (pose_2d - scale * projected - offset).square().sum(-1)
        weight = confidence.square() / (1 + square / OUTLIER_DISTANCE**2)
    return scale[..., 0], offset[..., 0, :]


def _rms(points: Tensor, weight: Tensor) -> Tensor:
    """Returns (...,1,1) the weighted root mean square length of points (...,J,C); weights (...,J)."""
    square = (points.square().sum(-1) * weight).sum(-1) / weight.sum(-1).clamp_min(1e-6)
    return square.sqrt().clamp_min(1e-6)[..., None, None]


def _segments(
    pose_2d: Tensor, confidence: Tensor, rotation: Tensor, shape: Tensor, scale: Tensor, offset: Tensor,
    joint: tuple[Tensor, Tensor, Tensor],
) -> Segments:  # fmt: skip
    """Returns the votes for the joints (frame, view, joint): V points, then V − 1 segments each."""
    b, v, j = joint
    u = _sources(v, pose_2d.shape[1])
    rows = (b[:, None], u, j[:, None])
    others = (b[:, None], u[:, :-1], j[:, None])
    here, root = scale[b, v, None], offset[b, v, None]
    plane = rotation[b, v, :2]
    points = here * (shape[rows] @ plane.transpose(-1, -2)) + root
    relative = plane.unsqueeze(1) @ rotation[others[:2]].transpose(-1, -2)
    detected = (pose_2d[others] - offset[others[:2]]) / scale[others[:2]]
    middle = here * (relative[..., :2] @ detected.unsqueeze(-1))[..., 0] + root
    depth = here / scale[others[:2]] * relative[..., 2]
    length = depth.square().sum(-1, keepdim=True).sqrt()
    direction = torch.cat([torch.zeros_like(points), depth / length.clamp_min(1e-9)], 1)
    reach = torch.cat([torch.zeros_like(points[..., 0]), MAX_DEPTH * CELLS * length[..., 0]], 1)
    centre = CELLS * torch.cat([points, middle], 1)
    height = torch.cat([confidence[rows], confidence[others]], 1)
    precision = torch.full((height.shape[1], 1, 1), LINE_SD_CELLS**-2.0, device=pose_2d.device, dtype=pose_2d.dtype)
    precision[: u.shape[1]] = POINT_SD_CELLS**-2.0
    columns = torch.cat([centre, direction, reach.unsqueeze(-1), height.unsqueeze(-1)], -1)
    x, y, along_x, along_y, long, high = columns.permute(2, 1, 0).unsqueeze(2).contiguous()
    return Segments(x, y, along_x, along_y, long, high, precision)
