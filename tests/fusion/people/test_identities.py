"""Who returns, and who is new."""

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.segments import LENGTH_PER_HEIGHT, RELATIVE_LENGTH_SD
from pose_rig.fusion.calibration.keyframes import KEYFRAME_INTERVAL_NS
from pose_rig.fusion.people.identities import MAX_DIFFERENCE, MAX_DIFFERENCE_NEAR, Identities
from pose_rig.fusion.people.tracked_person import TrackedPerson, bone_difference
from tests.fusion.fakes import config

RNG = np.random.default_rng(0)
SOME = [1.7 * LENGTH_PER_HEIGHT * np.exp(RELATIVE_LENGTH_SD * RNG.normal(size=9)) for _ in range(4)]
AGAIN = np.exp(0.3 * RELATIVE_LENGTH_SD * RNG.normal(size=9))  # the error of a second measurement


class Measured(TrackedPerson):
    """A person whose bones (L,) m were measured, None if they were not."""

    def __init__(self, identity: int | None, bones_m: Floats | None) -> None:
        super().__init__(identity, config(2))
        self.own_m = bones_m

    @property
    def measured_bones_m(self) -> Floats | None:
        return self.own_m


def left(*bones_m: Floats | None) -> Identities:
    """Identities 0, 1, … of people who have left."""
    out = Identities()
    for own in bones_m:
        out.leave(Measured(out.next(), own))
    return out


def test_identities_are_numbered_as_people_come() -> None:
    out = Identities()
    assert [out.next(), out.of(Measured(None, None)), out.of(Measured(None, SOME[0])), out.next()] == [0, 1, 2, 3]


def test_someone_who_returns_is_recognised() -> None:
    for who in range(3):
        out = left(*SOME[:3])
        assert out.of(Measured(None, SOME[who] * AGAIN)) == who
        assert out.of(Measured(None, SOME[who] * AGAIN)) == 3  # that one is here already


def test_someone_else_gets_a_new_number() -> None:
    out = left(*SOME[:3])
    assert bone_difference(SOME[3], SOME[0]) > MAX_DIFFERENCE
    assert out.of(Measured(None, SOME[3])) == 3
    assert out.of(Measured(None, SOME[0])) == 0  # and the others can still return


def test_one_of_two_people_who_are_alike_gets_a_new_number() -> None:
    twin = SOME[0] * (1 + 1e-3 * np.arange(9))
    out = left(SOME[0], twin)
    assert out.of(Measured(None, 0.5 * (SOME[0] + twin))) == 2


def test_it_is_undecided_until_the_bones_are_measured() -> None:
    out, person = left(SOME[0]), Measured(None, None)
    assert out.of(person) is None
    person.own_m = SOME[0]
    assert out.of(person) == 0


def test_people_who_were_never_measured_are_not_recognised() -> None:
    out = left(None)
    assert out.of(Measured(None, SOME[0])) == 1
    assert out.of(Measured(None, None)) == 2
    out.leave(Measured(None, SOME[0]))  # was never somebody's identity
    assert out.of(Measured(None, SOME[0])) == 3


def test_the_difference_of_two_people_is_one_in_the_mean() -> None:
    rng = np.random.default_rng(1)
    a, b = (LENGTH_PER_HEIGHT * np.exp(RELATIVE_LENGTH_SD * rng.normal(size=(500, 9))) for _ in range(2))
    differences = [bone_difference(one, other) for one, other in zip(a, b, strict=True)]
    assert abs(np.mean(np.square(differences)) - 1) < 0.1
    assert bone_difference(a[0], a[0]) == 0
    np.testing.assert_allclose(bone_difference(a[0], b[0]), bone_difference(b[0], a[0]))


RED, BLUE, SPOTTED = ([1.0, 0, 1, 0], [0, 1.0, 0, 1], [0.95, 0.05, 0.95, 0.05])


def wearing(identity: int | None, bones_m: Floats | None, descriptor: list[float] | None) -> Measured:
    """A person who was seen in these clothes by the first camera."""
    out = Measured(identity, bones_m)
    for i in range(8 if descriptor else 0):
        out.appearance.add(i * KEYFRAME_INTERVAL_NS, np.array([0]), np.array([descriptor]))
    return out


def gone(*people: Measured) -> Identities:
    out = Identities()
    for person in people:
        person.identity = out.next()
        out.leave(person)
    return out


def test_the_same_bones_in_other_clothes_are_another_person() -> None:
    for descriptor, expected in ((RED, 0), (SPOTTED, 0), (BLUE, 1), (None, 0)):
        out = gone(wearing(None, SOME[0], RED))
        assert out.of(wearing(None, SOME[0] * AGAIN, descriptor)) == expected
    out = gone(wearing(None, SOME[0], None))  # whose clothes are unknown
    assert out.of(wearing(None, SOME[0] * AGAIN, BLUE)) == 0


def test_clothes_that_somebody_else_wears_too_are_no_proof() -> None:
    out = gone(wearing(None, SOME[0], RED), wearing(None, SOME[1], RED))
    assert out.of(wearing(None, SOME[0] * AGAIN, RED)) == 2
    out = gone(wearing(None, SOME[0], RED))
    present = [wearing(5, SOME[1], SPOTTED)]
    assert out.of(wearing(None, SOME[0] * AGAIN, SPOTTED), present) == 1
    assert out.of(wearing(None, SOME[0] * AGAIN, RED), [wearing(5, SOME[1], BLUE)]) == 0


def test_clothes_decide_between_people_of_the_same_bones() -> None:
    twin = SOME[0] * (1 + 1e-3 * np.arange(9))
    for descriptor, expected in ((RED, 0), (BLUE, 1), (None, 2)):
        out = gone(wearing(None, SOME[0], RED), wearing(None, twin, BLUE))
        assert out.of(wearing(None, 0.5 * (SOME[0] + twin), descriptor)) == expected


def test_clothes_alone_do_not_make_a_person() -> None:
    out = gone(wearing(None, SOME[0], RED))
    assert out.of(wearing(None, None, RED)) is None
    assert out.of(wearing(None, SOME[3], RED)) == 1


def test_who_came_back_before_anybody_new_is_not_given_away() -> None:
    person = wearing(None, SOME[0], RED)
    out = gone(person)
    assert out.of(wearing(None, SOME[0] * AGAIN, RED), [person]) == 1


def test_who_was_hidden_and_returns_near_that_place_is_recognised_by_similar_bones() -> None:
    similar = SOME[0] * np.exp(0.75 * RELATIVE_LENGTH_SD * np.resize([1.0, -1.0], 9))
    assert MAX_DIFFERENCE < bone_difference(similar, SOME[0]) < MAX_DIFFERENCE_NEAR
    for away_s, away_m, same in ((5.0, 1.0, True), (5.0, 5.0, False), (30.0, 0.0, False)):
        out = Identities()
        before = Measured(out.next(), SOME[0])
        before.move_to(0, np.zeros((14, 3)))
        out.leave(before)
        after = Measured(None, similar)
        after.began_ns = round(away_s * 1e9)
        after.move_to(after.began_ns, np.full((14, 3), [away_m, 0.0, 0.0]))
        assert out.of(after) == (0 if same else 1)
