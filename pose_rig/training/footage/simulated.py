"""Footage of simulated rigs: simulated people in front of uncalibrated cameras."""

from collections.abc import Sequence

import numpy as np

from pose_rig.config import FOCAL_PER_LARGER_SIDE
from pose_rig.simulation.motion import Clip
from pose_rig.simulation.takes import Take, project, simulate
from pose_rig.training.footage.footage import Footage, GroundTruth

FPS = 30.0


def simulate_footage(
    clips: Sequence[Clip],
    count: int,
    views: int,
    seconds: float,
    seed: int,
    *,
    hz: float = 5.0,
    ski: bool = False,
    upside: float = 0.1,
) -> list[Footage]:
    """Returns takes of random people, movements and rigs.

    Args:
        clips: Motion to draw from.
        count: Number of takes.
        views: Cameras of each rig.
        seconds: Maximum length of each take.
        seed: Random seed.
        hz: Frame rate of the footage.
        ski: As in footage of skiers: cameras that follow the person and zoom, a quarter of the limb joints lost.
        upside: Share of cameras mounted on their side or upside down.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, len(clips), count)
    return [
        as_footage(
            simulate(clips[int(i)], views, seconds, rng, FPS, ski=ski, upside=upside), f"sim{number}", hz, moving=ski
        )
        for number, i in enumerate(chosen)
    ]


def as_footage(take: Take, name: str, hz: float, *, moving: bool) -> Footage:
    """Returns the footage of a take with its ground truth; the focal lengths are assumed ones."""
    step = max(1, round(take.fps / hz))
    xy, local = project(take.cameras, take.joints)
    some = (slice(None), slice(None, None, step))
    size_px = take.cameras.size_px.reshape(len(take.xy_px), -1, 2)[:, 0]
    return Footage(
        name=name,
        subject=name,
        xy_px=take.xy_px[some].swapaxes(0, 1).astype(np.float32),
        score=take.score[some].swapaxes(0, 1).astype(np.float32),
        size_px=size_px.astype(np.float32),
        focal_px=(FOCAL_PER_LARGER_SIDE * size_px.max(-1)).astype(np.float32),
        moving=moving,
        truth=GroundTruth(local[some].swapaxes(0, 1).astype(np.float32), xy[some].swapaxes(0, 1).astype(np.float32)),
        depth_px=None if take.depth_px is None else take.depth_px[some].swapaxes(0, 1).astype(np.float32),
    )
