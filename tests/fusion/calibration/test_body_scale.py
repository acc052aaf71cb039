import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.chirality import chirality
from pose_rig.fusion.calibration.body_scale import ANKLE_HEIGHT, EARS_TO_ANKLES, BodyScale, bone_lengths, upright_length
from pose_rig.geometry import rotation_from_vector
from pose_rig.skeleton import BONES, INDEX, J
from tests.fusion.fakes import standing, walk

STATURE = EARS_TO_ANKLES * 1.8
TURN = rotation_from_vector(np.array([0.0, 1.0, 0.0]))


def test_bone_lengths_of_a_known_body() -> None:
    bones = bone_lengths(standing())
    assert bones.shape == (len(BONES),)
    by_child = dict(zip([child for _, child in BONES], bones, strict=True))
    assert by_child[INDEX["l_hip"]] == pytest.approx(0.1)
    assert by_child[INDEX["spine"]] == pytest.approx(0.25)
    assert by_child[INDEX["r_elbow"]] == pytest.approx(np.linalg.norm([0.07, 0.28, 0.02]))


def test_upright_length_is_ankles_to_ears() -> None:
    assert upright_length(bone_lengths(standing())) == pytest.approx(0.82 + 0.7, abs=0.005)


@pytest.mark.parametrize("scale", [0.02, 1.0, 50.0])
def test_a_standing_person_gets_the_given_body_height(scale: float) -> None:
    placed = BodyScale(1.8)(scale * standing() @ TURN.T + 3.0)
    assert placed.shape == (J, 3)
    assert placed[0, [0, 2]] == pytest.approx([0, 0])
    assert upright_length(bone_lengths(placed)) == pytest.approx(STATURE)
    assert placed[:, 1].min() == pytest.approx(ANKLE_HEIGHT * 1.8)
    assert placed[INDEX["head"], 1] == pytest.approx(STATURE + ANKLE_HEIGHT * 1.8, abs=0.02)


def test_the_shape_is_kept_up_to_scale() -> None:
    placed = BodyScale(1.8)(standing())
    assert placed - placed[0] == pytest.approx((placed[9, 1] - placed[0, 1]) / 0.68 * standing())


def test_bone_lengths_do_not_depend_on_the_size_of_the_poses() -> None:
    place, rng = BodyScale(1.8), np.random.default_rng(0)
    placed = [place((pose - pose[0]) * np.exp(rng.normal(0, 0.3))) for pose in walk(4.0)]
    lengths = np.array([bone_lengths(pose) for pose in placed])
    assert (lengths.std(0) / lengths.mean(0)).max() < 0.05  # the captured neck and nose are not quite rigid
    assert upright_length(lengths.mean(0)) == pytest.approx(STATURE, rel=0.01)


def test_a_crouching_first_frame_does_not_spoil_the_scale() -> None:
    crouched = standing()
    crouched[[INDEX["l_knee"], INDEX["r_knee"]]] = [[0.11, 0.1, 0.4], [-0.11, 0.1, 0.4]]
    crouched[[INDEX["l_ankle"], INDEX["r_ankle"]]] = [[0.11, -0.3, 0.3], [-0.11, -0.3, 0.3]]
    placed = BodyScale(1.8)(crouched)
    assert upright_length(bone_lengths(placed)) == pytest.approx(STATURE)
    assert np.ptp(placed[:, 1]) < 1.4


def test_one_outlier_frame_hardly_changes_the_bone_lengths() -> None:
    place = BodyScale(1.8)
    for pose in walk(3.0):
        before = place(pose)
    broken = walk(3.0)[-1].copy()
    broken[INDEX["l_wrist"]] += 5.0
    place(broken)
    after = place(walk(3.0)[-1])
    assert np.abs(after - before).max() < 0.05


def test_a_pose_of_no_extent_is_finite() -> None:
    assert np.isfinite(BodyScale(1.7)(np.zeros((J, 3)))).all()
    place = BodyScale(1.7)
    place(standing())
    assert np.isfinite(place(np.zeros((J, 3)))).all()


@pytest.mark.parametrize("axis", [[0.0, 1, 0], [1.0, 0, 0], [0.3, 0.5, -2.0]])
def test_chirality_is_invariant_to_rotation(axis: Floats) -> None:
    joints = walk(4.0)
    turned = (joints - joints[:, :1]) @ rotation_from_vector(np.asarray(axis)).T
    assert chirality(turned) > 0.5
    assert chirality(turned * [1, 1, -1]) == pytest.approx(-chirality(turned))
    assert chirality(turned * [-1, 1, 1]) < -0.5


def test_chirality_of_a_flat_or_missing_body_is_ambiguous() -> None:
    assert chirality(standing()[None] * [1, 1, 0]) == pytest.approx(0)
    assert chirality(np.zeros((2, J, 3))) == 0
    assert chirality(np.zeros((0, J, 3))) == 0
