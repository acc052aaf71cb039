"""Two-bone inverse kinematics of a leg."""

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import INDEX, B, forward_kinematics
from pose_rig.humanoid.leg import MAX_BEND_CHANGE_RAD, Leg
from tests.streaming.people import about, angles_deg, person, random_rest

REST = random_rest(1.7, np.random.default_rng(1))
UPPER, LOWER, FOOT = (INDEX[f"Left{bone}"] for bone in ("UpperLeg", "LowerLeg", "Foot"))
KEPT = (0.0, 0.0, 0.0, 1.0)


def bent(knee_deg: float) -> Floats:
    """Returns (B,4) the rest pose with a bent left knee, and the thigh bent by half of that."""
    rotation = np.tile([0.0, 0.0, 0.0, 1.0], (B, 1))
    rotation[UPPER], rotation[LOWER] = about(np.array([-knee_deg / 2, 0.0, 0.0])), about(np.array([knee_deg, 0.0, 0.0]))
    return rotation


def placed(rotation: Floats, by: Floats) -> tuple[Floats, Floats, Floats]:
    """Returns the movement of the ankle (3,) m, the new rotations (B,4), and the rotation of the foot in ``rig``."""
    leg, out = Leg(REST, "Left"), rotation.copy()
    root = REST.offset[0]
    leg.set_pose((float(root[0]), float(root[1]), float(root[2])), rotation.tolist())
    x, y, z = (np.array(leg.ankle) + by).tolist()
    leg.place_foot((x, y, z), leg.foot, out)
    (before, _), (begin, turned) = forward_kinematics(REST, root, rotation), forward_kinematics(REST, root, out)
    return begin[FOOT] - before[FOOT], out, turned[FOOT]


@pytest.mark.parametrize("by", [[0.03, 0.0, 0.0], [0.0, 0.01, 0.0], [0.0, -0.01, 0.0], [-0.01, 0.01, 0.03]])
def test_the_ankle_reaches_its_target_and_the_foot_keeps_its_rotation(by: list[float]) -> None:
    rotation = bent(60.0)
    moved, out, foot = placed(rotation, np.array(by))
    assert moved == pytest.approx(by, abs=1e-3)  # a bound on the bend is felt before it is reached
    assert angles_deg(foot, forward_kinematics(REST, REST.offset[0], rotation)[1][FOOT]) < 1e-3
    assert np.abs(out[LOWER, 1:3]).max() < 1e-9  # a hinge
    others = [bone for bone in range(B) if bone not in (UPPER, LOWER, FOOT)]
    assert np.array_equal(out[others], rotation[others])


def test_a_leg_is_not_stretched_beyond_its_length() -> None:
    moved, out, _ = placed(bent(10.0), np.array([0.0, -0.10, 0.0]))
    assert moved[1] > -0.01
    assert 0.0 <= angles_deg(out[LOWER], np.array(KEPT)) <= 10.0
    assert out[LOWER, 0] >= 0.0


def test_a_straight_knee_bends_softly_and_forwards() -> None:
    bends = []
    for by_m in (0.001, 0.003, 0.010):
        _, out, _ = placed(bent(0.0), np.array([0.0, by_m, 0.0]))
        assert out[LOWER, 0] > 0.0
        bends.append(float(angles_deg(out[LOWER], np.array(KEPT))))
    assert bends == sorted(bends)
    assert bends[1] < 5.0  # that of two straight bars would be 10


def test_the_change_of_the_bend_is_limited() -> None:
    _, out, _ = placed(bent(40.0), np.array([0.0, 0.3, 0.0]))
    assert angles_deg(out[LOWER], bent(40.0)[LOWER]) <= np.degrees(MAX_BEND_CHANGE_RAD)


def test_an_overextended_knee_is_not_bent_further_back() -> None:
    for by_m in (-0.05, 0.0, 0.05):
        _, out, _ = placed(bent(-8.0), np.array([0.0, by_m, 0.0]))
        bend_deg = np.degrees(2 * np.arctan2(out[LOWER, 0], out[LOWER, 3]))
        assert bend_deg > -8.1


def test_rotations_keep_their_signs() -> None:
    subject = person(5, seconds=4.0)
    leg = Leg(subject.rest, "Right")
    for root, rotation in zip(subject.root.tolist(), subject.rotation, strict=True):
        out = rotation.copy()
        leg.set_pose((root[0], root[1], root[2]), rotation.tolist())
        x, y, z = leg.ankle
        leg.place_foot((x + 0.02, y, z), leg.foot, out)
        assert ((out * rotation).sum(-1) > 0.9).all()


def test_sole_depth_is_that_of_the_lower_end() -> None:
    leg = Leg(REST, "Left")
    level_m = -leg.toes[1]
    assert leg.sole_depth_m(KEPT) == pytest.approx(level_m)
    for down_deg in (30.0, -30.0):  # on the toes, on the heel
        x, y, z, w = about(np.array([down_deg, 0.0, 0.0])).tolist()
        assert leg.sole_depth_m((x, y, z, w)) > level_m
    assert leg.ankle_m == pytest.approx(level_m)
    assert leg.toes_m == pytest.approx(0.0, abs=1e-9)
