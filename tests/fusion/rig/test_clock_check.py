"""Files in one pass: clocks that are off are reported, and used as they are."""

from collections.abc import Sequence

import numpy as np
import pytest
from msgspec import structs

from pose_rig.arrays import Floats
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.fusion.rig.clock_check import FIRST_CHECK_NS, ClockCheck, offsets_to_most
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.graph import Engine
from pose_rig.skeleton import MIRROR
from pose_rig.wire.messages import RigState
from tests.fusion.fakes import config, film, ring, unsolved, walk
from tests.fusion.running import Running, health, keypoints
from tests.fusion.simulated import calibration
from tests.fusion.synchronisation.clock_takes import dance, tracks

FPS = 15.0
VIEWS = 3


def checked(engine: Engine, joints: Floats, offset_s: Sequence[float], *, finish: bool = True) -> RigState:
    """What is said of cameras whose clocks are behind by ``offset_s`` (V), after their files."""
    scene = film(joints, ring(VIEWS), fps=FPS)
    made = Estimator(config(VIEWS), engine, BackgroundCompute(solve=unsolved))
    for view in range(VIEWS):
        made.set_camera(view, (1280, 720), "rig17")
    check = ClockCheck(VIEWS, made.track, made.report_clocks)
    for index in range(len(joints)):
        for view in range(VIEWS):
            check.add(view, health(view, "running"))
            message = keypoints(scene, view, index, round((index / FPS + 1 - offset_s[view]) * 1e9))
            check.add(view, message)
            check.add(view, message)  # one that is not newer is left out
        check.step(round(index / FPS * 1e9))
    if finish:
        check.finish()
    return made.rig_state()


@pytest.fixture(scope="module")
def take() -> Floats:
    return dance(np.arange(round(10.5 * FPS)) / FPS)


def test_clocks_that_are_off_are_named(engine: Engine, take: Floats) -> None:
    note = checked(engine, take, (0.0, 0.6, -0.2)).note
    assert note.startswith("Most likely cam1's clock is 0.6")
    assert "s behind and cam2's clock is 0.2" in note
    assert "s ahead: run with --passes 2" in note
    assert not any("clock" in camera.note for camera in checked(engine, take, (0.0, 0.6, -0.2)).cameras)


def test_the_odd_camera_is_named_even_if_it_is_the_first(engine: Engine, take: Floats) -> None:
    note = checked(engine, take, (0.0, 0.5, 0.5)).note
    assert note.startswith("Most likely cam0's clock is 0.5")
    assert "cam1" not in note


def test_right_clocks_and_a_person_who_stands(engine: Engine, take: Floats) -> None:
    assert not checked(engine, take, (0.0, 0.0, 0.0)).note
    assert not checked(engine, np.tile(take[:1], (len(take), 1, 1)), (0.0, 0.6, -0.2)).note


def test_it_is_said_during_a_long_take(engine: Engine, take: Floats) -> None:
    late = (0.0, 0.6, 0.0)
    assert "cam1's clock" in checked(engine, take, late, finish=False).note
    before = take[: int(FIRST_CHECK_NS * 1e-9 * FPS)]
    assert not checked(engine, before, late, finish=False).note
    assert "cam1's clock" in checked(engine, before, late).note


def test_a_mirrored_image_is_no_wrong_clock(engine: Engine) -> None:
    walking, cameras = walk(10.0, FPS), ring(VIEWS)
    scene = film(walking, cameras, fps=FPS)
    made = Estimator(config(VIEWS), engine, BackgroundCompute(solve=unsolved))
    found: list[Floats] = []
    for mirrored in (False, True):
        check = ClockCheck(VIEWS, made.track, found.append)
        for view in range(VIEWS):
            made.set_camera(view, (1280, 720), "rig17")
            for index in range(len(walking)):
                message = keypoints(scene, view, index)
                if mirrored and view == 1:
                    xy = (message.xy * [-1, 1] + [1280, 0])[:, list(MIRROR)]
                    message = structs.replace(message, xy=xy.astype(np.float32))
                check.add(view, message)
        check.finish()
    assert not np.nan_to_num(found).any()


def test_the_last_message_of_a_run_says_it(engine: Engine, take: Floats) -> None:
    scene, running = film(take[: round(6 * FPS)], ring(VIEWS), fps=FPS), Running(engine, "all", VIEWS)
    try:
        for view, sender in enumerate(running.senders):
            for index in range(len(scene.joints)):
                sender.send(keypoints(scene, view, index, round((index / FPS + 1 - 0.5 * (view == 1)) * 1e9)))
            sender.send(health(view, "ended"))
        running.wait_for_end()
        states = [message for message in running.received if isinstance(message, RigState)]
        assert "Most likely cam1's clock is" in states[-1].note
        assert states[-1].cameras[1].time_offset_s == 0.0
    finally:
        running.close()


def test_cameras_without_people_and_takes_that_are_too_short() -> None:
    nothing = CameraTrack.empty()
    assert np.isnan(offsets_to_most([nothing] * 3)).all()
    assert np.isnan(offsets_to_most([tracks(calibration(3), np.zeros(3))[0], nothing, nothing])).all()
    assert np.isnan(offsets_to_most(tracks(calibration(3), np.zeros(3), seconds=0.4))).all()
    seen = tracks(calibration(3), np.array([0.0, 0.0, 0.5]))
    found = offsets_to_most([seen[0], nothing, seen[2]])
    np.testing.assert_allclose(found, [0.0, np.nan, 0.5], atol=0.03)
