"""A person from frame to frame, and their keypoints at evenly spaced times."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.synchronisation.camera_clock import RIG_CLOCK
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.followed_person import GRID_HZ, FollowedPerson, follow, movement
from pose_rig.skeleton import MIRROR, J
from tests.fusion.simulated import calibration
from tests.fusion.synchronisation.clock_takes import FPS, START_S, at_given_clocks, tracks

CAMERAS = calibration(2)
VIEW = 1


@pytest.fixture(scope="module")
def track() -> CameraTrack:
    return tracks(CAMERAS, np.zeros(2))[VIEW]


def followed(track: CameraTrack, every: int = 1) -> FollowedPerson:
    return follow(track, at_given_clocks(CAMERAS, np.zeros(2))[::every], VIEW, RIG_CLOCK)


def exchanged(values: Floats, rows: np.ndarray) -> Floats:
    out = values.copy()
    out[rows] = values[rows][:, list(MIRROR)]
    return out


def test_sides_are_those_of_the_keyframes(track: CameraTrack) -> None:
    plain = followed(track)
    rows = np.random.default_rng(0).random(len(track.t_ns)) < 0.3
    mixed = replace(track, xy_px=exchanged(track.xy_px, rows), score=exchanged(track.score, rows))
    for every in (1, 40):  # between keyframes that are far apart, they are those of the frame before
        found = followed(mixed, every)
        assert found.t_ns.tolist() == plain.t_ns.tolist()
        np.testing.assert_array_equal(found.xy_px, plain.xy_px)
        np.testing.assert_array_equal(found.visible, plain.visible)


def test_other_people_and_gaps(track: CameraTrack) -> None:
    """Frames with several people are compared in the same way as those with one."""
    plain, count = followed(track, 40), len(track.t_ns)
    far = replace(track, xy_px=track.xy_px + 700.0)
    some = np.random.default_rng(1).random(count) < 0.4
    order = np.argsort(np.r_[np.arange(count), np.flatnonzero(some) + 0.5], kind="stable")
    both = CameraTrack(
        *(np.concatenate([getattr(track, n), getattr(far, n)[some]])[order] for n in CameraTrack.__slots__)
    )
    found = followed(both, 40)
    np.testing.assert_array_equal(found.xy_px, plain.xy_px)
    start_ns, end_ns = (track.t_ns[i] for i in (100, 104))  # too short a gap to lose the person
    gap = (track.t_ns >= start_ns) & (track.t_ns < end_ns)
    kept = CameraTrack(*(getattr(track, n)[~gap] for n in CameraTrack.__slots__))
    assert followed(kept, 40).t_ns.tolist() == [t for t in plain.t_ns.tolist() if not start_ns <= t < end_ns]


def test_a_person_who_jumps_is_lost_until_the_next_keyframe(track: CameraTrack) -> None:
    xy_px = track.xy_px.copy()
    xy_px[100:] += 500.0
    found = followed(replace(track, xy_px=xy_px), 40)
    assert found.t_ns.max() < track.t_ns[100]


def test_nothing_to_follow(track: CameraTrack) -> None:
    for found in (followed(CameraTrack.empty()), follow(track, [], VIEW, RIG_CLOCK)):
        assert found.t_ns.shape == (0,)
        assert found.xy_px.shape == (0, J, 2)
    one = at_given_clocks(CAMERAS, np.zeros(2))[:1]
    assert len(follow(track, one, VIEW, RIG_CLOCK).t_ns) > 10


def test_movement_in_blocks_is_that_of_each_block(track: CameraTrack) -> None:
    person, length = followed(track), 40
    starts = START_S + np.array([0.5, 2.0, 2.4])
    times = (starts[:, None] + np.arange(length) / GRID_HZ).ravel()
    together = movement(person, times, len(starts))
    for block in range(len(starts)):
        part = slice(block * length, (block + 1) * length)
        alone = movement(person, times[part])
        np.testing.assert_allclose(together.xy_px[part], alone.xy_px, atol=1e-9)
        np.testing.assert_allclose(together.velocity_px[part], alone.velocity_px, atol=1e-6)
        np.testing.assert_array_equal(together.visible[part], alone.visible)


def test_velocities_are_those_of_the_keypoints() -> None:
    t_ns = (START_S * 1e9 + np.arange(60) * 1e9 / FPS).astype(np.int64)
    xy_px = np.zeros((60, J, 2)) + np.array([30.0, -12.0]) * (t_ns[:, None, None] * 1e-9 - START_S)
    times = START_S + 0.5 + np.arange(40) / GRID_HZ
    found = movement(FollowedPerson(t_ns, xy_px, np.ones((60, J), bool)), times)
    inner = slice(3, -3)  # the Gaussian reaches over the ends
    np.testing.assert_allclose(found.velocity_px[inner] / [30.0, -12.0], 1.0, atol=0.02)
    np.testing.assert_allclose(found.xy_px[inner, 0, 0], 30.0 * (times[inner] - START_S), atol=0.05)
    assert found.visible[inner].all()
    assert not found.visible[0].any()
