"""People with known bones in simulated rigs, the ground truth of self-calibration.

Axes: N keyframes, V views, J = 17 joints, P points (`pose_rig.fusion.calibration.bundle.segments.POINTS`).
"""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.lens_family import from_opencv, to_opencv
from pose_rig.fusion.calibration.bundle.priors import Priors
from pose_rig.fusion.calibration.bundle.reprojection import Tracks
from pose_rig.fusion.calibration.bundle.segments import LENGTH_PER_HEIGHT, POINTS
from pose_rig.fusion.calibration.bundle.state import BundleState
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.initialise import detection_sd
from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.fusion.pose.hypothesis import UNASSIGNED, Hypothesis
from pose_rig.fusion.pose.observation import observe
from pose_rig.fusion.pose.sync import Sample
from pose_rig.geometry import angle_deg, nearest_rotation, rotation_from_vector
from pose_rig.graph import GraphOutput
from pose_rig.intrinsics import Intrinsics
from pose_rig.simulation.bodies import heading, rebuild, rotate, swing_limbs
from pose_rig.simulation.cameras import look_at
from pose_rig.simulation.noise import detect
from pose_rig.skeleton import INDEX, J, Landmarks
from tests.fusion.fakes import standing, walk

HEIGHT_M = 1.75
SIZE_PX = (1280.0, 720.0)
ASSUMED = 0.9  # focal length over the larger image side
POINT_LIST = list(POINTS)
# length of the bone that ends in a joint, as a share of body height, consistent with `segments.LENGTH_PER_HEIGHT`
BONE = {
    "hip": 0.056, "knee": 0.238, "ankle": 0.226, "thorax": 0.30037, "head": 0.118, "shoulder": 0.103,
    "elbow": 0.168, "wrist": 0.148, "nose": 0.060,
}  # fmt: skip
LENGTH_M = LENGTH_PER_HEIGHT * HEIGHT_M


def usual_bones() -> Floats:
    """(17,) m, of an average person of `HEIGHT_M`."""
    out = np.zeros(J)
    for joint, i in INDEX.items():
        out[i] = HEIGHT_M * BONE.get(joint.split("_")[-1], 0.0)
    return out


def acrobat(count: int, seed: int = 0) -> Floats:
    """(N,J,3) m in the room: exact average bones, rigid trunk, random limbs and positions."""
    rng = np.random.default_rng(seed)
    joints = swing_limbs(np.tile(rebuild(standing()[None], usual_bones()[None]), (count, 1, 1)), rng)
    vector = rng.normal(0, 0.25, (count, 3)) * [1, 0, 1] + rng.uniform(-np.pi, np.pi, (count, 1)) * [0, 1, 0]
    place = rng.uniform(-0.8, 0.8, (count, 3)) * [1, 0.1, 1] + [0, 0.95, 0]
    return rotate(rotation_from_vector(vector), joints) + place[:, None]


def stroll(seconds: float, fps: float = 15.0) -> Floats:
    """(N,J,3) m in the room, y up, floor at 0: a captured walk, slowly rotated and moved in a circle."""
    joints = walk(seconds, fps)
    count = len(joints)
    body = rebuild(joints - joints[:, :1], np.tile(usual_bones(), (count, 1)))
    yaw = 2 * np.pi * np.arange(count) / fps / 9.0
    turn = rotation_from_vector(yaw[:, None] * np.array([0.0, 1.0, 0.0]))
    body = rotate(turn @ heading(body), body)
    low = body[:, [INDEX["l_ankle"], INDEX["r_ankle"]], 1].min(1)
    place = np.stack([0.7 * np.sin(0.7 * yaw), 0.039 * HEIGHT_M - low, 0.7 * np.cos(0.7 * yaw)], -1)
    return np.asarray(body + place[:, None])


def calibration(
    views: int,
    *,
    focal_px: tuple[float, ...] = (1000.0,),
    k1: float = 0.0,
    step_deg: float = 75.0,
    distance_m: float = 4.0,
) -> Calibration:
    """Slightly different cameras around the middle of the room, pointing at it."""
    number = np.arange(views)
    azimuth = np.radians(step_deg * number + 10)
    height = 1.1 + 0.45 * (number % 3)
    far = distance_m + 0.5 * (number % 2)
    position = np.stack([far * np.sin(azimuth), height, far * np.cos(azimuth)], -1)
    tilt = rotation_from_vector(np.radians([[2.0, -3.0, 4.0], [-1.0, 2.0, -5.0]])[number % 2])
    rotation = tilt @ look_at(position, np.array([0.0, 0.9, 0.0]))
    zero = np.zeros(views)
    focal, size_px = np.array(focal_px)[number % len(focal_px)], np.tile(np.array(SIZE_PX, float), (views, 1))
    return Calibration(
        rotation=rotation,
        translation=-np.einsum("vij,vj->vi", rotation, position),
        intrinsics=to_opencv(Intrinsics.pinhole(focal, size_px), focal, np.full(views, k1)),
        known=np.ones(views, bool),
        rotation_sd=zero + np.radians(0.5),
        translation_sd=zero + 0.02,
        focal_sd=zero + 0.01,
    )


def images(people: Floats, cameras: Calibration) -> Floats:
    """(N,V,J,2) px: projections of people (or any points), camera by camera."""
    out, lens = np.zeros((len(people), len(cameras.known), people.shape[1], 2)), cameras.intrinsics
    for v, (turn, step) in enumerate(zip(cameras.rotation, cameras.translation, strict=True)):
        local = people @ turn.T + step
        assert local[..., 2].min() > 0.2, "a person is behind the camera"
        project = cv2.fisheye.projectPoints if lens.fisheye[v] else cv2.projectPoints
        points, still = local.reshape(-1, 1, 3), np.zeros(3)
        coefficients = lens.dist[v, :4] if lens.fisheye[v] else lens.dist[v]
        out[:, v] = project(points, still, still, lens.matrices[v], coefficients)[0].reshape(out[:, v].shape)
    return out


def points_of(people: Floats) -> Floats:
    """(N,P,3) of people (N,J,3)."""
    return people[:, POINT_LIST]


def truth(people: Floats, cameras: Calibration) -> tuple[BundleState, Tracks, Priors]:
    """Ground truth of bundle adjustment, exact tracks, and consistent priors."""
    state, focal = exact(cameras, people), _assumed(cameras)
    seen = (images(people, cameras)[:, :, POINT_LIST] - 0.5 * cameras.size_px[:, None]) / focal[:, None, None]
    views = len(focal)
    tracks = Tracks(seen, detection_sd(seen, np.ones(seen.shape[:-1], bool)), np.ones(seen.shape[:-1]))
    priors = Priors(
        heights_m=(HEIGHT_M,),
        log_focal_scale=state.log_focal_scale,
        log_focal_scale_sd=np.full(views, 0.35),
        k1=np.zeros(views),
        k1_sd=np.full(views, 0.1),
        same_model=np.zeros((views, views), bool),
        gauge_view=0,
        principal_point_sd=np.zeros(views),
    )
    return state, tracks, priors


def exact(cameras: Calibration, people: Floats) -> BundleState:
    """The state of cameras and people."""
    zoom, k1 = from_opencv(cameras.intrinsics, Intrinsics.pinhole(_assumed(cameras), cameras.size_px))
    state = BundleState.from_cameras(cameras.rotation, cameras.translation, zoom, k1, HEIGHT_M)
    return replace(state, points=points_of(people))


def blurred(tracks: Tracks, rng: np.random.Generator, outliers: float = 0.0) -> Tracks:
    """Tracks with noise of their standard deviation, and a share of outliers."""
    seen = tracks.xy + rng.normal(0, 1, tracks.xy.shape) * tracks.sd[..., None]
    wrong = rng.random(tracks.weight.shape) < outliers
    seen = np.where(wrong[..., None], seen + rng.normal(0, 30, seen.shape) * tracks.sd[..., None], seen)
    return Tracks(seen, tracks.sd, tracks.weight)


def _assumed(cameras: Calibration) -> Floats:
    return np.asarray(ASSUMED * cameras.size_px.max(-1))


def make_keyframes(
    people: Floats, cameras: Calibration, *, seed: int | None = 0, fps: float = 15.0, t0_ns: int = 0
) -> list[Keyframe]:
    """Keyframes of people, with a detector's noise or (no seed) without."""
    xy, score = images(people, cameras), np.ones((len(people), len(cameras.known), J))
    rng = np.random.default_rng(seed)
    if seed is not None:
        seen = detect(xy.swapaxes(0, 1), fps, rng)
        xy, score = seen.xy_px.swapaxes(0, 1), seen.score.swapaxes(0, 1)
    apart = np.linalg.norm(cameras.centre - people[:, None, 0], axis=-1) / HEIGHT_M
    depth = apart * _assumed(cameras) / cameras.focal_px  # lifts know no better focal length
    depth = depth * np.exp(rng.normal(0, 0.0 if seed is None else 0.08, apart.shape))
    upright = cameras.rotation @ np.array([0.0, 1.0, 0.0])
    return [
        Keyframe(t0_ns + round(n * 1e9 / fps), xy[n], score[n], 0 * score[n] + 1, 0 * depth[n] + 1, None, upright, d)
        for n, d in enumerate(depth)
    ]


def hypothesis_of(
    samples: Sequence[Sample | None], sets: Sequence[Landmarks], body: Floats, cameras: Calibration
) -> Hypothesis:
    """Hypothesis of samples with one person each; ``body`` (J,3) of any size is the lifted pose."""
    views = len(samples)
    observation = observe(0, samples, sets, cameras.intrinsics)
    candidates = [observation.candidates_of(v) for v in range(views)]
    count = len(observation.view)
    single = np.float32
    out = GraphOutput(
        lifted=np.zeros((count, J, 3), single),
        upright=np.zeros((count, 3), single),
        refined=np.zeros((1, views, J, 2), single),
        body=body[None].astype(single),
        ray_from_body=np.tile(np.eye(3, dtype=single), (1, views, 1, 1)),
        inlier=np.ones((1, views, J), single),
        model_sd=np.zeros((1, views), single),
        scale=np.ones((1, views), single),
        offset=np.zeros((1, views, 2), single),
        rotation_gradient=np.zeros((1, views, 3), single),
        rotation_hessian=np.zeros((1, views, 9), single),
    )
    return Hypothesis(observation, np.array([c[0] if len(c) else UNASSIGNED for c in candidates]), out)


def task(keyframes: list[Keyframe], cameras: Calibration, *, off_deg: float = 3.0, seed: int = 0) -> SolveTask:
    """Input of `self_solve`: assumed focal lengths, rotations with an error of some degrees."""
    views = len(cameras.known)
    turn = rotation_from_vector(np.random.default_rng(seed).normal(0, np.radians(off_deg) / np.sqrt(3), (views, 3)))
    intrinsics = Intrinsics.pinhole(_assumed(cameras), cameras.size_px)
    return SolveTask(
        keyframes, intrinsics, np.zeros(views, bool), turn @ cameras.rotation, np.ones(views, bool), HEIGHT_M
    )


def relative_deg(found: Floats, true: Floats) -> Floats:
    """(V,) errors of rotations (V,3,3), degrees, after alignment of the whole rig."""
    turn = nearest_rotation((found.swapaxes(-1, -2) @ true).sum(0))
    return angle_deg(found @ turn, true)


def aligned(found: Floats, true: Floats) -> Floats:
    """Points (N,3) after similarity Procrustes to true points (N,3), without reflection."""
    a, b = found - found.mean(0), true - true.mean(0)
    turn = nearest_rotation(b.T @ a)
    scale = float((b * (a @ turn.T)).sum() / (a**2).sum())
    return np.asarray(scale * a @ turn.T + true.mean(0))
