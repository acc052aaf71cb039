"""Joint angles: what they are, and that they are NaN where they are not."""

import numpy as np
import pytest

from pose_rig.session.formats.joint_angles import ANGLES, SIDES, angle_deg, angles_deg, limb_m, variation_percent
from pose_rig.session.formats.message_arrays import pose_arrays
from pose_rig.session.formats.poses import Poses
from pose_rig.skeleton import INDEX
from tests.session.drawable import pose


def posed(**places: tuple[float, float, float]) -> Poses:
    """Returns one pose of a person standing upright, some joints moved; m."""
    xyz = np.zeros((17, 3), np.float32)
    standing = {
        "thorax": (0.0, 1.5, 0.0), "pelvis": (0.0, 1.0, 0.0), "l_hip": (0.1, 1.0, 0.0), "l_knee": (0.1, 0.5, 0.0),
        "l_ankle": (0.1, 0.0, 0.0), "r_hip": (-0.1, 1.0, 0.0), "r_knee": (-0.1, 0.5, 0.0), "r_ankle": (-0.1, 0.0, 0.0),
        "l_shoulder": (0.2, 1.5, 0.0), "l_elbow": (0.2, 1.2, 0.0), "l_wrist": (0.2, 0.95, 0.0),
        "r_shoulder": (-0.2, 1.5, 0.0), "r_elbow": (-0.2, 1.2, 0.0), "r_wrist": (-0.2, 0.95, 0.0),
    }  # fmt: skip
    for name, place in (standing | places).items():
        xyz[INDEX[name]] = place
    score = np.ones(17, np.float32)
    score[INDEX["r_wrist"]] = 0.0
    message = pose(0, joints="rig17", xyz=xyz, score=score, residual_px=np.zeros(17, np.float32))
    return pose_arrays([message])[0]


def test_standing_upright_has_zero_angles() -> None:
    standing = posed()
    for name in ANGLES:
        for side in SIDES:
            (angle,) = angle_deg(standing, name, side)
            if (name, side) == ("elbow flexion", "r"):
                assert np.isnan(angle)  # its wrist is guessed
            else:
                assert angle == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize(
    ("name", "moved", "expected"),
    [
        ("knee flexion", {"l_ankle": (0.1, 0.5, 0.5)}, 90.0),
        ("hip flexion", {"l_knee": (0.1, 1.0, 0.5)}, 90.0),
        ("hip flexion", {"l_knee": (0.1, 0.567, -0.25)}, -30.0),
        ("elbow flexion", {"l_wrist": (0.2, 1.45, 0.0)}, 180.0),
        ("shoulder elevation", {"l_elbow": (0.5, 1.5, 0.0)}, 90.0),
        ("shoulder elevation", {"l_elbow": (0.2, 1.5, 0.3)}, 90.0),
        ("shoulder elevation", {"l_elbow": (0.2, 1.8, 0.0)}, 180.0),
    ],
)
def test_angles_are_those_of_anatomists(
    name: str, moved: dict[str, tuple[float, float, float]], expected: float
) -> None:
    # their left is at +x, so they look along +z
    (angle,) = angle_deg(posed(**moved), name, "l")
    assert angle == pytest.approx(expected, abs=0.1)


def test_lengths_of_limbs() -> None:
    assert limb_m(posed(), "shank", "l") == pytest.approx([0.5])
    assert np.isnan(limb_m(posed(), "forearm", "r")).all()
    assert variation_percent(np.array([1.0, 1.1, 0.9, np.nan])) == pytest.approx(8.165, abs=0.01)
    assert np.isnan(variation_percent(np.array([np.nan])))


def test_joints_in_one_place_have_no_angle_and_no_warning() -> None:
    folded = posed(l_knee=(0.1, 1.0, 0.0))
    assert np.isnan(angle_deg(folded, "knee flexion", "l")).all()
    assert np.isnan(angles_deg(posed(thorax=(0.0, 1.0, 0.0)))["r_shoulder_elevation"]).all()


def test_angles_have_names_of_the_side_first_like_joints() -> None:
    angles = angles_deg(posed(l_ankle=(0.1, 0.5, 0.5)))
    assert len(angles) == 8
    assert angles["l_knee_flexion"] == pytest.approx([90.0])
    assert angles["r_knee_flexion"] == pytest.approx([0.0], abs=0.01)
