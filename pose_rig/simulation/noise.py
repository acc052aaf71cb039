"""Noise of a 2D detector: drift, outliers, left-right swaps, missing joints.

The figures are those of MediaPipe *full* and *lite* against a calibrated reference on real footage: errors as shares of
the person's height in the image, correlated in time (lag-1 about 0.9 at 25 fps).

Axes: T frames, J = 17 joints; any leading axes (rigs, views).
"""

from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.skeleton import INDEX, LIMBS, MIRROR, J

# joint: (standard deviation per axis, share of outliers), left and right pooled, full and lite averaged
JOINT_NOISE = {
    "nose": (0.0120, 0.006), "head": (0.0125, 0.010), "shoulder": (0.0122, 0.028), "elbow": (0.0150, 0.170),
    "wrist": (0.0128, 0.230), "hip": (0.0135, 0.025), "knee": (0.0125, 0.024), "ankle": (0.0107, 0.040),
}  # fmt: skip
CORRELATION_25HZ = 0.9
SWAP_SHARE = 0.012  # of legs, of arms; measured 0.3–3 % per joint pair
MIRROR_SHARE = 0.004  # the whole body detected as its mirror image
OUTLIER_SD = 0.11  # of the person's height
_GROUPS = tuple(
    tuple(INDEX[f"{side}_{part}"] for part in parts)
    for parts in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
    for side in "lr"
)


@dataclass(frozen=True, slots=True)
class SimulatedDetections:
    """Simulated detections.

    Attributes:
        xy_px: (...,T,J,2).
        score: (...,T,J) 0–1, 0 = not visible.
        wrong: (...,T,J) whether it is an outlier.
        source: (...,T,J) index of the joint that is taken for it: the other side's where sides are exchanged.
        turned: (...,T) whether the whole body is taken for its mirror image: front and back are exchanged.
    """

    xy_px: Floats
    score: Floats
    wrong: NDArray[np.bool_]
    source: NDArray[np.int64]
    turned: NDArray[np.bool_]


def detections(xy_px: Floats, score: float) -> SimulatedDetections:
    """Returns detections (...,T,J,2) without any error, all of one score."""
    shape = xy_px.shape[:-1]
    own = np.broadcast_to(np.arange(J), shape)
    return SimulatedDetections(xy_px, np.full(shape, score), np.zeros(shape, bool), own, np.zeros(shape[:-1], bool))


def drift(shape: tuple[int, ...], fps: float, rng: np.random.Generator) -> Floats:
    """Returns standard normal processes along the third axis from the end (T,J,C), correlated as measured."""
    rho = CORRELATION_25HZ ** (25 / fps)
    out = rng.normal(0, 1, shape)
    for t in range(1, shape[-3]):
        out[..., t, :, :] = rho * out[..., t - 1, :, :] + np.sqrt(1 - rho**2) * out[..., t, :, :]
    return out


def random_events(share: Floats, shape: tuple[int, ...], fps: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Returns (...,T,C) events with the given shares, correlated in time as the drift."""
    quantile = np.array([NormalDist().inv_cdf(min(max(float(p), 1e-9), 1 - 1e-9)) for p in share])
    return np.asarray(drift((*shape, 1), fps, rng)[..., 0] < quantile)


def detect(xy_px: Floats, fps: float, rng: np.random.Generator, *, lost: float = 0.0) -> SimulatedDetections:
    """Returns detections for true projections.

    Args:
        xy_px: (...,T,J,2) px.
        fps: Frames per second.
        rng: Random generator.
        lost: Share of the limb joints that are outliers in addition to those measured.
    """
    lead = xy_px.shape[:-3]
    steps = xy_px.shape[-3]
    extent = np.ptp(xy_px, axis=-2).max(-1)[..., None, None]  # (...,T,1,1) size of the person in the image
    quality = np.exp(rng.normal(-0.1, 0.35, (*lead, 1, 1, 1)))  # footage differs in quality
    sd, share = np.zeros(J), np.zeros(J)
    for joint, i in INDEX.items():
        if (part := joint.split("_")[-1]) in JOINT_NOISE:
            sd[i], share[i] = JOINT_NOISE[part]
    noise = drift((*lead, steps, J, 2), fps, rng) * sd[:, None] * quality
    out = xy_px + extent * noise
    wrong = random_events(share * 0.6, (*lead, steps, J), fps, rng)  # the rest are whole limbs
    if lost:
        limbs = np.isin(np.arange(J), LIMBS)
        wrong |= random_events(np.where(limbs, lost, 0.0), (*lead, steps, J), fps, rng)
    limb = random_events(np.array([0.07, 0.07, 0.012, 0.012]), (*lead, steps, 4), fps, rng)
    for g, joints in enumerate(_GROUPS):  # distal joints have larger errors
        wrong[..., list(joints[1:])] |= limb[..., g : g + 1]
    guess = drift((*lead, steps, J, 2), fps, rng) * OUTLIER_SD * extent
    out = np.where(wrong[..., None], out + guess, out)
    for joints in _GROUPS:  # an outlier of the elbow moves the wrist too, half of the time
        carried = wrong[..., joints[1]][..., None] & (rng.random((*lead, 1, 1)) < 0.5)
        out[..., joints[2], :] += np.where(carried, guess[..., joints[1], :], 0.0)
    score = _score(wrong, fps, rng)
    out, score, source, turned = _swap(out, score, fps, rng)
    return SimulatedDetections(_centres(out), _with_minima(score), wrong, source, turned)


def drop(detections: SimulatedDetections, rng: np.random.Generator) -> SimulatedDetections:
    """Returns detections of which some lack the legs, legs and hips, or single joints, as of cropped images.

    The frames (...,T) are independent.
    """
    score = detections.score.copy()
    lead = score.shape[:-1]
    legs = [INDEX[f"{side}_{part}"] for side in "lr" for part in ("knee", "ankle")]
    below = [*legs, *(INDEX[name] for name in ("pelvis", "spine", "l_hip", "r_hip"))]
    score[..., legs] *= (rng.random((*lead, 1)) > 0.05).astype(float)
    score[..., below] *= (rng.random((*lead, 1)) > 0.06).astype(float)
    single = rng.random(score.shape) < np.where(rng.random((*lead, 1)) < 0.15, 0.1, 0.0)
    single[..., [INDEX[name] for name in ("thorax", "nose", "head", "l_shoulder", "r_shoulder")]] = False
    score[single] = 0.0
    return replace(detections, xy_px=np.where(score[..., None] > 0, detections.xy_px, 0.0), score=score)


def _score(wrong: NDArray[np.bool_], fps: float, rng: np.random.Generator) -> Floats:
    """Scores as measured: often low for outliers, seldom for inliers; their scale differs between detectors."""
    z = drift((*wrong.shape, 1), fps, rng)[..., 0]
    high = 1 - 0.12 * np.abs(z) ** 1.5
    low = 0.45 + 0.35 * z
    score = np.where(wrong & (rng.random(wrong.shape) < 0.75), low, high)
    return np.clip(score, 0.02, 1.0) ** np.exp(rng.normal(0.1, 0.4, (*wrong.shape[:-2], 1, 1)))


def _swap(
    xy: Floats, score: Floats, fps: float, rng: np.random.Generator
) -> tuple[Floats, Floats, NDArray[np.int64], NDArray[np.bool_]]:
    """Returns positions, scores, and the last two attributes of `SimulatedDetections`."""
    lead = xy.shape[:-2]
    source = np.broadcast_to(np.arange(J), score.shape).copy()
    events = random_events(np.array([SWAP_SHARE, SWAP_SHARE, MIRROR_SHARE]), (*lead, 3), fps, rng)
    arms = [i for g in _GROUPS[:2] for i in g]
    legs = [i for g in _GROUPS[2:] for i in g]
    for event, joints in enumerate((arms, legs, list(range(J)))):
        here = events[..., event][..., None]
        partners = [MIRROR[i] for i in joints]
        swapped, other = xy[..., partners, :], score[..., partners]
        xy[..., joints, :] = np.where(here[..., None], swapped, xy[..., joints, :])
        score[..., joints] = np.where(here, other, score[..., joints])
        source[..., joints] = np.where(here, source[..., partners], source[..., joints])
    return xy, score, source, np.asarray(events[..., 2])


def _centres(xy: Floats) -> Floats:
    out = xy.copy()
    out[..., 0, :] = 0.5 * (xy[..., INDEX["l_hip"], :] + xy[..., INDEX["r_hip"], :])
    out[..., INDEX["thorax"], :] = 0.5 * (xy[..., INDEX["l_shoulder"], :] + xy[..., INDEX["r_shoulder"], :])
    out[..., INDEX["spine"], :] = 0.5 * (out[..., 0, :] + out[..., INDEX["thorax"], :])
    return out


def _with_minima(score: Floats) -> Floats:
    out = score.copy()
    out[..., 0] = np.minimum(score[..., INDEX["l_hip"]], score[..., INDEX["r_hip"]])
    out[..., INDEX["thorax"]] = np.minimum(score[..., INDEX["l_shoulder"]], score[..., INDEX["r_shoulder"]])
    out[..., INDEX["spine"]] = np.minimum(out[..., 0], out[..., INDEX["thorax"]])
    return out
