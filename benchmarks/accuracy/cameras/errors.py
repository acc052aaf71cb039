"""Errors of solved cameras against the true ones, after one similarity for all of them.

Axes: V views.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.similarity import Similarity
from pose_rig.arrays import Floats
from pose_rig.geometry import rotation_to_z
from pose_rig.simulation.cameras import Cameras


class SolvedCameras(Protocol):
    """Solved cameras (V,), as `pose_rig.fusion.calibration.cameras.Calibration`."""

    @property
    def rotation(self) -> Floats:
        """(V,3,3) camera_from_rig."""

    @property
    def centre(self) -> Floats:
        """(V,3) m."""

    @property
    def focal_px(self) -> Floats:
        """(V,)."""

    @property
    def known(self) -> NDArray[np.bool_]:
        """(V,)."""

    @property
    def rotation_sd(self) -> Floats:
        """(V,) radians."""

    @property
    def translation_sd(self) -> Floats:
        """(V,) m, of the centre."""

    @property
    def focal_sd(self) -> Floats:
        """(V,) as a share of the focal length."""

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Returns pixels (...,V,K,2) and depths of points (...,K,3) m."""

    def ideal_xy(self, xy_px: Floats) -> Floats:
        """Returns ideal coordinates (...,V,K,2) of pixels (...,V,K,2)."""


@dataclass(frozen=True, slots=True)
class CameraErrors:
    """Errors of the solved cameras of one rig; NaN for those that are not solved.

    Attributes:
        angle_deg: (V,) of the rotations.
        centred_deg: (V,) what is left of it after the offset of the true principal point from the assumed one,
            which is a rotation that a pose cannot show.
        field_deg: (V,) of the horizontal field of view, distortion included.
        centre: (V,) distance of the camera centres, as a share of the mean distance of the true ones from their mean.
        centre_m: (V,) the same in m.
        rotation_sds, focal_sds, centre_sds: (V,) the errors over their stated standard deviations.
        true_from_rig: The similarity.
    """

    angle_deg: Floats
    centred_deg: Floats
    field_deg: Floats
    centre: Floats
    centre_m: Floats
    rotation_sds: Floats
    focal_sds: Floats
    centre_sds: Floats
    true_from_rig: Similarity


def camera_errors(solved: SolvedCameras, true: Cameras) -> CameraErrors:
    """Returns the errors of solved cameras; at least one is known.

    The similarity aligns the camera centres, and for each camera three points on its axes at the cameras' radius, so
    that rotations and centres weigh alike; the true cameras are turned by the offset of their principal points first.
    """
    known, centred = solved.known, _turned_by_centre_offset(solved, true)
    fit = Similarity.fit(
        _axes(solved.rotation[known], solved.centre[known]), _axes(centred[known], true.position[known])
    )
    rotation = solved.rotation @ fit.rotation.T
    angle = np.where(known, _angle(rotation, true.rotation), np.nan)
    centre_m = np.where(known, np.linalg.norm(fit(solved.centre) - true.position, axis=-1), np.nan)
    focal = np.abs(np.log(solved.focal_px / true.focal_px))

    def over(values: Floats, sd: Floats) -> Floats:
        return np.asarray(values / np.where(known, sd, np.nan))

    return CameraErrors(
        angle_deg=np.degrees(angle),
        centred_deg=np.degrees(np.where(known, _angle(rotation, centred), np.nan)),
        field_deg=np.where(known, np.abs(_field_deg(solved, true) - _field_deg(true, true)), np.nan),
        centre=centre_m / _radius(true.position),
        centre_m=centre_m,
        rotation_sds=over(angle, solved.rotation_sd),
        focal_sds=over(focal, solved.focal_sd),
        centre_sds=over(centre_m, fit.scale * solved.translation_sd),
        true_from_rig=fit,
    )


def _turned_by_centre_offset(solved: SolvedCameras, true: Cameras) -> Floats:
    """Returns (V,3,3) the rotations of cameras whose axis is the true ray of the solved principal point."""
    views = np.arange(len(solved.focal_px))
    ahead = solved.centre + solved.rotation[:, 2]
    principal_px = solved.project(ahead)[0][views, views]
    ray = true.ideal_xy(principal_px[:, None])[:, 0]
    axis = np.concatenate([ray, np.ones((len(ray), 1))], -1)
    return np.asarray(rotation_to_z(axis / np.linalg.norm(axis, axis=-1, keepdims=True)) @ true.rotation)


def _field_deg(cameras: SolvedCameras | Cameras, true: Cameras) -> Floats:
    """Returns (V,) the angle between the rays of the left and the right edge, at the height of the principal point."""
    left = true.principal_px * [0.0, 1.0]
    ray = cameras.ideal_xy(np.stack([left, left + true.size_px * [1.0, 0.0]], 1))
    ray = np.concatenate([ray, np.ones_like(ray[..., :1])], -1)
    ray = ray / np.linalg.norm(ray, axis=-1, keepdims=True)
    return np.asarray(np.degrees(np.arccos(np.clip((ray[:, 0] * ray[:, 1]).sum(-1), -1, 1))))


def _axes(rotation: Floats, centre: Floats) -> Floats:
    """Returns (V,4,3) the centres and points on the axes of cameras."""
    radius = _radius(centre) if len(centre) > 1 else 1.0
    return np.concatenate([centre[:, None], centre[:, None] + radius * rotation], 1)


def _radius(centre: Floats) -> float:
    return float(np.linalg.norm(centre - centre.mean(0), axis=-1).mean())


def _angle(a: Floats, b: Floats) -> Floats:
    """Returns (V,) the angles between rotations in radians, exact for small ones."""
    chord = np.linalg.norm(a - b, axis=(-2, -1)) / np.sqrt(8)
    return np.asarray(2 * np.arcsin(np.clip(chord, 0, 1)))
