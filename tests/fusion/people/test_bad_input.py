"""What cameras also show: crowds, posters, the audience, and detections that are none."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.pose_messages import is_publishable
from pose_rig.graph import Engine
from tests.fusion.fakes import finite, ring, walk
from tests.fusion.people.scenes import PeopleScene, crossing, film_people
from tests.fusion.people.solved import Change, Followed, estimator_of, follow

FPS, SECONDS = 15.0, 1.4
BOTH = pytest.mark.parametrize("known", [True, False])  # whether the rig is solved
Samples = list[Sample | None]


def scene_of(people: int, views: int = 4, seconds: float = SECONDS) -> PeopleScene:
    return film_people(crossing(people, seconds, FPS), ring(views), fps=FPS)


def added(sample: Sample | None, t_ns: int, xy_px: Floats, score: float = 0.9) -> Sample:
    """A sample with further detections (N,J,2), which come first."""
    own = (np.zeros((0, 17, 2)), np.zeros((0, 17))) if sample is None else (sample.xy_px, sample.score)
    scores = np.full(xy_px.shape[:2], score)
    return Sample(t_ns, np.concatenate([xy_px, own[0]]), np.concatenate([scores, own[1]]))


def checked(scene: PeopleScene, engine: Engine, people: int, change: Change | None = None, *, known: bool) -> Followed:
    """The poses of a scene, all of which can be published."""
    found = follow(scene, estimator_of(engine, scene, people, known=known), change)
    for step in found.steps:
        assert 1 <= len(step) <= people
        assert all(finite(pose) and is_publishable(pose) for pose in step)
    return found


def both_are_followed(found: Followed) -> bool:
    return sorted(found.shown(identity, 10) for identity in range(2)) == [[0], [1]]


@BOTH
def test_a_crowd_of_16_in_one_camera(engine: Engine, known: bool) -> None:
    scene, rng = scene_of(2), np.random.default_rng(0)
    shift = rng.uniform(-500, 500, (14, 1, 2)) * [1, 0.3]
    crowd = film_people(walk(SECONDS, FPS)[:, None], ring(4), fps=FPS)

    def change(index: int, samples: Samples) -> Samples:
        samples[1] = added(samples[1], scene.t_ns(index), 0.6 * crowd.xy_px[1, index] + [250, 200] + shift)
        return samples

    found = checked(scene, engine, 2, change, known=known)
    assert not known or both_are_followed(found)


@BOTH
def test_a_crowd_in_every_camera(engine: Engine, known: bool) -> None:
    scene, rng = scene_of(2, seconds=1.0), np.random.default_rng(1)

    def change(index: int, samples: Samples) -> Samples:
        out: Samples = []
        for view, sample in enumerate(samples):
            one = scene.xy_px[view, index, :1]
            shift = rng.uniform(-400, 400, (14, 1, 2))
            out.append(added(sample, scene.t_ns(index), one + shift))
        return out

    checked(scene, engine, 6, change, known=known)


def test_the_audience_behind_is_not_followed_instead(engine: Engine) -> None:
    """Four people sit where the cameras see them, three metres behind those who are tracked."""
    joints = crossing(2, SECONDS, FPS)
    places = np.array([[3.0, 0, -2.0], [3.0, 0, -1.2], [-3.0, 0, 1.0], [-3.0, 0, 1.8]])
    audience = np.stack(
        [np.broadcast_to(joints[0, 0] - joints[0, 0, 0] * [1, 0, 1] + at, joints[:, 0].shape) for at in places], 1
    )
    scene = film_people(np.concatenate([joints, audience], 1), ring(4), fps=FPS)
    found = checked(scene, engine, 6, known=True)
    shown = [found.shown(identity, 10) for identity in found.identities[-1]]
    assert all(len(one) == 1 for one in shown)
    assert [0] in shown
    assert [1] in shown


@BOTH
def test_a_poster_is_no_person(engine: Engine, known: bool) -> None:
    """One view detects a person who never moves, and of a room that is not this one."""
    scene = scene_of(2)
    poster = 0.7 * scene.xy_px[2, 5, :1] + [300, 50]

    def change(index: int, samples: Samples) -> Samples:
        samples[0] = added(samples[0], scene.t_ns(index), poster)
        return samples

    found = checked(scene, engine, 3, change, known=known)
    if known:
        assert found.identities[-1] == [0, 1]
        assert both_are_followed(found)
        assert all(pose.person_index[0] != 0 for step in found.steps[10:] for pose in step)


@BOTH
def test_two_cameras(engine: Engine, known: bool) -> None:
    found = checked(scene_of(3, 2), engine, 3, known=known)
    assert found.steps[-1][0].tracking


@BOTH
def test_one_camera_follows_one_person(engine: Engine, known: bool) -> None:
    """Others are left out: one view alone does not show where they are."""
    found = checked(scene_of(3, 1), engine, 3, known=known)
    assert found.identities == [[0]] * len(found.steps)
    assert found.steps[-1][0].tracking


@BOTH
def test_frames_without_anyone(engine: Engine, known: bool) -> None:
    scene = scene_of(2)

    def change(index: int, samples: Samples) -> Samples:
        none = Sample(scene.t_ns(index), np.zeros((0, 17, 2)), np.zeros((0, 17)))
        return [None if index % 3 else none] * 4 if index < 8 or 15 <= index < 20 else samples

    found = checked(scene, engine, 2, change, known=known)
    assert not any(pose.tracking for step in found.steps[:8] for pose in step)
    assert found.steps[-1][0].tracking


@BOTH
def test_never_anyone(engine: Engine, known: bool) -> None:
    found = checked(scene_of(2), engine, 3, lambda index, samples: [None] * 4, known=known)
    assert found.identities == [[0]] * len(found.steps)
    assert not any(step[0].tracking for step in found.steps)


@BOTH
def test_cameras_that_never_detect_anyone(engine: Engine, known: bool) -> None:
    found = checked(scene_of(2), engine, 2, lambda index, samples: [*samples[:3], None], known=known)
    assert not known or both_are_followed(found)


@BOTH
def test_scores_of_zero_are_no_detections(engine: Engine, known: bool) -> None:
    """Every other detection has no score; points that are not visible are zero, as detectors leave them."""
    scene = scene_of(2)

    def change(index: int, samples: Samples) -> Samples:
        out: Samples = []
        for view, sample in enumerate(samples):
            if sample is None or (index + view) % 2:
                out.append(sample)
                continue
            score = sample.score * (np.arange(len(sample.score)) > 0)[:, None]
            out.append(Sample(sample.t_ns, sample.xy_px * (score > 0)[..., None], score))
        return out

    found = checked(scene, engine, 2, change, known=known)
    assert not known or both_are_followed(found)


@BOTH
def test_identical_detections(engine: Engine, known: bool) -> None:
    """Every view shows the same three times, as a detector does that does not suppress what it has found already."""
    scene = scene_of(2)

    def change(index: int, samples: Samples) -> Samples:
        one = scene.xy_px[0, 0, :1]
        return [added(None, scene.t_ns(index), np.repeat(one, 3, axis=0)) for _ in samples]

    checked(scene, engine, 3, change, known=known)


@BOTH
@pytest.mark.parametrize("shape", ["spot", "noise"])
def test_detections_that_are_no_bodies(engine: Engine, known: bool, shape: str) -> None:
    scene, rng = scene_of(2), np.random.default_rng(0)

    def body() -> Floats:
        return {
            "spot": np.full((17, 2), 500.0),
            "noise": rng.uniform(0, 1000, (17, 2)),
        }[shape]

    def change(index: int, samples: Samples) -> Samples:
        bodies = [np.stack([body() for _ in range(3)]) for _ in samples]
        return [added(sample, scene.t_ns(index), xy) for sample, xy in zip(samples, bodies, strict=True)]

    found = checked(scene, engine, 2, change, known=known)
    assert not known or both_are_followed(found)


@BOTH
def test_time_that_stands_still_jumps_and_runs_backwards(engine: Engine, known: bool) -> None:
    scene = scene_of(2, seconds=2.0)
    made, t_ns = estimator_of(engine, scene, 2, known=known), 0
    for index, step_ns in enumerate(
        [66_000_000, 66_000_000, 0, 66_000_000, 5_000_000_000, 66_000_000, -300_000_000] * 4
    ):
        t_ns = max(0, t_ns + step_ns)
        samples: Sequence[Sample | None] = [one and replace(one, t_ns=t_ns) for one in scene.samples(index)]
        for pose in (made.step(t_ns, samples), *made.others):
            assert finite(pose)
            assert pose.t_ns == t_ns
