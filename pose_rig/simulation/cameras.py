"""Simulated cameras around simulated people.

Axes: N samples or rigs, V views, T frames, J joints.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.geometry import rotation_from_vector, rotation_to_z
from pose_rig.simulation.lenses import Lenses

SIZES_PX = np.array([[1280, 720], [1920, 1080], [640, 480], [1080, 1920], [720, 1280]])


@dataclass(frozen=True, slots=True)
class Cameras:
    """Cameras.

    Attributes:
        rotation: (...,3,3) camera_from_room; the room is y up.
        position: (...,3) m, in the room.
        focal_px: (...) px.
        size_px: (...,2) width, height.
        lenses: None for perspective ones whose principal point is the middle of the image.
    """

    rotation: Floats
    position: Floats
    focal_px: Floats
    size_px: Floats
    lenses: Lenses | None = None

    @classmethod
    def stack(cls, cameras: Sequence["Cameras"]) -> "Cameras":
        """Returns cameras (...) as one (V,...); all of them have lenses, or none."""
        rotation, position, focal_px, size_px = (
            np.stack(arrays) for arrays in zip(*(camera.arrays for camera in cameras), strict=True)
        )
        lenses = [camera.lenses for camera in cameras if camera.lenses is not None]
        return cls(rotation, position, focal_px, size_px, Lenses.stack(lenses) if lenses else None)

    def each(self, function: Callable[[Floats], Floats]) -> "Cameras":
        """Returns the cameras with a function applied to every array, to add or to take from their leading axes."""
        rotation, position, focal_px, size_px = map(function, self.arrays)
        lenses = None if self.lenses is None else self.lenses.each(function)
        return Cameras(rotation, position, focal_px, size_px, lenses)

    @property
    def arrays(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Rotation, position, focal length and size."""
        return self.rotation, self.position, self.focal_px, self.size_px

    @property
    def principal_px(self) -> Floats:
        """(...,2) px."""
        middle = 0.5 * self.size_px
        return middle if self.lenses is None else middle + self.lenses.centre_offset_px

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Returns (...,J,2) px and (...,J,3) m in the camera frame, for points (...,J,3) m in the room."""
        local = np.einsum("...ik,...jk->...ji", self.rotation, points - self.position[..., None, :])
        ray_xy = local[..., :2] / np.maximum(local[..., 2:], 0.05)
        if self.lenses is not None:
            ray_xy = self.lenses.distort(ray_xy)
        return ray_xy * self.focal_px[..., None, None] + self.principal_px[..., None, :], local

    def ideal_xy(self, xy_px: Floats) -> Floats:
        """Returns the rays x/z, y/z (...,J,2) of image points (...,J,2) px."""
        ray_xy = (xy_px - self.principal_px[..., None, :]) / self.focal_px[..., None, None]
        return ray_xy if self.lenses is None else self.lenses.undistort(ray_xy)


def random_cameras(shape: tuple[int, ...], target: Floats, rng: np.random.Generator, *, upside: float = 0.1) -> Cameras:
    """Returns cameras of the given shape around ``target`` (...,3) m, directed at it.

    Distances 1.5–8 m, heights 0.2–3.2 m above the floor (for a pelvis at 0.95 m), with small errors of direction and
    roll; some are mounted on their side or upside down.

    Args:
        shape: Leading axes.
        target: In the room; broadcast to ``shape``.
        rng: Random generator.
        upside: Share of cameras with a roll of a multiple of 90°.
    """
    size = SIZES_PX[rng.integers(0, len(SIZES_PX), shape)].astype(float)
    focal = size.max(-1) * np.exp(rng.uniform(np.log(0.55), np.log(1.4), shape))
    # the person fits the image and is not too small
    fit = 1.75 * focal / size[..., 1]
    distance = np.maximum(fit * np.exp(rng.uniform(np.log(0.75), np.log(2.2), shape)), 1.4).clip(1.4, 9.0)
    azimuth = rng.uniform(0, 2 * np.pi, shape)
    rise = (rng.uniform(-0.75, 2.0, shape)).clip(-0.7 * distance, 0.7 * distance)
    horizontal = np.sqrt(distance**2 - rise**2)
    offset = np.stack([horizontal * np.sin(azimuth), rise, horizontal * np.cos(azimuth)], -1)
    position = target + offset
    aim = target + rng.normal(0, 0.06, (*shape, 3)) * distance[..., None]
    rotation = look_at(position, aim)
    roll = rng.normal(0, np.radians(4.0), shape)
    quarter = np.where(rng.random(shape) < upside, rng.integers(1, 4, shape), 0)
    zero = np.zeros(shape)
    turn = rotation_from_vector(np.stack([zero, zero, roll + quarter * np.pi / 2], -1))
    return Cameras(turn @ rotation, position, focal, size)


def look_at(position: Floats, target: Floats) -> Floats:
    """Returns (...,3,3) camera_from_room of upright cameras at ``position``, directed at ``target``, room y up."""
    forward = target - position
    forward = forward / np.linalg.norm(forward, axis=-1, keepdims=True)
    right = np.cross(forward, np.array([0.0, 1.0, 0.0]))
    right = right / np.maximum(np.linalg.norm(right, axis=-1, keepdims=True), 1e-9)
    return np.stack([right, np.cross(forward, right), forward], -2)


def truth(local: Floats, norm: Floats, ray_from_camera: Floats, focal_ratio: Floats) -> tuple[Floats, Floats]:
    """Returns the ground truth of the lifter: the pose in the true ray frame, in units of the 2D norm, and that frame.

    The ray frame from noisy keypoints and an assumed focal length has an error of a few degrees; its quarter turns
    in the image plane are kept, the rest is replaced by the true one.

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
