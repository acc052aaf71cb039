"""The people in the first frame of a recording."""

import threading
from contextlib import ExitStack, closing

import numpy as np
import pytest

from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.message_file import MessageFile
from pose_rig.fusion.people_at_start import follow_to_start
from pose_rig.graph import Engine
from pose_rig.wire.messages import Health, Keypoints2D
from tests.fusion.fakes import SIZE, ring
from tests.fusion.people.scenes import PeopleScene, crossing, film_people
from tests.fusion.people.solved import estimator_of, follow

FPS = 15.0


def scene_of(seconds: float) -> PeopleScene:
    return film_people(crossing(3, seconds, FPS), ring(4), fps=FPS, seed=0)


def write(files: list[MessageFile], names: list[str], scene: PeopleScene) -> None:
    """Writes the messages of the cameras of a scene."""
    for v, (name, file) in enumerate(zip(names, files, strict=True)):
        for i in range(len(scene.joints)):
            sample = scene.samples(i)[v]
            xy, score = (np.zeros((0, 17, 2)), np.zeros((0, 17))) if sample is None else (sample.xy_px, sample.score)
            file.add(
                Keypoints2D(
                    camera=name, index=i, t_ns=scene.t_ns(i), size_px=SIZE, landmarks="rig17",
                    xy=xy.astype(np.float32), score=score.astype(np.float32),
                )
            )  # fmt: skip
        file.add(Health(worker=name, t_ns=0, state="ended"))
        file.rewind()


def started(scene: PeopleScene, engine: Engine) -> Estimator:
    made, names = estimator_of(engine, scene, 3), [f"cam{v}" for v in range(len(scene.xy_px))]
    with ExitStack() as stack:
        files = [stack.enter_context(closing(MessageFile())) for _ in names]
        write(files, names, scene)
        follow_to_start(CameraInputs(names, files), made, threading.Event())
    return made


def test_all_people_have_poses_from_the_first_frame_on(engine: Engine) -> None:
    scene = scene_of(1.4)
    plain = estimator_of(engine, scene, 3)
    plain.step(scene.t_ns(0), scene.samples(0))
    assert not plain.others
    found = follow(scene, started(scene, engine))
    assert all(len(step) == 3 and all(pose.tracking for pose in step) for step in found.steps)
    people = [found.shown(identity) for identity in found.identities[0]]
    assert sorted(people) == [[0], [1], [2]]
    for identity, (person,) in zip(found.identities[0], people, strict=True):
        assert found.error_m(identity, person)[0] < 0.1
        assert found.error_m(identity, person)[:5].max() < 0.12


@pytest.mark.parametrize("seconds", [1 / FPS, 0.3])
def test_a_recording_may_be_short(engine: Engine, seconds: float) -> None:
    scene = scene_of(seconds)
    found = follow(scene, started(scene, engine))
    assert len(found.steps) == len(scene.joints)


def test_nothing_may_be_detected(engine: Engine) -> None:
    scene = scene_of(0.5)
    scene.score[:] = 0
    found = follow(scene, started(scene, engine))
    assert not any(pose.tracking for step in found.steps for pose in step)
