"""Image coordinates, ray frames and rotations.

Frames (docs/frames.md): ``image`` px; ``camera`` OpenCV axes; ``ray`` = camera axes rotated so that z passes through
the person's pelvis and the body is upright in the image. Rotations are named ``b_from_a``.

Axes: V views, J joints, N anything.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.skeleton import INDEX

_UPPER = [INDEX[name] for name in ("thorax", "nose", "head")]
_LOWER = [INDEX[name] for name in ("pelvis", "r_knee", "l_knee")]
_FACE = [INDEX[name] for name in ("nose", "head")]
MIN_DEPTH_M = 0.1  # nearer points are projected as if they were at this depth
TRUNK_PER_NECK = 2.3  # shoulders to hips over shoulders to head, in images from slightly above
_QUARTERS = np.stack(
    [np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]) for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1))]
)


def normalised_coordinates(xy_px: Floats, focal_px: Floats, size_px: Floats) -> Floats:
    """Returns normalised image coordinates ``(x − c)/f`` with the principal point at the image centre.

    Args:
        xy_px: (...,J,2) px.
        focal_px: (...) px.
        size_px: (...,2) image width, height.
    """
    return (xy_px - 0.5 * size_px[..., None, :]) / focal_px[..., None, None]


def camera_matrix(
    focal_px: float, size_px: Sequence[float] | Floats, principal_point_px: Sequence[float] | None = None
) -> Floats:
    """Returns K (3,3) of a camera.

    Args:
        focal_px: Focal length.
        size_px: Image (width, height).
        principal_point_px: (x, y); None = the image centre.
    """
    x, y = (size_px[0] / 2, size_px[1] / 2) if principal_point_px is None else principal_point_px
    return np.array([[focal_px, 0.0, x], [0.0, focal_px, y], [0.0, 0.0, 1.0]])


def complete_root(xy_px: Floats, score: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Returns 2D poses with a pelvis, detected or extrapolated, and whether there is one.

    At a desk the hips are hidden. The pelvis is then set to the one visible hip, or extrapolated along the line from
    the head through the shoulders; its score stays 0.

    Args:
        xy_px: (...,J,2).
        score: (...,J) 0 = not visible.
    """
    pelvis, thorax, right, left = (INDEX[name] for name in ("pelvis", "thorax", "r_hip", "l_hip"))
    visible = score > 0
    face = visible[..., _FACE, None]
    head = (face * xy_px[..., _FACE, :]).sum(-2) / np.maximum(face.sum(-2), 1)
    below = xy_px[..., thorax, :] + TRUNK_PER_NECK * (xy_px[..., thorax, :] - head)
    extrapolated = np.where(visible[..., right, None], xy_px[..., right, :], below)
    extrapolated = np.where(visible[..., left, None], xy_px[..., left, :], extrapolated)
    out = xy_px.copy()
    out[..., pelvis, :] = np.where(visible[..., pelvis, None], xy_px[..., pelvis, :], extrapolated)
    hips = visible[..., pelvis] | visible[..., right] | visible[..., left]
    return out, visible[..., thorax] & (hips | visible[..., _FACE].any(-1))


def rotation_to_z(axis: Floats) -> Floats:
    """Returns (...,3,3) the smallest rotation that takes the unit vectors ``axis`` (...,3) to +z.

    Rodrigues' formula without angles; not defined for axis = −z, which is behind the camera.
    """
    x, y, z = axis[..., 0], axis[..., 1], axis[..., 2]
    k = 1 / (1 + z)
    rows = [1 - x * x * k, -x * y * k, -x, -x * y * k, 1 - y * y * k, -y, x, y, z]
    return np.stack(rows, -1).reshape(*axis.shape[:-1], 3, 3)


def quarter_turn(ray_xy: Floats, visible: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Returns (...) the number of quarter turns that bring the head to the top of the image (−y).

    Makes the lifter invariant to cameras mounted on their side or upside down.

    Args:
        ray_xy: (...,J,2) root-centred ray coordinates.
        visible: (...,J).
    """
    weight = visible.astype(float)[..., None]

    def centre(joints: list[int]) -> Floats:
        w = weight[..., joints, :]
        return np.asarray((w * ray_xy[..., joints, :]).sum(-2) / np.maximum(w.sum(-2), 1.0))

    up = centre(_UPPER) - centre(_LOWER)
    # k quarter turns rotate by k·90° (image axes, y down); target: up → (0, −1)
    return np.round((-np.pi / 2 - np.arctan2(up[..., 1], up[..., 0])) / (np.pi / 2)).astype(np.int64) % 4


def rectify(xy_px: Floats, score: Floats, focal_px: Floats, size_px: Floats) -> tuple[Floats, Floats, Floats]:
    """Returns 2D poses in the ray frame, as `rectify_ideal`, for cameras without distortion.

    Args:
        xy_px: (...,J,2) px.
        score: (...,J) 0 = not visible.
        focal_px: (...) px.
        size_px: (...,2) px.
    """
    return rectify_ideal(normalised_coordinates(xy_px, focal_px, size_px), score)


def rectify_ideal(ideal_xy: Floats, score: Floats) -> tuple[Floats, Floats, Floats]:
    """Returns 2D poses in the ray frame, the input of the lifter (docs/fusion.md).

    Args:
        ideal_xy: (...,J,2) ideal coordinates x/z, y/z.
        score: (...,J) 0 = not visible.

    Returns:
        ray_xy: (...,J,2) root-centred, unit Frobenius norm; 0 where not visible.
        norm: (...) the norm before: 1/(root depth) in units of ``ray_xy``.
        ray_from_camera: (...,3,3).
    """
    visible = score > 0
    directions = np.concatenate([ideal_xy, np.ones_like(ideal_xy[..., :1])], -1)
    root = directions[..., 0, :]
    ray_from_camera = rotation_to_z(root / np.linalg.norm(root, axis=-1, keepdims=True))
    rotated = np.einsum("...ik,...jk->...ji", ray_from_camera, directions)
    ray_xy = np.where(visible[..., None], rotated[..., :2] / np.maximum(rotated[..., 2:], 0.05), 0.0)
    quarter = _QUARTERS[quarter_turn(ray_xy, visible)]
    ray_xy = np.einsum("...ik,...jk->...ji", quarter[..., :2, :2], ray_xy)
    count = np.maximum(visible.sum(-1), 1) / visible.shape[-1]
    norm = np.maximum(np.sqrt((ray_xy**2).sum((-1, -2)) / count), 1e-6)
    return ray_xy / norm[..., None, None], norm, quarter @ ray_from_camera


def ray_depths(depth_px: Floats, xy_px: Floats, score: Floats) -> Floats:
    """Returns (...,J) depths relative to the pelvis in units of the ray frame's 2D pose (`rectify_ideal`).

    Args:
        depth_px: (...,J) at the scale of ``xy_px``; NaN = unknown.
        xy_px: (...,J,2) with a pelvis (`complete_root`).
        score: (...,J) 0 = not visible; the depth is then NaN.
    """
    visible = score > 0
    across = np.where(visible[..., None], xy_px - xy_px[..., :1, :], 0.0)
    count = np.maximum(visible.sum(-1), 1) / visible.shape[-1]
    norm_px = np.maximum(np.sqrt((across**2).sum((-1, -2)) / count), 1e-6)
    return np.where(visible, depth_px / norm_px[..., None], np.nan)


def unrectify(ray_xy: Floats, norm: Floats, ray_from_camera: Floats, focal_px: Floats, size_px: Floats) -> Floats:
    """Returns (...,J,2) px from the ray frame; the inverse of `rectify` for any joints."""
    ideal_xy = unrectify_ideal(ray_xy, norm, ray_from_camera)
    return np.asarray(ideal_xy * focal_px[..., None, None] + 0.5 * size_px[..., None, :])


def unrectify_ideal(ray_xy: Floats, norm: Floats, ray_from_camera: Floats) -> Floats:
    """Returns (...,J,2) ideal coordinates from the ray frame; the inverse of `rectify_ideal` for any joints."""
    directions = np.concatenate([ray_xy * norm[..., None, None], np.ones_like(ray_xy[..., :1])], -1)
    rotated = np.einsum("...ki,...jk->...ji", ray_from_camera, directions)
    return np.asarray(rotated[..., :2] / np.maximum(rotated[..., 2:], 0.05))


def nearest_rotation(matrix: Floats) -> Floats:
    """Returns (...,3,3) the proper rotation nearest to ``matrix`` in the Frobenius norm (chordal mean of a sum)."""
    u, _, vt = np.linalg.svd(matrix)
    sign = np.sign(np.linalg.det(u @ vt))
    u = np.concatenate([u[..., :2], u[..., 2:] * sign[..., None, None]], -1)
    return np.asarray(u @ vt)


def angle_deg(a: Floats, b: Floats) -> Floats:
    """Returns (...) the angle between two rotations (...,3,3), degrees."""
    cosine = (np.einsum("...ij,...ij->...", a, b) - 1) / 2
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def rotation_from_vector(vector: Floats) -> Floats:
    """Returns (...,3,3) the rotation about ``vector`` (...,3) by its length in radians (Rodrigues)."""
    angle = np.linalg.norm(vector, axis=-1, keepdims=True)[..., None]
    x, y, z = np.moveaxis(vector, -1, 0)
    zero = np.zeros_like(x)
    k = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*vector.shape[:-1], 3, 3)
    small = angle < 1e-8
    safe = np.where(small, 1.0, angle)
    first = np.where(small, 1.0, np.sin(safe) / safe)
    second = np.where(small, 0.5, (1 - np.cos(safe)) / safe**2)
    return np.asarray(np.eye(3) + first * k + second * (k @ k))


def quaternion(rotation: Floats) -> Floats:
    """Returns (4,) x, y, z, w ≥ 0 of the rotation nearest to a 3×3 matrix.

    Bar-Itzhack, "New method for extracting the quaternion from a rotation matrix", 2000: an eigenvector.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation
    rows = [
        [xx - yy - zz, yx + xy, zx + xz, zy - yz],
        [yx + xy, yy - xx - zz, zy + yz, xz - zx],
        [zx + xz, zy + yz, zz - xx - yy, yx - xy],
        [zy - yz, xz - zx, yx - xy, xx + yy + zz],
    ]
    found = np.linalg.eigh(np.array(rows))[1][:, -1]
    return np.asarray(found if found[3] >= 0 else -found)


def length2(vectors: Floats) -> Floats:
    """Returns (...) the squared lengths of vectors (...,2)."""
    x, y = vectors[..., 0], vectors[..., 1]
    return np.asarray(x * x + y * y)
