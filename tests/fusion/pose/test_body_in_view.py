import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.body_in_view import BodyInView
from pose_rig.graph import Engine
from pose_rig.skeleton import INDEX, J
from pose_rig.wire.messages import STEP_BACK
from tests.fusion.fakes import film, new_estimator, ring, run, unsolved, walk

SIZE = np.array([[640.0, 480.0]])
STEP_NS = 100_000_000


def standing(*, top: float, bottom: float) -> Floats:
    """(1,J,2) px: a person from the height of the head to that of the ankles."""
    xy = np.full((1, J, 2), [320.0, 0.5 * (top + bottom)])
    for name, y in (("head", top), ("nose", top), ("l_ankle", bottom), ("r_ankle", bottom)):
        xy[0, INDEX[name], 1] = y
    return xy


def note(xy: Floats, seconds: float = 6.0, score: float = 0.1, before: BodyInView | None = None) -> str:
    body = before or BodyInView(1)
    start = body._last_ns
    for index in range(round(seconds / 0.1)):
        body.update(start + (index + 1) * STEP_NS, xy, np.full((1, J), score), SIZE)
    return body.note(0)


@pytest.mark.parametrize(
    ("top", "bottom", "says"),
    [
        (20, 470, ""),
        (20, 600, "shows no feet: step back until your whole body is in its image"),
        (-30, 300, "shows no head: step back until your whole body is in its image"),
        (-30, 600, "shows no feet and no head: step back until your whole body is in its image"),
    ],
)
def test_it_says_what_is_outside_of_the_image(top: float, bottom: float, says: str) -> None:
    assert note(standing(top=top, bottom=bottom)) == says


def test_a_moment_is_not_enough_and_a_step_back_ends_it() -> None:
    body, near, far = BodyInView(1), standing(top=20, bottom=600), standing(top=20, bottom=400)
    assert note(near, 1.0, before=body) == ""
    assert note(near, 5.0, before=body) != ""
    assert note(far, 6.0, before=body) == ""


def test_one_foot_outside_or_joints_that_are_not_visible_say_nothing() -> None:
    one = standing(top=20, bottom=600)
    one[0, INDEX["l_ankle"], 1] = 470
    assert note(one) == ""
    assert note(standing(top=20, bottom=600), score=0.0) == ""


def test_a_rig_that_is_not_solved_says_which_cameras_are_too_near(engine: Engine) -> None:
    cameras = ring(2)
    cameras.position[1] *= 0.4  # 1.6 m away
    made = new_estimator(engine, 2, solve=unsolved)
    run(film(walk(6.0, 10.0), cameras, fps=10.0), made)
    notes = [camera.note for camera in made.rig_state().cameras]
    assert STEP_BACK not in notes[0]
    assert notes[1].endswith(STEP_BACK)
