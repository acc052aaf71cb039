"""Simulated takes."""

from pathlib import Path

import numpy as np

from pose_rig.simulation.takes import project, simulate
from pose_rig.skeleton import LIMBS, J
from tests.training.fakes.motion_files import clips


def test_a_simulated_take_is_one_person_before_still_cameras(tmp_path: Path) -> None:
    clip = clips(tmp_path)[0]
    take = simulate(clip, 3, 1.0, np.random.default_rng(0))
    assert take.xy_px.shape == (3, 30, J, 2)
    assert take.score.shape == (3, 30, J)
    assert take.joints.shape == (30, J, 3)
    assert take.fps == 30
    bones = np.linalg.norm(take.joints[:, 3] - take.joints[:, 2], axis=-1)
    assert np.allclose(bones, bones[0])
    for v in range(3):
        camera = [value[v] for value in (take.cameras.rotation, take.cameras.position)]
        local = (take.joints - camera[1]) @ camera[0].T
        xy = local[..., :2] / local[..., 2:] * take.cameras.focal_px[v] + take.cameras.size_px[v] / 2
        size = np.ptp(xy, axis=1).max(-1)
        assert np.median(np.linalg.norm(take.xy_px[v] - xy, axis=-1) / size[:, None]) < 0.05
    again = simulate(clip, 3, 1.0, np.random.default_rng(0))
    assert np.array_equal(take.xy_px, again.xy_px)


def test_a_take_is_no_longer_than_its_clip_and_thinned_to_the_rate(tmp_path: Path) -> None:
    clip = clips(tmp_path)[0]
    assert simulate(clip, 2, 99.0, np.random.default_rng(0)).joints.shape[0] == 30
    assert simulate(clip, 2, 99.0, np.random.default_rng(0), fps=15.0).joints.shape[0] == 15


def test_cameras_that_film_skiers_follow_zoom_and_lose_limbs(tmp_path: Path) -> None:
    clip = clips(tmp_path)[0]
    still, ski = (simulate(clip, 4, 1.0, np.random.default_rng(3), ski=moving) for moving in (False, True))
    assert ski.cameras.rotation.shape == (4, 30, 3, 3)
    assert np.ptp(ski.cameras.focal_px, axis=1).min() > 0

    def lost(take: object) -> float:
        xy, _ = project(take.cameras, take.joints)  # type: ignore[attr-defined]
        size = np.ptp(xy, axis=2).max(-1)[..., None]
        off = np.linalg.norm(take.xy_px - xy, axis=-1) / size  # type: ignore[attr-defined]
        return float((off[..., list(LIMBS)] > 0.08).mean())

    assert lost(ski) > lost(still) + 0.05
