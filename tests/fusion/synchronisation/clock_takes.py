"""Takes of cameras whose clocks differ: a person who moves arms and legs without any rhythm."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.geometry import rotation_from_vector
from pose_rig.simulation.bodies import rebuild, rotate
from pose_rig.skeleton import INDEX
from tests.fusion.fakes import standing
from tests.fusion.simulated import images, make_keyframes, usual_bones

FPS = 30.0
START_S = 102.0
LIMBS = tuple(
    [INDEX[f"{side}_{joint}"] for joint in chain]
    for side in "lr"
    for chain in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
)


def dance(t_s: Floats, seed: int = 0, rhythm_s: float | None = None) -> Floats:
    """(N,J,3) m in the room at times (N,): with a rhythm all movements repeat after so many seconds."""
    rng = np.random.default_rng(seed)
    joints = np.tile(rebuild(standing()[None], usual_bones()[None]), (len(t_s), 1, 1))
    for chain in LIMBS:
        turn = rotation_from_vector(_wave(t_s, 0.8, rng, rhythm_s))
        joints[:, chain] = joints[:, chain[:1]] + rotate(turn, joints[:, chain] - joints[:, chain[:1]])
    yaw = _wave(t_s, 1.0, rng, rhythm_s) * [0, 1, 0]
    place = _wave(t_s, 0.6, rng, rhythm_s) * [1, 0, 1] + [0, 0.95, 0]
    return np.asarray(rotate(rotation_from_vector(yaw), joints) + place[:, None])


def _wave(t_s: Floats, size: float, rng: np.random.Generator, rhythm_s: float | None) -> Floats:
    """(N,3) smooth movement between 0.1 and 1 Hz."""
    rate_hz, phase = rng.uniform(0.1, 1.0, (8, 3)), rng.uniform(0, 2 * np.pi, (8, 3))
    if rhythm_s:
        rate_hz = np.full((8, 3), 1 / rhythm_s)
    return np.asarray(size / 2 * np.sin(2 * np.pi * rate_hz * t_s[:, None, None] + phase).sum(1) / 2)


def tracks(
    cameras: Calibration,
    offset_s: Floats,
    seconds: float = 12.0,
    rhythm_s: float | None = None,
    noise_px: float = 1.0,
    rate: Sequence[float] | None = None,
    seed: int = 0,
    aside_m: float = 0.0,
) -> list[CameraTrack]:
    """(V) what cameras detect whose clocks are behind by ``offset_s`` (V,); each begins at another time."""
    rng = np.random.default_rng(5)
    out = []
    for view, offset in enumerate(offset_s.tolist()):
        rig_s = 0.3 * view + 100.0 + np.arange(round(seconds * FPS)) / FPS
        people = dance(rig_s, seed, rhythm_s) + np.array([aside_m, 0.0, 0.0])
        xy_px = images(people, cameras)[:, view]
        xy_px = xy_px + rng.normal(0, noise_px, xy_px.shape)
        lifted = (people - people[:, :1]) @ cameras.rotation[view].T
        lifted = lifted + rng.normal(0, 0.02, lifted.shape)
        upright = np.tile(cameras.rotation[view][:, 1], (len(people), 1))
        t_ns = np.round((rig_s - offset) / (rate or [1.0] * len(offset_s))[view] * 1e9).astype(np.int64)
        out.append(CameraTrack(t_ns, xy_px, np.ones(xy_px.shape[:2]), lifted, upright))
    return out


def at_given_clocks(
    cameras: Calibration,
    offset_s: Floats,
    count: int = 100,
    fps: float = 15.0,
    rate: Sequence[float] | None = None,
    seed: int = 0,
    aside_m: float = 0.0,
) -> list[Keyframe]:
    """Keyframes of cameras whose clocks differ, made as if they did not."""
    views = len(offset_s)
    t_s = START_S + np.arange(count) / fps

    def people(t_s: Floats) -> Floats:
        return np.asarray(dance(t_s, seed) + np.array([aside_m, 0.0, 0.0]))

    keyframes = make_keyframes(people(t_s), cameras, seed=None, t0_ns=round(START_S * 1e9))
    pairs = list(zip(offset_s.tolist(), rate or [1.0] * views, strict=True))
    xy_px = np.stack([images(people(t_s * r + offset), cameras)[:, v] for v, (offset, r) in enumerate(pairs)], 1)
    weight = np.ones(views)
    times_ns = np.round(t_s * 1e9).astype(int).tolist()
    rows = zip(keyframes, times_ns, xy_px, strict=True)
    return [replace(keyframe, t_ns=t_ns, xy_px=xy, weight=weight) for keyframe, t_ns, xy in rows]


def stepped_tracks(cameras: Calibration, change_s: Floats, at_s: float) -> list[CameraTrack]:
    """(V) what cameras detect whose offsets change by ``change_s`` (V,) at a time."""
    return stepped(tracks(cameras, np.zeros(len(change_s))), tracks(cameras, change_s), change_s, at_s)


def together(first: list[CameraTrack], second: list[CameraTrack], swapped_s: float = 0.0) -> list[CameraTrack]:
    """(V) the detections of both in each frame; their order changes after ``swapped_s`` each, if that is not 0."""
    out = []
    for one, other in zip(first, second, strict=True):
        times = np.concatenate([one.t_ns, other.t_ns])
        second_first = np.repeat([0, 1], [len(one.t_ns), len(other.t_ns)])
        if swapped_s:
            second_first = second_first ^ (times // round(swapped_s * 1e9) % 2)
        order = np.lexsort([second_first, times])
        arrays = (np.concatenate([getattr(one, n), getattr(other, n)])[order] for n in CameraTrack.__slots__)
        out.append(CameraTrack(*arrays))
    return out


def two_people(cameras: Calibration, offset_s: Floats, seconds: float = 12.0) -> list[CameraTrack]:
    """(V) as `tracks`, of two people in random order, of whom each is missed by one camera at times."""
    pair = [tracks(cameras, offset_s, seconds, seed=seed, aside_m=aside_m) for seed, aside_m in ((0, 0.0), (3, 1.3))]
    for view, takes in enumerate(pair):
        one = takes[view]
        kept = np.flatnonzero(one.t_ns // 1_500_000_000 % 2)  # not those of 1.5 s, of 3 s each
        takes[view] = CameraTrack(*(getattr(one, name)[kept] for name in CameraTrack.__slots__))
    return together(pair[0], pair[1], swapped_s=0.7)


def stepped(before: list[CameraTrack], after: list[CameraTrack], change_s: Floats, at_s: float) -> list[CameraTrack]:
    """(V) takes whose offsets change by ``change_s`` (V,) at a time."""
    return [
        early.part(0, 1e9 * min(at_s, at_s - change)).followed_by(late.part(1e9 * (at_s - change)))
        for early, late, change in zip(before, after, change_s.tolist(), strict=True)
    ]
