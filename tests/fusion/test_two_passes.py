"""Files in two passes, with clocks that differ."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from threading import Event

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.clocks import FileClock
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.message_file import MessageFile
from pose_rig.fusion.people_at_start import follow_to_start
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.time_steps import time_steps
from pose_rig.fusion.two_passes import TwoPasses
from pose_rig.graph import Engine
from pose_rig.wire.messages import Health, Keypoints2D, Message
from tests.fusion.fakes import SIZE, config, film, ring
from tests.fusion.people.scenes import PeopleScene, crossing, film_people
from tests.fusion.people.solved import estimator_of, follow
from tests.fusion.running import health, keypoints
from tests.fusion.synchronisation.clock_takes import dance

FPS = 15.0
VIEWS = 3


class Silent:
    def __init__(self) -> None:
        self.ended: list[str] = []

    def forward(self, view: int, message: Message) -> None:
        assert isinstance(message, Health)
        self.ended.append(message.worker)

    def reject(self, reason: str) -> None:
        raise AssertionError(reason)

    def report(self) -> None: ...


def fused(
    engine: Engine, joints: Floats, offset_s: Sequence[float], last: Floats | None = None
) -> tuple[Estimator, list[PoseEstimate]]:
    """Fuses what cameras detect whose clocks are behind by ``offset_s`` (V) more than one second.

    The last camera shows another person if there is one.
    """
    scene, output = film(joints, ring(VIEWS), fps=FPS), Silent()
    if last is not None:
        scene.xy_px[-1] = film(last, ring(VIEWS), fps=FPS).xy_px[-1]
    estimator = Estimator(config(VIEWS, pace="all", passes=2), engine)
    names = [f"cam{view}" for view in range(VIEWS)]
    with ExitStack() as stack:
        sources, files = ([stack.enter_context(closing(MessageFile())) for _ in names] for _ in range(2))
        for view, source in enumerate(sources):
            for index in range(len(joints)):
                source.add(keypoints(scene, view, index, round((index / FPS + 1 - offset_s[view]) * 1e9)))
            source.add(health(view, "ended"))
            source.rewind()
        passes = TwoPasses(names, files, estimator, output, Event())
        passes.first(sources)
        passes.solve()
        steps = time_steps(passes.inputs(), FileClock(), estimator, Event())
        poses = [step.pose for step in steps if step is not None and step.pose is not None]
    assert sorted(output.ended) == names
    return estimator, poses


@pytest.fixture(scope="module")
def take() -> Floats:
    return dance(np.arange(round(10 * FPS)) / FPS)


def test_clocks_are_found_and_corrected(engine: Engine, take: Floats) -> None:
    estimator, poses = fused(engine, take, (0.0, 0.6, -0.2))
    assert estimator.mode == "solved"
    np.testing.assert_allclose(estimator.clocks.offset_s, [0.0, 0.6, -0.2], atol=0.008)
    state = estimator.rig_state()
    assert "cam1's clock is 0.6" in state.note
    assert "cam2's clock is 0.2" in state.note
    assert state.cameras[1].time_offset_s == estimator.clocks.offset_s[1]
    assert {pose.mode for pose in poses} == {"solved"}


def test_a_camera_of_another_person_is_left_out_and_spoils_nothing(engine: Engine, take: Floats) -> None:
    other = dance(np.arange(len(take)) / FPS, seed=1)
    estimator, poses = fused(engine, take, (0.0, 0.6, 0.0), other)
    np.testing.assert_allclose(estimator.clocks.known_offset_s, [0.0, 0.6, np.nan], atol=0.015)
    assert estimator.left_out.tolist() == [False, False, True]
    assert "cam2 is left out" in estimator.clocks.note
    state = estimator.rig_state()
    assert "left out" in state.cameras[2].note
    assert state.cameras[2].rotation is None
    assert state.cameras[2].size_px == (1280, 720)
    assert {pose.mode for pose in poses} == {"solved"}
    assert all(pose.person_index[2] < 0 for pose in poses)


def test_one_clock_is_kept_exactly(engine: Engine, take: Floats) -> None:
    estimator, _ = fused(engine, take, (0.0, 0.0, 0.0))
    assert estimator.clocks.offset_s.tolist() == [0.0, 0.0, 0.0]
    assert np.isfinite(estimator.clocks.sd_s).all()
    assert estimator.rig_state().note == ""


def test_a_person_who_stands_is_refused(engine: Engine, take: Floats) -> None:
    estimator, _ = fused(engine, np.tile(take[:1], (len(take) // 2, 1, 1)), (0.0, 0.3, -0.2))
    assert estimator.clocks.offset_s.tolist() == [0.0, 0.0, 0.0]
    assert np.isnan(estimator.clocks.sd_s).tolist() == [False, True, True]
    assert "The clock of cam1, cam2 could not be checked" in estimator.clocks.note


def people_scene(seconds: float) -> PeopleScene:
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


def keyframes_of(scene: PeopleScene, identities: Sequence[int]) -> list[Keyframe]:
    """Keyframes of the first pass, in which the people have these identities."""
    views, out = len(scene.xy_px), []
    for i in range(0, len(scene.joints), 3):
        for person, identity in enumerate(identities):
            shown = scene.person[:, i] == person
            row, weight = shown.argmax(1), shown.any(1).astype(float)
            xy_px, score = (values[np.arange(views), i, row] for values in (scene.xy_px, scene.score))
            up, far = np.zeros((views, 3)), np.ones(views)
            t_ns = scene.t_ns(i)
            out.append(Keyframe(t_ns, xy_px, score, score, weight, None, up, far, person=identity))
    return out


def started(scene: PeopleScene, engine: Engine, keyframes: Sequence[Keyframe] = ()) -> Estimator:
    made, names = estimator_of(engine, scene, 3), [f"cam{v}" for v in range(len(scene.xy_px))]
    with ExitStack() as stack:
        files = [stack.enter_context(closing(MessageFile())) for _ in names]
        write(files, names, scene)
        follow_to_start(CameraInputs(names, files), made, keyframes, Event())
    return made


def test_all_people_have_poses_from_the_first_frame_on(engine: Engine) -> None:
    scene = people_scene(1.4)
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


def test_people_keep_the_identities_of_the_first_pass(engine: Engine) -> None:
    scene = people_scene(1.0)
    found = follow(scene, started(scene, engine, keyframes_of(scene, (1, 4, 0))))
    assert found.identities[0] == found.identities[-1] == [0, 1, 4]
    assert [found.shown(identity) for identity in (1, 4, 0)] == [[0], [1], [2]]


@pytest.mark.parametrize("seconds", [1 / FPS, 0.3])
def test_a_recording_may_be_short(engine: Engine, seconds: float) -> None:
    scene = people_scene(seconds)
    found = follow(scene, started(scene, engine))
    assert len(found.steps) == len(scene.joints)


def test_nothing_may_be_detected(engine: Engine) -> None:
    scene = people_scene(0.5)
    scene.score[:] = 0
    found = follow(scene, started(scene, engine))
    assert not any(pose.tracking for step in found.steps for pose in step)
