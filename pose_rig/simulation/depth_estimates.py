"""Depths as a detector estimates them from pixels, with errors like those of MediaPipe's world landmarks.

Measured against triangulated poses of a man (1.7 s in four views) and, roughly, of a computer-generated woman in the
same scene, in units of the 2D pose's norm (about 2 m): the error has a standard deviation of 0.06, that of the true
depths being 0.08 to 0.13. Most of it lasts: its lag-1 correlation is 0.9 at 60 fps. It consists of

- a forward lean of the whole person of some 0.15 rad, seen from the front and from behind, and a tilt by chance;
- bones whose depth is too small: legs by 0–20 %, arms by 35–90 %; of lower arms with a depth of 8 % and more, 6 %
  (right) and 22 % (left) point the wrong way;
- an error of every joint.

One or two people say little about others: all of it is drawn for each view, in wider ranges than measured.

Axes: T frames, J = 17 joints; any leading axes (rigs, views).
"""

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.simulation.noise import SimulatedDetections, drift
from pose_rig.skeleton import INDEX, PARENTS, J

LEAN_RAD = 0.15  # towards the camera in front of a person, away from one behind
LEAN_SD_RAD, TILT_SD_RAD = 0.12, 0.1  # up and down, and sideways
# of the bone that ends there: mean and standard deviation of estimated over true depth, and sd of what is added to it
BONES = {
    "hip": (0.9, 0.15, 0.01), "shoulder": (0.9, 0.15, 0.015), "knee": (0.85, 0.2, 0.025), "ankle": (0.95, 0.2, 0.035),
    "elbow": (0.6, 0.3, 0.03), "wrist": (0.6, 0.4, 0.04), "spine": (1.0, 0.0, 0.0), "thorax": (0.9, 0.15, 0.02),
    "head": (0.7, 0.3, 0.025), "nose": (0.8, 0.3, 0.025),
}  # fmt: skip
LOG_QUALITY_SD = 0.35  # of views: how far their errors are above or below the usual
LASTING = 0.7  # share of the variance that is constant in a view
OUTLIER_SD = 0.12  # of a joint whose 2D is an outlier
MIN_SIZE_M = 0.1
_FROM_PELVIS = ("hip", "shoulder", "thorax")


def estimated_depths(
    local: Floats, xy_px: Floats, detections: SimulatedDetections, fps: float, rng: np.random.Generator
) -> Floats:
    """Returns (...,T,J) px, the depths that a detector estimates, relative to the pelvis, at the scale of the image.

    Args:
        local: (...,T,J,3) m, the people in camera axes.
        xy_px: (...,T,J,2) their projections.
        detections: What the detector makes of these.
        fps: Frames per second.
        rng: Random generator.
    """
    pose, azimuth = _in_ray_frame(local)
    size_m = np.maximum(np.linalg.norm(pose[..., :2], axis=(-2, -1)), MIN_SIZE_M)[..., None]
    depth, across = pose[..., 2] / size_m, pose[..., :2] / size_m[..., None]
    out = _bent(depth, fps, rng)
    lean = LEAN_RAD * np.cos(azimuth) + LEAN_SD_RAD * _lasting(azimuth.shape, fps, rng)
    tilt = TILT_SD_RAD * _lasting(azimuth.shape, fps, rng)
    out += lean[..., None] * across[..., 1] + tilt[..., None] * across[..., 0]
    out = np.take_along_axis(out, detections.source, -1)  # sides that are exchanged
    out = np.where(detections.turned[..., None], -out, out)
    out += np.where(detections.wrong, OUTLIER_SD * drift((*out.shape, 1), fps, rng)[..., 0], 0.0)
    size_px = np.linalg.norm(xy_px - xy_px[..., :1, :], axis=(-2, -1))[..., None]
    return np.asarray(_centred(out) * size_px)


def _in_ray_frame(local: Floats) -> tuple[Floats, Floats]:
    """Returns poses (...,T,J,3) m, z along the viewing ray, y down the body; and the camera's azimuth (...,T), rad."""
    root, pose = local[..., 0, :], local - local[..., :1, :]
    ray = root / np.maximum(np.linalg.norm(root, axis=-1, keepdims=True), 1e-9)
    up = pose[..., INDEX["thorax"], :]
    left = sum(pose[..., INDEX[f"l_{part}"], :] - pose[..., INDEX[f"r_{part}"], :] for part in ("hip", "shoulder"))
    forward = np.cross(left, up)
    down = -up + (up * ray).sum(-1, keepdims=True) * ray
    down = down / np.maximum(np.linalg.norm(down, axis=-1, keepdims=True), 1e-9)
    axes = np.stack([np.cross(down, ray), down, ray], -2)

    def share(axis: Floats) -> Floats:
        return np.asarray(-(axis * ray).sum(-1) / np.maximum(np.linalg.norm(axis, axis=-1), 1e-9))

    return np.einsum("...ik,...jk->...ji", axes, pose), np.arctan2(share(np.asarray(left)), share(forward))


def _bent(depth: Floats, fps: float, rng: np.random.Generator) -> Floats:
    """Returns depths (...,T,J) with the errors of bones, each carried on to the joints that follow."""
    lead = depth.shape[:-1]
    quality = np.exp(rng.normal(0, LOG_QUALITY_SD, lead[:-1]))[..., None]
    out = np.zeros_like(depth)
    for joint, i in INDEX.items():
        part = joint.split("_")[-1]
        if part not in BONES:
            continue
        mean, sd, noise = BONES[part]
        parent = 0 if part in _FROM_PELVIS else PARENTS[i]
        share = mean + sd * _lasting(lead, fps, rng)
        added = quality * noise * _lasting(lead, fps, rng)
        out[..., i] = out[..., parent] + share * (depth[..., i] - depth[..., parent]) + added
    return out


def _lasting(shape: tuple[int, ...], fps: float, rng: np.random.Generator) -> Floats:
    """Returns standard normal processes (...,T), partly constant in time."""
    constant = rng.normal(0, 1, (*shape[:-1], 1))
    return np.asarray(np.sqrt(LASTING) * constant + np.sqrt(1 - LASTING) * drift((*shape, 1, 1), fps, rng)[..., 0, 0])


def _centred(depth: Floats) -> Floats:
    """Returns depths relative to the middle of the hips, with thorax and spine as a detector has them."""
    hips, shoulders = (
        0.5 * (depth[..., INDEX[f"l_{part}"]] + depth[..., INDEX[f"r_{part}"]]) for part in ("hip", "shoulder")
    )
    out = depth - hips[..., None]
    out[..., 0] = 0.0
    out[..., INDEX["thorax"]] = shoulders - hips
    out[..., INDEX["spine"]] = 0.5 * (shoulders - hips)
    assert out.shape[-1] == J  # noqa: S101 - all joints
    return out
