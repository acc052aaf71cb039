"""The arguments of `pose_rig.Rig`, checked."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pose_rig.arrays import Floats
from pose_rig.config import HEIGHT_RANGE_M, CameraConfig
from pose_rig.errors import UsageError
from pose_rig.lens import COEFFICIENTS
from pose_rig.wire.messages import MAX_IMAGE_SIDE_PX


def configured(
    size_px: Floats,
    focal_px: ArrayLike | None,
    principal_point_px: ArrayLike | None,
    dist: ArrayLike | None,
    fisheye: ArrayLike,
) -> tuple[CameraConfig, ...]:
    """Returns the cameras of a rig, for images of ``size_px`` (V,2); other arguments as of `Rig`.

    Raises:
        UsageError: An argument is wrong.
    """
    views = len(size_px)
    focal = broadcast("focal_px", np.nan if focal_px is None else focal_px, (views,))
    if not ((size_px >= 1) & (size_px <= MAX_IMAGE_SIDE_PX)).all() or (focal <= 0).any() or np.isinf(focal).any():
        raise UsageError(
            f"size_px and focal_px must be positive; got {size_px.tolist()} and {focal_px!r}.",
            f"They are in pixels, sizes at most {MAX_IMAGE_SIDE_PX}.",
        )
    point = broadcast(
        "principal_point_px", size_px / 2 if principal_point_px is None else principal_point_px, (views, 2)
    )
    if not ((point >= 0) & (point <= size_px)).all():
        raise UsageError(f"principal_point_px must be in the image; got {principal_point_px!r}.", "It is in pixels.")
    lens = broadcast("dist", 0.0 if dist is None else dist, (views, COEFFICIENTS))
    wide = broadcast("fisheye", fisheye, (views,)) != 0
    if not np.isfinite(lens).all() or np.isnan(focal[lens.any(-1) | wide]).any():
        raise UsageError(
            "dist must be finite, and needs the focal_px of the same calibration.", "Give both, or neither."
        )
    return tuple(
        CameraConfig(
            source=f"cam{v}",
            name=f"cam{v}",
            focal_px=None if np.isnan(focal[v]) else float(focal[v]),
            principal_point_px=(float(point[v, 0]), float(point[v, 1])),
            distortion=tuple(lens[v].tolist()),
            fisheye=bool(wide[v]),
        )
        for v in range(views)
    )


def heights_m(given: float | Sequence[float] | None, people: int) -> tuple[float, ...]:
    """Returns the given body heights.

    Raises:
        UsageError: One is out of range, or there are more than people.
    """
    heights_m = () if given is None else tuple(float(one) for one in np.atleast_1d(np.asarray(given, np.float64)))
    for one in heights_m:
        if not HEIGHT_RANGE_M[0] <= one <= HEIGHT_RANGE_M[1]:
            raise UsageError(
                f"height_m must be between {HEIGHT_RANGE_M[0]:g} and {HEIGHT_RANGE_M[1]:g}; got {one:g}.",
                "Give the body height in metres, or None.",
            )
    if len(heights_m) > people:
        raise UsageError(f"height_m has {len(heights_m)} heights for {people} people.", "Give people, too.")
    return heights_m


def broadcast(name: str, value: ArrayLike, shape: tuple[int, ...]) -> Floats:
    """Returns an argument as an array of this shape, of cameras (V,…).

    Raises:
        UsageError: It has another shape.
    """
    try:
        return np.broadcast_to(np.asarray(value, np.float64), shape)
    except ValueError as error:
        raise UsageError(
            f"{name} must have shape {shape} or be the same for all cameras; got shape {np.shape(value)}.",
            f"Give one {name} for each of the {shape[0]} cameras.",
        ) from error
