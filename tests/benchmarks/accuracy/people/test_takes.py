"""Rooms of several people, and runs on them."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy.people.run import run
from benchmarks.accuracy.people.score import score
from benchmarks.accuracy.people.takes import SCENES, Room, load, random_room, samples, save, separate, write_keypoints
from pose_rig.graph import Engine
from tests.benchmarks.rigs import walking


@pytest.fixture(scope="module")
def room() -> Room:
    return random_room([walking()], 2, 3, 1.5, np.random.default_rng(3), bystanders=1)


def test_a_room_has_people_of_different_body_heights_and_bystanders(room: Room) -> None:
    assert room.joints.shape == (45, 3, 17, 3)
    assert room.people == 2
    assert room.joints[..., 1].min() > -0.1
    heights = np.median(room.joints[:, :, 10, 1], 0)
    assert 1.2 < heights.min() < heights.max() < 1.95
    still = np.ptp(room.joints[:, 2, 0], axis=0)
    assert still[[0, 2]].max() < 1e-9
    assert room.take().person.max() == 2
    assert set(np.unique(room.alone(1).person)) <= {-1, 1}


def test_a_room_is_read_as_it_was_written(room: Room, tmp_path: Path) -> None:
    save(tmp_path / "rooms" / "a.npz", room)
    again, take = load(tmp_path / "rooms" / "a.npz").take(), room.take()
    np.testing.assert_array_equal(again.xy_px, take.xy_px)
    np.testing.assert_array_equal(again.person, take.person)
    np.testing.assert_array_equal(again.joints, take.joints)


def test_samples_have_those_who_are_detected(room: Room) -> None:
    take = room.take()
    for t in (0, 20, 44):
        for v, sample in enumerate(samples(take, t)):
            count = int((take.score[v, t] > 0).any(-1).sum())
            assert (sample is None) == (count == 0)
            if sample is not None:
                np.testing.assert_array_equal(sample.xy_px, take.xy_px[v, t, :count])


def test_the_detections_of_one_person(room: Room) -> None:
    take = room.take()
    one = separate(take, 1)
    assert one.person.shape == (3, 45, 1)
    view, t, row = np.nonzero(take.person == 1)
    np.testing.assert_array_equal(one.xy_px[view, t, 0], take.xy_px[view, t, row])
    assert (one.person == 1).sum() == len(t)
    assert not one.score[one.person < 0].any()


def test_a_keypoint_file_has_the_people(room: Room, tmp_path: Path) -> None:
    take = room.take()
    write_keypoints(tmp_path / "kp.npz", take)
    with np.load(tmp_path / "kp.npz") as file:
        assert file["xy"].shape == take.xy_px.shape
        assert file["person"].shape == take.person.shape
        assert file["t_ns"].shape == (3, 45)


def test_a_run_follows_people(room: Room, engine: Engine) -> None:
    done = run(room.take(), 2, engine)
    assert len(done.solved) == 45
    assert done.found[done.used].max(initial=-1) <= 2
    assert (done.found[~done.used] == -1).all()
    assert set(done.step.tolist()) == set(range(45))  # at least one pose per time step
    assert score(done, room.joints[:, :2], 30.0).identities >= 1


@pytest.fixture(scope="module")
def working() -> Room:
    return random_room([walking()], 3, 3, 1.5, np.random.default_rng(4), scene=SCENES["working"], lenses="room", fps=25)


def test_people_at_work_are_close_and_seen_by_small_cameras(working: Room) -> None:
    assert working.joints.shape == (37, 3, 17, 3)
    assert (working.cameras.size_px == [1032, 776]).all()
    assert (working.cameras.position[:, 1] > 1.5).all()
    apart = np.linalg.norm(working.joints[:, 0, 0] - working.joints[:, 1, 0], axis=-1)
    assert 0.35 < apart.min() < 2
    take = working.take()
    assert take.landmarks == "coco17"
    assert take.xy_px.shape[-2:] == (17, 2)


def test_rooms_of_people_at_work_are_read_as_they_were_written(working: Room, tmp_path: Path) -> None:
    save(tmp_path / "a.npz", working)
    np.testing.assert_array_equal(load(tmp_path / "a.npz").take().score, working.take().score)


def test_two_passes_of_a_short_take(working: Room, engine: Engine) -> None:
    done = run(working.take(), 3, engine, passes=2)
    assert set(done.step.tolist()) == set(range(37))
