"""Labels beside points, clear of each other. Axes: V labels."""

import numpy as np

from pose_rig.arrays import Floats

GAP_PX = 9.0
ROUNDS = 200
BACK = 0.05  # how strongly a label is drawn back to where it belongs, at first


def spread(points: Floats, radius: Floats, sizes: Floats, away: Floats, frame: Floats) -> Floats:
    """Returns (V,2) centres of labels that lie beside their points, inside the frame, and overlap as little as can be.

    Args:
        points: (V,2) px.
        radius: (V,) room to keep around each point, px.
        sizes: (V,2) width and height of each label, px.
        away: (V,2) where each label would best lie, seen from its point; any length.
        frame: (2,2) lower and upper corner of where labels may lie, px.
    """
    length = np.linalg.norm(away, axis=1, keepdims=True)
    direction = np.where(length > 1e-3, away / np.maximum(length, 1e-9), [0.0, 1.0])
    home = points + direction * (sizes / 2 + GAP_PX / 2 + radius[:, None])
    centres = home.copy()
    boxes = np.concatenate([sizes, np.full_like(sizes, GAP_PX)])  # the points themselves must not be covered either
    for done in range(ROUNDS):
        centres += BACK * (1 - done / ROUNDS) * (home - centres)
        centres += _push(np.concatenate([centres, points]), boxes)[: len(points)]
        centres = np.clip(centres, frame[0] + sizes / 2, frame[1] - sizes / 2)
    return centres


def _push(centres: Floats, sizes: Floats) -> Floats:
    """Returns (N,2) the steps that part overlapping boxes, each along the axis on which they overlap least."""
    apart = centres[:, None] - centres[None]
    overlap = (sizes[:, None] + sizes[None]) / 2 + 2.0 - np.abs(apart)
    hit = (overlap > 0).all(-1) & ~np.eye(len(centres), dtype=bool)
    along = np.eye(2)[overlap.argmin(-1)]
    order = np.arange(len(centres))
    side = np.where(apart == 0, np.sign(order[:, None] - order)[..., None], np.sign(apart))
    return np.asarray((hit[..., None] * along * side * overlap / 2).sum(1))
