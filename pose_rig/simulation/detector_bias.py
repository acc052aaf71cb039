"""Errors of a 2D detector that depend on where the camera is relative to the body, and do not average out.

Measured on real footage (residuals against projected 3D poses, as shares of the person's size in the image): hips and
shoulders shift sideways by 0.8–1.9 % · sin 2φ, near and far hips and knees differ in height by 0.4–1.2 % · sin φ, where
φ is the azimuth of the camera in the body's frame; two detectors had the same form with other amplitudes. The
amplitudes here are drawn for each simulated detector, with smaller further harmonics, and terms of the camera's
elevation and of the flexion of the limb.

Axes: V views, T frames, J = 17 joints, P = 8 body parts (`PARTS`), H harmonics (`HARMONICS`), 2 = sideways, up.
"""

from dataclasses import dataclass

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.simulation.bodies import heading
from pose_rig.simulation.cameras import Cameras
from pose_rig.skeleton import INDEX, J

PARTS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist", "nose", "head")
HARMONICS = 9  # 1, cos φ, sin φ, … cos 4φ, sin 4φ
SIN_1, SIN_2 = 2, 4  # of the harmonics
SIDEWAYS_SIN_2 = {"hip": (0.008, 0.019), "shoulder": (0.008, 0.019)}  # range of the amplitude, either sign
UP_SIN_1 = {"hip": (0.004, 0.012), "knee": (0.004, 0.012)}
OTHER_SD = (0.003, 0.003, 0.003, 0.003, 0.003, 0.0015, 0.0015, 0.001, 0.001)  # of the other harmonics
ELEVATION_SD, FLEXION_SD = 0.003, 0.004  # of the harmonics to sin 2φ, per radian; per straight (0) to bent double (1)
CHAINS = (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))
MIRRORED = np.array([-1.0, 1.0])  # sideways, up
UP_M = np.array([0.0, 0.05, 0.0])  # a step up from the pelvis gives the upward direction in the image


@dataclass(frozen=True, slots=True)
class DetectorBias:
    """The bias of one detector. That of the right side is the mirror image of the left side's.

    Attributes:
        azimuth: (P,2,H) coefficients, as shares of the person's size in the image.
        elevation: (P,2,H) the same, per radian of the camera's elevation.
        flexion: (P,2,H) the same, times the flexion of the limb, 0–1.
    """

    azimuth: Floats
    elevation: Floats
    flexion: Floats

    @classmethod
    def random(cls, rng: np.random.Generator) -> "DetectorBias":
        """Returns the bias of a random detector."""
        shape = (len(PARTS), 2, HARMONICS)
        azimuth = rng.normal(0, 1, shape) * OTHER_SD
        for axis, harmonic, ranges in ((0, SIN_2, SIDEWAYS_SIN_2), (1, SIN_1, UP_SIN_1)):
            for part, limits in ranges.items():
                azimuth[PARTS.index(part), axis, harmonic] = rng.choice([-1.0, 1.0]) * rng.uniform(*limits)
        low = np.arange(HARMONICS) <= SIN_2
        return cls(azimuth, rng.normal(0, ELEVATION_SD, shape) * low, rng.normal(0, FLEXION_SD, shape) * low)

    def shift_px(self, people: Floats, cameras: Cameras) -> Floats:
        """Returns (V,T,J,2) px to add to the projections of people (T,J,3) m, y up, in cameras (V,) or (V,T)."""
        over_time = cameras if cameras.focal_px.ndim > 1 else cameras.each(lambda values: values[:, None])
        xy, _ = over_time.project(people[None])
        extent = np.ptp(xy, axis=-2).max(-1)[..., None, None]
        pelvis = people[:, :1]
        pair, _ = over_time.project(np.concatenate([pelvis, pelvis + UP_M], 1)[None])
        up = pair[..., 1, :] - pair[..., 0, :]
        up = (up / np.maximum(np.linalg.norm(up, axis=-1, keepdims=True), 1e-9))[..., None, :]
        right = np.stack([-up[..., 1], up[..., 0]], -1)
        share = self._shares(people, over_time.position)
        return np.asarray(extent * (share[..., :1] * right + share[..., 1:] * up))

    def _shares(self, people: Floats, position: Floats) -> Floats:
        """Returns (V,T,J,2) to the right and up in the image, as shares of the person's size; position (V,T or 1,3)."""
        toward = np.einsum("tij,vtj->vti", heading(people - people[:, :1]), position - people[:, 0])
        azimuth = np.arctan2(toward[..., 0], toward[..., 2])
        elevation = np.arctan2(toward[..., 1], np.hypot(toward[..., 0], toward[..., 2]))
        out = np.zeros((*azimuth.shape, J, 2))
        for part, name in enumerate(PARTS):
            if name in INDEX:  # its own mirror image
                left, right = (self._left(part, angle, elevation, 0.0) for angle in (azimuth, -azimuth))
                out[..., INDEX[name], :] = 0.5 * (left + right * MIRRORED)
                continue
            bent = [_flexion(people, side, name) for side in "lr"]
            out[..., INDEX[f"l_{name}"], :] = self._left(part, azimuth, elevation, bent[0])
            out[..., INDEX[f"r_{name}"], :] = self._left(part, -azimuth, elevation, bent[1]) * MIRRORED
        return out

    def _left(self, part: int, azimuth: Floats, elevation: Floats, bent: Floats | float) -> Floats:
        """Returns (V,T,2) the shares of a joint of the left side, at azimuths and elevations (V,T)."""
        angles = azimuth[..., None] * np.arange(1, HARMONICS // 2 + 1)
        pairs = np.stack([np.cos(angles), np.sin(angles)], -1).reshape(*azimuth.shape, -1)
        basis = np.concatenate([np.ones_like(azimuth)[..., None], pairs], -1)
        by_azimuth, by_elevation, by_flexion = (
            basis @ coefficients[part].T for coefficients in (self.azimuth, self.elevation, self.flexion)
        )
        return np.asarray(by_azimuth + elevation[..., None] * by_elevation + np.asarray(bent)[..., None] * by_flexion)


def _flexion(people: Floats, side: str, part: str) -> Floats:
    """Returns (T,) 0–1 how far the limb of a joint is bent: 0 straight, 1 folded."""
    chain = next(parts for parts in CHAINS if part in parts)
    first, middle, last = (people[:, INDEX[f"{side}_{name}"]] for name in chain)
    length = np.linalg.norm(middle - first, axis=-1) + np.linalg.norm(last - middle, axis=-1)
    return np.asarray(1 - np.linalg.norm(last - first, axis=-1) / np.maximum(length, 1e-6))
