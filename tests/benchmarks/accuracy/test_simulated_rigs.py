"""Simulated rigs and their movement."""

import numpy as np
import pytest

from benchmarks.accuracy.movement import ANKLES, FPS, moving_clips, random_walk
from benchmarks.accuracy.simulated_rigs import MIN_ANGLE_DEG, RigTake, in_image, rig_take
from pose_rig.errors import UsageError
from pose_rig.simulation.bodies import random_bones
from pose_rig.simulation.cameras import Cameras
from pose_rig.skeleton import INDEX, PARENTS
from tests.benchmarks.rigs import standing_still, walking

CLIPS = [walking(3.0), walking(1.2)]


@pytest.fixture(scope="module")
def rig() -> RigTake:
    return rig_take(CLIPS, 4, 8.0, np.random.default_rng(1))


def test_segments_become_one_person_in_a_small_area() -> None:
    bones = random_bones(1, np.random.default_rng(0))[0]
    people = random_walk(CLIPS, bones, 1.7, 20.0, np.random.default_rng(0))
    assert people.shape == (round(20 * FPS), 17, 3)
    for name in ("l_knee", "r_ankle", "l_elbow", "r_wrist", "nose"):
        bone = people[:, INDEX[name]] - people[:, PARENTS[INDEX[name]] if name != "nose" else INDEX["head"]]
        np.testing.assert_allclose(np.linalg.norm(bone, axis=-1), bones[INDEX[name]], atol=1e-6)
    assert np.ptp(people[:, 0], axis=0)[[0, 2]].max() < 4.0
    assert np.ptp(people[:, 0], axis=0)[[0, 2]].max() > 1.0
    assert abs(np.percentile(people[:, ANKLES, 1].min(1), 5) - 0.039 * 1.7) < 0.05


def test_no_joint_jumps_between_segments() -> None:
    bones = random_bones(1, np.random.default_rng(0))[0]
    people = random_walk(CLIPS, bones, 1.7, 20.0, np.random.default_rng(2))
    assert np.linalg.norm(np.diff(people, axis=0), axis=-1).max() * FPS < 12.0


def test_clips_without_movement_are_excluded() -> None:
    assert [clip.label for clip in moving_clips([standing_still(), walking()])] == ["walking"]
    with pytest.raises(UsageError, match=r"no clip with enough movement\. Add files of people walking\."):
        moving_clips([standing_still()])


def test_the_same_seed_gives_the_same_take(rig: RigTake) -> None:
    again = rig_take(CLIPS, 4, 8.0, np.random.default_rng(1))
    np.testing.assert_array_equal(again.take.xy_px, rig.take.xy_px)
    np.testing.assert_array_equal(again.take.cameras.position, rig.take.cameras.position)


@pytest.mark.parametrize("seed", range(4))
def test_camera_poses_are_in_range(seed: int) -> None:
    take = rig_take(CLIPS, 6, 3.0, np.random.default_rng(seed)).take
    cameras, middle = take.cameras, take.joints.mean((0, 1)) * [1, 0, 1]
    offset = cameras.position - middle
    distance = np.linalg.norm(offset - [0, 0.9, 0], axis=-1)
    assert ((distance > 1.9) & (distance < 8.1)).all()
    assert ((cameras.position[:, 1] >= 0.2) & (cameras.position[:, 1] <= 3.0)).all()
    field = np.degrees(2 * np.arctan(0.5 * cameras.size_px.max(-1) / cameras.focal_px))
    assert ((field > 43) & (field < 102)).all()
    azimuth = np.sort(np.degrees(np.arctan2(offset[:, 0], offset[:, 2])) % 360)
    assert np.diff([*azimuth, azimuth[0] + 360]).min() > MIN_ANGLE_DEG


def test_only_joints_in_the_image_are_visible(rig: RigTake) -> None:
    take = rig.take
    assert (take.score > 0).mean() > 0.8
    seen = take.score > 0
    assert (take.xy_px[seen] >= 0).all()
    sizes = np.broadcast_to(take.cameras.size_px[:, None, None], take.xy_px.shape)
    assert (take.xy_px[seen] < sizes[seen]).all()
    assert (take.xy_px[~seen] == 0).all()


def test_a_person_at_the_lens_is_not_visible() -> None:
    camera = Cameras(np.eye(3), np.zeros(3), np.asarray(500.0), np.array([1000.0, 1000.0]))
    people = np.tile([0.0, 0.0, 3.0], (2, 17, 1))
    people[1, 4, 2] = 0.1
    assert in_image(people, camera).all(-1).tolist() == [True, False]
    assert not in_image(people, camera)[1].any()


def test_samples_height_and_times(rig: RigTake) -> None:
    samples = rig.samples(0)
    assert len(samples) == 4
    assert rig.height_m in (None, rig.body_height_m)
    assert 1.2 < rig.body_height_m < 2.3
    assert rig.t_ns(30) == 10**9
