import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats, Image
from pose_rig.capture.appearance.colour_histogram import B
from pose_rig.capture.appearance.descriptor import INTERVAL_NS, A, AppearanceDescriptor, describe
from pose_rig.capture.source import Detections
from pose_rig.skeleton import INDEX, J
from pose_rig.wire.precision import APPEARANCE_STEP
from tests.capture.appearance.figures import BLACK, BLUE, RED, SKIN, WHITE, paint, person, scene


def detected(*people: Floats, score: float = 0.9) -> Detections:
    return Detections.from_arrays(np.array(people).reshape(-1, J, 2), np.full((len(people), J), score))


def described(image: Image, people: Detections) -> NDArray[np.float32]:
    return describe(image, people.xy, people.score, "rig17")


def dressed(*people: tuple[float, tuple[int, int, int], tuple[int, int, int]]) -> tuple[Image, Detections]:
    """An image of people at x with trunk and legs of these colours, and their detections."""
    image = scene()
    for x, trunk, legs in people:
        paint(image, person(x), trunk, legs)
    return image, detected(*(person(x) for x, _, _ in people))


def test_trunk_and_legs_are_described_apart() -> None:
    image, people = dressed((150, RED, BLACK), (400, BLACK, RED))
    out = described(image, people)
    assert out.shape == (2, A)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out.reshape(2, 2, B).sum(-1), 1, atol=B * APPEARANCE_STEP / 2)
    np.testing.assert_allclose(out[0, :B], out[1, B:], atol=0.1)
    np.testing.assert_allclose(out[0, B:], out[1, :B], atol=0.1)
    assert np.abs(out[0, :B] - out[0, B:]).sum() > 1


def test_it_is_the_same_at_another_place_and_size() -> None:
    image, people = dressed((150, BLUE, SKIN), (400, WHITE, BLACK))
    small = scene((10, 10, 120))
    paint(small, person(500, 300, 0.6), BLUE, SKIN)
    here, there = described(image, people), described(small, detected(person(500, 300, 0.6)))
    assert np.abs(here[0] - there[0]).sum() < 0.2
    assert np.abs(here[1] - there[0]).sum() > 2


def test_values_are_multiples_of_the_step() -> None:
    image, people = dressed((150, SKIN, BLUE))
    out = described(image, people)
    np.testing.assert_array_equal(out / np.float32(APPEARANCE_STEP) % 1, 0)
    assert out.max() <= 1


def test_what_is_not_visible_is_zero() -> None:
    image, people = dressed((150, RED, BLUE))
    score = people.score.copy()
    score[:, [INDEX["l_ankle"], INDEX["r_ankle"]]] = 0
    out = described(image, Detections(people.xy, score))
    assert out[0, :B].sum() > 0.9
    assert not out[0, B:].any()
    assert not described(image, detected(person(150), score=0.3)).any()


def test_nobody_is_described_as_nobody() -> None:
    assert described(scene(), detected()).shape == (0, A)
    assert describe(scene(), np.zeros((0, 33, 2)), np.zeros((0, 33)), "mediapipe33").shape == (0, A)


def test_people_are_described_ten_times_a_second_at_most() -> None:
    image, people = dressed((150, RED, BLUE))
    describer = AppearanceDescriptor()
    times_ns = [i * INTERVAL_NS // 4 for i in range(9)]
    out = [describer.of_frame(image, people.xy, people.score, "rig17", t_ns) for t_ns in times_ns]
    assert [one.size > 0 for one in out] == [True, False, False, False, True, False, False, False, True]
    assert out[1].shape == (0,)
    np.testing.assert_array_equal(out[4], described(image, people))
    earlier = describer.of_frame(image, people.xy, people.score, "rig17", 0)  # a recording from its beginning
    assert earlier.shape == (1, A)
