"""Robust bundle adjustment of cameras around a moving person.

Unknown are the cameras, every remembered pose, and the lengths of the person's bones; known is where the joints were
seen. Bones keep their lengths over time and are alike on both sides: that, and what people measure on average, holds
the directions that pictures alone leave weak (focal length, scale, the angle between two cameras).

Levenberg–Marquardt on the cameras and lengths; the poses are eliminated (Schur complement), one block per instant.

Axes: N instants, V views, P points (joints that are seen for themselves), S spans (bones), L lengths, C = 8 unknowns
per camera: turn (3), translation (3), log focal length, k1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.cameras import NEAREST_M
from pose_rig.fusion.calibration.triangulate import length2
from pose_rig.geometry import rotation_from_vector
from pose_rig.skeleton import INDEX, LIMBS

POINTS = (*LIMBS, INDEX["nose"], INDEX["head"])
C = 8
# length: (its share of stature, spread between people, m by which it varies while a person moves, its spans);
# shares after Drillis and Contini (1966), moved to where detectors see hips and heads; spans from → to, thorax = both
# shoulders. Detectors' hips wander in the body, and a trunk bends.
_LENGTHS = (
    (0.112, 0.16, 0.015, ("l_hip r_hip",)),
    (0.238, 0.08, 0.020, ("l_hip l_knee", "r_hip r_knee")),
    (0.226, 0.08, 0.015, ("l_knee l_ankle", "r_knee r_ankle")),
    (0.206, 0.11, 0.020, ("l_shoulder r_shoulder",)),
    (0.168, 0.08, 0.015, ("l_shoulder l_elbow", "r_shoulder r_elbow")),
    (0.148, 0.08, 0.015, ("l_elbow l_wrist", "r_elbow r_wrist")),
    (0.304, 0.08, 0.040, ("l_hip l_shoulder", "r_hip r_shoulder")),
    (0.118, 0.14, 0.030, ("thorax head",)),
    (0.060, 0.35, 0.015, ("head nose",)),
)
LENGTH_PER_HEIGHT = np.array([share for share, *_ in _LENGTHS])
SPREAD = np.array([spread for _, spread, *_ in _LENGTHS])
L = len(_LENGTHS)
LENGTH_OF = np.array([i for i, (*_, spans) in enumerate(_LENGTHS) for _ in spans])
SPAN_SD_M = np.array([sd for _, _, sd, spans in _LENGTHS for _ in spans])


def _span(text: str) -> Floats:
    row = np.zeros(len(POINTS))
    for sign, name in zip((-1.0, 1.0), text.split(), strict=True):
        parts = ("l_shoulder", "r_shoulder") if name == "thorax" else (name,)
        for part in parts:
            row[POINTS.index(INDEX[part])] += sign / len(parts)
    return row


SPAN = np.stack([_span(text) for *_, spans in _LENGTHS for text in spans])  # (S,P): points → difference vectors
BY_LENGTH = np.zeros((len(SPAN), L))  # derivatives of spans, in standard deviations
BY_LENGTH[np.arange(len(SPAN)), LENGTH_OF] = -1 / SPAN_SD_M

K1_SD = 0.1
# Of the person's size, about what the height says. The pictures say nothing about it, and bones that vary by
# centimetres vary less in a smaller rig: left to their own priors, noisy detections shrink everything to 0.6–0.8.
SIZE_SD = 0.01
CORRELATED = 10.0  # neighbouring instants share their errors, so do all instants of one person: ten say what one does
OUTLIER = 3.0  # standard deviations at which a detection counts a quarter
MISREAD = 4.0  # the same for bones: a joint that two views misread alike
ROUNDS = 30
CONVERGED = 1e-4  # relative gain of a step
FIXED = 1e8


@dataclass(frozen=True, slots=True)
class Tracks:
    """What all instants saw.

    Attributes:
        seen: (N,V,P,2) (px − centre) / assumed focal length.
        sd: (N,V,1) standard deviation of a good detection, same units.
        weight: (N,V,P) trust, 0 = not seen.
    """

    seen: Floats
    sd: Floats
    weight: Floats

    def at(self, instants: NDArray[np.int64]) -> "Tracks":
        """Returns some of the instants."""
        return Tracks(self.seen[instants], self.sd[instants], self.weight[instants])


@dataclass(frozen=True, slots=True)
class State:
    """The unknowns.

    Attributes:
        rotation: (V,3,3) camera_from_rig, translation: (V,3) m.
        zoom: (V,) log of focal length over the assumed one.
        k1: (V,).
        points: (N,P,3) m.
        length: (L,) m.
    """

    rotation: Floats
    translation: Floats
    zoom: Floats
    k1: Floats
    points: Floats
    length: Floats

    @classmethod
    def of(cls, rotation: Floats, translation: Floats, zoom: Floats, k1: Floats, height_m: float) -> "State":
        """Returns cameras alone, before an average person's bones; points come later."""
        return cls(rotation, translation, zoom, k1, np.zeros((0, len(POINTS), 3)), LENGTH_PER_HEIGHT * height_m)

    def stepped(self, cameras: Floats, length: Floats, points: Floats) -> "State":
        """Returns the state after a step: cameras (V,C), lengths (L,), points (N,P,3)."""
        turn = rotation_from_vector(cameras[:, :3])
        return State(
            turn @ self.rotation,
            self.translation + cameras[:, 3:6],
            np.clip(self.zoom + cameras[:, 6], -1.5, 1.5),
            self.k1 + cameras[:, 7],
            self.points + points,
            self.length + length,
        )


@dataclass(frozen=True, slots=True)
class Priors:
    """What is known beforehand.

    Attributes:
        height_m: Stature, for the lengths.
        zoom: (V,) the log focal lengths, zoom_sd: (V,) how sure that is.
        same_camera_model: (V,V) True where two cameras have the same intrinsics.
        anchor: The view that stays.
    """

    height_m: float
    zoom: Floats
    zoom_sd: Floats
    same_camera_model: NDArray[np.bool_]
    anchor: int


def residuals(state: State, tracks: Tracks) -> tuple[Floats, Floats, Floats, Floats]:
    """Returns what is seen where: camera points (N,V,P,3), predictions (N,V,P,2), errors in sd (N,V,P,2), squared."""
    turned = state.points[:, None] @ state.rotation.swapaxes(-1, -2)
    local = np.asarray(turned + state.translation[:, None])
    ideal = local[..., :2] / np.maximum(local[..., 2:], NEAREST_M)
    stretch = 1 + state.k1[:, None] * length2(ideal)
    predicted = (np.exp(state.zoom)[:, None] * stretch)[..., None] * ideal
    error = (tracks.seen - predicted) / tracks.sd[..., None]
    return local, predicted, error, length2(error)


def cost_of(state: State, tracks: Tracks, priors: Priors) -> float:
    """Returns the robust cost (half squared standard deviations, Geman–McClure for detections)."""
    *_, square = residuals(state, tracks)
    c2 = OUTLIER**2
    seen = (tracks.weight * c2 * square / (c2 + square)).sum()
    span = np.linalg.norm(SPAN @ state.points, axis=-1)
    square = ((span - state.length[LENGTH_OF]) / SPAN_SD_M) ** 2
    bones = (MISREAD**2 * square / (MISREAD**2 + square)).sum()
    return 0.5 * float((seen + bones) / CORRELATED + _prior_cost(state, priors))


def _prior_cost(state: State, priors: Priors) -> float:
    mean = LENGTH_PER_HEIGHT * priors.height_m
    cost = (((state.length - mean) / (SPREAD * mean)) ** 2).sum()
    cost += (((state.length / mean).mean() - 1) / SIZE_SD) ** 2
    cost += (((state.zoom - priors.zoom) / priors.zoom_sd) ** 2).sum() + ((state.k1 / K1_SD) ** 2).sum()
    apart = state.zoom[:, None] - state.zoom[None]
    return float(cost + 0.5 * (priors.same_camera_model * (apart / 0.01) ** 2).sum())


@dataclass(slots=True)
class System:
    """Normal equations: global unknowns (V·C + L), and one block of P·3 per instant."""

    a: Floats
    ga: Floats
    e: Floats
    b: Floats
    gb: Floats


def linearise(state: State, tracks: Tracks, priors: Priors) -> System:
    """Returns the normal equations at a state, detections weighted by how far off they are."""
    count, views, points = tracks.weight.shape
    size = views * C + L
    system = System(
        a=np.zeros((size, size)),
        ga=np.zeros(size),
        e=np.zeros((count, points * 3, size)),
        b=np.zeros((count, points * 3, points * 3)),
        gb=np.zeros((count, points * 3)),
    )
    _add_detections(system, state, tracks)
    _add_bones(system, state)
    _add_priors(system, state, priors)
    return system


def _derivatives(state: State, tracks: Tracks, local: Floats, predicted: Floats) -> tuple[Floats, Floats]:
    """Returns the derivatives of predictions, in standard deviations, by points (N,V,P,2,3) and cameras (N,V,P,2,C)."""
    depth = np.maximum(local[..., 2], NEAREST_M)
    ideal = local[..., :2] / depth[..., None]
    r2 = length2(ideal)
    zoom, k1 = np.exp(state.zoom)[:, None], state.k1[:, None]
    by_camera = np.empty((*ideal.shape, C))
    by_local = by_camera[..., 3:6]
    by_local[..., :2] = 2 * k1[..., None, None] * ideal[..., :, None] * ideal[..., None, :]  # d seen / d ideal
    by_local[..., [0, 1], [0, 1]] += (1 + k1 * r2)[..., None]
    by_local[..., 2] = -(1 + 3 * k1 * r2)[..., None] * ideal
    by_local *= (zoom / (depth * tracks.sd))[..., None, None]
    arm = (local - state.translation[:, None])[..., None, :]
    by_camera[..., :3] = _crossed(arm, by_local)  # row · (turn × arm) = turn · (arm × row)
    by_camera[..., 6] = predicted / tracks.sd[..., None]
    by_camera[..., 7] = (zoom * r2 / tracks.sd)[..., None] * ideal
    return by_local @ state.rotation[:, None], by_camera


def _crossed(a: Floats, b: Floats) -> Floats:
    """Returns (...,3) a × b."""
    after, next_but_one = [1, 2, 0], [2, 0, 1]
    return np.asarray(a[..., after] * b[..., next_but_one] - a[..., next_but_one] * b[..., after])


def _add_detections(system: System, state: State, tracks: Tracks) -> None:
    count, views, points = tracks.weight.shape
    local, predicted, error, square = residuals(state, tracks)
    ahead = local[..., 2] > NEAREST_M
    weight = tracks.weight * ahead * (OUTLIER**2 / (OUTLIER**2 + square)) ** 2 / CORRELATED
    by_point, by_camera = _derivatives(state, tracks, local, predicted)
    weight = weight[..., None, None]
    wp, wc = by_point * weight, by_camera * weight
    globals_count = views * C

    def rows(values: Floats) -> Floats:
        """(N,P,V·2,…): all that is seen of a point."""
        return np.asarray(values.swapaxes(1, 2)).reshape(count, points, views * 2, -1)

    up = rows(wp).swapaxes(-1, -2)
    blocks = system.b.reshape(count, points, 3, points, 3)  # a view of it
    np.einsum("npipj->npij", blocks)[...] += up @ rows(by_point)
    system.gb += (up @ rows(error)).reshape(count, -1)
    e = system.e.reshape(count, points, 3, -1)[..., :globals_count].reshape(count, points, 3, views, C)  # a view of it
    by_rows = wp.transpose(3, 0, 2, 4, 1)[..., None], by_camera.transpose(3, 0, 2, 1, 4)[:, :, :, None]
    for of_points, of_cameras in zip(*by_rows, strict=True):  # x, y
        e += of_points * of_cameras
    for v in range(views):
        seen, weighed = by_camera[:, v].reshape(-1, C), wc[:, v].reshape(-1, C)
        at = slice(v * C, v * C + C)
        system.a[at, at] += weighed.T @ seen
        system.ga[at] += error[:, v].reshape(-1) @ weighed


def bones(points: Floats, length: Floats) -> tuple[Floats, Floats, Floats]:
    """Returns derivatives (N,S,P·3), errors in standard deviations (N,S) and robust weights (N,S) of the bones.

    Args:
        points: (N,P,3) m.
        length: (L,) m.
    """
    span = SPAN @ points
    long = np.maximum(np.linalg.norm(span, axis=-1), 1e-6)
    along = span / (long * SPAN_SD_M)[..., None]  # (N,S,3)
    rows = (SPAN[None, :, :, None] * along[:, :, None]).reshape(len(span), len(SPAN), -1)
    error = (length[LENGTH_OF] - long) / SPAN_SD_M
    return rows, error, (MISREAD**2 / (MISREAD**2 + error**2)) ** 2


def _add_bones(system: System, state: State) -> None:
    rows, error, sound = bones(state.points, state.length)
    sound = sound / CORRELATED
    weighed = rows * sound[..., None]
    up = weighed.swapaxes(1, 2)
    system.b += up @ rows
    system.gb += (up @ error[..., None])[..., 0]
    system.e[..., -L:] += up @ BY_LENGTH
    system.a[-L:, -L:] += (BY_LENGTH.T * sound.sum(0)) @ BY_LENGTH
    system.ga[-L:] += (sound * error).sum(0) @ BY_LENGTH


def _add_priors(system: System, state: State, priors: Priors) -> None:
    views = len(state.zoom)
    mean = LENGTH_PER_HEIGHT * priors.height_m
    at = np.arange(L) + views * C
    system.a[at, at] += (SPREAD * mean) ** -2
    system.ga[at] += (mean - state.length) / (SPREAD * mean) ** 2
    by_size = 1 / (L * mean * SIZE_SD)
    system.a[np.ix_(at, at)] += by_size[:, None] * by_size
    system.ga[at] += by_size * (1 - (state.length / mean).mean()) / SIZE_SD
    zoom = np.arange(views) * C + 6
    system.a[zoom, zoom] += priors.zoom_sd**-2
    system.ga[zoom] += (priors.zoom - state.zoom) / priors.zoom_sd**2
    tie = priors.same_camera_model * 0.01**-2
    laplacian = np.diag(tie.sum(1)) - tie
    system.a[np.ix_(zoom, zoom)] += laplacian
    system.ga[zoom] -= laplacian @ state.zoom
    system.a[zoom + 1, zoom + 1] += K1_SD**-2
    system.ga[zoom + 1] -= state.k1 / K1_SD**2


def adjust(state: State, tracks: Tracks, priors: Priors, rounds: int = ROUNDS) -> tuple[State, float]:
    """Returns the state that explains the tracks best, from a start, and its cost."""
    damping, cost = 1e-3, cost_of(state, tracks, priors)
    views = len(state.zoom)
    held = np.arange(6) + priors.anchor * C
    system: System | None = None
    for _ in range(rounds):
        system = system or linearise(state, tracks, priors)
        reduced, right, solved = _reduce(system, damping)
        reduced[held, held] += FIXED
        step = np.asarray(np.linalg.solve(reduced, right), np.float64)
        points = solved[..., -1] - solved[..., :-1] @ step
        cameras = step[: views * C].reshape(views, C)
        trial = state.stepped(cameras, step[views * C :], points.reshape(state.points.shape))
        trial_cost = cost_of(trial, tracks, priors)
        if trial_cost < cost:
            gain = (cost - trial_cost) / cost
            state, cost, damping = trial, trial_cost, max(damping / 5, 1e-7)
            if gain < CONVERGED:
                break
            system = None
        else:
            damping *= 6
            if damping > 1e4:
                break
    return state, cost


def _reduce(system: System, damping: float) -> tuple[Floats, Floats, Floats]:
    """Returns the reduced matrix and right side, and the solved blocks (N,P·3,globals + 1)."""
    b = system.b.copy()
    diagonal = np.einsum("nii->ni", b)  # a view of it
    diagonal *= 1 + damping
    diagonal += 1e-3
    solved = np.asarray(np.linalg.solve(b, np.concatenate([system.e, system.gb[..., None]], -1)), np.float64)
    flat_e = system.e.reshape(-1, system.e.shape[-1])
    product = flat_e.T @ solved.reshape(-1, solved.shape[-1])
    a = system.a.copy()
    diagonal = np.einsum("ii->i", a)
    diagonal *= 1 + damping
    diagonal += 1e-6
    return a - product[:, :-1], system.ga - product[:, -1], solved


def covariance(state: State, tracks: Tracks, priors: Priors) -> Floats:
    """Returns (V·C, V·C) the covariance of the cameras; their common place, direction and scale are nobody's error.

    The second three unknowns of a camera are here its centre (rig axes) instead of its translation.
    """
    views = len(state.zoom)
    globals_count = views * C
    reduced, _, _ = _reduce(linearise(state, tracks, priors), 0.0)
    cross = reduced[:globals_count, globals_count:]
    cameras = reduced[:globals_count, :globals_count]
    cameras = cameras - cross @ np.linalg.solve(reduced[globals_count:, globals_count:], cross.T)
    to_centre = np.zeros((globals_count, globals_count))
    common = np.zeros((globals_count, 7))  # what turning, moving and stretching the whole rig does to the cameras
    middle = np.median(state.points.reshape(-1, 3), axis=0)
    for v in range(views):
        turn, step, at = state.rotation[v], state.translation[v], v * C
        block = np.eye(C)
        block[3:6, 3:6], block[3:6, :3] = -turn.T, -turn.T @ _cross(step)
        to_centre[at : at + C, at : at + C] = block
        common[at : at + 3, :3], common[at + 3 : at + 6, :3] = -turn, -_cross(-turn.T @ step - middle)
        common[at + 3 : at + 6, 3:6] = np.eye(3)
        common[at + 3 : at + 6, 6] = -turn.T @ step - middle
    from_centre = np.linalg.inv(to_centre)
    information = from_centre.T @ cameras @ from_centre
    basis, _ = np.linalg.qr(common)
    held = information + basis @ basis.T * np.trace(information)
    inverse = np.linalg.inv(0.5 * (held + held.T))
    free = np.eye(globals_count) - basis @ basis.T
    return np.asarray(free @ inverse @ free)


def _cross(vector: Floats) -> Floats:
    """Returns the matrix of ``vector ×``."""
    x, y, z = vector
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
