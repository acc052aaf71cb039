"""Simulated cameras around simulated people.

Axes: N samples or rigs, V views, T instants, J joints.
"""

from dataclasses import dataclass

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.geometry import rotation_from_vector, rotation_to_z

SIZES_PX = np.array([[1280, 720], [1920, 1080], [640, 480], [1080, 1920], [720, 1280]])


@dataclass(frozen=True, slots=True)
class Cameras:
    """Perspective cameras.

    Attributes:
        rotation: (...,3,3) camera_from_room; the room is y up.
        position: (...,3) m, in the room.
        focal_px: (...) px.
        size_px: (...,2) width, height.
    """

    rotation: Floats
    position: Floats
    focal_px: Floats
    size_px: Floats

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Returns (...,J,2) px and (...,J,3) m in the camera frame, for points (...,J,3) m in the room."""
        local = np.einsum("...ik,...jk->...ji", self.rotation, points - self.position[..., None, :])
        flat = local[..., :2] / np.maximum(local[..., 2:], 0.05)
        return flat * self.focal_px[..., None, None] + 0.5 * self.size_px[..., None, :], local


def random_cameras(shape: tuple[int, ...], target: Floats, rng: np.random.Generator, *, upside: float = 0.1) -> Cameras:
    """Returns cameras of the given shape that look at ``target`` (...,3) m from all around.

    Distances 1.5–8 m, heights 0.2–3.2 m above the floor (the target is a pelvis about 0.95 m up), aim a little off,
    small rolls; some mounted on their side or upside down.

    Args:
        shape: Leading axes.
        target: What they look at, in the room; broadcast to ``shape``.
        rng: Source of chance.
        upside: Share of cameras turned by a multiple of 90°.
    """
    size = SIZES_PX[rng.integers(0, len(SIZES_PX), shape)].astype(float)
    focal = size.max(-1) * np.exp(rng.uniform(np.log(0.55), np.log(1.4), shape))
    # near enough to be worth it, far enough for the person to fit
    fit = 1.75 * focal / size[..., 1]
    distance = np.maximum(fit * np.exp(rng.uniform(np.log(0.75), np.log(2.2), shape)), 1.4).clip(1.4, 9.0)
    azimuth = rng.uniform(0, 2 * np.pi, shape)
    rise = (rng.uniform(-0.75, 2.0, shape)).clip(-0.7 * distance, 0.7 * distance)
    flat = np.sqrt(distance**2 - rise**2)
    offset = np.stack([flat * np.sin(azimuth), rise, flat * np.cos(azimuth)], -1)
    position = target + offset
    aim = target + rng.normal(0, 0.06, (*shape, 3)) * distance[..., None]
    rotation = look_at(position, aim)
    roll = rng.normal(0, np.radians(4.0), shape)
    quarter = np.where(rng.random(shape) < upside, rng.integers(1, 4, shape), 0)
    zero = np.zeros(shape)
    turn = rotation_from_vector(np.stack([zero, zero, roll + quarter * np.pi / 2], -1))
    return Cameras(turn @ rotation, position, focal, size)


def look_at(position: Floats, target: Floats) -> Floats:
    """Returns (...,3,3) camera_from_room of upright cameras at ``position`` looking at ``target``, room y up."""
    forward = target - position
    forward = forward / np.linalg.norm(forward, axis=-1, keepdims=True)
    right = np.cross(forward, np.array([0.0, 1.0, 0.0]))
    right = right / np.maximum(np.linalg.norm(right, axis=-1, keepdims=True), 1e-9)
    return np.stack([right, np.cross(forward, right), forward], -2)


def truth(local: Floats, norm: Floats, ray_from_camera: Floats, focal_ratio: Floats) -> tuple[Floats, Floats]:
    """Returns what the lifter should say: the pose in the true ray frame, in units of its flat input; and that frame.

    The ray frame found from noisy keypoints and an assumed focal length is a few degrees off; its turn in the image
    plane is kept, the rest is as it should have been.

    Args:
        local: (...,J,3) m, camera frame.
        norm: (...) from `rectify`.
        ray_from_camera: (...,3,3) from `rectify`.
        focal_ratio: (...) true focal length / the one assumed in `rectify`.

    Returns:
        shape: (...,J,3) root-relative.
        ray_from_camera: (...,3,3) true.
    """
    root = local[..., 0, :]
    depth = np.linalg.norm(root, axis=-1)
    exact = rotation_to_z(root / depth[..., None])
    frame = np.round(ray_from_camera @ exact.swapaxes(-1, -2)) @ exact
    turned = np.einsum("...ik,...jk->...ji", frame, local - local[..., :1, :])
    return turned * (focal_ratio / (depth * norm))[..., None, None], frame
