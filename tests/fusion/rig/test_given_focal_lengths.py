"""Which given focal lengths seem to be wrong."""

import numpy as np
import pytest

from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.fusion.rig.given_focal_lengths import MIN_SHIFT, TOO_LARGE, TOO_SMALL, focal_note
from pose_rig.graph import Engine
from tests.fusion.fakes import SIZE, Scene, config, film, ring, run, walk

VIEWS = 3
GIVEN = np.array([1000.0, 800.0, np.nan, 900.0])


@pytest.fixture(scope="module")
def scene() -> Scene:
    return film(walk(8.0, 15.0), ring(VIEWS), fps=15.0)


def test_only_clear_shifts_are_named() -> None:
    solved = np.array([1010.0, 800.0 * (1 + 1.5 * MIN_SHIFT), 500.0, 900.0 * (1 - 1.4 * MIN_SHIFT)])
    assert [focal_note(GIVEN, solved, view) for view in range(4)] == ["", TOO_SMALL, "", TOO_LARGE]
    assert not any(focal_note(GIVEN, np.array([1010.0, 790.0, 500.0, 915.0]), view) for view in range(4))


def test_a_shift_that_another_one_causes_is_not_named() -> None:
    solved = np.array([1040.0, 720.0, 500.0, 900.0])
    assert [focal_note(GIVEN, solved, view) for view in range(4)] == ["", TOO_LARGE, "", ""]


@pytest.mark.parametrize(("share", "note"), [(1.0, ""), (0.7, TOO_SMALL)])
def test_the_note_of_a_rig(engine: Engine, scene: Scene, share: float, note: str) -> None:
    cameras = [*config(VIEWS).camera]
    focal_px = share * float(np.atleast_1d(scene.cameras.focal_px)[0])
    cameras[1] = type(cameras[1])(source="1.npz", name="cam1", focal_px=focal_px)
    made = Estimator(config(VIEWS, camera=tuple(cameras)), engine, BackgroundCompute())
    for view in range(VIEWS):
        made.set_camera(view, SIZE, "rig17")
    run(scene, made)
    assert made.mode == "solved"
    assert [camera.note for camera in made.rig_state().cameras] == ["", note, ""]
